//! The scenario of pruned clocks shows what it says, and only because of the pruning.

use std::sync::Arc;

use kvsim::node::fact::Fact;
use kvsim::sim::run::{self, Ended};
use kvsim::sim::scenario::Scenario;
use kvsim::sim::verdict::Verdict;

fn ended(text: &str) -> Ended {
    let scenario = Scenario::read(text, "pruning").expect("a good scenario");
    run::run(Arc::new(scenario), 7, false, &mut |_| {})
}

fn count(ended: &Ended, wanted: Fact) -> u64 {
    ended.world.facts().find(|(fact, _)| *fact == wanted).expect("all facts are counted").1
}

#[test]
fn the_same_run_keeps_its_siblings_few_if_clocks_are_whole() {
    let text = std::fs::read_to_string("scenarios/clock-pruning.toml").expect("the scenario is there");
    let pruned = ended(&text);
    assert_eq!(pruned.verdict, Verdict::Pass, "{:?}", pruned.reasons);
    let changes = [("clock_length_max = 3", ""), ("\"clock_pruned\", ", ""), ("breaks = ", "holds = ")];
    let whole = changes.iter().fold(text, |text, (from, to)| {
        assert!(text.contains(from), "{from}");
        text.replace(from, to)
    });
    let exact = ended(&whole);
    assert_eq!(exact.verdict, Verdict::Pass, "{:?}", exact.reasons);
    for (fact, times) in [(Fact::SiblingsRead, 2), (Fact::ReadRepaired, 2), (Fact::Repaired, 2)] {
        let (more, less) = (count(&pruned, fact), count(&exact, fact));
        assert!(more > times * less, "{}: {more}, and {less} with whole clocks", fact.name());
    }
}
