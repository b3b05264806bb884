//! The report as one page for a browser: nothing is fetched, and no script runs.

use std::format;
use std::string::{String, ToString};
use std::vec::Vec;

use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, UndefinedBehavior, Value, context};

use super::chart::Chart;
use super::series::slices;
use super::stats::{self, OfKind};
use super::{Setting, json, text, timeline};
use crate::base::time::Duration;
use crate::sim::run::Ended;
use crate::sim::verdict::Verdict;
use crate::sim::world::World;

/// The drawing has at most so many slices of time.
const SLICES: u64 = 160;

/// A name, and what is told of it.
type Named = (String, String);

/// The page. It ends with a line break.
pub fn render(ended: &Ended, setting: &Setting) -> String {
    let world = &ended.world;
    let slices = slices(world.history(), world.now(), SLICES);
    let spans = timeline::spans(world);
    let chart = Chart { end: world.now(), spans: &spans, slices: &slices };
    let (reached, missed): (Vec<_>, Vec<_>) = world.facts().partition(|(_, count)| *count > 0);
    let kinds = stats::by_kind(world);
    let context = context! {
        scenario => world.scenario().name.as_str(),
        seed => ended.seed,
        verdict => ended.verdict.name(),
        passed => ended.verdict == Verdict::Pass,
        reasons => ended.reasons.clone(),
        figures => figures(world, setting),
        slice => slices[0].span().to_string(),
        chart => chart.draw(),
        spans => spans.iter().map(|span| [span.label.clone(), span.note.clone()]).collect::<Vec<_>>(),
        checks => ended.checks.iter().map(|check| context! {
            name => check.name, ok => check.ok, detail => check.detail.as_str(),
        }).collect::<Vec<_>>(),
        parted => kinds.iter().any(|of| of.phases.is_some()),
        operations => kinds.iter().map(operations).collect::<Vec<_>>(),
        failures => stats::failures(world),
        faults => stats::faults(world).iter().map(|count| context! {
            kind => count.kind, attempted => count.attempted, effective => count.effective,
        }).collect::<Vec<_>>(),
        facts => reached.iter().map(|(fact, count)| (fact.name(), *count)).collect::<Vec<_>>(),
        missed => missed.iter().map(|(fact, _)| fact.name()).collect::<Vec<_>>(),
        options => options(world),
        trace_hash => json::hash(world.trace_hash()),
        state_hash => json::hash(ended.state_hash),
        replay => setting.replay.as_str(),
    };
    fill(context)
}

/// The page with what it names. It is part of the program, so that whatever fails here fails in its test.
fn fill(context: Value) -> String {
    let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
    let mut environment = Environment::new();
    environment.set_syntax(syntax.expect("only white space differs from the usual syntax"));
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    let page = environment.render_named_str("page.html", include_str!("page.html"), context);
    page.expect("the page gets all that it names") + "\n"
}

/// What a glance should tell.
fn figures(world: &World, setting: &Setting) -> Vec<Named> {
    let classes = stats::Classes::of(world.history());
    let latency = |writes| {
        let latency =
            stats::latency(world.history().iter().filter(|operation| operation.is_write() == writes));
        latency.map_or("none".into(), |of| format!("{} / {}", Duration(of.p50), Duration(of.p99)))
    };
    let share =
        classes.availability().map_or("none".into(), |share| format!("{}.{:02}%", share / 100, share % 100));
    let per_second = u128::from(world.events()) * 1_000_000_000 / u128::from(setting.wall_ns.max(1));
    let figures = [
        ("operations", classes.total().to_string()),
        ("succeeded", share),
        ("gets, p50 / p99", latency(false)),
        ("puts, p50 / p99", latency(true)),
        ("simulated", world.now().to_string()),
        ("took", Duration(setting.wall_ns).to_string()),
        ("events", world.events().to_string()),
        ("events a second", per_second.to_string()),
        ("messages", world.network().counts().offered.to_string()),
    ];
    figures.map(|(name, text)| (name.into(), text)).into()
}

/// One kind of operations, as a row of a table.
fn operations(of: &OfKind) -> Vec<String> {
    let classes = of.classes;
    let counts = [classes.ok, classes.rejected, classes.unknown].map(|count| count.to_string());
    let latency = match of.latency {
        Some(of) => [of.p50, of.p90, of.p99, of.p999, of.max].map(|span| Duration(span).to_string()),
        None => [const { "–" }; 5].map(String::from),
    };
    let shares = of.phases.iter().flatten().map(text::available);
    [String::from(of.kind.name())].into_iter().chain(counts).chain(latency).chain(shares).collect()
}

/// The options, as the report for terminals lists them.
fn options(world: &World) -> Vec<Named> {
    let lines = text::options(world);
    let named = lines.lines().map(|line| line.split_once(' ').unwrap_or((line, "")));
    named.map(|(name, text)| (name.into(), text.trim().into())).collect()
}
