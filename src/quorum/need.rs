//! What a request needs of its responders: each knob as a condition on the set of nodes that have answered.
//!
//! All knobs are one kind of condition: *so many groups of replicas must each have so many answers*. For a number the
//! groups are the single replicas; for `local-quorum` the single replicas of one zone; for `each-quorum` and for
//! zone counts the zones. Conditions only grow truer as answers come in, so "can still be met" is "is met by what is
//! there and all that may come".

use core::fmt;

use crate::base::codec::{Decode, Encode};
use crate::base::id::{NodeId, Zone};
use crate::base::limits::{N_MAX, PerReplica};
use crate::quorum::tally::{Impossible, Level};

/// Replicas of one key as bits, by their place in the preference list.
pub(super) type Mask = u8;

const _: () = assert!(N_MAX as u32 <= Mask::BITS);

/// What a client can ask for beyond the values themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub enum Knob {
    R,
    Pr,
    W,
    Pw,
    Dw,
    Zones,
    Timeout,
}

impl fmt::Display for Knob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Knob::R => "r",
            Knob::Pr => "pr",
            Knob::W => "w",
            Knob::Pw => "pw",
            Knob::Dw => "dw",
            Knob::Zones => "zones",
            Knob::Timeout => "timeout",
        })
    }
}

/// The replicas of one key in ring order with the zone of each, as seen from one zone.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Replicas {
    nodes: PerReplica<NodeId>,
    /// The replicas of each zone that has any.
    zones: PerReplica<Mask>,
    local: Mask,
    /// N: how many there should be. A cluster smaller than that has fewer.
    n: u8,
}

impl Replicas {
    /// `replicas` in ring order with their zones; `local` is the zone of the node that its client asked.
    pub fn new<'a>(n: u8, local: &Zone, replicas: impl Iterator<Item = (NodeId, &'a Zone)>) -> Replicas {
        let mut nodes: PerReplica<NodeId> = PerReplica::new();
        let mut zones: PerReplica<(&Zone, Mask)> = PerReplica::new();
        for (node, zone) in replicas {
            assert!(!nodes.contains(&node), "two copies on one node are one copy");
            assert!(nodes.len() < usize::from(N_MAX), "a valid layout has at most N_MAX replicas");
            let bit = 1 << nodes.len();
            nodes.push(node);
            match zones.iter_mut().find(|known| known.0 == zone) {
                Some(known) => known.1 |= bit,
                None => zones.push((zone, bit)),
            }
        }
        let local = zones.iter().find(|known| known.0 == local).map_or(0, |known| known.1);
        Replicas { nodes, zones: zones.iter().map(|zone| zone.1).collect(), local, n }
    }

    pub fn nodes(&self) -> &[NodeId] {
        &self.nodes
    }

    /// The bit of `node`; none for a node that is no replica.
    pub(super) fn bit(&self, node: NodeId) -> Mask {
        self.nodes.iter().position(|&known| known == node).map_or(0, |at| 1 << at)
    }

    pub(super) fn all(&self) -> Mask {
        (0..self.nodes.len()).fold(0, |mask, at| mask | (1 << at))
    }

    /// The replicas of which `holds` is true.
    pub(super) fn mask(&self, holds: impl Fn(NodeId) -> bool) -> Mask {
        self.nodes.iter().filter(|&&node| holds(node)).fold(0, |mask, &node| mask | self.bit(node))
    }

    /// What R or W at `level` needs.
    pub fn need(&self, level: Level) -> Result<Need, Impossible> {
        let count = level.needed(self.n)?;
        Ok(match level {
            Level::LocalQuorum if self.local == 0 => return Err(Impossible::NoLocalReplica),
            Level::LocalQuorum => Need::nodes(self.local, majority(self.local)),
            Level::EachQuorum => {
                let groups = self.zones.iter().map(|&zone| Group { members: zone, enough: majority(zone) });
                Need { groups: groups.collect(), needed: self.zones.len() as u8 }
            }
            Level::One | Level::Quorum | Level::All | Level::Any | Level::Count(_) => {
                Need::nodes(self.all(), count)
            }
        })
    }

    /// What PR, PW or DW at `level` needs: nothing at 0.
    pub fn floor(&self, level: Level) -> Result<Option<Need>, Impossible> {
        match level {
            Level::Count(0) => Ok(None),
            Level::Any => Err(Impossible::FloorOfAny),
            level => self.need(level).map(Some),
        }
    }

    /// What a demand for replicas in `count` distinct zones needs: nothing at 0.
    pub fn distinct_zones(&self, count: u8) -> Result<Option<Need>, Impossible> {
        let zones = self.zones.len() as u8;
        if count > zones {
            return Err(Impossible::MoreThanZones { asked: count, zones });
        }
        let groups = self.zones.iter().map(|&zone| Group { members: zone, enough: 1 });
        Ok((count > 0).then(|| Need { groups: groups.collect(), needed: count }))
    }
}

fn majority(zone: Mask) -> u8 {
    zone.count_ones() as u8 / 2 + 1
}

/// Replicas of which `enough` must have answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Group {
    members: Mask,
    enough: u8,
}

/// A condition on who has answered: of `groups`, at least `needed` have enough answers.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Need {
    groups: PerReplica<Group>,
    needed: u8,
}

impl Need {
    /// Any `count` of the nodes in `mask`.
    fn nodes(mask: Mask, count: u8) -> Need {
        let bits = (0..Mask::BITS).map(|at| 1 << at).filter(|bit| mask & bit != 0);
        Need { groups: bits.map(|bit| Group { members: bit, enough: 1 }).collect(), needed: count }
    }

    /// The fewest answers that can meet it.
    pub fn count(&self) -> u8 {
        // A number above the replicas that exist is still that number: it is just never met.
        let missing = usize::from(self.needed).saturating_sub(self.groups.len()) as u8;
        missing + self.best(|group| group.enough)
    }

    /// How many of those answers `have` holds: [`Need::count`] exactly when the condition is met.
    pub(super) fn have(&self, have: Mask) -> u8 {
        self.best(|group| group.enough.min((group.members & have).count_ones() as u8))
    }

    pub(super) fn met(&self, have: Mask) -> bool {
        let enough = |group: &&Group| (group.members & have).count_ones() >= u32::from(group.enough);
        self.groups.iter().filter(enough).count() >= usize::from(self.needed)
    }

    /// The sum of `worth` over the best `needed` groups. Where not all groups are needed, all are alike.
    fn best(&self, worth: impl Fn(&Group) -> u8) -> u8 {
        let mut worths: PerReplica<u8> = self.groups.iter().map(worth).collect();
        worths.sort_unstable_by(|a, b| b.cmp(a));
        worths.iter().take(usize::from(self.needed)).sum()
    }
}

/// A knob with what it needs.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Demand {
    pub knob: Knob,
    pub need: Need,
}

/// What a request demands: one need for each of its knobs at most.
pub type Demands = arrayvec::ArrayVec<Demand, 4>;

/// The first demand that is not met: `have` of the `needed` answers of its kind are there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Shortfall {
    pub knob: Knob,
    pub have: u8,
    pub needed: u8,
}

/// The first of `demands` that the replicas of which `holds` is true cannot meet.
pub fn shortfall(
    demands: &[Demand],
    replicas: &Replicas,
    holds: impl Fn(NodeId) -> bool,
) -> Option<Shortfall> {
    let mask = replicas.mask(holds);
    let unmet = demands.iter().find(|demand| !demand.need.met(mask))?;
    Some(Shortfall { knob: unmet.knob, have: unmet.need.have(mask), needed: unmet.need.count() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    /// Seven replicas in zones a, a, a, b, b, c, c, seen from zone b.
    fn replicas() -> Replicas {
        let zones: Vec<Zone> = ["a", "a", "a", "b", "b", "c", "c"].map(|name| Zone(name.into())).to_vec();
        let nodes = zones.iter().enumerate().map(|(at, zone)| (NodeId(at as u64), zone));
        Replicas::new(7, &Zone("b".into()), nodes)
    }

    fn check(need: &Need, met: &[Mask], unmet: &[Mask]) {
        for &mask in met {
            assert!(need.met(mask) && need.have(mask) == need.count(), "{mask:07b}");
        }
        for &mask in unmet {
            assert!(!need.met(mask) && need.have(mask) < need.count(), "{mask:07b}");
        }
    }

    #[test]
    fn each_level_is_met_by_the_answers_that_it_names() {
        let replicas = replicas();
        let need = |level| replicas.need(level).expect("possible");
        check(&need(Level::Quorum), &[0b1111, 0b1010101], &[0b0111, 0]);
        check(&need(Level::LocalQuorum), &[0b0011000], &[0b1110111, 0b1101111]);
        check(&need(Level::EachQuorum), &[0b1111011, 0b1111110], &[0b1011111, 0b1111001]);
        assert_eq!(need(Level::EachQuorum).count(), 6);
        let zones = |count| replicas.distinct_zones(count).expect("possible").expect("more than none");
        check(&zones(2), &[0b1000001, 0b0100100], &[0b0000111, 0]);
        check(&zones(3), &[0b1001001], &[0b0011111]);
        let floor = replicas.floor(Level::Count(3)).expect("possible").expect("more than none");
        check(&floor, &[0b111], &[0b11]);
    }

    #[test]
    fn what_no_answers_can_meet_is_an_error() {
        let replicas = replicas();
        let asked = Impossible::MoreThanZones { asked: 4, zones: 3 };
        assert_eq!(replicas.distinct_zones(4), Err(asked));
        assert_eq!(replicas.distinct_zones(0), Ok(None));
        assert_eq!(replicas.floor(Level::Count(0)), Ok(None));
        assert_eq!(replicas.floor(Level::Any), Err(Impossible::FloorOfAny));
        assert_eq!(replicas.need(Level::Count(0)), Err(Impossible::Zero));
        let elsewhere = Replicas::new(3, &Zone("x".into()), [(NodeId(1), &Zone("a".into()))].into_iter());
        assert_eq!(elsewhere.need(Level::LocalQuorum), Err(Impossible::NoLocalReplica));
    }

    #[test]
    fn a_cluster_smaller_than_n_never_meets_more_than_it_has() {
        let zone = Zone("a".into());
        let two = Replicas::new(3, &zone, [(NodeId(1), &zone), (NodeId(2), &zone)].into_iter());
        let all = two.need(Level::All).expect("possible in a full cluster");
        assert!(!all.met(0b11) && all.count() == 3 && all.have(0b11) == 2);
        assert!(two.need(Level::Quorum).expect("possible").met(0b11));
    }

    proptest! {
        /// The tallies rely on this: an answer more never makes a met condition unmet.
        #[test]
        fn an_answer_more_never_hurts(have in 0u8..128, more in 0u8..128, which in 0usize..6) {
            let replicas = replicas();
            let need = match which {
                5 => replicas.distinct_zones(2).expect("possible").expect("more than none"),
                at => {
                    let all = [Level::One, Level::Quorum, Level::All, Level::LocalQuorum, Level::EachQuorum];
                    replicas.need(all[at]).expect("possible")
                }
            };
            prop_assert!(need.met(have | more) || !need.met(have));
            prop_assert_eq!(need.met(have), need.have(have) == need.count());
        }
    }
}
