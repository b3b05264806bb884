//! [`Guarantee`]: what a history may or may not give its clients, and the judgement on it.
//!
//! Unlike the checks, which every run must pass, a guarantee depends on the quorums and on what clients do. A scenario
//! says which it expects to hold, and which to be broken; `kvsim check` judges them all.

use core::fmt;
use std::string::String;
use std::vec::Vec;

use super::{Check, Findings, linear, session, siblings};
use crate::base::id::ClusterId;
use crate::sim::history::Operation;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Guarantee {
    Linearizable,
    Causal,
    ReadYourWrites,
    MonotonicReads,
    MonotonicWrites,
    WritesFollowReads,
    /// The check [`siblings`], which every run must pass, unless its scenario is to show what breaks it.
    Siblings,
}

impl Guarantee {
    pub const ALL: [Guarantee; 7] = [
        Guarantee::Linearizable,
        Guarantee::Causal,
        Guarantee::ReadYourWrites,
        Guarantee::MonotonicReads,
        Guarantee::MonotonicWrites,
        Guarantee::WritesFollowReads,
        Guarantee::Siblings,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Guarantee::Linearizable => "linearizable",
            Guarantee::Causal => "causal",
            Guarantee::ReadYourWrites => "read-your-writes",
            Guarantee::MonotonicReads => "monotonic-reads",
            Guarantee::MonotonicWrites => "monotonic-writes",
            Guarantee::WritesFollowReads => "writes-follow-reads",
            Guarantee::Siblings => "siblings",
        }
    }

    pub fn parse(name: &str) -> Option<Guarantee> {
        Guarantee::ALL.into_iter().find(|guarantee| guarantee.name() == name)
    }

    /// Judges a history by itself.
    pub fn judge(self, cluster: ClusterId, history: &[Operation]) -> Judgement {
        match self {
            Guarantee::Linearizable => linear::judge(cluster, history),
            Guarantee::Siblings => {
                let Check { ok, detail, .. } = siblings::check(cluster, history);
                let held = if ok { Held::Holds } else { Held::Broken };
                Judgement { guarantee: self, held, detail }
            }
            _ => session::judge(self, cluster, history),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Held {
    Holds,
    Broken,
    /// The history does not tell, or it would take too much to find out.
    Undecided,
}

impl fmt::Display for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Held::Holds => "holds",
            Held::Broken => "broken",
            Held::Undecided => "undecided",
        })
    }
}

/// Whether a history gives a guarantee.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judgement {
    pub guarantee: Guarantee,
    pub held: Held,
    /// What was looked at; else what broke it, or what keeps it from being decided.
    pub detail: String,
}

impl Judgement {
    pub(super) fn of(
        guarantee: Guarantee,
        broken: Findings,
        undecided: Findings,
        looked_at: String,
    ) -> Judgement {
        let name = guarantee.name();
        let broken = broken.conclude(name, looked_at);
        let undecided = undecided.conclude(name, broken.detail.clone());
        let held = match (broken.ok, undecided.ok) {
            (false, _) => return Judgement { guarantee, held: Held::Broken, detail: broken.detail },
            (true, false) => Held::Undecided,
            (true, true) => Held::Holds,
        };
        Judgement { guarantee, held, detail: undecided.detail }
    }
}

/// All guarantees, judged, but the one that is a check of every history.
pub fn judge_all(cluster: ClusterId, history: &[Operation]) -> Vec<Judgement> {
    let all = Guarantee::ALL.into_iter().filter(|guarantee| *guarantee != Guarantee::Siblings);
    all.map(|guarantee| guarantee.judge(cluster, history)).collect()
}
