//! Hand-off: in the end no hint waits anywhere.

use std::format;

use super::{Check, Findings};
use crate::sim::probe::Probe;

pub fn check(probe: &Probe) -> Check {
    let mut findings = Findings::default();
    for (node, &hints) in probe.hints.iter().filter(|(_, hints)| **hints > 0) {
        findings.add(|| format!("{node} still keeps {hints} hints"));
    }
    findings.conclude("hints", format!("{} nodes, no hint left", probe.hints.len()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::check::sample::{REPLICAS, Sample};

    #[test]
    fn a_hint_that_is_left_is_found() {
        let mut probe = Sample::default().probe();
        assert!(check(&probe).ok);
        probe.hints.insert(REPLICAS[1], 7);
        let check = check(&probe);
        assert!(!check.ok && check.detail == "n2 still keeps 7 hints", "{check:?}");
    }
}
