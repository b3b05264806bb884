//! Convergence: in the end all replicas of every key hold equal siblings, and all nodes agree who the replicas are.

use std::format;

use super::{Check, Findings};
use crate::sim::probe::{Key, Probe};

/// Checks every key; each has so many `replicas`.
pub fn check(replicas: usize, probe: &Probe) -> Check {
    let mut findings = Findings::default();
    for down in &probe.down {
        findings.add(|| format!("n{down} is down"));
    }
    for (name, key) in &probe.keys {
        let name = name.escape_ascii();
        match key.replicas.first() {
            _ if key.replicas.len() > 1 => {
                findings.add(|| format!("{name}: the nodes disagree about its replicas: {:?}", key.replicas));
            }
            Some(named) if named.len() == replicas && key.held.len() == replicas => {
                compare(&format!("{name}"), key, &mut findings);
            }
            _ => findings.add(|| format!("{name}: {} of {replicas} replicas", key.held.len())),
        }
    }
    findings.conclude("converge", format!("{} keys, equal on all their replicas", probe.keys.len()))
}

fn compare(name: &str, key: &Key, findings: &mut Findings) {
    let Some((first, expected)) = key.held.first() else { return };
    for (node, held) in &key.held {
        match (held, expected) {
            (Err(why), _) => findings.add(|| format!("{name}: {node} cannot read it: {why}")),
            (Ok(held), Ok(expected)) if held != expected => findings.add(|| {
                let (ours, theirs) = (held.clock(), expected.clock());
                format!("{name}: {node} has {ours} and {first} has {theirs}, not the same")
            }),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::causal::siblings::Siblings;
    use crate::node::request::Rejection;
    use crate::sim::check::sample::Sample;
    use crate::sim::history::Kind;

    fn sample() -> Probe {
        let mut sample = Sample::default();
        sample.write(Kind::Put, None);
        sample.probe()
    }

    fn broken(how: impl FnOnce(&mut Probe, &mut Key)) -> Check {
        let mut probe = sample();
        let (name, mut key) = probe.keys.pop_first().expect("one key");
        how(&mut probe, &mut key);
        probe.keys.insert(name, key);
        check(3, &probe)
    }

    #[test]
    fn equal_replicas_have_converged() {
        assert!(check(3, &sample()).ok);
    }

    #[test]
    fn whatever_keeps_replicas_apart_is_told() {
        for (check, told) in [
            (broken(|_, key| key.held[2].1 = Ok(Siblings::default())), "n3 has {} and n1 has {n1/0:1}"),
            (broken(|_, key| key.held[1].1 = Err(Rejection::Damaged)), "n2 cannot read it"),
            (broken(|_, key| drop(key.held.pop())), "2 of 3 replicas"),
            (broken(|_, key| assert!(key.replicas.insert(std::vec![]))), "disagree"),
            (broken(|probe, _| probe.down.push(2)), "n2 is down"),
        ] {
            assert!(!check.ok && check.detail.contains(told), "{check:?}");
        }
    }
}
