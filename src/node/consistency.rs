//! How consistent a request is to be: the knobs, and the one place where their levels meet.
//!
//! Three places may set a knob: the request, the connection it came by, the node that the client asked. The nearest
//! one that says anything is obeyed ([`Options::or`], [`Options::resolve`]). A forwarded request carries what was
//! resolved where its client asked, so that no other node's defaults creep in.

use core::fmt;
use core::str::FromStr;

use crate::base::codec::{Decode, Encode};
use crate::base::time::Duration;
use crate::quorum::tally::{Level, UnknownLevel};

/// The longest time that a request may ask for.
pub const TIMEOUT_MAX: Duration = Duration::from_secs(60);

/// What one place says of each knob. `None` leaves it to the next place: request, connection, node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Encode, Decode)]
pub struct Options {
    pub r: Option<Level>,
    pub w: Option<Level>,
    pub pr: Option<Level>,
    pub pw: Option<Level>,
    pub dw: Option<Durability>,
    pub zones: Option<u8>,
    pub sloppy: Option<bool>,
    pub timeout: Option<Duration>,
    pub siblings: Option<OnSiblings>,
}

/// Every knob, set. Reads look at `r`, `pr`, `zones` and `timeout`; writes at all but `r` and `pr`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Consistency {
    /// Replicas that must answer a read. Stand-ins never answer reads, so all of them are primary.
    pub r: Level,
    /// Nodes that must acknowledge a write: replicas that have it on disk (in memory, if `dw` says so), and at `any`
    /// also stand-ins that have a hint of it on disk, even if no replica can be reached.
    pub w: Level,
    /// Replicas, reached directly, that must answer a read, besides `r`. As `r` counts nobody else, the higher of the
    /// two decides; it is here so that a floor set for a connection holds whatever its requests say of `r`.
    pub pr: Level,
    /// Replicas, reached directly, that must acknowledge a write, besides `w`. The same as a floor under `w`, except
    /// that at `any` hints count towards `w` and never towards this.
    pub pw: Level,
    /// Replicas that must have a write on disk.
    pub dw: Durability,
    /// Distinct zones in which the answering or acknowledging replicas must lie. 0: as it comes.
    pub zones: u8,
    /// Whether stand-ins keep hints for replicas that are down (writes).
    pub sloppy: bool,
    /// When a request that is not satisfied is answered with what is known.
    pub timeout: Duration,
    /// What a read shows of a key with siblings.
    pub siblings: OnSiblings,
}

/// What a read shows of a key with siblings. The context covers all of them either way, so a write with it reconciles.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Encode, Decode)]
pub enum OnSiblings {
    /// All. A plain Redis `GET`, whose reply has room for one, is an error.
    All,
    /// The last writer's, by (stamp, dot); nothing if that was a delete. The other writes are still there, but who
    /// looks this way never learns of them: clocks decide which of two concurrent writes counts.
    LastWriter,
}

/// What a write's acknowledgements must have done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Encode, Decode)]
pub enum Durability {
    /// Every acknowledgement that counts is of a write on disk.
    AsAcknowledged,
    /// Acknowledgements count as soon as the write is in memory; so many replicas, besides, have it on disk. At 0 a
    /// write that was acknowledged is lost if the nodes that hold it crash together.
    Replicas(Level),
}

impl Options {
    /// These, and where they say nothing, `farther`.
    pub fn or(&self, farther: &Options) -> Options {
        Options {
            r: self.r.or(farther.r),
            w: self.w.or(farther.w),
            pr: self.pr.or(farther.pr),
            pw: self.pw.or(farther.pw),
            dw: self.dw.or(farther.dw),
            zones: self.zones.or(farther.zones),
            sloppy: self.sloppy.or(farther.sloppy),
            timeout: self.timeout.or(farther.timeout),
            siblings: self.siblings.or(farther.siblings),
        }
    }

    /// These, and where they say nothing, the node's defaults.
    pub fn resolve(&self, node: &Consistency) -> Consistency {
        Consistency {
            r: self.r.unwrap_or(node.r),
            w: self.w.unwrap_or(node.w),
            pr: self.pr.unwrap_or(node.pr),
            pw: self.pw.unwrap_or(node.pw),
            dw: self.dw.unwrap_or(node.dw),
            zones: self.zones.unwrap_or(node.zones),
            sloppy: self.sloppy.unwrap_or(node.sloppy),
            timeout: self.timeout.unwrap_or(node.timeout),
            siblings: self.siblings.unwrap_or(node.siblings),
        }
    }

    /// Whether every knob is set, as it is in whatever one node sends to another.
    pub fn is_resolved(&self) -> bool {
        let Options { r, w, pr, pw, dw, zones, sloppy, timeout, siblings } = self;
        let levels = [r, w, pr, pw].iter().all(|level| level.is_some());
        let rest = dw.is_some() && zones.is_some() && sloppy.is_some() && timeout.is_some();
        levels && rest && siblings.is_some()
    }
}

impl From<Consistency> for Options {
    fn from(all: Consistency) -> Options {
        let Consistency { r, w, pr, pw, dw, zones, sloppy, timeout, siblings } = all;
        Options {
            r: Some(r),
            w: Some(w),
            pr: Some(pr),
            pw: Some(pw),
            dw: Some(dw),
            zones: Some(zones),
            sloppy: Some(sloppy),
            timeout: Some(timeout),
            siblings: Some(siblings),
        }
    }
}

/// Text that names no [`OnSiblings`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NeitherSiblingsNorLww;

impl fmt::Display for OnSiblings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            OnSiblings::All => "siblings",
            OnSiblings::LastWriter => "lww",
        })
    }
}

impl FromStr for OnSiblings {
    type Err = NeitherSiblingsNorLww;

    fn from_str(text: &str) -> Result<OnSiblings, NeitherSiblingsNorLww> {
        match text {
            "siblings" => Ok(OnSiblings::All),
            "lww" => Ok(OnSiblings::LastWriter),
            _ => Err(NeitherSiblingsNorLww),
        }
    }
}

impl fmt::Display for Durability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Durability::AsAcknowledged => f.write_str("w"),
            Durability::Replicas(level) => level.fmt(f),
        }
    }
}

impl FromStr for Durability {
    type Err = UnknownLevel;

    /// `w` (as many as acknowledge), or a level.
    fn from_str(text: &str) -> Result<Durability, UnknownLevel> {
        if text == "w" { Ok(Durability::AsAcknowledged) } else { text.parse().map(Durability::Replicas) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;
    use alloc::vec;
    use proptest::option::of;
    use proptest::prelude::*;

    fn levels() -> impl Strategy<Value = Level> {
        let named =
            [Level::One, Level::Quorum, Level::All, Level::LocalQuorum, Level::EachQuorum, Level::Any];
        prop_oneof![(0u8..8).prop_map(Level::Count), proptest::sample::select(named.to_vec())]
    }

    fn options() -> impl Strategy<Value = Options> {
        let durability =
            prop_oneof![Just(Durability::AsAcknowledged), levels().prop_map(Durability::Replicas)];
        let four = (of(levels()), of(levels()), of(levels()), of(levels()));
        let timeout = (1u64..9).prop_map(Duration::from_secs);
        let siblings = proptest::sample::select(vec![OnSiblings::All, OnSiblings::LastWriter]);
        (four, of(durability), of(0u8..8), of(any::<bool>()), of(timeout), of(siblings)).prop_map(
            |((r, w, pr, pw), dw, zones, sloppy, timeout, siblings)| Options {
                r,
                w,
                pr,
                pw,
                dw,
                zones,
                sloppy,
                timeout,
                siblings,
            },
        )
    }

    proptest! {
        /// Of each knob, the nearest place that says anything is obeyed, and no knob hears of another.
        #[test]
        fn the_nearest_place_that_says_anything_is_obeyed(
            request in options(), connection in options(), node in options(), rest in options(),
        ) {
            let built_in = Consistency {
                r: Level::One,
                w: Level::One,
                pr: Level::One,
                pw: Level::One,
                dw: Durability::AsAcknowledged,
                zones: 0,
                sloppy: true,
                timeout: TIMEOUT_MAX,
                siblings: OnSiblings::All,
            };
            let node = node.or(&rest).resolve(&built_in);
            let got = request.or(&connection).resolve(&node);
            prop_assert_eq!(got.r, request.r.or(connection.r).unwrap_or(node.r));
            prop_assert_eq!(got.w, request.w.or(connection.w).unwrap_or(node.w));
            prop_assert_eq!(got.pr, request.pr.or(connection.pr).unwrap_or(node.pr));
            prop_assert_eq!(got.pw, request.pw.or(connection.pw).unwrap_or(node.pw));
            prop_assert_eq!(got.dw, request.dw.or(connection.dw).unwrap_or(node.dw));
            prop_assert_eq!(got.zones, request.zones.or(connection.zones).unwrap_or(node.zones));
            prop_assert_eq!(got.sloppy, request.sloppy.or(connection.sloppy).unwrap_or(node.sloppy));
            prop_assert_eq!(got.timeout, request.timeout.or(connection.timeout).unwrap_or(node.timeout));
            prop_assert_eq!(got.siblings, request.siblings.or(connection.siblings).unwrap_or(node.siblings));
            let sent = Options::from(got);
            prop_assert!(sent.is_resolved());
            prop_assert_eq!(sent.resolve(&built_in), got, "no other node's defaults creep in");
        }
    }

    #[test]
    fn durabilities_and_policies_are_read_as_they_are_written() {
        let all = [Durability::AsAcknowledged, Durability::Replicas(Level::Count(0))];
        for durability in all.into_iter().chain([Durability::Replicas(Level::LocalQuorum)]) {
            assert_eq!(durability.to_string().parse(), Ok(durability));
        }
        assert!("W".parse::<Durability>().is_err());
        for policy in [OnSiblings::All, OnSiblings::LastWriter] {
            assert_eq!(policy.to_string().parse(), Ok(policy));
        }
    }
}
