//! The audit: if the power failed everywhere at this moment, would every acknowledged write still be on as many disks
//! as its acknowledgement said, and on disks of those zones that its client asked for?
//!
//! A lost write shows in the end only if every copy is lost, and a single crash seldom does that: whoever acknowledges
//! before the sync is nearly always saved by the others. So now and then, and whenever a fault begins, all disks are
//! cloned, the clones lose what is not synced, stores are opened on them, and each is asked what it still knows. The
//! world itself does not notice.
//!
//! One disk that has less than it should is saved by the others even then. So each is asked as well whether it has all
//! the writes that its node believes to be durable.
//!
//! A disk that a fault has damaged is no witness: what it does not know, it may have known.
//!
//! Hints are looked for only where no replica had the write on its disk when it was acknowledged (at `any`). Those that
//! count beside replicas are not audited.

use std::collections::BTreeMap;
use std::format;
use std::string::String;
use std::sync::Arc;
use std::vec::Vec;

use crate::base::bytes::Bytes;
use crate::base::time::{Duration, Instant};
use crate::causal::siblings::Siblings;
use crate::node::step::Node;
use crate::node::store::Store;
use crate::sim::check::{Check, Findings};
use crate::sim::disk::SimDisk;
use crate::sim::host::Host;
use crate::sim::promise::Promise;

/// How often an audit takes place, in virtual time.
const EVERY: Duration = Duration::from_secs(4);

/// The promises made since the last audit.
#[derive(Clone, Debug, Default, Hash)]
pub struct Audit {
    /// Shared between copies of a world until one of them adds to it.
    promises: Arc<Vec<Promise>>,
    /// When the next audit is due.
    next: Instant,
    is_stopped: bool,
    audits: u64,
    audited: u64,
    /// The promises that were not kept.
    findings: Findings,
}

impl Audit {
    pub fn promise(&mut self, promise: Promise) {
        if !self.is_stopped {
            Arc::make_mut(&mut self.promises).push(promise);
        }
    }

    /// Whether it is time for the next audit.
    pub fn is_due(&self, now: Instant) -> bool {
        now >= self.next && !self.is_stopped
    }

    /// No more of them.
    pub fn stop(&mut self) {
        self.is_stopped = true;
        self.promises = Arc::default();
    }

    /// Audits all promises since the last time.
    pub fn audit(&mut self, hosts: &[Host], now: Instant) {
        if self.is_stopped {
            return;
        }
        self.next = now + EVERY;
        self.audits += 1;
        let promises = std::mem::take(&mut self.promises);
        self.audited += promises.len() as u64;
        if promises.is_empty() {
            return;
        }
        let look = |host: &Host| (host.harmed, host.after_power_loss());
        let mut survivors: Vec<_> = hosts.iter().map(look).collect();
        for (host, (harmed, survivor)) in hosts.iter().zip(&survivors) {
            let (Some(node), Some((store, _)), false) = (&host.node, survivor, harmed) else { continue };
            if store.appended() < node.durable() {
                self.findings.add(|| mistaken(node, store, now));
            }
        }
        let mut known: BTreeMap<(&Bytes, bool), Vec<(bool, Siblings)>> = BTreeMap::new();
        for promise in &*promises {
            let with_hints = !promise.hinted.is_empty();
            let copies = known.entry((&promise.key, with_hints)).or_insert_with(|| {
                let peeked = survivors.iter_mut().map(|(harmed, survivor)| {
                    let peek = |(store, disk): &mut (Store, SimDisk)| held(store, promise, disk);
                    (*harmed, survivor.as_mut().and_then(peek).unwrap_or_default())
                });
                peeked.collect()
            });
            let counts = |(harmed, copy): &(bool, Siblings)| *harmed || copy.clock().covers(promise.dot);
            let left = copies.iter().enumerate().filter(|(_, copy)| counts(copy)).map(|(host, _)| host);
            if let Some(broken) = promise.broken(now, &left.collect(), |host| hosts[host].zone()) {
                self.findings.add(|| broken);
            }
        }
    }

    /// The outcome of all audits.
    pub fn check(&self) -> Check {
        let (audits, audited) = (self.audits, self.audited);
        let looked_at =
            format!("{audits} times power could fail, and {audited} writes stay on the disks promised");
        self.findings.clone().conclude("audit", looked_at)
    }
}

/// A node that takes writes for durable that are not.
fn mistaken(node: &Node, store: &Store, now: Instant) -> String {
    let (name, believed, left) = (node.sender().node, node.durable().0, store.appended().0);
    format!(
        "{name} has its first {believed} writes on disk, as it believes; a power failure at {now} leaves {left}"
    )
}

/// What a disk has of the key of a promise.
fn held(store: &mut Store, promise: &Promise, disk: &mut SimDisk) -> Option<Siblings> {
    let mut held = store.load(&promise.key, disk).ok()?;
    if let Ok(hints) = store.load_hints(&promise.key, &promise.hinted, disk) {
        held.merge(&hints);
    }
    Some(held)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::causal::dot::Dot;
    use crate::sim::scenario::Scenario;
    use crate::sim::world::World;
    use std::sync::Arc;

    /// A promise that every disk keeps, made into one that none can: for a write that never was.
    #[test]
    fn a_promise_that_the_disks_do_not_keep_is_found() {
        let text = include_str!("../../tests/sim/small.toml");
        let mut world = World::new(Arc::new(Scenario::read(text, "small").expect("a good file")), 7);
        while world.now() < Instant::ZERO + Duration::from_millis(3_500) {
            world.step().expect("it goes on");
        }
        let mut audit = world.audit().clone();
        let kept = audit.promises.first().expect("clients have written").clone();
        audit.audit(&world.hosts, world.now());
        assert!(audit.check().ok && audit.audited > 0, "{:?}", audit.check());

        let dot = Dot { counter: kept.dot.counter + 1000, ..kept.dot };
        audit.promise(Promise { dot, ..kept });
        audit.audit(&world.hosts, world.now());
        let check = audit.check();
        assert!(!check.ok && check.detail.contains("leaves it on 0"), "{check:?}");
    }

    /// The disk of one node is that of a second ago, and the node has not noticed.
    #[test]
    fn a_disk_that_has_less_than_its_node_believes_is_found_though_no_promise_depends_on_it() {
        let text = include_str!("../../tests/sim/small.toml");
        let mut world = World::new(Arc::new(Scenario::read(text, "small").expect("a good file")), 7);
        let mut run = |until: u64| {
            while world.now() < Instant::ZERO + Duration::from_millis(until) {
                world.step().expect("it goes on");
            }
            (world.hosts.clone(), world.audit().clone(), world.now())
        };
        let (before, ..) = run(2_500);
        let (mut hosts, mut audit, now) = run(3_500);
        hosts[0].disk = before[0].disk.clone();
        audit.audit(&hosts, now);
        let check = audit.check();
        assert!(!check.ok && check.detail.contains("n1 has its first"), "{check:?}");
        assert!(!check.detail.contains("was promised"), "the others have it: {check:?}");
    }
}
