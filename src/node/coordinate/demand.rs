//! From knobs to conditions: what a request at some consistency demands of the replicas of its key, refused with a
//! reason where no answers could meet it, or where those that could are known to be away.

use crate::base::id::Zone;
use crate::node::consistency::{Consistency, Durability};
use crate::node::coordinate::Route;
use crate::node::request::Rejection;
use crate::node::step::Node;
use crate::quorum::need::{Demand, Demands, Knob, Need, Replicas, shortfall};
use crate::quorum::tally::{Impossible, Level};
use crate::quorum::write::{Ack, Counting};

impl Consistency {
    /// What counts as an acknowledgement of a write.
    pub(super) fn counting(&self) -> Counting {
        let least = match self.dw {
            Durability::AsAcknowledged => Ack::OnDisk,
            Durability::Replicas(_) => Ack::InMemory,
        };
        Counting { least, hints: self.w == Level::Any }
    }
}

impl Route<'_> {
    /// The replicas of the key as they are seen from where the client asked. Not from where the request is coordinated:
    /// a quorum near the coordinator is none near the client.
    pub(super) fn replicas(&self) -> Replicas {
        let layout = self.placement.layout();
        let nodes = self.placement.replicas(self.slot).iter();
        let zoned = nodes.map(|&node| (node, &layout.member(node).expect("a replica is a member").zone));
        Replicas::new(layout.n, self.zone, zoned)
    }
}

impl Node {
    /// The zone of this node: what the layout says, which is what others go by.
    pub(in crate::node) fn zone(&self) -> &Zone {
        let member = self.placement.as_ref().and_then(|placement| placement.layout().member(self.me()));
        member.map_or(&self.config.zone, |member| &member.zone)
    }

    pub(super) fn read_demands(
        &self,
        replicas: &Replicas,
        consistency: &Consistency,
    ) -> Result<Demands, Rejection> {
        if consistency.r == Level::Any {
            return Err(Rejection::Impossible { knob: Knob::R, why: Impossible::ReadFromAny });
        }
        let demands = demands([
            (Knob::R, replicas.need(consistency.r).map(Some)),
            (Knob::Pr, replicas.floor(consistency.pr)),
            (Knob::Zones, replicas.distinct_zones(consistency.zones)),
        ])?;
        self.refuse_hopeless(&demands, replicas)?;
        Ok(demands)
    }

    /// The first is that of W.
    pub(super) fn write_demands(
        &self,
        replicas: &Replicas,
        consistency: &Consistency,
    ) -> Result<Demands, Rejection> {
        if consistency.w == Level::Any && !consistency.sloppy {
            return Err(Rejection::Impossible { knob: Knob::W, why: Impossible::StrictAny });
        }
        let disks = match consistency.dw {
            Durability::AsAcknowledged => Ok(None),
            Durability::Replicas(level) => replicas.floor(level),
        };
        let demands = demands([
            (Knob::W, replicas.need(consistency.w).map(Some)),
            (Knob::Pw, replicas.floor(consistency.pw)),
            (Knob::Dw, disks),
            (Knob::Zones, replicas.distinct_zones(consistency.zones)),
        ])?;
        // At `any`, the disk of whoever takes the write is enough for W.
        self.refuse_hopeless(&demands[usize::from(consistency.w == Level::Any)..], replicas)?;
        Ok(demands)
    }

    /// Told at once, before anything is asked or applied: better than a time-out and an unknown fate.
    fn refuse_hopeless(&self, demands: &[Demand], replicas: &Replicas) -> Result<(), Rejection> {
        match shortfall(demands, replicas, |node| self.usable(node)) {
            Some(short) => Err(Rejection::unavailable(short)),
            None => Ok(()),
        }
    }
}

/// The needs of which there are any, or the first that is impossible.
fn demands<const K: usize>(
    needs: [(Knob, Result<Option<Need>, Impossible>); K],
) -> Result<Demands, Rejection> {
    let mut demands = Demands::new();
    for (knob, need) in needs {
        let need = need.map_err(|why| Rejection::Impossible { knob, why })?;
        demands.extend(need.map(|need| Demand { knob, need }));
    }
    assert!(!demands.is_empty(), "R and W are never without demand");
    Ok(demands)
}
