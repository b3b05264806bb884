//! What a node does without being asked: gossip, found the cluster, hand hints off, compare Merkle trees.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::base::bytes::Bytes;
use crate::base::id::{Address, Generation, NodeId, Slot};
use crate::base::time::Duration;
use crate::disk::DiskError;
use crate::member::gossip::{Card, Gossip};
use crate::member::view::{Audience, Change};
use crate::node::amnesia::FOUNDING;
use crate::node::config::Config;
use crate::node::fact::Fact;
use crate::node::identity;
use crate::node::input::Env;
use crate::node::message::Message;
use crate::node::outbox::{Halt, Target};
use crate::node::step::{NO_OP, Node};
use crate::node::timer::Timer;
use crate::repair::exchange::{self, Action, Exchange, Response};
use crate::repair::page::{self, Difference, Listing, Page, Span};
use crate::ring::layout::{Layout, Member};
use crate::ring::placement::Placement;
use crate::storage::{JobError, JobResult};

/// How long jobs rest after one found the disk full. Each that fails in a row doubles it, so often at most.
const JOBS_PAUSE: Duration = Duration::from_millis(100);
const JOBS_DOUBLED_MAX: u32 = 6;
/// Comparisons that a round opens besides its own after a torn tail.
const TAIL_EXCHANGES: usize = 16;
/// Members that one round of gossip goes to, and that answer.
const FANOUT: usize = 2;
/// Of those who watch this node, how many are told in a round that it lives. In a small cluster everybody does, and
/// nobody is told apart.
const WATCHERS: usize = 2;

/// An address at which somebody of the cluster is to be found.
#[derive(Clone, Debug, Hash)]
pub(super) struct Seed {
    pub(super) address: Address,
    /// Who is known there. A member may move, and nobody is known where it was.
    pub(super) member: Option<NodeId>,
}

impl Seed {
    /// Those of the configuration, but for this node itself.
    pub(super) fn all(config: &Config) -> Vec<Seed> {
        let others = config.seeds.iter().filter(|seed| **seed != config.address);
        others.map(|address| Seed { address: address.clone(), member: None }).collect()
    }

    fn hear_of(&mut self, card: &Card) {
        if self.address == card.address {
            self.member = Some(card.node);
        } else if self.member == Some(card.node) {
            self.member = None;
        }
    }
}

impl Node {
    pub(super) fn on_timer(&mut self, timer: Timer, env: &mut Env) {
        match timer {
            Timer::Gossip => {
                self.gossip_round(env);
                self.timers.set(env.now.mono + self.config.gossip_every, Timer::Gossip);
            }
            Timer::Exchange => {
                self.exchange_round(env);
                self.timers.set(env.now.mono + self.config.exchange_every, Timer::Exchange);
            }
            Timer::Handoff => {
                self.hand_off(env);
                self.timers.set(env.now.mono + self.config.gossip_every, Timer::Handoff);
            }
            Timer::Scrub => {
                self.store.engine.scrub();
                self.timers.set(env.now.mono + self.config.scrub_every, Timer::Scrub);
            }
            Timer::Jobs => self.store.engine.pause_jobs(false),
            Timer::Op(op) => self.expire(op, env),
            Timer::Whole(op) => self.ask_another(op, env),
        }
    }

    /// A job has ended. If it found the disk full, the next would too: it waits, or it would write all day long what is
    /// thrown away again, and take the space that a flush could end in.
    pub(super) fn pace_jobs(&mut self, result: &JobResult, env: &mut Env) {
        match result {
            Err(JobError::Write { why: DiskError::Full, .. }) => {
                let pause = JOBS_PAUSE.saturating_mul(1 << self.failed_jobs.min(JOBS_DOUBLED_MAX));
                self.failed_jobs += 1;
                self.store.engine.pause_jobs(true);
                self.timers.set(env.now.mono + pause, Timer::Jobs);
                env.out.facts.push(Fact::JobsPaused);
            }
            Ok(output) if output.has_tables() => self.failed_jobs = 0,
            _ => {}
        }
    }

    fn gossip_round(&mut self, env: &mut Env) {
        let changes = self.view.beat(env.now.mono);
        self.note_changes(&changes, env);
        self.found(env);
        self.recall_round(env);
        for node in self.view.targets(&mut self.rng, FANOUT) {
            self.gossip_to(node, Audience::Anybody, env);
        }
        for node in self.view.watchers(WATCHERS) {
            self.gossip_to(node, Audience::Neighbour, env);
        }
        // Seeds are contacted for ever, as long as nobody is known at their address: so a cluster forms, and so two
        // halves that have forgotten each other meet again.
        let strangers: Vec<Address> =
            self.seeds.iter().filter(|seed| seed.member.is_none()).map(|seed| seed.address.clone()).collect();
        for address in strangers {
            let gossip = Box::new(self.gossip(Audience::Anybody));
            self.send(Target::Address(address), Message::Gossip(gossip), env);
        }
    }

    fn gossip(&mut self, audience: Audience) -> Gossip {
        let layout = self.layout();
        self.view.tell(&mut self.rng, audience, layout)
    }

    /// The version of the layout in force, or zero.
    pub(super) fn layout(&self) -> u64 {
        self.placement.as_ref().map_or(0, |placement| placement.layout().version)
    }

    pub(super) fn on_gossip(&mut self, from: NodeId, gossip: &Gossip, env: &mut Env) {
        if let Some((known, is_rival)) = self.view.other_life(gossip) {
            if is_rival {
                return self.halt(Halt::Superseded, env);
            }
            self.outlive(known, env);
        }
        let changes = self.view.merge(from, gossip, env.now.mono);
        self.note_changes(&changes, env);
        self.layout_heard = self.layout_heard.max(gossip.layout);
        if gossip.layout > self.layout() {
            self.send(Target::Node(from), Message::LayoutWanted, env);
        }
        if gossip.wants_reply {
            self.gossip_to(from, Audience::Asker(from, &gossip.wanted), env);
        }
    }

    pub(super) fn gossip_to(&mut self, node: NodeId, audience: Audience, env: &mut Env) {
        let gossip = Box::new(self.gossip(audience));
        self.send(Target::Node(node), Message::Gossip(gossip), env);
    }

    /// This node begins from a new disk, or from an old copy of its own: what peers know of it is its earlier life, and
    /// they refuse whatever is not above that.
    fn outlive(&mut self, known: Generation, env: &mut Env) {
        if known.0 == u64::MAX {
            return; // Nobody was ever there; somebody makes it up.
        }
        match identity::raise(&mut self.identity, known, env.disk) {
            Ok(()) => {
                self.view.reborn(self.identity.generation);
                self.recall = None;
                // Where clocks are pruned, an actor below the generation of its node must not number any more.
                self.store.forgot |= self.config.clock_length_max > 0;
                env.out.facts.push(Fact::GenerationRaised);
            }
            Err(error) => self.halt(Halt::Storage(error), env),
        }
    }

    fn note_changes(&mut self, changes: &[Change], env: &mut Env) {
        for change in changes {
            match change {
                Change::Joined(card) => {
                    for seed in &mut self.seeds {
                        seed.hear_of(card);
                    }
                    env.out.addresses.push((card.node, card.address.clone()));
                }
                Change::Withheld(_) => env.out.facts.push(Fact::AccusationWithheld),
                Change::Up(_) => env.out.facts.push(Fact::MemberUp),
                Change::Down(_) => env.out.facts.push(Fact::MemberDown),
                Change::Refused(_) => env.out.facts.push(Fact::StaleGeneration),
            }
        }
    }

    /// The founder makes the first layout. Only one node can be the founder, and it does so only while nobody it has
    /// heard of knows any layout: so there is one first layout, even if the founder lost its disk meanwhile.
    fn found(&mut self, env: &mut Env) {
        let is_founder = self.config.seeds.first() == Some(&self.config.address);
        let alone = self.layout_heard == 0 && self.placement.is_none();
        if !is_founder || !alone {
            return;
        }
        let members: Vec<Member> = self
            .view
            .members()
            .into_iter()
            .filter(|(card, up)| *up || card.node == self.me())
            .map(|(card, _)| {
                let &Card { node, capacity, birth, .. } = card;
                Member { node, zone: card.zone.clone(), capacity, birth }
            })
            .collect();
        if members.len() < usize::from(self.config.founders) {
            return;
        }
        if let Ok(layout) = Layout::new(FOUNDING, self.config.n, members) {
            env.out.facts.push(Fact::ClusterFounded);
            self.adopt(layout, env);
        }
    }

    /// Takes a layout that is newer than the one in force.
    pub(super) fn adopt(&mut self, layout: Layout, env: &mut Env) {
        if self.placement.as_ref().is_some_and(|placement| placement.layout().version >= layout.version) {
            return;
        }
        // If it cannot be kept, it is learned again after the next start.
        let _ = self.store.save_layout(&layout, env.disk);
        self.layout_heard = self.layout_heard.max(layout.version);
        if self.is_amnesiac() && self.is_founded_by(&layout) {
            self.settle_in(env);
        }
        self.view.expect(layout.nodes());
        self.placement = Some(self.config.known.of(&layout));
        env.out.facts.push(Fact::LayoutAdopted);
    }

    pub(super) fn send_layout(&mut self, to: NodeId, env: &mut Env) {
        if let Some(placement) = &self.placement {
            let layout = Box::new(placement.layout().clone());
            self.send(Target::Node(to), Message::Layout(layout), env);
        }
    }

    /// Compares with one other replica of the slots here, drawn by chance; what is damaged comes first.
    fn exchange_round(&mut self, env: &mut Env) {
        self.mend_round(env);
        let Some(placement) = self.placement.clone() else { return };
        let peers: Vec<NodeId> = placement.partners(self.me()).filter(|&node| self.usable(node)).collect();
        let Some(&peer) = self.rng.pick(&peers) else { return };
        self.open_exchange(peer, &placement, env);
        self.exchange_tail(peer, &peers, &placement, env);
    }

    fn open_exchange(&self, peer: NodeId, placement: &Placement, env: &mut Env) {
        let shared = |slot: Slot| placement.owns(peer, slot) && placement.owns(self.me(), slot);
        if let Some(opening) = exchange::open(&self.store.forest, placement.layout().version, &shared) {
            self.send_exchange(peer, opening, env);
        }
    }

    /// The end of the log was cut off when this node started. Almost always nobody had been told that it was safe; but
    /// that cannot be told from damage to the last writes that *were* synced. So whatever may be missing is looked for
    /// at once, with everybody, and not with one replica after the other as chance has it.
    ///
    /// The node answers reads meanwhile. Were it to wait until all others have been compared with, the loss of one node
    /// while all restart (a power cut) would stop the other replicas as well.
    fn exchange_tail(&mut self, just_met: NodeId, peers: &[NodeId], placement: &Placement, env: &mut Env) {
        let Some(met) = &mut self.uncertain else { return };
        met.insert(just_met);
        let next: Vec<NodeId> =
            peers.iter().copied().filter(|peer| !met.contains(peer)).take(TAIL_EXCHANGES).collect();
        met.extend(&next);
        let members = placement.layout().members();
        let has_met_all =
            members.iter().all(|member| member.node == self.identity.node || met.contains(&member.node));
        for peer in next {
            self.open_exchange(peer, placement, env);
        }
        if has_met_all {
            self.uncertain = None;
            env.out.facts.push(Fact::TailExchanged);
        }
    }

    pub(super) fn on_exchange(&mut self, from: NodeId, exchange: Exchange, env: &mut Env) {
        let Some(placement) = self.placement.clone() else { return };
        let (me, layout) = (self.me(), placement.layout().version);
        let shared = |slot: Slot| placement.owns(from, slot) && placement.owns(me, slot);
        let response = exchange::respond(&self.store.forest, layout, &shared, &mut self.rng, exchange);
        // A peer with another layout is not compared with: gossip brings both to the newer one first.
        let Ok(Response { messages, actions }) = response else { return };
        for message in messages {
            self.send_exchange(from, message, env);
        }
        for action in actions {
            match action {
                Action::List(span) => {
                    if let Some(listing) = self.list(&span, env) {
                        env.out.facts.push(Fact::ExchangeDiffered);
                        self.send_exchange(from, Exchange::Keys(Page { span, listing }), env);
                    }
                }
                Action::Compare(page) => {
                    if let Some(mine) = self.list(&page.span, env) {
                        let Difference { send, messages } = page::compare(page, mine);
                        self.deliver(from, &send, env);
                        messages.into_iter().for_each(|message| self.send_exchange(from, message, env));
                    }
                }
                Action::Send { keys, .. } => self.deliver(from, &keys, env),
                Action::Gather(part) => self.on_refetch(from, part, layout, &shared, env),
                Action::Take(content) => self.on_content(from, content, env),
            }
        }
    }

    pub(super) fn send_exchange(&self, to: NodeId, exchange: Exchange, env: &mut Env) {
        debug_assert!(exchange.is_valid(), "peers refuse what is not valid");
        self.send(Target::Node(to), Message::Exchange(Box::new(exchange)), env);
    }

    /// What is stored of a span. `None` if it cannot be read: what is unknown here must not look like missing here.
    fn list(&mut self, span: &Span, env: &mut Env) -> Option<Listing> {
        let listed = self.store.list(span, env.disk);
        if listed.is_err() {
            env.out.facts.push(Fact::DamageRefused);
        }
        listed.ok()
    }

    /// Sends what is stored of these keys, for the other side to merge.
    fn deliver(&mut self, to: NodeId, keys: &[Bytes], env: &mut Env) {
        for key in keys {
            if let Ok(siblings) = self.store.load(key, env.disk)
                && !siblings.is_empty()
            {
                let message = Message::Store {
                    op: NO_OP,
                    key: key.clone(),
                    siblings: Arc::new(siblings),
                    early: false,
                };
                self.send(Target::Node(to), message, env);
            }
        }
    }
}
