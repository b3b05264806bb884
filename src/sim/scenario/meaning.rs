//! What a scenario file means: defaults, and whether its parts fit together.

use core::ops::Range;
use std::string::{String, ToString};
use std::vec::Vec;
use std::{format, vec};

use super::faults::{Stage, of_network, rates, swarm};
use super::file::{self, Between, File};
use super::place::Spanned;
use super::text::As;
use super::{CLUSTER, Problem, Recorded, Regression, Scenario};
use crate::base::id::{Address, ClusterId, NodeId, Zone};
use crate::base::limits::N_MAX;
use crate::base::rng::Ppm;
use crate::base::time::Duration;
use crate::node::config::{Config, ConfigError};
use crate::quorum::tally::Level;
use crate::sim::clock::{ClockPlan, DRIFT_MAX};
use crate::sim::heal::HealPlan;
use crate::sim::host::DiskPlan;
use crate::sim::network::{NetworkPlan, Shape};
use crate::sim::verdict::Verdict;

/// One process holds them all.
const NODES_MAX: u16 = 1000;
const HEAL_EVERY: Duration = Duration::from_secs(20);
pub(super) const MINUTE: Duration = Duration::from_secs(60);
const OFFSET_MAX: Duration = Duration::from_secs(365 * 86_400);

pub(super) type Checked<T> = Result<T, Problem>;

pub(super) fn refuse<T>(span: Range<usize>, message: String, allowed: impl Into<String>) -> Checked<T> {
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
        heal: HealPlan { every: file.run.heal_every.map_or(HEAL_EVERY, |every| every.0) },
        network: network(&file.network)?,
        disk: disk(&file.disk)?,
        clocks: clocks(&file.clocks)?,
        clients: super::clients::check(&file.clients, &Stage { nodes: &nodes, duration })?,
        faults: {
            let mut faults = Stage { nodes: &nodes, duration }.faults(file.fault)?;
            faults.extend(of_network(&file.network, nodes.len())?);
            faults
        },
        rates: rates(&file.rates)?,
        swarm: swarm(&file.swarm)?,
        unrestricted: file.run.unrestricted,
        expect: super::expect::check(file.expect)?,
        regression: file.regression.map(regression).transpose()?,
        nodes,
    })
}

pub(super) fn value<T: Copy>(spanned: &Spanned<As<T>>) -> T {
    spanned.get_ref().0
}

/// The number, or `default`; in `low..=high`.
pub(super) fn within<T>(name: &str, number: &Option<Spanned<T>>, default: T, low: T, high: T) -> Checked<T>
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
pub(super) fn between(
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
    let r = level("r", &cluster.r, n)?.unwrap_or(Level::Quorum);
    let w = level("w", &cluster.w, n)?.unwrap_or(Level::Quorum);
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
        config.clock_length_max = cluster.clock_length_max.unwrap_or(config.clock_length_max);
        let set = |to: &mut Duration, from: &Option<Spanned<As<Duration>>>| {
            *to = from.as_ref().map_or(*to, value);
        };
        set(&mut config.request_timeout, &cluster.request_timeout);
        set(&mut config.gossip_every, &cluster.gossip_every);
        set(&mut config.suspect_after, &cluster.suspect_after);
        set(&mut config.exchange_every, &cluster.exchange_every);
        set(&mut config.scrub_every, &cluster.scrub_every);
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
        ("scrub_every", &cluster.scrub_every),
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

/// R, W or a floor of one of them, as `name` says.
pub(super) fn level(name: &str, level: &Option<Spanned<As<Level>>>, n: u8) -> Checked<Option<Level>> {
    let Some(spanned) = level else { return Ok(None) };
    match value(spanned) {
        Level::Count(count) if count == 0 || count > n => {
            let message = format!("{name} is {count}, and a key has {n} replicas");
            refuse(spanned.span(), message, levels(n))
        }
        Level::Any if name == "r" => refuse(spanned.span(), "a hint answers no read".into(), levels(n)),
        level => Ok(Some(level)),
    }
}

/// The levels at which hints do not count.
pub(super) fn levels(n: u8) -> String {
    format!("1 to {n}, \"one\", \"quorum\", \"all\", \"local-quorum\" or \"each-quorum\"")
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
        shape: shape(&network.shape)?,
        tail: network.tail.map_or(Ppm(1_000), |tail| tail.0),
        loss: network.loss.map_or(Ppm::NEVER, |loss| loss.0),
        duplication: network.duplication.map_or(Ppm::NEVER, |duplication| duplication.0),
    })
}

fn shape(shape: &Option<Spanned<String>>) -> Checked<Shape> {
    let Some(spanned) = shape else { return Ok(Shape::default()) };
    let found = Shape::ALL.into_iter().find(|shape| shape.name() == spanned.get_ref());
    let wrong = || format!("latencies have no shape {}", spanned.get_ref());
    let allowed = || Shape::ALL.map(Shape::name).join(", ");
    found.map_or_else(|| refuse(spanned.span(), wrong(), allowed()), Ok)
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

pub(super) fn before_end(duration: Duration) -> String {
    format!("a time before the end of the run, {duration}")
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
        recorded: table.recorded.map(|table| {
            let file::Recorded { events, ok, rejected, unknown, failed } = table;
            Recorded { events, ok, rejected, unknown, failed }
        }),
        story: table.story,
    })
}
