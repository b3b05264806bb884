//! [`Outlook`]: what a node believes and what it waits for, as plain values. For whoever must explain why nothing
//! moves: a report on a cluster that does not recover, or an operator.

use alloc::string::ToString;
use alloc::vec::Vec;
use core::fmt;

use crate::base::id::{NodeId, Slot};
use crate::member::view::Belief;
use crate::node::coordinate::Op;
use crate::node::refetch::Mending;
use crate::node::step::Node;
use crate::repair::hint::Kept;
use crate::repair::merkle::LEAVES;
use crate::storage::Position;

/// One node's side of things.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Outlook {
    pub node: NodeId,
    /// The version of the layout in force, zero for none, and the highest that anybody has named.
    pub layout: u64,
    pub layout_heard: u64,
    /// Every other member that is known.
    pub members: Vec<Belief>,
    /// What is kept here for others.
    pub hints: Vec<Kept>,
    pub open: OpenOps,
    /// Who has not told everything to this node since it lost its disk; `None` if it did not.
    pub recalled_from: Option<Vec<NodeId>>,
    /// Who has not told everything about the damaged table that is being mended; `None` if there is none.
    pub mended_from: Option<Vec<NodeId>>,
    /// Who waits here until the log is durable so far.
    pub waiting: u64,
    pub appended: Position,
    pub durable: Position,
}

/// Operations in progress that the node began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct OpenOps {
    pub writes: u64,
    pub reads: u64,
    pub forwards: u64,
    pub handoffs: u64,
}

impl Outlook {
    /// What the node believes of another; `None` if it has never heard of it.
    pub fn of(&self, node: NodeId) -> Option<&Belief> {
        self.members.iter().find(|belief| belief.node == node)
    }
}

impl Node {
    pub fn outlook(&self) -> Outlook {
        let mut open = OpenOps::default();
        for op in self.ops.values() {
            *match op {
                Op::Write(_) => &mut open.writes,
                Op::Read(_) => &mut open.reads,
                Op::Forward(_) => &mut open.forwards,
                Op::Handoff(_) => &mut open.handoffs,
            } += 1;
        }
        Outlook {
            node: self.me(),
            layout: self.layout(),
            layout_heard: self.layout_heard,
            members: self.view.beliefs().collect(),
            hints: self.hints.kept().collect(),
            open,
            recalled_from: self.is_amnesiac().then(|| self.recalled_from()),
            mended_from: self.mending.as_ref().map(Mending::untold),
            waiting: self.waiting().len() as u64,
            appended: self.store.engine.appended(),
            durable: self.store.engine.durable(),
        }
    }

    /// The replicas of a slot in the layout in force, in ring order. Empty while forming.
    pub fn replicas_of(&self, slot: Slot) -> &[NodeId] {
        self.placement.as_ref().map_or(&[], |placement| placement.replicas(slot))
    }

    /// The slots that this node's Merkle forest knows something of, in ascending order.
    pub fn slots(&self) -> impl Iterator<Item = Slot> {
        self.store.forest.slots()
    }

    /// The Merkle tree of a slot, as this node compares it with others.
    pub fn tree(&self, slot: Slot) -> [u64; LEAVES] {
        self.store.forest.leaves(slot)
    }
}

/// On one line, without the node's name.
impl fmt::Display for Outlook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "layout {}", self.layout)?;
        if self.layout_heard > self.layout {
            write!(f, " (has heard of {})", self.layout_heard)?;
        }
        let doubts = self.members.iter().filter(|belief| belief.suspected || belief.down);
        let doubts: Vec<_> = doubts.map(ToString::to_string).collect();
        match doubts.as_slice() {
            [] => write!(f, "; all {} others up", self.members.len())?,
            doubts => write!(f, "; {}", doubts.join(", "))?,
        }
        for Kept { target, hints, in_flight, first } in &self.hints {
            write!(
                f,
                "; keeps {hints} hints for {target}, the first for {first:?}, {in_flight} on their way"
            )?;
        }
        let OpenOps { writes, reads, forwards, handoffs } = self.open;
        for (count, name) in
            [(writes, "writes"), (reads, "reads"), (forwards, "forwards"), (handoffs, "hand-offs")]
        {
            if count > 0 {
                write!(f, "; {count} {name} open")?;
            }
        }
        let lost = [("its disk", &self.recalled_from), ("a table", &self.mended_from)];
        for (what, untold) in lost.into_iter().filter_map(|(what, from)| Some((what, from.as_ref()?))) {
            let untold: Vec<_> = untold.iter().map(ToString::to_string).collect();
            write!(f, "; has lost {what}, not told yet by [{}]", untold.join(" "))?;
        }
        if self.waiting > 0 || self.durable < self.appended {
            let (durable, appended) = (self.durable.0, self.appended.0);
            write!(f, "; {} wait for the disk, which has {durable} of {appended}", self.waiting)?;
        }
        Ok(())
    }
}
