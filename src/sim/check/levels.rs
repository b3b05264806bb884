//! Consistency levels: every acknowledgement of a write says that as many nodes have it, and as many disks of replicas,
//! as its client asked for.
//!
//! Here the node is taken at its word, and only the word is weighed: W, PW, DW and zones, as the simulator counts
//! them. Whether the disks are there, and where, the [`audit`](crate::sim::audit) finds out; whether what reads and
//! writes ask for is enough to meet, [`recency`](super::recency).

use std::format;
use std::vec::Vec;

use super::{Check, Findings};
use crate::sim::history::{End, Operation};
use crate::sim::scenario::{Asked, Scenario};

/// Checks every acknowledged write of the scenario's clients.
pub fn check(scenario: &Scenario, history: &[Operation]) -> Check {
    let mut findings = Findings::default();
    // Clients are numbered group by group.
    let groups =
        scenario.clients.iter().map(|plan| (plan.count, Asked::of(&plan.options, &scenario.nodes[0])));
    let asked: Vec<Asked> =
        groups.flat_map(|(count, asked)| std::iter::repeat_n(asked, count as usize)).collect();
    let mut acknowledged = 0u64;
    for operation in history {
        let (End::Written { acks, durable, .. }, Some(asked)) =
            (&operation.result, asked.get(operation.client as usize))
        else {
            continue;
        };
        acknowledged += 1;
        if *acks < asked.acks {
            findings.add(|| format!("{operation}: {acks} acknowledged it, {} were asked for", asked.acks));
        } else if *durable < asked.disks {
            findings.add(|| format!("{operation}: it is on {durable} disks, {} were asked for", asked.disks));
        }
    }
    findings.conclude("levels", format!("{acknowledged} acknowledged writes, each as asked for"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::causal::clock::Clock;
    use crate::sim::check::sample::Sample;
    use crate::sim::history::Kind;

    /// A write of `client`, of which the node says so much.
    fn checked(clients: &str, client: u32, said: (u8, u8)) -> Check {
        let text = format!("[cluster]\nnodes = 3\n[run]\nduration = \"9s\"\n{clients}");
        let mut sample = Sample::default();
        sample.write(Kind::Put, Some(&Clock::EMPTY));
        let write = &mut sample.history[0];
        write.client = client;
        if let End::Written { acks, durable, .. } = &mut write.result {
            (*acks, *durable) = said;
        }
        check(&Scenario::read(&text, "levels").expect("a scenario"), &sample.history)
    }

    #[test]
    fn an_acknowledgement_that_says_less_than_was_asked_for_is_found() {
        for (clients, least) in [
            ("", (2, 2)),
            ("[clients]\nw = 3", (3, 3)),
            ("[clients]\nw = \"any\"", (1, 0)),
            ("[clients]\nw = \"any\"\npw = 2", (2, 2)),
            ("[clients]\nw = \"all\"\ndw = 1", (3, 1)),
            ("[clients]\nw = 1\ndw = 2", (1, 2)),
        ] {
            assert!(checked(clients, 0, least).ok, "{clients}");
            let fewer = [(least.0 - 1, least.1), (least.0, least.1.wrapping_sub(1))];
            for said in fewer.into_iter().filter(|said| said.1 < 3) {
                assert!(!checked(clients, 0, said).ok, "{clients}: {said:?}");
            }
        }
    }

    #[test]
    fn every_client_is_held_to_what_its_own_group_asks_for() {
        let clients = "[[clients]]\ncount = 2\nw = 1\n[[clients]]\nw = 3";
        assert!(checked(clients, 1, (1, 1)).ok);
        let check = checked(clients, 2, (2, 2));
        assert!(!check.ok && check.detail.contains("2 acknowledged it, 3 were asked for"), "{check:?}");
    }
}
