//! What makes a link worse for a time, besides a cut.
//!
//! Each disturbance draws from streams of its own, one for each link, once for each frame that it meets. So one
//! disturbance more, or a stronger one, moves no draw of the network or of the others.

use std::collections::BTreeMap;
use std::format;
use std::vec::Vec;

use crate::base::rng::{Ppm, Stream};
use crate::base::time::{Duration, Instant};

/// What happens to the frames of some links.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LinkFault {
    /// Each takes so much longer.
    Delay { min: Duration, max: Duration },
    /// A share is lost.
    Loss(Ppm),
    /// A share arrives twice.
    Duplication(Ppm),
    /// A share arrives with wrong bits, which whoever reads it must notice.
    Corruption(Ppm),
    /// A share is late by up to so much, and is overtaken.
    Reordering { share: Ppm, by: Duration },
    /// Bytes per second of each link; what is more waits in line.
    Bandwidth(u64),
    /// Nothing gets through, and nothing is lost: all arrives when it is over.
    Clog,
}

impl LinkFault {
    pub fn kind(&self) -> &'static str {
        match self {
            LinkFault::Delay { .. } => "delay",
            LinkFault::Loss(_) => "loss",
            LinkFault::Duplication(_) => "duplication",
            LinkFault::Corruption(_) => "corruption",
            LinkFault::Reordering { .. } => "reordering",
            LinkFault::Bandwidth(_) => "bandwidth",
            LinkFault::Clog => "clog",
        }
    }
}

/// What disturbances make of one frame.
#[derive(Clone, Copy, Debug, Default)]
pub struct Passage {
    pub lost: bool,
    pub again: bool,
    /// The bits that get wrong, as a draw.
    pub garbled: Option<u64>,
    pub delay: Duration,
    /// It is under way only from then on.
    pub not_before: Instant,
}

#[derive(Clone, Debug, Hash)]
pub struct Disturbance {
    pub fault: usize,
    what: LinkFault,
    /// By link.
    links: Vec<bool>,
    /// When it ends, which a clogged frame waits for.
    until: Instant,
    seed: u64,
    /// Among the faults of this kind.
    ordinal: u64,
    streams: BTreeMap<usize, Stream>,
    /// When each link has carried what it was given.
    free_at: BTreeMap<usize, Instant>,
}

impl Disturbance {
    pub fn new(
        fault: usize,
        what: LinkFault,
        links: Vec<bool>,
        until: Instant,
        (seed, ordinal): (u64, u64),
    ) -> Disturbance {
        let (streams, free_at) = (BTreeMap::new(), BTreeMap::new());
        Disturbance { fault, what, links, until, seed, ordinal, streams, free_at }
    }

    /// Lets a frame of `len` bytes pass on the link number `link`, known to streams as `entity`. True if something
    /// happens to it.
    pub fn meet(&mut self, link: usize, entity: u64, now: Instant, len: u64, passage: &mut Passage) -> bool {
        if !self.links[link] {
            return false;
        }
        let purpose = || format!("fault.{}.{}", self.what.kind(), self.ordinal);
        let stream = self.streams.entry(link).or_insert_with(|| Stream::new(self.seed, &purpose(), entity));
        match self.what {
            LinkFault::Delay { min, max } => {
                passage.delay = Duration(passage.delay.0 + stream.between(min, max).0);
                true
            }
            LinkFault::Loss(share) => raise(&mut passage.lost, stream.chance(share)),
            LinkFault::Duplication(share) => raise(&mut passage.again, stream.chance(share)),
            LinkFault::Corruption(share) => {
                let (hit, bits) = (stream.chance(share), stream.next());
                passage.garbled = passage.garbled.or(hit.then_some(bits));
                hit
            }
            LinkFault::Reordering { share, by } => {
                let (hit, late) = (stream.chance(share), stream.between(Duration::ZERO, by));
                passage.delay = Duration(passage.delay.0 + if hit { late.0 } else { 0 });
                hit
            }
            LinkFault::Bandwidth(bytes) => {
                let free_at = self.free_at.entry(link).or_default();
                let waits = *free_at > now;
                *free_at = (*free_at).max(now) + Duration(len * 1_000_000_000 / bytes);
                passage.not_before = passage.not_before.max(*free_at);
                waits
            }
            LinkFault::Clog => {
                passage.not_before = passage.not_before.max(self.until);
                self.until > now
            }
        }
    }
}

fn raise(flag: &mut bool, hit: bool) -> bool {
    *flag |= hit;
    hit
}
