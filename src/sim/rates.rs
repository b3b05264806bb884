//! Rates and swarms: faults that the seed draws.
//!
//! A rate says how often faults of one kind begin, and how long they last; all of them are drawn before the run, and
//! are faults like those of the scenario from then on. Each kind draws from streams of its own, one for each node or,
//! for what concerns links and pairs, one for the cluster. A swarm draws which rates there are: runs that leave out
//! some kinds of faults reach what runs with all of them do not (Groce et al., "Swarm testing", 2012).

use std::format;
use std::string::{String, ToString};
use std::vec::Vec;

use crate::base::rng::{Ppm, Stream};
use crate::base::time::{Duration, Instant};
use crate::sim::clock::{ClockFault, Which};
use crate::sim::disk::{Asked, Damage, DiskFault, Files, Unsynced};
use crate::sim::fault::{Action, Fault, Moment, links_between};
use crate::sim::impair::Impairment;
use crate::sim::network::{Flap, LinkFault, gap};
use crate::sim::scenario::Scenario;

/// Of what faults can be drawn.
pub const KINDS: [&str; 24] = [
    "partition",
    "delay",
    "loss",
    "duplication",
    "corruption",
    "reordering",
    "bandwidth",
    "clog",
    "crash",
    "pause",
    "slow",
    "queue",
    "stall",
    "lag",
    "error",
    "full",
    "unreadable",
    "rot",
    "lost_write",
    "misdirect",
    "swap",
    "wipe",
    "restore",
    "clock",
];

/// How often faults of a kind begin, and how long they last.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Rate {
    /// One of [`KINDS`].
    pub kind: &'static str,
    /// The mean time between two of them: on one node, or, for what concerns links and pairs, in the cluster.
    pub every: Duration,
    pub lasts_min: Duration,
    pub lasts_max: Duration,
}

/// Something that the seed decided, for people.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Drawn {
    pub name: String,
    pub value: String,
}

/// The faults of a run.
pub struct Plan {
    /// Those of the scenario, and after them those that were drawn.
    pub faults: Vec<Fault>,
    pub drawn: Vec<Drawn>,
}

/// How strong a rate of a swarm may be: from so seldom to so often.
const SELDOM: u64 = 60;
const OFTEN: u64 = 8;

/// The faults of `scenario` under `seed`.
pub fn plan(scenario: &Scenario, seed: u64) -> Plan {
    let mut plan = Plan { faults: scenario.faults.clone(), drawn: Vec::new() };
    for rate in &scenario.rates {
        draw_rate(rate, scenario, seed, &mut plan.faults);
    }
    for kind in &scenario.swarm {
        let mut stream = Stream::new(seed, &format!("swarm.{kind}"), 0);
        let (on, often) = (stream.chance(Ppm(500_000)), stream.below(SELDOM - OFTEN));
        let value = if on {
            let every = Duration::from_secs(OFTEN + often);
            let (lasts_min, lasts_max) = (Duration::from_millis(200), Duration::from_secs(4));
            let before = plan.faults.len();
            draw_rate(&Rate { kind, every, lasts_min, lasts_max }, scenario, seed, &mut plan.faults);
            format!("one every {every}, {} in all", plan.faults.len() - before)
        } else {
            "off".to_string()
        };
        plan.drawn.push(Drawn { name: kind.to_string(), value });
    }
    plan
}

/// Whether faults of this kind concern one node each.
fn is_of_node(kind: &str) -> bool {
    let cluster = [
        "partition",
        "delay",
        "loss",
        "duplication",
        "corruption",
        "reordering",
        "bandwidth",
        "clog",
        "swap",
    ];
    !cluster.contains(&kind)
}

fn draw_rate(rate: &Rate, scenario: &Scenario, seed: u64, faults: &mut Vec<Fault>) {
    let nodes = scenario.nodes.len();
    let entities = if is_of_node(rate.kind) { nodes } else { 1 };
    // The last tenth of the run is for what began before.
    let begin = scenario.clients.iter().map(|group| group.start).min().unwrap_or(Instant::ZERO);
    let (begin, end) = (begin, Instant(scenario.duration.0 / 10 * 9));
    for entity in 0..entities {
        let mut stream = Stream::new(seed, &format!("rate.{}", rate.kind), entity as u64);
        let mut at = begin + gap(&mut stream, rate.every);
        while at < end {
            let lasts = stream.between(rate.lasts_min, rate.lasts_max);
            if let Some(action) = draw_action(rate.kind, entity, nodes, &mut stream) {
                let left = (Instant::ZERO + scenario.duration).since(at);
                faults.push(Fault { at, lasts: Some(lasts.min(left)), action, drawn: true });
            }
            at = at + lasts + gap(&mut stream, rate.every);
        }
    }
}

/// A fault of the kind on `node`, or somewhere in the cluster. `None` if the cluster is too small for it.
fn draw_action(kind: &'static str, node: usize, nodes: usize, stream: &mut Stream) -> Option<Action> {
    let mut number = |low: u64, high: u64| low + stream.below(high - low + 1);
    let span = |millis: u64| Duration::from_millis(millis);
    let share = |percent: u64| Ppm(percent as u32 * 10_000);
    let host = |what: Impairment| Some(Action::Host { node, what });
    let disk = |what: DiskFault| Some(Action::Disk { node, what });
    let damage = |what: Damage| Some(Action::Damage { node, what, files: Files::Tables });
    match kind {
        "partition" => draw_partition(nodes, stream),
        "delay" => {
            let low = number(1, 100);
            let high = low + number(0, 400);
            draw_links(nodes, LinkFault::Delay { min: span(low), max: span(high) }, stream)
        }
        "loss" => draw_links(nodes, LinkFault::Loss(share(number(1, 60))), stream),
        "duplication" => draw_links(nodes, LinkFault::Duplication(share(number(1, 60))), stream),
        "corruption" => draw_links(nodes, LinkFault::Corruption(share(number(1, 30))), stream),
        "reordering" => {
            let what = LinkFault::Reordering { share: share(number(1, 60)), by: span(number(1, 300)) };
            draw_links(nodes, what, stream)
        }
        "bandwidth" => draw_links(nodes, LinkFault::Bandwidth(number(20_000, 500_000)), stream),
        "clog" => draw_links(nodes, LinkFault::Clog, stream),
        "crash" => {
            let lose = [Unsynced::Lost, Unsynced::Torn, Unsynced::Kept][number(0, 2) as usize];
            let on = [Moment::Sync, Moment::Event, Moment::Disk, Moment::Job][number(0, 3) as usize];
            Some(Action::Crash { node, lose, on })
        }
        "pause" => host(Impairment::Pause),
        "slow" => host(Impairment::Slow(number(10, 1000) as u32)),
        "queue" => host(Impairment::Queue(number(0, 8) as u32)),
        "stall" => host(Impairment::Stall),
        "lag" => host(Impairment::Lag(number(5, 200) as u32)),
        "error" => {
            let on = [Asked::Read, Asked::Write, Asked::Sync][number(0, 2) as usize];
            disk(DiskFault::Error { on, share: share(number(1, 20)) })
        }
        "full" => disk(DiskFault::Full { free: number(0, 65_536) }),
        "unreadable" => disk(DiskFault::Unreadable { sectors: number(1, 8) as u32 }),
        "rot" => damage(Damage::Rot { bits: number(1, 16) as u32 }),
        "lost_write" => damage(Damage::LostWrite { sectors: number(1, 4) as u32 }),
        "misdirect" => damage(Damage::Misdirect),
        "wipe" => Some(Action::Wipe { node }),
        "restore" => Some(Action::Restore { node, age: span(number(1_000, 15_000)) }),
        "swap" if nodes < 2 => None,
        "swap" => {
            let one = number(0, nodes as u64 - 1) as usize;
            let other = (one + number(1, nodes as u64 - 1) as usize) % nodes;
            Some(Action::Swap { nodes: (one, other) })
        }
        "clock" => Some(draw_clock(node, stream)),
        _ => None,
    }
}

fn draw_clock(node: usize, stream: &mut Stream) -> Action {
    let (kind, size, back) = (stream.below(4), stream.below(60_000_000_000) as i64, stream.below(2) == 0);
    let which = if stream.below(2) == 0 { Which::Wall } else { Which::Mono };
    let signed = if back { -size } else { size };
    let what = match (kind, which) {
        (0, Which::Wall) => ClockFault::Offset(signed),
        (1, Which::Wall) => ClockFault::Jump(signed),
        // A monotonic clock jumps as that of a virtual machine that was moved.
        (0 | 1, Which::Mono) => ClockFault::Jump(size / 20),
        (2, _) => ClockFault::Drift((signed / 600_000) as i32),
        _ => ClockFault::Freeze,
    };
    Action::Clock { node, which, what }
}

/// Two sides, many, one cut off, one way, or some who are seen by none of the others but by the rest.
fn draw_partition(nodes: usize, stream: &mut Stream) -> Option<Action> {
    let (kind, flaps, period) = (stream.below(5), stream.below(3) == 0, stream.below(400));
    let mut order: Vec<usize> = (0..nodes).collect();
    stream.shuffle(&mut order);
    let middle = 1 + stream.below(nodes.max(2) as u64 - 1) as usize;
    if nodes < 2 {
        return None;
    }
    let (one, other) = order.split_at(middle);
    let groups: Vec<Vec<usize>> = match kind {
        0 => std::vec![std::vec![order[0]]],
        1 => order.iter().map(|node| std::vec![*node]).collect(),
        2 => std::vec![std::vec![order[0]], std::vec![order[1]]],
        _ => std::vec![one.to_vec(), other.to_vec()],
    };
    let (one_way, partial) = (kind == 3, kind == 2);
    let links = links_between(&groups, nodes, one_way, partial);
    let span = Duration::from_millis(50 + period);
    let flap = flaps.then_some(Flap { cut: span, whole: span });
    let sides = sides(&groups, nodes, one_way, partial);
    (!links.is_empty()).then_some(Action::Partition { links, sides, flap })
}

fn draw_links(nodes: usize, what: LinkFault, stream: &mut Stream) -> Option<Action> {
    let (all, node, out) = (stream.below(2) == 0, stream.below(nodes as u64) as usize, stream.below(2) == 0);
    let everybody: Vec<usize> = (0..nodes).collect();
    let (from, to) = match (all, out) {
        (true, _) => (everybody.clone(), everybody),
        (false, true) => (std::vec![node], everybody),
        (false, false) => (everybody, std::vec![node]),
    };
    let links = links_of(&from, &to);
    (!links.is_empty()).then(|| Action::Link { ends: ends(&from, &to, nodes), links, what })
}

/// All links from these nodes to those.
pub fn links_of(from: &[usize], to: &[usize]) -> Vec<(usize, usize)> {
    let pairs = from.iter().flat_map(|from| to.iter().map(move |to| (*from, *to)));
    pairs.filter(|(from, to)| from != to).collect()
}

/// `n1 > all`: from where to where.
pub fn ends(from: &[usize], to: &[usize], nodes: usize) -> String {
    let named = |side: &[usize]| if side.len() == nodes { "all".to_string() } else { names(side) };
    format!("{} > {}", named(from), named(to))
}

/// `n4 n5 | n1 n2 n3`, or `n4 n5 > n1 n2 n3` for what cuts one way only.
pub fn sides(groups: &[Vec<usize>], nodes: usize, one_way: bool, partial: bool) -> String {
    let is_in = |node: &usize| groups.iter().any(|group| group.contains(node));
    let rest: Vec<usize> = (0..nodes).filter(|node| !is_in(node)).collect();
    let rest = Some(&rest).filter(|rest| !partial && !rest.is_empty());
    let sides: Vec<String> = groups.iter().chain(rest).map(|group| names(group)).collect();
    sides.join(if one_way { " > " } else { " | " })
}

fn names(nodes: &[usize]) -> String {
    nodes.iter().map(|node| format!("n{}", node + 1)).collect::<Vec<String>>().join(" ")
}
