//! What a node does about damage on its disk: it asks the other replicas for what the damaged table held, and has the
//! engine write the table anew with it.
//!
//! The crash story: a bit rots in one block of one table. Reads of its keys are refused here, and merges into them too,
//! for what they would be merged with is not known. The node asks every other replica of the slots concerned
//! ([`crate::repair::refetch`]), before it compares anything else with them. When all have told all that they have, the
//! table is written anew. Only when that is durable do the keys count as known again.
//!
//! - **Nothing is "not found" meanwhile**: the engine's mark is lifted by the same edit that brings the new table.
//! - **What is damaged hides no more than it held.** Another table may have a version of the same keys that can be
//!   read, older perhaps, and on no other replica. Each tells those too, and the new table has them: versions merge, so
//!   what is old does no harm.
//! - **No dot is given twice.** The block may have held writes that this node numbered and that nobody else knows yet
//!   (one that timed out, say, whose copies are still on their way). So it numbers on under a new actor.
//! - **Hints and notes** have no replicas. A hint that is lost is dropped, and seen to be: the write itself is on other
//!   replicas, which repair brings to its target. The layout is written again.
//!
//! - **What comes back was never lost**: before the table is written anew, the damaged places are read once more. A bad
//!   cable made this node replace what it had by what replicas with new disks had: nothing.
//! - **Two that are damaged in the same part** do not wait for each other, if a third one is whole there. What only the
//!   two had is lost then, and the fact `damage_shared` tells of it.
//! - **All are damaged in the same place**: as long as one of them cannot read there, it is waited for, because that
//!   may pass. What all of them can read, and is not what was written, is lost, and the keys can be written again.
//!   (Mostly there never was a key in the place that all of them have lost. A driver that reads garbage everywhere for
//!   a while would be taken for that.)
//!
//! Weaknesses: one table at a time; and as long as one replica of the slots concerned is away, the keys stay unknown
//! here.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use crate::base::bytes::Bytes;
use crate::base::id::{NodeId, Slot};
use crate::causal::siblings::Siblings;
use crate::node::fact::Fact;
use crate::node::input::Env;
use crate::node::keyspace;
use crate::node::step::Node;
use crate::repair::exchange::Exchange;
use crate::repair::refetch::{Content, HELD_MAX, Part, Refetch};
use crate::ring::placement::Placement;
use crate::storage::{RepairError, Suspect};

/// Entries of the store that one step counts anew, about.
const RECOUNT_ENTRIES: usize = 4096;

/// A damaged table on its way to be whole again.
#[derive(Clone, Debug, Hash)]
pub(super) struct Mending {
    suspect: Suspect,
    /// The version of the layout that says who the replicas are.
    layout: u64,
    parts: Vec<Part>,
    refetch: Refetch,
}

impl Mending {
    /// `None` if nobody else has what was lost.
    fn begin(suspect: Suspect, me: NodeId, placement: &Placement) -> Option<Mending> {
        let ranges = suspect.ranges.iter();
        let parts: Vec<Part> = ranges.filter_map(|range| keyspace::part(&range.first, &range.last)).collect();
        let mut replicas = BTreeSet::new();
        for slot in parts.iter().flat_map(Part::slots).filter(|&slot| placement.owns(me, slot)) {
            let others = replicas.len();
            let all = placement.replicas(slot);
            replicas.extend(all.iter().copied().filter(|&node| node != me));
            if replicas.len() == others && all.len() == 1 {
                return None;
            }
        }
        let refetch = Refetch::new(parts.clone(), replicas, HELD_MAX);
        Some(Mending { suspect, layout: placement.layout().version, parts, refetch })
    }

    /// Who has not told everything yet.
    pub(super) fn untold(&self) -> Vec<NodeId> {
        self.refetch.open().collect()
    }

    /// Whether of each place some other replica has told what it has, or all that it ever will.
    fn is_told(&self, me: NodeId, placement: &Placement) -> bool {
        let slots = self.refetch.unknown_slots().into_iter().filter(|&slot| placement.owns(me, slot));
        slots.into_iter().all(|slot| {
            let others = placement.replicas(slot).iter().copied().filter(|&node| node != me);
            self.refetch.is_known(slot, &others.collect::<Vec<_>>())
        })
    }
}

impl Node {
    /// Asks for what is still missing of the deepest damaged table. Called before every round of exchanges: what is
    /// unknown comes before what may be stale.
    pub(super) fn mend_round(&mut self, env: &mut Env) {
        self.recount_slots(env);
        let Some(placement) = self.placement.clone() else { return };
        if !self.store.engine.is_damaged() || self.look_again(env) {
            return;
        }
        let suspects = self.store.engine.suspects(env.disk);
        let current = self.mending.as_ref().map(|mending| mending.suspect.table);
        let under_way = suspects.iter().find(|suspect| Some(suspect.table) == current);
        let Some(suspect) = under_way.or(suspects.first()).cloned() else { return };
        let layout = placement.layout().version;
        let me = self.me();
        match &self.mending {
            Some(mending) if mending.suspect == suspect && mending.layout == layout => {
                // Nobody was whole there. Perhaps somebody is by now.
                if mending.refetch.found().is_some() && !mending.is_told(me, &placement) {
                    self.mending = Mending::begin(suspect, me, &placement);
                }
            }
            _ => {
                self.mending = Mending::begin(suspect, me, &placement);
                env.out.facts.extend(self.mending.is_some().then_some(Fact::DamageFound));
            }
        }
        let Some(mending) = &self.mending else { return };
        for node in mending.refetch.open().filter(|&node| self.usable(node)).collect::<Vec<_>>() {
            self.ask_for_lost(node, env);
        }
    }

    /// Whether damage has passed by itself. Whatever was to be done about it begins anew then, in the next round.
    fn look_again(&mut self, env: &mut Env) -> bool {
        let suspects = self.store.engine.suspects(env.disk);
        let has_passed = self.store.engine.look_again(env.disk) > 0;
        if has_passed {
            let ranges = suspects.iter().flat_map(|suspect| &suspect.ranges);
            let parts = ranges.filter_map(|range| keyspace::part(&range.first, &range.last));
            self.recount.extend(parts.flat_map(|part| part.slots().collect::<Vec<_>>()));
            self.mending = None;
            env.out.facts.push(Fact::DamagePassed);
        }
        has_passed
    }

    fn ask_for_lost(&mut self, node: NodeId, env: &mut Env) {
        let Some(mending) = &self.mending else { return };
        if let Some(part) = mending.refetch.question(node) {
            self.send_exchange(node, Exchange::Refetch { layout: mending.layout, part }, env);
        }
    }

    /// A peer has lost what it had of a part: it gets what is here, of the slots that both have, and is told where
    /// there is damage here too. Who has lost all that it had knows nothing for certain.
    pub(super) fn on_refetch(
        &mut self,
        from: NodeId,
        part: Part,
        layout: u64,
        shared: &dyn Fn(Slot) -> bool,
        env: &mut Env,
    ) {
        // What was damaged when it was last read may be whole by now, and whoever asks would take it for lost.
        if self.store.engine.is_damaged() {
            self.look_again(env);
        }
        match self.store.gather(part, shared, env.disk) {
            Ok(mut content) => {
                if self.is_amnesiac() {
                    content.may_pass = true;
                    content.unknown = alloc::vec![content.covered()];
                }
                self.send_exchange(from, Exchange::Content { layout, content }, env);
            }
            // What is unknown here must not look like missing here.
            Err(_) => env.out.facts.push(Fact::DamageRefused),
        }
    }

    pub(super) fn on_content(&mut self, from: NodeId, content: Content, env: &mut Env) {
        let Some(mending) = self
            .mending
            .as_mut()
            .filter(|mending| mending.refetch.question(from).as_ref() == Some(&content.part))
        else {
            return self.on_recalled(from, content, env);
        };
        if mending.refetch.take(from, content) {
            if mending.refetch.found().is_some() {
                env.out.facts.push(Fact::DamageRefetched);
            }
            self.ask_for_lost(from, env);
        }
    }

    /// Has the engine write the damaged table anew as soon as everything is there and no compaction is under way, and
    /// sees to the rest when it is whole. Called in every step, before jobs are handed out.
    pub(super) fn mend(&mut self, env: &mut Env) {
        let Some(mending) = &self.mending else { return };
        if !self.store.engine.is_suspect(mending.suspect.table) {
            self.recount.extend(mending.parts.iter().flat_map(Part::slots));
            self.mending = None;
            env.out.facts.push(Fact::DamageRepaired);
            return;
        }
        if self.store.engine.is_rewriting() {
            return;
        }
        if mending.refetch.found().is_none() || !self.add_own(env) {
            return;
        }
        let Some(mending) = &self.mending else { return };
        let Some(entries) = self.told(mending) else { return };
        let (suspect, is_shared) = (mending.suspect.clone(), mending.refetch.is_shared());
        // The last moment at which nothing is lost: those who were asked may have lost everything themselves.
        if self.look_again(env) {
            return;
        }
        match self.store.engine.repair(&suspect, &entries, env.disk) {
            Ok(()) => {
                self.store.forgot = true;
                env.out.facts.extend(is_shared.then_some(Fact::DamageShared));
            }
            Err(RepairError::Busy) => {}
            // The next round begins again with what is damaged by then.
            Err(_) => self.mending = None,
        }
    }

    /// Adds what this node can still read of the damaged part, in its other tables: the new table will hide it, and the
    /// others may never have had it. False if it cannot be read now.
    fn add_own(&mut self, env: &mut Env) -> bool {
        let Some(mending) = &mut self.mending else { return false };
        for part in &mending.parts {
            let mut next = Some(part.from.clone());
            while let Some(from) = next {
                let part = Part { from, to: part.to.clone() };
                let Ok(content) = self.store.gather(part, &|_| true, env.disk) else { return false };
                for (key, siblings) in content.entries {
                    mending.refetch.add(key, &siblings);
                }
                next = content.next;
            }
        }
        true
    }

    /// The entries of the store that take the place of what is damaged; `None` before everything is told.
    fn told(&self, mending: &Mending) -> Option<Vec<(Bytes, Bytes)>> {
        let found = mending.refetch.found()?;
        let placement = self.placement.as_ref()?;
        // More than a key may hold: no replica takes what all have together, until a client has reconciled it.
        if !mending.is_told(self.me(), placement) || !found.values().all(Siblings::is_valid) {
            return None;
        }
        let mut layout = Vec::new();
        keyspace::encode_value(placement.layout(), &mut layout);
        let entries = found.iter().map(|(key, siblings)| keyspace::entry(key, siblings));
        let entries = entries.chain([(Bytes::new(keyspace::LAYOUT), Bytes::from(layout))]);
        Some(entries.filter(|(key, _)| mending.suspect.contains(key)).collect())
    }

    /// Counts slots anew whose entries came in by a repair, past the Merkle forest. Until then a comparison may list
    /// what does not differ, and nothing worse.
    fn recount_slots(&mut self, env: &mut Env) {
        let mut counted = 0;
        while counted < RECOUNT_ENTRIES
            && let Some(slot) = self.recount.pop_first()
        {
            match self.store.recount(slot, env.disk) {
                Ok(entries) => counted += entries + 1,
                Err(_) => {
                    // The slot was emptied, and is counted when the disk can be read again.
                    self.recount.insert(slot);
                    return;
                }
            }
        }
    }
}
