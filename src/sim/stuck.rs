//! Why a calm cluster does not come to rest: who waits, which slot differs where, which hint stays, and what the nodes
//! that are concerned believe.

use std::collections::{BTreeMap, BTreeSet};
use std::format;
use std::string::{String, ToString};
use std::vec::Vec;

use crate::base::id::{NodeId, Slot};
use crate::node::outlook::Outlook;
use crate::node::step::Node;
use crate::repair::merkle::LEAVES;
use crate::ring::token::slot_of;
use crate::sim::check;
use crate::sim::probe::{Key, Probe, probe};
use crate::sim::world::World;

/// Of each kind of reason so many are told.
const TOLD: usize = 3;

/// Whether nothing is left to do, as far as the nodes know: every node runs and knows what it lost with a disk, no
/// client waits, no hint is kept, and the Merkle trees of all replicas of each slot agree.
pub fn is_at_rest(world: &World) -> bool {
    let nodes: Vec<&Node> = running(world).collect();
    world.waiting() == 0
        && nodes.len() == world.hosts.len()
        && nodes.iter().all(|node| node.hints() == 0 && !node.is_amnesiac())
        && differing(&nodes).next().is_none()
}

/// The reasons, most telling first.
pub fn explain(world: &World) -> Vec<String> {
    let probe = probe(world);
    let nodes: Vec<&Node> = running(world).collect();
    let outlooks: BTreeMap<NodeId, Outlook> =
        nodes.iter().map(|node| (node.sender().node, node.outlook())).collect();
    let mut concerned = BTreeSet::new();
    let mut reasons = check::failed(&check::liveness(world.scenario(), &probe));
    for outlook in outlooks.values() {
        for kept in outlook.hints.iter().take(TOLD) {
            concerned.extend([outlook.node, kept.target]);
        }
    }
    for node in nodes.iter().filter(|node| node.is_amnesiac()) {
        let node = node.sender().node;
        reasons.push(format!("{node} has lost its disk, and was not told yet what it held"));
        concerned.insert(node);
    }
    let pairs: Vec<(Slot, NodeId, NodeId)> = differing(&nodes).take(TOLD).collect();
    for (slot, one, other) in pairs {
        concerned.extend([one, other]);
        let leaves = leaves_apart(&nodes, slot, one, other);
        let keys = keys_apart(&probe, slot, one, other);
        let doubt = [(one, other), (other, one)].into_iter().filter_map(|(by, of)| doubt(&outlooks, by, of));
        let why: Vec<String> = [leaves, keys].into_iter().chain(doubt).collect();
        reasons.push(format!("slot {}: {one} and {other} differ, {}", slot.0, why.join(", ")));
    }
    for waiting in world.open_operations().take(TOLD) {
        reasons.push(format!("still open: {waiting}"));
        concerned.insert(NodeId(waiting.node.into()));
    }
    for node in concerned {
        reasons.extend(outlooks.get(&node).map(|outlook| format!("{node} believes: {outlook}")));
    }
    reasons
}

fn running(world: &World) -> impl Iterator<Item = &Node> {
    world.hosts.iter().filter_map(|host| host.node.as_ref())
}

/// Slots with two replicas whose trees differ.
fn differing<'a>(nodes: &'a [&'a Node]) -> impl Iterator<Item = (Slot, NodeId, NodeId)> + 'a {
    nodes.iter().flat_map(move |one| {
        let me = one.sender().node;
        one.slots().filter_map(move |slot| {
            let replicas = one.replicas_of(slot);
            let tree = replicas.contains(&me).then(|| one.tree(slot))?;
            let others = nodes.iter().filter(|node| replicas.contains(&node.sender().node));
            let other = others.into_iter().find(|node| node.tree(slot) != tree)?.sender().node;
            // Each pair is found from both sides, unless one of them has nothing of the slot.
            Some((slot, me, other))
        })
    })
}

fn leaves_apart(nodes: &[&Node], slot: Slot, one: NodeId, other: NodeId) -> String {
    let tree = |id| nodes.iter().find(|node| node.sender().node == id).map(|node| node.tree(slot));
    let (Some(ours), Some(theirs)) = (tree(one), tree(other)) else { return "one of them is down".into() };
    let apart: Vec<String> =
        (0..LEAVES).filter(|&leaf| ours[leaf] != theirs[leaf]).map(|leaf| leaf.to_string()).collect();
    format!("their trees in leaf {}", apart.join(" "))
}

fn keys_apart(probe: &Probe, slot: Slot, one: NodeId, other: NodeId) -> String {
    let held = |key: &Key, node| {
        let found = key.held.iter().find(|held| held.0 == node);
        match found.map(|held| &held.1) {
            Some(Ok(siblings)) => siblings.clock().to_string(),
            Some(Err(why)) => why.to_string(),
            None => "nothing to ask".into(),
        }
    };
    let in_slot = probe.keys.iter().filter(|(name, _)| slot_of(name) == slot);
    let apart = in_slot.filter_map(|(name, key)| {
        let (ours, theirs) = (held(key, one), held(key, other));
        (ours != theirs).then(|| format!("{name:?} is {ours} at {one} and {theirs} at {other}"))
    });
    let apart: Vec<String> = apart.take(TOLD).collect();
    if apart.is_empty() { "though both hold the same".into() } else { apart.join(", ") }
}

/// Why `by` does not compare with `of`.
fn doubt(outlooks: &BTreeMap<NodeId, Outlook>, by: NodeId, of: NodeId) -> Option<String> {
    match outlooks.get(&by)?.of(of) {
        Some(belief) if belief.suspected || belief.down => Some(format!("{by} believes {belief}")),
        Some(_) => None,
        None => Some(format!("{by} has never heard of {of}")),
    }
}
