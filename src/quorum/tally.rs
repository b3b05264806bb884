//! What reads and writes share: consistency levels, sets of distinct responders, and the decision.

use core::fmt;
use core::str::FromStr;

use alloc::string::String;

use crate::base::codec::{Decode, Encode};
use crate::base::limits::N_MAX;

/// How many distinct nodes must answer (R, W, PR, PW and DW of a request).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Encode, Decode)]
pub enum Level {
    One,
    /// A majority of the N replicas.
    Quorum,
    All,
    /// A majority of those replicas that lie in the zone of the node that the client asked.
    LocalQuorum,
    /// In every zone that has replicas, a majority of them.
    EachQuorum,
    /// W only: one node, replica or not; the only level at which a hint counts as an acknowledgement.
    Any,
    /// So many. Zero is no demand at all, which only PR, PW and DW may have.
    Count(u8),
}

/// Why a wish cannot be met by any answers. The request is rejected; the wish is never weakened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Encode, Decode)]
pub enum Impossible {
    Zero,
    MoreThanReplicas {
        asked: u8,
        n: u8,
    },
    ReadFromAny,
    /// `any` counts hints; PR, PW and DW are about replicas.
    FloorOfAny,
    /// `any` counts hints, and a strict write leaves none.
    StrictAny,
    /// No replica of the key lies in the zone of the node that was asked.
    NoLocalReplica,
    MoreThanZones {
        asked: u8,
        zones: u8,
    },
    /// A time that nobody can wait for, or longer than anybody may.
    Timeout {
        max_ms: u64,
    },
}

impl Level {
    /// The fewest distinct answers of `n` replicas that can be enough. For the levels that look at zones that depends
    /// on the layout, and is at least 1: [`Replicas::need`](super::need::Replicas::need) knows.
    pub fn needed(self, n: u8) -> Result<u8, Impossible> {
        assert!((1..=N_MAX).contains(&n), "a valid layout has 1..=N_MAX replicas");
        match self {
            Level::One | Level::Any | Level::LocalQuorum | Level::EachQuorum => Ok(1),
            Level::Quorum => Ok(n / 2 + 1),
            Level::All => Ok(n),
            Level::Count(0) => Err(Impossible::Zero),
            Level::Count(asked) if asked > n => Err(Impossible::MoreThanReplicas { asked, n }),
            Level::Count(asked) => Ok(asked),
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Level::One => f.write_str("one"),
            Level::Quorum => f.write_str("quorum"),
            Level::All => f.write_str("all"),
            Level::LocalQuorum => f.write_str("local-quorum"),
            Level::EachQuorum => f.write_str("each-quorum"),
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
            Impossible::FloorOfAny => f.write_str("any counts hints, this counts replicas only"),
            Impossible::StrictAny => f.write_str("any counts hints, a strict write leaves none"),
            Impossible::NoLocalReplica => f.write_str("the key has no replica in the zone of this node"),
            Impossible::MoreThanZones { asked, zones } => {
                write!(f, "{asked} zones are asked for, the replicas lie in {zones}")
            }
            Impossible::Timeout { max_ms } => write!(f, "1 to {max_ms} milliseconds are allowed"),
        }
    }
}

/// How levels are written.
pub const LEVELS: &str = "one, quorum, all, local-quorum, each-quorum, any or a number from 0 to 7";

const _: () = assert!(N_MAX == 7, "LEVELS says so");

/// Text that names no level.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct UnknownLevel(String);

impl fmt::Display for UnknownLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.0.as_bytes().escape_ascii();
        write!(f, "unknown level \"{text}\": use {LEVELS}")
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
            "local-quorum" => Some(Level::LocalQuorum),
            "each-quorum" => Some(Level::EachQuorum),
            "any" => Some(Level::Any),
            _ => (0..=N_MAX).map(Level::Count).find(|level| alloc::format!("{level}") == text),
        };
        // The error quotes what was typed, but not a megabyte of it.
        named.ok_or_else(|| UnknownLevel(text.chars().take(32).collect()))
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
    /// The decision when what is `met` is met, and what is not `possible` cannot become so.
    pub(super) fn decide(&mut self, met: bool, possible: bool) -> Decision {
        assert!(possible || !met, "what is met is possible");
        let decision = match () {
            () if self.decided => Decision::Wait,
            () if met => Decision::Met,
            () if !possible => Decision::Impossible,
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
    use alloc::vec::Vec;

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
    }

    #[test]
    fn levels_are_read_as_they_are_written() {
        let quorums = [Level::Quorum, Level::LocalQuorum, Level::EachQuorum];
        let named = [Level::One, Level::All, Level::Any].into_iter().chain(quorums);
        for level in named.chain((0..=N_MAX).map(Level::Count)) {
            assert_eq!(level.to_string().parse(), Ok(level));
        }
        for text in ["", "two", "ONE", "local_quorum", "8", "-1", "+1", "01", " 1", "999999999999999999999"] {
            assert!(text.parse::<Level>().is_err(), "{text}");
        }
        assert_eq!(
            "a\nb".parse::<Level>().map_err(|error| error.to_string()),
            Err(alloc::format!("unknown level \"a\\nb\": use {LEVELS}"))
        );
    }
}
