//! [`Probe`]: what all nodes hold at one moment, for checkers.
//!
//! The nodes are asked on clones, so that asking leaves no trace in the world: not in a cache, not in
//! a hash.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::vec::Vec;

use crate::base::bytes::Bytes;
use crate::base::id::NodeId;
use crate::base::map::Map;
use crate::causal::siblings::Siblings;
use crate::node::request::Rejection;
use crate::sim::world::World;

/// All nodes at one moment.
#[derive(Clone, Debug, Default)]
pub struct Probe {
    /// The nodes that run, and the hints that wait in each.
    pub hints: BTreeMap<NodeId, u64>,
    /// The nodes that do not run, by number from 1.
    pub down: Vec<u32>,
    /// Every key that the history names.
    pub keys: BTreeMap<Bytes, Key>,
}

/// One key.
#[derive(Clone, Debug, Default)]
pub struct Key {
    /// Its replicas, according to each node that runs; one entry for each distinct answer.
    pub replicas: BTreeSet<Vec<NodeId>>,
    /// What each replica that runs holds of it.
    pub held: Vec<(NodeId, Result<Siblings, Rejection>)>,
}

impl Key {
    /// Everything that the replicas know together.
    pub fn merged(&self) -> Siblings {
        let mut merged = Siblings::default();
        for siblings in self.held.iter().filter_map(|(_, held)| held.as_ref().ok()) {
            merged.merge(siblings);
        }
        merged
    }
}

/// Asks every node that runs.
pub fn probe(world: &World) -> Probe {
    let mut probe = Probe::default();
    let mut named = Map::default();
    for operation in world.history() {
        if named.insert(&operation.key, ()).is_none() {
            probe.keys.insert(operation.key.clone(), Key::default());
        }
    }
    for (number, host) in world.hosts.iter().enumerate() {
        let Some(node) = &host.node else {
            probe.down.push(number as u32 + 1);
            continue;
        };
        let id = node.sender().node;
        probe.hints.insert(id, node.hints());
        let mut clone = None;
        for (name, key) in &mut probe.keys {
            let mut replicas = node.replicas(name).to_vec();
            if replicas.contains(&id) {
                // Of a thousand nodes few hold any of the keys; the others need no clone.
                let (node, disk) = clone.get_or_insert_with(|| (node.clone(), host.disk.clone()));
                key.held.push((id, node.peek(name, disk)));
            }
            replicas.sort_unstable();
            key.replicas.insert(replicas);
        }
    }
    probe
}
