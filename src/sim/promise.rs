//! [`Promise`]: on whose disks a write is, according to the acknowledgement that has just left its node.
//!
//! A node says how many disks; what its client asked for says where they are: at `local-quorum` they are a majority of
//! the replicas in the zone of the node that was asked, at `each-quorum` a majority of those in every zone. All of that
//! is counted here, from the zones that the scenario declares; of the nodes only the replicas of a key are taken, which
//! [`placement`](crate::sim::check::placement) judges.

use std::collections::BTreeSet;
use std::format;
use std::string::String;
use std::vec::Vec;

use crate::base::bytes::Bytes;
use crate::base::id::{NodeId, Zone};
use crate::base::time::Instant;
use crate::causal::dot::Dot;
use crate::node::config::Config;
use crate::node::consistency::{Durability, Options};
use crate::quorum::tally::Level;

/// A write whose acknowledgement has left its node.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Promise {
    pub key: Bytes,
    pub dot: Dot,
    /// Disks of replicas that it is on, as the acknowledgement said.
    pub disks: u8,
    /// Where they are, as its client asked.
    pub places: Places,
    /// If it is on none, because any disk was enough (`any`): the replicas for one of which some disk has it as a hint.
    pub hinted: Vec<NodeId>,
}

/// Where the disks of a write have to be.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Places {
    /// In so many distinct zones.
    pub zones: u8,
    /// Among the hosts of each of these.
    pub quorums: Vec<Quorum>,
}

/// Of these hosts, by number from 0, at least so many.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Quorum {
    pub hosts: Vec<usize>,
    pub enough: u8,
}

impl Places {
    /// What `options` ask for, of the host `asked`, about a key with these `replicas`. Each host is configured as in
    /// `nodes`.
    pub fn asked(nodes: &[Config], asked: usize, options: &Options, replicas: &[NodeId]) -> Places {
        let default = nodes[asked].consistency();
        let (levels, zones) = match options.dw.unwrap_or(default.dw) {
            Durability::AsAcknowledged => {
                let levels = [options.w.unwrap_or(default.w), options.pw.unwrap_or(default.pw)];
                (Vec::from(levels), options.zones.unwrap_or(default.zones))
            }
            // All else counts what is in memory.
            Durability::Replicas(level) => (Vec::from([level]), 0),
        };
        let hosts = replicas.iter().filter_map(|id| (id.0 as usize).checked_sub(1));
        let hosts: Vec<usize> = hosts.filter(|&host| host < nodes.len()).collect();
        let of_zone = |zone: &Zone| {
            let hosts: Vec<usize> = hosts.iter().copied().filter(|&host| nodes[host].zone == *zone).collect();
            let enough = (hosts.len() / 2 + 1) as u8;
            Quorum { hosts, enough }
        };
        let mut quorums = Vec::new();
        if levels.contains(&Level::LocalQuorum) {
            quorums.push(of_zone(&nodes[asked].zone));
        }
        if levels.contains(&Level::EachQuorum) {
            let zones: BTreeSet<&Zone> = hosts.iter().map(|&host| &nodes[host].zone).collect();
            quorums.extend(zones.into_iter().map(of_zone));
        }
        Places { zones, quorums }
    }
}

impl Promise {
    /// The same, though so many disks may have lost it since they acknowledged it.
    pub fn less(mut self, harmed: u8) -> Promise {
        let Places { zones, quorums } = &mut self.places;
        if harmed > 0 {
            self.hinted.clear();
        }
        let counts = quorums.iter_mut().map(|quorum| &mut quorum.enough).chain([&mut self.disks, zones]);
        counts.for_each(|count| *count = count.saturating_sub(harmed));
        self
    }

    /// Whether it is hints that have to hold the write; `options` are those of its client, the rest as `node` has it.
    pub fn is_by_hint(node: &Config, options: &Options, disks: u8) -> bool {
        let default = node.consistency();
        let (w, dw) = (options.w.unwrap_or(default.w), options.dw.unwrap_or(default.dw));
        disks == 0 && w == Level::Any && dw == Durability::AsAcknowledged
    }

    /// What is not so, if a power failure `now` leaves the write on the disks of `left`; `zone` tells where a host is.
    pub fn broken<'a>(
        &self,
        now: Instant,
        left: &BTreeSet<usize>,
        zone: impl Fn(usize) -> &'a Zone,
    ) -> Option<String> {
        let Promise { key, dot, disks, places, hinted } = self;
        let told = |promised: String, found: usize| {
            format!(
                "{dot} of {key:?} was promised to be {promised}; a power failure at {now} leaves it on {found}"
            )
        };
        if left.len() < usize::from(*disks) {
            return Some(told(format!("on {disks} disks"), left.len()));
        }
        if left.is_empty() && !hinted.is_empty() {
            return Some(told("on a disk, as a hint".into(), 0));
        }
        let zones = left.iter().map(|&host| zone(host)).collect::<BTreeSet<_>>().len();
        if zones < usize::from(places.zones) {
            return Some(told(format!("on disks in {} zones", places.zones), zones));
        }
        let found = |quorum: &Quorum| quorum.hosts.iter().filter(|host| left.contains(host)).count();
        let short = places.quorums.iter().find(|quorum| found(quorum) < usize::from(quorum.enough))?;
        let hosts: Vec<String> = short.hosts.iter().map(|host| format!("n{}", host + 1)).collect();
        let among = if hosts.is_empty() { "no replica".into() } else { hosts.join(" ") };
        Some(told(format!("on {} disks among {among}", short.enough), found(short)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::scenario::Scenario;

    /// n1 and n2 are in a, n3 in b, n4 in c; the replicas are n1, n2 and n3.
    fn places(clients: &str, asked: usize) -> Places {
        let cluster = "[cluster]\nnodes = 4\nzones = [\"a\", \"a\", \"b\", \"c\"]\n";
        let text = format!("{cluster}[run]\nduration = \"9s\"\n[clients]\n{clients}");
        let scenario = Scenario::read(&text, "places").expect("a scenario");
        let replicas = [NodeId(1), NodeId(2), NodeId(3)];
        Places::asked(&scenario.nodes, asked, &scenario.clients[0].options, &replicas)
    }

    fn quorum(hosts: &[usize], enough: u8) -> Quorum {
        Quorum { hosts: hosts.into(), enough }
    }

    #[test]
    fn levels_of_zones_say_on_whose_disks_a_write_is() {
        assert_eq!(places("w = 2", 0), Places::default());
        assert_eq!(places("w = \"local-quorum\"", 0).quorums, [quorum(&[0, 1], 2)]);
        assert_eq!(places("w = \"local-quorum\"", 2).quorums, [quorum(&[2], 1)]);
        assert_eq!(
            places("w = \"local-quorum\"", 3).quorums,
            [quorum(&[], 1)],
            "nobody could acknowledge it"
        );
        assert_eq!(places("pw = \"each-quorum\"", 3).quorums, [quorum(&[0, 1], 2), quorum(&[2], 1)]);
        assert_eq!(places("zones = 2", 0).zones, 2);
        let of_memory = places("w = \"local-quorum\"\npw = \"each-quorum\"\nzones = 2\ndw = 1", 0);
        assert_eq!(of_memory, Places::default());
        assert_eq!(places("w = 1\ndw = \"local-quorum\"", 0).quorums, [quorum(&[0, 1], 2)]);
    }

    #[test]
    fn each_part_of_a_promise_can_be_broken() {
        let zones = ["a", "a", "b", "c"].map(|name| Zone(name.into()));
        let dot = Dot { actor: crate::causal::dot::Actor { node: NodeId(1), epoch: 0 }, counter: 1 };
        let promise = |disks, zones, quorums: &[Quorum]| Promise {
            key: Bytes::from("k"),
            dot,
            disks,
            places: Places { zones, quorums: quorums.into() },
            hinted: Vec::new(),
        };
        let broken = |promise: &Promise, left: &[usize]| {
            promise
                .broken(Instant(0), &left.iter().copied().collect(), |host| &zones[host])
                .unwrap_or_default()
        };
        for (promise, kept, not, told) in [
            (promise(2, 0, &[]), &[0, 1][..], &[1][..], "on 2 disks; "),
            (promise(2, 2, &[]), &[0, 2], &[0, 1], "in 2 zones; "),
            (promise(2, 0, &[quorum(&[0, 1], 2)]), &[0, 1], &[1, 2], "on 2 disks among n1 n2; "),
            (promise(1, 0, &[quorum(&[], 1)]).less(1), &[0], &[], ""),
        ] {
            assert_eq!(broken(&promise, kept), "", "{promise:?}");
            let found = broken(&promise, not);
            assert!(found.contains(told) && found.is_empty() == told.is_empty(), "{found}");
        }
        assert!(broken(&promise(1, 0, &[quorum(&[], 1)]), &[0]).contains("among no replica"));
        let by_hint = Promise { hinted: [NodeId(1)].into(), ..promise(0, 0, &[]) };
        assert!(broken(&by_hint, &[]).contains("on a disk, as a hint; "));
        assert_eq!((broken(&by_hint, &[3]), broken(&by_hint.less(1), &[])), (String::new(), String::new()));
    }

    #[test]
    fn hints_have_to_hold_what_is_acknowledged_at_any_and_on_no_disk_of_a_replica() {
        let by_hint = |clients: &str, disks| {
            let text = format!("[cluster]\nnodes = 3\n[run]\nduration = \"9s\"\n[clients]\n{clients}");
            let scenario = Scenario::read(&text, "hints").expect("a scenario");
            Promise::is_by_hint(&scenario.nodes[0], &scenario.clients[0].options, disks)
        };
        assert!(by_hint("w = \"any\"", 0));
        assert!(!by_hint("w = \"any\"", 1) && !by_hint("w = 1", 0) && !by_hint("w = \"any\"\ndw = 1", 0));
    }
}
