//! What a node does that has lost its disk, or was given an old copy of it.
//!
//! The crash story: a write is acknowledged by n1 and n2. The disk of n1 is replaced. A read asks n1, which has
//! nothing, and n3, which never had it: two replicas have answered that there is no such key, and R + W > N was true
//! all the time. So a node that may have promised more than it knows answers no reads, and numbers no writes, until
//! every other replica of its slots has told all that it has ([`crate::repair::refetch`]). What it is sent to store it
//! stores, and that counts: it is on its disk.
//!
//! How it knows: a disk that is used for the first time is given a *birth*, a number of chance, and the first layout
//! names the births of those who founded the cluster. Whoever is a member by another birth has another disk than the
//! one that its promises were made on. Whoever hears of a later life of its own ([`View::other_life`]) has an old copy.
//! That it is made whole is noted durably, behind all that it was told.
//!
//! The price: as long as one of the other replicas is away, its slots have one replica less for reads. Were the node to
//! go on without that one, what the two of them acknowledged might be read as if it had never been.
//!
//! Weaknesses: an old copy that was taken in the life that it replaces is not noticed. And what other replicas cannot
//! tell, because they are damaged or have lost their disks as well, is not waited for.
//!
//! [`View::other_life`]: crate::member::view::View::other_life

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use crate::base::bytes::Bytes;
use crate::base::id::{NodeId, Slot};
use crate::base::limits::SLOTS;
use crate::node::fact::Fact;
use crate::node::identity::{self, Memory};
use crate::node::input::Env;
use crate::node::outbox::Halt;
use crate::node::step::{Node, Waiter};
use crate::repair::exchange::Exchange;
use crate::repair::refetch::{Content, HELD_MAX, Part, Refetch};
use crate::ring::layout::Layout;

/// The version of the layout that the founder makes.
pub(super) const FOUNDING: u64 = 1;

/// All that the other replicas have, on its way here.
#[derive(Clone, Debug, Hash)]
pub(super) struct Recall {
    /// The version of the layout that says who the replicas are.
    layout: u64,
    refetch: Refetch,
    /// Everything has been told, and waits for the disk.
    is_told: bool,
}

impl Recall {
    fn begin(layout: u64, partners: BTreeSet<NodeId>) -> Recall {
        let everything = Part { from: (Slot(0), Bytes::default()), to: (Slot(SLOTS), Bytes::default()) };
        Recall { layout, refetch: Refetch::new(alloc::vec![everything], partners, HELD_MAX), is_told: false }
    }
}

impl Node {
    /// Whether this node may have promised to know more than it does.
    pub fn is_amnesiac(&self) -> bool {
        self.identity.memory != Memory::Whole
    }

    /// Whoever founds a cluster with an empty disk has promised nothing, not even if it was started again before it
    /// heard of that.
    pub(super) fn is_founded_by(&self, layout: &Layout) -> bool {
        let founds = layout.member(self.me()).is_some_and(|member| member.birth == self.identity.birth);
        layout.version == FOUNDING && founds && self.identity.memory == Memory::New
    }

    /// Asks who has not told everything yet. Called in every round of gossip, as questions and answers may be lost.
    pub(super) fn recall_round(&mut self, env: &mut Env) {
        let Some(placement) = self.placement.clone().filter(|_| self.is_amnesiac()) else { return };
        let layout = placement.layout().version;
        if self.recall.as_ref().is_none_or(|recall| recall.layout != layout) {
            self.recall = Some(Recall::begin(layout, placement.partners(self.me()).collect()));
            self.conclude_recall();
        }
        let Some(recall) = &self.recall else { return };
        for node in recall.refetch.open().filter(|&node| self.usable(node)).collect::<Vec<_>>() {
            self.ask_to_recall(node, env);
        }
    }

    /// Who has not told everything yet.
    pub(super) fn recalled_from(&self) -> Vec<NodeId> {
        self.recall.iter().flat_map(|recall| recall.refetch.open()).collect()
    }

    fn ask_to_recall(&mut self, node: NodeId, env: &mut Env) {
        let Some(recall) = &self.recall else { return };
        if let Some(part) = recall.refetch.question(node) {
            self.send_exchange(node, Exchange::Refetch { layout: recall.layout, part }, env);
        }
    }

    /// A replica has told a page of what it has: it is stored at once, and the next one asked for.
    pub(super) fn on_recalled(&mut self, from: NodeId, content: Content, env: &mut Env) {
        let Some(recall) = &mut self.recall else { return };
        if !recall.refetch.take(from, content) {
            return;
        }
        for (key, siblings) in recall.refetch.drain() {
            if self.store.merge(&key, &siblings, env.disk).is_err() {
                // There is no room, or the disk is damaged. The next round begins again.
                self.recall = None;
                return;
            }
        }
        self.ask_to_recall(from, env);
        self.conclude_recall();
    }

    /// Once all have told everything, what they told has to be on the disk before that is noted.
    fn conclude_recall(&mut self) {
        if let Some(recall) = self.recall.as_mut().filter(|recall| recall.refetch.open().next().is_none())
            && !recall.is_told
        {
            recall.is_told = true;
            self.wait_for(self.store.engine.appended(), Waiter::Recalled);
        }
    }

    /// What was told is on the disk.
    pub(super) fn recalled(&mut self, env: &mut Env) {
        // If it turned out meanwhile that there was yet another life, or another layout, it begins anew.
        if self.recall.take().is_some_and(|recall| recall.is_told) {
            self.settle_in(env);
            env.out.facts.push(Fact::Recalled);
        }
    }

    /// From now on this node answers for what it has.
    pub(super) fn settle_in(&mut self, env: &mut Env) {
        if let Err(error) = identity::settle(&mut self.identity, env.disk) {
            self.halt(Halt::Storage(error), env);
        }
    }
}
