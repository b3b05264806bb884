//! What reads and writes share: consistency levels, sets of distinct responders, and the decision.

use core::fmt;
use core::str::FromStr;

use alloc::string::String;
use alloc::vec::Vec;

use crate::base::codec::{Decode, Encode};
use crate::base::id::NodeId;
use crate::base::limits::N_MAX;

/// How many distinct nodes must answer (the R, W and DW of a request).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Encode, Decode)]
pub enum Level {
    One,
    /// A majority of the N replicas.
    Quorum,
    All,
    /// Writes only: one node, replica or not; the only level at which a hint counts as an acknowledgement.
    Any,
    Count(u8),
}

/// Why a level cannot be met by any answers. The request is rejected; the level is never weakened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Impossible {
    Zero,
    MoreThanReplicas { asked: u8, n: u8 },
    ReadFromAny,
}

impl Level {
    /// The distinct acknowledgements that a write to `n` replicas needs.
    pub fn needed(self, n: u8) -> Result<u8, Impossible> {
        assert!((1..=N_MAX).contains(&n), "a valid layout has 1..=N_MAX replicas");
        match self {
            Level::One | Level::Any => Ok(1),
            Level::Quorum => Ok(n / 2 + 1),
            Level::All => Ok(n),
            Level::Count(0) => Err(Impossible::Zero),
            Level::Count(asked) if asked > n => Err(Impossible::MoreThanReplicas { asked, n }),
            Level::Count(asked) => Ok(asked),
        }
    }

    /// The distinct answers that a read from `n` replicas needs. A node that only holds a hint cannot answer a read,
    /// so `Any` is impossible.
    pub fn needed_to_read(self, n: u8) -> Result<u8, Impossible> {
        if self == Level::Any { Err(Impossible::ReadFromAny) } else { self.needed(n) }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Level::One => f.write_str("one"),
            Level::Quorum => f.write_str("quorum"),
            Level::All => f.write_str("all"),
            Level::Any => f.write_str("any"),
            Level::Count(count) => write!(f, "{count}"),
        }
    }
}

impl fmt::Display for Impossible {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Impossible::Zero => f.write_str("a request needs at least 1 answer"),
            Impossible::MoreThanReplicas { asked, n } => {
                write!(f, "{asked} answers cannot come from {n} replicas")
            }
            Impossible::ReadFromAny => f.write_str("any is a level of writes, not of reads"),
        }
    }
}

/// Text that names no level.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct UnknownLevel(String);

impl fmt::Display for UnknownLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.0.as_bytes().escape_ascii();
        write!(f, "unknown level \"{text}\": use one, quorum, all, any or a number from 1 to {N_MAX}")
    }
}

impl FromStr for Level {
    type Err = UnknownLevel;

    /// Names in lower case; a number only in plain decimal, so that each level has one spelling.
    fn from_str(text: &str) -> Result<Level, UnknownLevel> {
        let named = match text {
            "one" => Some(Level::One),
            "quorum" => Some(Level::Quorum),
            "all" => Some(Level::All),
            "any" => Some(Level::Any),
            _ => (1..=N_MAX).map(Level::Count).find(|level| alloc::format!("{level}") == text),
        };
        // The error quotes what was typed, but not a megabyte of it.
        named.ok_or_else(|| UnknownLevel(text.chars().take(32).collect()))
    }
}

/// Distinct nodes: whoever answers twice counts once.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct NodeSet(Vec<NodeId>);

impl NodeSet {
    /// Adds `node`; false if it was there.
    pub fn insert(&mut self, node: NodeId) -> bool {
        match self.0.binary_search(&node) {
            Ok(_) => false,
            Err(place) => {
                self.0.insert(place, node);
                true
            }
        }
    }

    pub fn remove(&mut self, node: NodeId) -> bool {
        self.0.binary_search(&node).map(|place| self.0.remove(place)).is_ok()
    }

    pub fn contains(&self, node: NodeId) -> bool {
        self.0.binary_search(&node).is_ok()
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// In ascending order.
    pub fn iter(&self) -> impl Iterator<Item = NodeId> {
        self.0.iter().copied()
    }
}

impl FromIterator<NodeId> for NodeSet {
    fn from_iter<I: IntoIterator<Item = NodeId>>(nodes: I) -> NodeSet {
        let mut set = NodeSet::default();
        for node in nodes {
            set.insert(node);
        }
        set
    }
}

/// What an event means for the request. `Met` and `Impossible` are said once, and only one of them; after that every
/// event gives `Wait`, while the tally goes on counting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Decision {
    Wait,
    /// Enough distinct nodes have answered.
    Met,
    /// Fewer nodes are still to answer than are missing.
    Impossible,
}

/// Says each verdict once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Verdict {
    decided: bool,
}

impl Verdict {
    /// The decision when `have` of `needed` answers are in and at most `pending` more can come.
    pub(super) fn decide(&mut self, have: usize, pending: usize, needed: u8) -> Decision {
        let needed = usize::from(needed);
        let decision = match () {
            () if self.decided => Decision::Wait,
            () if have >= needed => Decision::Met,
            () if have + pending < needed => Decision::Impossible,
            () => Decision::Wait,
        };
        self.decided |= decision != Decision::Wait;
        decision
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn levels_need_what_they_say() {
        let needed: Vec<_> = (1..=7).map(|n| Level::Quorum.needed(n).expect("possible")).collect();
        assert_eq!(needed, [1, 2, 2, 3, 3, 4, 4]);
        assert_eq!(Level::One.needed(3), Ok(1));
        assert_eq!(Level::All.needed(3), Ok(3));
        assert_eq!(Level::Any.needed(3), Ok(1));
        assert_eq!(Level::Count(3).needed(3), Ok(3));
    }

    #[test]
    fn what_cannot_be_honoured_is_an_error() {
        assert_eq!(Level::Count(0).needed(3), Err(Impossible::Zero));
        assert_eq!(Level::Count(4).needed(3), Err(Impossible::MoreThanReplicas { asked: 4, n: 3 }));
        assert_eq!(Level::Any.needed_to_read(3), Err(Impossible::ReadFromAny));
        assert_eq!(Level::Quorum.needed_to_read(3), Ok(2));
        assert_eq!(Level::Count(4).needed_to_read(3), Level::Count(4).needed(3));
    }

    #[test]
    fn levels_are_read_as_they_are_written() {
        let named = [Level::One, Level::Quorum, Level::All, Level::Any];
        for level in named.into_iter().chain((1..=N_MAX).map(Level::Count)) {
            assert_eq!(level.to_string().parse(), Ok(level));
        }
        for text in ["", "two", "ONE", "0", "8", "-1", "+1", "01", " 1", "999999999999999999999"] {
            assert!(text.parse::<Level>().is_err(), "{text}");
        }
        assert_eq!(
            "a\nb".parse::<Level>().map_err(|error| error.to_string()),
            Err("unknown level \"a\\nb\": use one, quorum, all, any or a number from 1 to 7".into())
        );
    }

    #[test]
    fn a_node_is_in_a_set_once() {
        let mut set: NodeSet = [3, 1, 3, 2].into_iter().map(NodeId).collect();
        assert_eq!(set.iter().collect::<Vec<_>>(), [NodeId(1), NodeId(2), NodeId(3)]);
        assert!(!set.insert(NodeId(2)) && set.remove(NodeId(2)) && !set.remove(NodeId(2)));
        assert!(set.len() == 2 && !set.is_empty() && !set.contains(NodeId(2)));
    }
}
