//! The report for people.

use std::format;
use std::string::{String, ToString};
use std::vec::Vec;

use comfy_table::{CellAlignment, Table, presets};

use super::stats::{self, Classes, OfKind};
use super::{Setting, json, picture};
use crate::base::time::Duration;
use crate::sim::network::Shape;
use crate::sim::percentiles::Percentiles;
use crate::sim::run::Ended;
use crate::sim::scenario::{Scenario, tell_clients};
use crate::sim::verdict::Verdict;
use crate::sim::world::World;

/// The whole report, with a line break at its end.
pub fn render(ended: &Ended, setting: &Setting) -> String {
    let world = &ended.world;
    let mut text = format!("scenario {}, seed {}\n", world.scenario().name, ended.seed);
    let mut section = |title: &str, body: &str| {
        text.push_str(&format!("\n{title}\n"));
        body.lines().for_each(|line| text.push_str(&format!("  {line}\n")));
    };
    section("OPTIONS", &options(world));
    section("TIMELINE", &picture::draw(world));
    section("OPERATIONS", &operations(world));
    section("FAULTS", &faults(world));
    section("FACTS", &facts(world));
    section("CHECKS", &checks(ended));
    section("HASHES", &hashes(ended));
    section("SPEED", &speed(world, setting));
    section("REPLAY", &setting.replay);
    text.push_str(&format!("\n{}\n", verdict(ended)));
    text
}

/// The verdict on one line, with its reasons.
pub fn verdict(ended: &Ended) -> String {
    let name = ended.verdict.name().to_uppercase();
    match ended.verdict {
        Verdict::Pass => name,
        _ => format!("{name}: {}", ended.reasons.join("; ")),
    }
}

/// What was decided before the run: by the scenario, by default, or by the seed. Each line is a name, then what was
/// decided.
pub(super) fn options(world: &World) -> String {
    let scenario = world.scenario();
    let node = &scenario.nodes[0];
    let (network, disk) = (&scenario.network, &scenario.disk);
    let mut lines = std::vec![
        format!(
            "cluster   {} nodes, N={} R={} W={}, {} quorums",
            scenario.nodes.len(),
            node.n,
            node.r,
            node.w,
            if node.sloppy { "sloppy" } else { "strict" }
        ),
        format!(
            "run       {}, then up to {} to recover{}",
            scenario.duration,
            scenario.settle,
            heal(scenario)
        ),
        format!(
            "network   {} to {} per frame{}, {} of them ten times as long; {} lost, {} doubled",
            network.latency_min,
            network.latency_max,
            shape(network.shape),
            network.tail,
            network.loss,
            network.duplication
        ),
        format!(
            "disk      {} to {} per sync, {} of them twenty times as long",
            disk.sync_min, disk.sync_max, disk.slow
        ),
    ];
    for group in &scenario.clients {
        let [clients, mix] = tell_clients(group);
        lines.push(format!("clients   {clients}"));
        lines.push(format!("mix       {mix}"));
    }
    for (number, host) in world.hosts.iter().enumerate() {
        lines.push(format!(
            "drawn     n{}: {} per step, wall clock {} off, monotonic clock {:+} ppm",
            number + 1,
            host.cpu(),
            signed(host.clock.wall_offset()),
            host.clock.mono_drift()
        ));
    }
    for drawn in world.drawn() {
        lines.push(format!("drawn     {:<14}{}", drawn.name, drawn.value));
    }
    lines.join("\n")
}

fn heal(scenario: &Scenario) -> String {
    match scenario.heal.every {
        Duration::ZERO => "; no copies are healed on the way".into(),
        every => format!("; copies are healed at faults, and every {every}"),
    }
}

fn operations(world: &World) -> String {
    let kinds = stats::by_kind(world);
    let parted = kinds.iter().any(|of| of.phases.is_some());
    let mut header = std::vec!["", "ok", "rejected", "unknown", "p50", "p90", "p99", "p99.9", "max"];
    header.extend(parted.then_some(["before", "during", "after"]).into_iter().flatten());
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(header);
    for OfKind { kind, classes, latency, phases } in kinds {
        let mut cells = std::vec![kind.name().to_string()];
        cells.extend([classes.ok, classes.rejected, classes.unknown].map(|count| count.to_string()));
        match latency {
            Some(of) => {
                cells.extend([of.p50, of.p90, of.p99, of.p999, of.max].map(|n| Duration(n).to_string()));
            }
            None => cells.extend([const { "-" }; 5].map(String::from)),
        }
        cells.extend(phases.iter().flatten().map(available));
        table.add_row(cells);
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    let shares = "; the share that succeeded before, during and after the partition";
    let note = format!("latency of what succeeded{}", if parted { shares } else { "" });
    let mut text = format!("{}\n({note})\n", table.trim_fmt());
    text.push_str(&staleness(world));
    for (why, count) in stats::failures(world) {
        text.push_str(&format!("{count:>8}  {why}\n"));
    }
    text
}

/// Where no read is behind, there is nothing to tell.
fn staleness(world: &World) -> String {
    let Some(of) = stats::staleness(world).filter(|of| of.stale > 0) else { return String::new() };
    let list = |of: Percentiles, show: fn(u64) -> String| {
        let named = of.named().map(|(name, value)| format!("{name} {}", show(value)));
        named.join(", ")
    };
    let versions = list(of.versions, |count| count.to_string());
    let time = list(of.nanos, |nanos| Duration(nanos).to_string());
    format!(
        "{} of {} reads were stale: by versions {versions}; since the first of these was acknowledged {time}\n",
        of.stale, of.reads
    )
}

/// How latencies are spread, if not evenly.
fn shape(shape: Shape) -> String {
    if shape == Shape::Uniform { String::new() } else { format!(", {}", shape.name()) }
}

/// The share that succeeded.
pub(super) fn available(classes: &Classes) -> String {
    classes.availability().map_or_else(|| "-".into(), |share| format!("{}.{:02}%", share / 100, share % 100))
}

fn faults(world: &World) -> String {
    let lines: Vec<String> = stats::faults(world)
        .into_iter()
        .map(|count| {
            let mut line =
                format!("{:<14}{} attempted, {} effective", count.kind, count.attempted, count.effective);
            if count.refused > 0 {
                line.push_str(&format!(", {} refused by the budget", count.refused));
            }
            line
        })
        .collect();
    if lines.is_empty() { "none declared".into() } else { lines.join("\n") }
}

fn facts(world: &World) -> String {
    let (reached, missed): (Vec<_>, Vec<_>) = world.facts().partition(|(_, count)| *count > 0);
    let mut lines: Vec<String> =
        reached.iter().map(|(fact, count)| format!("{:<22}{count:>9}", fact.name())).collect();
    let missed: Vec<&str> = missed.iter().map(|(fact, _)| fact.name()).collect();
    if !missed.is_empty() {
        lines.push(format!("not reached: {}", missed.join(", ")));
    }
    lines.join("\n")
}

fn checks(ended: &Ended) -> String {
    let line = |check: &crate::sim::check::Check| {
        format!("{} {:<20}{}", if check.ok { "ok  " } else { "FAIL" }, check.name, check.detail)
    };
    let lines: Vec<String> = ended.checks.iter().map(line).collect();
    if lines.is_empty() { "none, the run did not come so far".into() } else { lines.join("\n") }
}

fn hashes(ended: &Ended) -> String {
    let (trace, state) = (json::hash(ended.world.trace_hash()), json::hash(ended.state_hash));
    format!("trace {trace}\nstate {state}")
}

fn speed(world: &World, setting: &Setting) -> String {
    let wall = setting.wall_ns.max(1);
    let per_second = u128::from(world.events()) * 1_000_000_000 / u128::from(wall);
    let ratio = world.now().0 / wall;
    let messages = world.network().counts().offered;
    format!(
        "{} events and {messages} messages; {} simulated in {} ({ratio} : 1), {per_second} events/s",
        world.events(),
        Duration(world.now().0),
        Duration(wall)
    )
}

fn signed(nanos: i64) -> String {
    format!("{}{}", if nanos < 0 { '-' } else { '+' }, Duration(nanos.unsigned_abs()))
}
