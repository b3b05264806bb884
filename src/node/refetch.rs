//! What a node does about damage on its disk: it asks the other replicas for what the damaged table held, and has the
//! engine write the table anew with it.
//!
//! The crash story: a bit rots in one block of one table. Reads of its keys are refused here, and merges into them too,
//! for what they would be merged with is not known. The node asks every other replica of the slots concerned
//! ([`crate::repair::refetch`]), before it compares anything else with them. When all have told all that they have, the
//! table is written anew. Only when that is durable do the keys count as known again.
//!
//! - **Nothing is "not found" meanwhile**: the engine's mark is lifted by the same edit that brings the new table.
//! - **No dot is given twice.** The block may have held writes that this node numbered and that nobody else knows yet
//!   (one that timed out, say, whose copies are still on their way). So it numbers on under a new actor.
//! - **Hints and notes** have no replicas. A hint that is lost is dropped, and seen to be: the write itself is on other
//!   replicas, which repair brings to its target. The layout is written again.
//!
//! Weaknesses: one table at a time; and as long as one replica of the slots concerned is away, or is damaged in the
//! same part, the keys stay unknown here.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use crate::base::bytes::Bytes;
use crate::base::id::{NodeId, Slot};
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
}

impl Node {
    /// Asks for what is still missing of the deepest damaged table. Called before every round of exchanges: what is
    /// unknown comes before what may be stale.
    pub(super) fn mend_round(&mut self, env: &mut Env) {
        self.recount_slots(env);
        let Some(placement) = self.placement.clone() else { return };
        if !self.store.engine.is_damaged() {
            return;
        }
        let suspects = self.store.engine.suspects(env.disk);
        let current = self.mending.as_ref().map(|mending| mending.suspect.table);
        let under_way = suspects.iter().find(|suspect| Some(suspect.table) == current);
        let Some(suspect) = under_way.or(suspects.first()).cloned() else { return };
        let layout = placement.layout().version;
        if self.mending.as_ref().is_none_or(|mending| mending.suspect != suspect || mending.layout != layout)
        {
            self.mending = Mending::begin(suspect, self.me(), &placement);
            if self.mending.is_some() {
                env.out.facts.push(Fact::DamageFound);
            }
        }
        let Some(mending) = &self.mending else { return };
        for node in mending.refetch.open().filter(|&node| self.usable(node)).collect::<Vec<_>>() {
            self.ask_for_lost(node, env);
        }
    }

    fn ask_for_lost(&mut self, node: NodeId, env: &mut Env) {
        let Some(mending) = &self.mending else { return };
        if let Some(part) = mending.refetch.question(node) {
            self.send_exchange(node, Exchange::Refetch { layout: mending.layout, part }, env);
        }
    }

    /// A peer has lost what it had of a part: it gets what is here, of the slots that both have.
    pub(super) fn on_refetch(
        &mut self,
        from: NodeId,
        part: Part,
        layout: u64,
        shared: &dyn Fn(Slot) -> bool,
        env: &mut Env,
    ) {
        match self.store.gather(part, shared, env.disk) {
            Ok(content) => self.send_exchange(from, Exchange::Content { layout, content }, env),
            // What is unknown here must not look like missing here.
            Err(_) => env.out.facts.push(Fact::DamageRefused),
        }
    }

    pub(super) fn on_content(&mut self, from: NodeId, content: Content, env: &mut Env) {
        let Some(mending) = &mut self.mending else { return };
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
        let Some(found) = mending.refetch.found().filter(|_| !self.store.engine.is_rewriting()) else {
            return;
        };
        let mut entries: Vec<(Bytes, Bytes)> = Vec::with_capacity(found.len() + 1);
        for (key, siblings) in found {
            // More than a key may hold: no replica takes what all have together, until a client has reconciled it.
            if !siblings.is_valid() {
                return;
            }
            entries.push(keyspace::entry(key, siblings));
        }
        if let Some(placement) = &self.placement {
            let mut layout = Vec::new();
            keyspace::encode_value(placement.layout(), &mut layout);
            entries.push((Bytes::new(keyspace::LAYOUT), Bytes::from(layout)));
        }
        entries.retain(|(key, _)| mending.suspect.contains(key));
        match self.store.engine.repair(&mending.suspect, &entries, env.disk) {
            Ok(()) => self.store.forgot = true,
            Err(RepairError::Busy) => {}
            // The next round begins again with what is damaged by then.
            Err(_) => self.mending = None,
        }
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
                Err(_) => return,
            }
        }
    }
}
