//! Placement: the replicas of each key are distinct nodes, in as many zones as there can be; by the layout, and by what
//! is on the disks.

use std::collections::{BTreeMap, BTreeSet};
use std::format;
use std::vec::Vec;

use super::{Check, Findings};
use crate::base::id::{NodeId, Zone};
use crate::sim::probe::{Key, Probe};

/// Checks every key; each has so many `replicas`. `zones` names the zone of each node.
pub fn check(replicas: usize, zones: &BTreeMap<NodeId, Zone>, probe: &Probe) -> Check {
    let mut findings = Findings::default();
    let there_are = zones.values().collect::<BTreeSet<&Zone>>().len();
    let wanted = (replicas, replicas.min(there_are));
    for (name, key) in &probe.keys {
        let layouts = key.replicas.iter().map(|nodes| ("by the layout", nodes.clone()));
        for (whose, nodes) in layouts.chain([("on disk", holders(key))]) {
            let found = spread(&nodes, zones);
            // A key that nobody was told about may be nowhere.
            if found != wanted && !(whose == "on disk" && nodes.is_empty()) {
                findings.add(|| {
                    let name = name.escape_ascii();
                    format!(
                        "{name}: {whose} at {nodes:?}: {} nodes in {} zones, not {} in {}",
                        found.0, found.1, wanted.0, wanted.1
                    )
                });
            }
        }
    }
    let looked_at = format!("{} keys, each on {} nodes in {} zones", probe.keys.len(), wanted.0, wanted.1);
    findings.conclude("placement", looked_at)
}

fn holders(key: &Key) -> Vec<NodeId> {
    let holds = key.held.iter().filter(|(_, held)| held.as_ref().is_ok_and(|held| !held.is_empty()));
    holds.map(|(node, _)| *node).collect()
}

/// How many distinct nodes, and how many distinct zones.
fn spread(nodes: &[NodeId], zones: &BTreeMap<NodeId, Zone>) -> (usize, usize) {
    let distinct: BTreeSet<NodeId> = nodes.iter().copied().collect();
    let in_zones: BTreeSet<Option<&Zone>> = distinct.iter().map(|node| zones.get(node)).collect();
    (distinct.len(), in_zones.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::causal::siblings::Siblings;
    use crate::sim::check::sample::{REPLICAS, Sample};
    use crate::sim::history::Kind;

    fn zones(names: [&str; 4]) -> BTreeMap<NodeId, Zone> {
        names.into_iter().enumerate().map(|(at, name)| (NodeId(at as u64 + 1), Zone(name.into()))).collect()
    }

    fn placed(names: [&str; 4], how: impl FnOnce(&mut Key)) -> Check {
        let mut sample = Sample::default();
        sample.write(Kind::Put, None);
        let mut probe = sample.probe();
        probe.keys.values_mut().for_each(|key| assert_eq!(key.held.len(), 3));
        how(probe.keys.values_mut().next().expect("one key"));
        check(3, &zones(names), &probe)
    }

    #[test]
    fn replicas_in_as_many_zones_as_there_can_be_are_well_placed() {
        assert!(placed(["a", "b", "c", "d"], |_| ()).ok);
        assert!(placed(["a", "b", "a", "b"], |_| ()).ok);
        assert!(placed(["a", "a", "a", "a"], |_| ()).ok);
    }

    #[test]
    fn whatever_is_badly_placed_is_found() {
        let [first, second, _] = REPLICAS;
        for (check, told) in [
            (placed(["a", "b", "b", "c"], |_| ()), "by the layout"),
            (placed(["a"; 4], |key| key.replicas = [[first, second, second].into()].into()), "2 nodes"),
            (placed(["a"; 4], |key| key.held[2].1 = Ok(Siblings::default())), "on disk"),
        ] {
            assert!(!check.ok && check.detail.contains(told), "{check:?}");
        }
    }
}
