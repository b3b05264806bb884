//! The text of `INFO`: what an operator sees of a node, in the sections and lines that Redis tools parse.

use std::fmt::Write;
use std::string::String;
use std::vec;
use std::vec::Vec;

use crate::base::time::Duration;
use crate::node::fact::Fact;
use crate::node::request::Outcome;
use crate::node::step::Status;

/// What the driver counts.
#[derive(Clone, Debug)]
pub struct Counters {
    /// By the number of the [`Fact`].
    facts: Vec<u64>,
    /// Requests that ended with what was asked for.
    pub ops_ok: u64,
    /// Requests of which nothing was applied.
    pub ops_rejected: u64,
    /// Writes whose fate is not known.
    pub ops_unknown: u64,
    /// Frames for peers that were queued.
    pub frames_sent: u64,
    /// Syncs that the node asked for.
    pub syncs: u64,
    /// Frames for peers that found no address or no room in the queue.
    pub frames_dropped: u64,
    /// Requests of clients that were answered `OVERLOADED` because they found no room in the inbox. The node has never
    /// seen them: they are in none of the other counts.
    pub ops_refused: u64,
    /// Frames of peers that found no room in the inbox.
    pub frames_refused: u64,
}

impl Default for Counters {
    fn default() -> Counters {
        Counters {
            facts: vec![0; Fact::ALL.len()],
            ops_ok: 0,
            ops_rejected: 0,
            ops_unknown: 0,
            frames_sent: 0,
            syncs: 0,
            frames_dropped: 0,
            ops_refused: 0,
            frames_refused: 0,
        }
    }
}

impl Counters {
    pub fn fact(&mut self, fact: Fact) {
        self.facts[fact as usize] += 1;
    }

    pub fn outcome(&mut self, outcome: &Outcome) {
        match outcome {
            Outcome::Found { .. } | Outcome::Typed { .. } | Outcome::Written { .. } => self.ops_ok += 1,
            Outcome::Rejected(_) => self.ops_rejected += 1,
            Outcome::Unknown { .. } => self.ops_unknown += 1,
        }
    }
}

/// The text. `uptime` is that of the process.
pub fn text(status: &Status, counters: &Counters, uptime: Duration) -> String {
    let up = status.members.iter().filter(|member| member.up).count();
    let mut out = String::new();
    section(&mut out, "Server");
    line(&mut out, "kvnode_version", env!("CARGO_PKG_VERSION"));
    line(&mut out, "process_id", std::process::id());
    line(&mut out, "uptime_in_seconds", uptime.as_millis() / 1000);
    section(&mut out, "Node");
    line(&mut out, "node", status.node);
    line(&mut out, "generation", status.generation.0);
    line(&mut out, "hints", status.hints);
    line(&mut out, "open_ops", status.open_ops);
    line(&mut out, "damaged_tables", status.damaged_tables);
    line(&mut out, "amnesiac", u8::from(status.amnesiac));
    section(&mut out, "Cluster");
    line(&mut out, "layout", status.layout);
    line(&mut out, "members_up", up);
    line(&mut out, "members_down", status.members.len() - up);
    for (number, member) in status.members.iter().enumerate() {
        let state = if member.up { "up" } else { "down" };
        let _infallible = write!(out, "member{number}:id={},address={}", member.node, member.address);
        let _infallible = write!(out, ",zone={},state={state}\r\n", member.zone);
    }
    section(&mut out, "Stats");
    line(&mut out, "ops_ok", counters.ops_ok);
    line(&mut out, "ops_rejected", counters.ops_rejected);
    line(&mut out, "ops_unknown", counters.ops_unknown);
    line(&mut out, "ops_refused", counters.ops_refused);
    line(&mut out, "frames_sent", counters.frames_sent);
    line(&mut out, "frames_dropped", counters.frames_dropped);
    line(&mut out, "frames_refused", counters.frames_refused);
    line(&mut out, "syncs", counters.syncs);
    section(&mut out, "Facts");
    for &fact in Fact::ALL {
        let _infallible = write!(out, "fact_{}:{}\r\n", fact.name(), counters.facts[fact as usize]);
    }
    out
}

fn section(out: &mut String, name: &str) {
    let gap = if out.is_empty() { "" } else { "\r\n" };
    let _infallible = write!(out, "{gap}# {name}\r\n");
}

fn line(out: &mut String, key: &str, value: impl core::fmt::Display) {
    let _infallible = write!(out, "{key}:{value}\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::id::{Address, Generation, NodeId, Zone};
    use crate::node::step::MemberStatus;

    #[test]
    fn info_shows_members_and_every_fact() {
        let member = |id, up| MemberStatus {
            node: NodeId(id),
            address: Address("a:1".into()),
            zone: Zone("z".into()),
            up,
        };
        let status = Status {
            node: NodeId(1),
            generation: Generation(4),
            layout: 2,
            members: [member(1, true), member(2, false)].into(),
            hints: 0,
            open_ops: 0,
            damaged_tables: 3,
            amnesiac: true,
        };
        let mut counters = Counters::default();
        counters.fact(Fact::ReadRepaired);
        let text = text(&status, &counters, Duration::from_secs(7));
        for line in [
            "# Node",
            "generation:4",
            "layout:2",
            "damaged_tables:3",
            "amnesiac:1",
            "members_down:1",
            "member1:id=n2,address=a:1,zone=z,state=down",
            "uptime_in_seconds:7",
            "fact_read_repaired:1",
            "fact_write_unknown:0",
        ] {
            assert!(text.split("\r\n").any(|found| found == line), "{line} is missing in:\n{text}");
        }
        assert_eq!(text.matches("\r\nfact_").count(), Fact::ALL.len());
    }
}
