//! What a scenario file means: defaults, and whether its parts fit together.

use core::ops::Range;
use std::collections::BTreeSet;
use std::string::{String, ToString};
use std::vec::Vec;
use std::{format, vec};

use toml::Spanned;

use super::file::{self, Between, File};
use super::text::As;
use super::{CLUSTER, Problem, Regression, Scenario};
use crate::base::id::{Address, ClusterId, NodeId, Zone};
use crate::base::limits::{N_MAX, VALUE_DEFAULT_MAX};
use crate::base::rng::Ppm;
use crate::base::time::{Duration, Instant};
use crate::node::config::{Config, ConfigError};
use crate::node::fact::Fact;
use crate::quorum::tally::Level;
use crate::sim::clock::{ClockPlan, DRIFT_MAX};
use crate::sim::disk::Unsynced;
use crate::sim::fault::{Action, Fault, links_between};
use crate::sim::host::DiskPlan;
use crate::sim::network::NetworkPlan;
use crate::sim::verdict::Verdict;
use crate::sim::workload::{ClientPlan, Mix};

/// One process holds them all.
const NODES_MAX: u16 = 1000;
const CLIENTS_MAX: u32 = 10_000;
const KEYS_MAX: u64 = 1_000_000;
const MINUTE: Duration = Duration::from_secs(60);
const OFFSET_MAX: Duration = Duration::from_secs(365 * 86_400);

type Checked<T> = Result<T, Problem>;

fn refuse<T>(span: Range<usize>, message: String, allowed: impl Into<String>) -> Checked<T> {
    Err(Problem { message, span: Some(span), allowed: Some(allowed.into()) })
}

/// The scenario that the file means.
pub(super) fn check(file: File, name: &str) -> Checked<Scenario> {
    let nodes = nodes(&file.cluster, &file.storage)?;
    let duration = value(&file.run.duration);
    if duration == Duration::ZERO || duration > MINUTE.saturating_mul(24 * 60) {
        return refuse(file.run.duration.span(), format!("a run of {duration}"), "more than 0s, up to 1440m");
    }
    Ok(Scenario {
        name: file.name.unwrap_or_else(|| name.into()),
        duration,
        settle: file.run.settle.map_or(MINUTE, |settle| settle.0),
        events_max: file.run.events_max.unwrap_or(1_000_000_000),
        network: network(&file.network)?,
        disk: disk(&file.disk)?,
        clocks: clocks(&file.clocks)?,
        clients: clients(&file.clients, duration)?,
        faults: faults(&file.fault, nodes.len(), duration)?,
        news_rounds: match &file.expect.news_rounds {
            Some(rounds) => Some(within("news_rounds", &Some(rounds.clone()), 0, 1, 1000)?),
            None => None,
        },
        expect: file.expect.facts.iter().map(fact).collect::<Checked<Vec<Fact>>>()?,
        regression: file.regression.map(regression).transpose()?,
        nodes,
    })
}

fn value<T: Copy>(spanned: &Spanned<As<T>>) -> T {
    spanned.get_ref().0
}

/// The number, or `default`; in `low..=high`.
fn within<T>(name: &str, number: &Option<Spanned<T>>, default: T, low: T, high: T) -> Checked<T>
where
    T: Copy + PartialOrd + core::fmt::Display,
{
    let Some(spanned) = number else { return Ok(default) };
    let number = *spanned.get_ref();
    if number < low || number > high {
        return refuse(spanned.span(), format!("{name} is {number}"), format!("{low} to {high}"));
    }
    Ok(number)
}

/// The bounds, or `default`; the lower first.
fn between(
    name: &str,
    spans: &Option<file::Spans>,
    default: (Duration, Duration),
) -> Checked<(Duration, Duration)> {
    let Some(spanned) = spans else { return Ok(default) };
    let &Between { min: As(min), max: As(max) } = spanned.get_ref();
    if min > max || max > MINUTE {
        return refuse(
            spanned.span(),
            format!("{name} is from {min} to {max}"),
            "a min that is not above max, and a max of up to 60s",
        );
    }
    Ok((min, max))
}

fn nodes(cluster: &file::Cluster, storage: &file::Storage) -> Checked<Vec<Config>> {
    let count = within("nodes", &Some(cluster.nodes.clone()), 0, 1, NODES_MAX)?;
    let n_max = N_MAX.min(u8::try_from(count).unwrap_or(N_MAX));
    let n = within("n", &cluster.n, n_max.min(3), 1, n_max)?;
    let r = level("r", &cluster.r, n)?;
    let w = level("w", &cluster.w, n)?;
    let zones = list("zones", &cluster.zones, count)?.unwrap_or_else(|| vec!["zone".into(); count.into()]);
    let capacities = list("capacities", &cluster.capacities, count)?.unwrap_or_else(|| vec![1; count.into()]);
    let address = |number: u16| Address(format!("n{number}").into());
    let config = |number: u16| -> Checked<Config> {
        let index = usize::from(number) - 1;
        let mut config = Config::new(ClusterId::of_name(CLUSTER), address(number));
        config.node = Some(NodeId(number.into()));
        config.zone = Zone(zones[index].as_str().into());
        config.capacity = capacities[index];
        config.seeds = (1..=count.min(3)).map(address).collect();
        config.founders = count;
        (config.n, config.r, config.w) = (n, r, w);
        config.sloppy = cluster.sloppy.unwrap_or(config.sloppy);
        let set = |to: &mut Duration, from: &Option<Spanned<As<Duration>>>| {
            *to = from.as_ref().map_or(*to, value);
        };
        set(&mut config.request_timeout, &cluster.request_timeout);
        set(&mut config.gossip_every, &cluster.gossip_every);
        set(&mut config.suspect_after, &cluster.suspect_after);
        set(&mut config.exchange_every, &cluster.exchange_every);
        store(&mut config, storage)?;
        config.validate().map_err(|error| misfit(cluster, error))?;
        Ok(config)
    };
    (1..=count).map(config).collect()
}

/// Points at the setting that the core refuses.
fn misfit(cluster: &file::Cluster, error: ConfigError) -> Problem {
    let spans = [
        ("request_timeout", &cluster.request_timeout),
        ("gossip_every", &cluster.gossip_every),
        ("suspect_after", &cluster.suspect_after),
        ("exchange_every", &cluster.exchange_every),
    ];
    let named = spans.into_iter().filter(|(name, _)| error.field.contains(name));
    // Where several could be meant, the shortest span of time is the likeliest culprit.
    let written = named.filter_map(|(_, span)| span.as_ref()).min_by_key(|span| value(span));
    let span = written.map(Spanned::span).or(cluster.zones.as_ref().map(Spanned::span));
    Problem {
        message: format!("{} cannot work", error.field),
        span: span.or(Some(cluster.nodes.span())),
        allowed: Some(error.allowed.into()),
    }
}

fn level(name: &str, level: &Option<Spanned<As<Level>>>, n: u8) -> Checked<Level> {
    let Some(spanned) = level else { return Ok(Level::Quorum) };
    match value(spanned) {
        Level::Count(count) if count == 0 || count > n => {
            let message = format!("{name} is {count}, and a key has {n} replicas");
            let allowed = format!("1 to {n}, \"one\", \"quorum\" or \"all\"");
            refuse(spanned.span(), message, allowed)
        }
        level => Ok(level),
    }
}

fn list<T: Clone>(name: &str, list: &Option<Spanned<Vec<T>>>, count: u16) -> Checked<Option<Vec<T>>> {
    let Some(spanned) = list else { return Ok(None) };
    let len = spanned.get_ref().len();
    if len != usize::from(count) {
        let message = format!("{name} has {len} entries, and there are {count} nodes");
        return refuse(spanned.span(), message, "one entry for each node");
    }
    Ok(Some(spanned.get_ref().clone()))
}

fn store(config: &mut Config, storage: &file::Storage) -> Checked<()> {
    let to = &mut config.storage;
    to.memtable_bytes = within("memtable_bytes", &storage.memtable_bytes, to.memtable_bytes, 4096, 1 << 30)?;
    to.table_bytes = within("table_bytes", &storage.table_bytes, to.table_bytes, 4096, 1 << 30)?;
    to.block_bytes = within("block_bytes", &storage.block_bytes, to.block_bytes, 256, 1 << 20)?;
    to.level0_tables = within("level0_tables", &storage.level0_tables, to.level0_tables, 1, 100)?;
    to.reserve_bytes = within("reserve_bytes", &storage.reserve_bytes, to.reserve_bytes, 0, 1 << 30)?;
    to.cache_bytes = storage.cache_bytes.unwrap_or(to.cache_bytes);
    Ok(())
}

fn network(network: &file::Network) -> Checked<NetworkPlan> {
    let default = (Duration::from_micros(200), Duration::from_millis(2));
    let (latency_min, latency_max) = between("latency", &network.latency, default)?;
    Ok(NetworkPlan {
        latency_min,
        latency_max,
        tail: network.tail.map_or(Ppm(1_000), |tail| tail.0),
        loss: network.loss.map_or(Ppm::NEVER, |loss| loss.0),
        duplication: network.duplication.map_or(Ppm::NEVER, |duplication| duplication.0),
    })
}

fn disk(disk: &file::Disk) -> Checked<DiskPlan> {
    let default = (Duration::from_micros(100), Duration::from_micros(400));
    let (sync_min, sync_max) = between("sync", &disk.sync, default)?;
    Ok(DiskPlan { sync_min, sync_max, slow: disk.slow.map_or(Ppm(5_000), |slow| slow.0) })
}

fn clocks(clocks: &file::Clocks) -> Checked<ClockPlan> {
    let offset = clocks.offset.as_ref().map_or(Duration::from_millis(250), value);
    if let Some(spanned) = clocks.offset.as_ref().filter(|_| offset > OFFSET_MAX) {
        return refuse(spanned.span(), format!("offset is {offset}"), "up to a year (525600m)");
    }
    Ok(ClockPlan { offset, drift: within("drift_ppm", &clocks.drift_ppm, 100, 0, DRIFT_MAX)? })
}

fn clients(clients: &file::Clients, duration: Duration) -> Checked<ClientPlan> {
    let think = (Duration::from_millis(1), Duration::from_millis(20));
    let (think_min, think_max) = between("think", &clients.think, think)?;
    let start = clients.start.as_ref().map_or(Duration::from_secs(3).min(duration.divided(2)), value);
    if let Some(spanned) = clients.start.as_ref().filter(|_| start >= duration) {
        return refuse(spanned.span(), format!("clients start at {start}"), before_end(duration));
    }
    let timeout = clients.timeout.as_ref().map_or(Duration::from_secs(3), value);
    if let Some(spanned) = clients.timeout.as_ref().filter(|_| timeout == Duration::ZERO || timeout > MINUTE)
    {
        return refuse(spanned.span(), format!("a timeout of {timeout}"), "more than 0s, up to 60s");
    }
    let (value_min, value_max) = value_bytes(&clients.value_bytes)?;
    Ok(ClientPlan {
        count: within("count", &clients.count, 16, 1, CLIENTS_MAX)?,
        keys: within("keys", &clients.keys, 1000, 1, KEYS_MAX)?,
        start: Instant::ZERO + start,
        think_min,
        think_max,
        value_min,
        value_max,
        timeout,
        mix: mix(&clients.mix)?,
    })
}

fn value_bytes(bytes: &Option<Spanned<Between<u32>>>) -> Checked<(u32, u32)> {
    let Some(spanned) = bytes else { return Ok((16, 256)) };
    let &Between { min, max } = spanned.get_ref();
    if min > max || max as usize > VALUE_DEFAULT_MAX {
        let allowed = format!("a min that is not above max, and a max of up to {VALUE_DEFAULT_MAX}");
        return refuse(spanned.span(), format!("value_bytes is from {min} to {max}"), allowed);
    }
    Ok((min, max))
}

fn mix(mix: &Option<Spanned<file::Mix>>) -> Checked<Mix> {
    let Some(spanned) = mix else { return Ok(Mix { get: 50, update: 25, put: 15, add: 5, delete: 5 }) };
    let &file::Mix { get, update, put, add, delete } = spanned.get_ref();
    let mix = Mix { get, update, put, add, delete };
    if mix.total() == 0 {
        return refuse(spanned.span(), "clients that do nothing".into(), "at least one weight above 0");
    }
    Ok(mix)
}

fn before_end(duration: Duration) -> String {
    format!("a time before the end of the run, {duration}")
}

fn faults(faults: &[file::Fault], nodes: usize, duration: Duration) -> Checked<Vec<Fault>> {
    let start = |at: &Spanned<As<Duration>>| -> Checked<Instant> {
        if value(at) >= duration {
            return refuse(at.span(), format!("a fault at {}", value(at)), before_end(duration));
        }
        Ok(Instant::ZERO + value(at))
    };
    let fault = |fault: &file::Fault| -> Checked<Fault> {
        Ok(match fault {
            file::Fault::Partition(partition) => {
                let at = start(&partition.at)?;
                Fault { at, action: parted(partition, nodes, duration)? }
            }
            file::Fault::Crash(crash) => {
                let lose = match crash.lose {
                    file::Lose::Unsynced => Unsynced::Lost,
                    file::Lose::Torn => Unsynced::Torn,
                };
                Fault {
                    at: start(&crash.at)?,
                    action: Action::Crash { node: node(&crash.node, nodes)?, lose },
                }
            }
            file::Fault::Restart(restart) => Fault {
                at: start(&restart.at)?,
                action: Action::Restart { node: node(&restart.node, nodes)? },
            },
            file::Fault::Pause(pause) => {
                let (at, lasts) = (start(&pause.at)?, value(&pause.lasts));
                lasts_within("pause", &pause.at, &pause.lasts, duration)?;
                Fault { at, action: Action::Pause { node: node(&pause.node, nodes)?, lasts } }
            }
        })
    };
    faults.iter().map(fault).collect()
}

/// Refuses a fault that lasts no time, or longer than the run.
fn lasts_within(
    kind: &str,
    at: &Spanned<As<Duration>>,
    lasts: &Spanned<As<Duration>>,
    duration: Duration,
) -> Checked<()> {
    let (at, span) = (value(at), value(lasts));
    if span == Duration::ZERO || at.0.saturating_add(span.0) > duration.0 {
        let message = format!("a {kind} from {at} for {span}");
        let allowed = format!("more than 0s, and an end before that of the run, {duration}");
        return refuse(lasts.span(), message, allowed);
    }
    Ok(())
}

fn parted(partition: &file::Partition, nodes: usize, duration: Duration) -> Checked<Action> {
    let lasts = partition.lasts.as_ref().map(value);
    if let Some(spanned) = &partition.lasts {
        lasts_within("partition", &partition.at, spanned, duration)?;
    }
    let mut members = BTreeSet::new();
    let mut groups = Vec::new();
    for group in partition.groups.get_ref() {
        let mut numbers = Vec::new();
        for name in group {
            let number = node(name, nodes)?;
            if !members.insert(number) {
                let message = format!("{} is in the groups twice", name.get_ref());
                return refuse(name.span(), message, "each node once at most");
            }
            numbers.push(number);
        }
        groups.push(numbers);
    }
    let links = links_between(&groups, nodes, partition.one_way);
    if links.is_empty() {
        let allowed = "at least two sides; nodes that are in no group are a side of their own";
        return refuse(partition.groups.span(), "a partition that parts nothing".into(), allowed);
    }
    let sides = sides(&groups, nodes, partition.one_way);
    Ok(Action::Partition { lasts, links, sides })
}

/// `n4 n5 | n1 n2 n3`, or `n4 n5 > n1 n2 n3` for what cuts one way only.
fn sides(groups: &[Vec<usize>], nodes: usize, one_way: bool) -> String {
    let names = |group: &[usize]| {
        group.iter().map(|number| format!("n{}", number + 1)).collect::<Vec<String>>().join(" ")
    };
    let rest: Vec<usize> =
        (0..nodes).filter(|node| !groups.iter().any(|group| group.contains(node))).collect();
    let sides: Vec<String> =
        groups.iter().chain([&rest]).filter(|g| !g.is_empty()).map(|g| names(g)).collect();
    sides.join(if one_way { " > " } else { " | " })
}

fn node(name: &Spanned<String>, nodes: usize) -> Checked<usize> {
    let number = name.get_ref().strip_prefix('n').and_then(|digits| digits.parse::<usize>().ok());
    match number.filter(|number| (1..=nodes).contains(number) && format!("n{number}") == *name.get_ref()) {
        Some(number) => Ok(number - 1),
        None => {
            refuse(name.span(), format!("there is no node {}", name.get_ref()), format!("n1 to n{nodes}"))
        }
    }
}

fn fact(name: &Spanned<String>) -> Checked<Fact> {
    let found = Fact::ALL.iter().copied().find(|fact| fact.name() == name.get_ref());
    let allowed = || Fact::ALL.iter().map(|fact| fact.name()).collect::<Vec<&str>>().join(", ");
    found.map_or_else(|| refuse(name.span(), format!("there is no fact {}", name.get_ref()), allowed()), Ok)
}

fn regression(table: file::Regression) -> Checked<Regression> {
    let Some(verdict) = Verdict::parse(table.verdict.get_ref()) else {
        let allowed = Verdict::ALL.map(|verdict| verdict.name().to_string()).join(", ");
        return refuse(table.verdict.span(), format!("no verdict is {}", table.verdict.get_ref()), allowed);
    };
    Ok(Regression {
        seed: table.seed,
        verdict,
        trace_hash: table.trace_hash.map(|hash| hash.0.0),
        state_hash: table.state_hash.map(|hash| hash.0.0),
        story: table.story,
    })
}
