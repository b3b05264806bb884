//! `[clients]`, or several `[[clients]]`: what can be typed, and what it means.

use core::fmt;
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::format;
use std::string::String;
use std::vec;
use std::vec::Vec;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};

use super::faults::Stage;
use super::file::{Between, Spans};
use super::meaning::{Checked, MINUTE, before_end, between, level, levels, refuse, value, within};
use super::place::Spanned;
use super::text::As;
use crate::base::id::Zone;
use crate::base::limits::VALUE_DEFAULT_MAX;
use crate::base::rng::Ppm;
use crate::base::time::{Duration, Instant};
use crate::node::consistency::{Durability, Options};
use crate::quorum::tally::Level;
use crate::sim::workload::plan::{self, ClientPlan, Mix, Pace};

const CLIENTS_MAX: u32 = 10_000;
const KEYS_MAX: u64 = 1_000_000;
const RATE_MAX: u32 = 1_000_000;
const RETRY_MAX: u32 = 10;

/// One group, or several.
pub(super) struct Groups(Vec<Group>);

/// A scenario that says nothing of clients has a group of default ones.
impl Default for Groups {
    fn default() -> Groups {
        Groups(vec![Group::default()])
    }
}

/// Not an untagged enum: that would lose the places in the file.
impl<'de> Deserialize<'de> for Groups {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Groups, D::Error> {
        struct Reader;

        impl<'de> Visitor<'de> for Reader {
            type Value = Groups;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a table `clients`, or several")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Groups, A::Error> {
                Group::deserialize(MapAccessDeserializer::new(map)).map(|group| Groups(vec![group]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Groups, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(list)).map(Groups)
            }
        }

        deserializer.deserialize_any(Reader)
    }
}

impl JsonSchema for Groups {
    fn schema_name() -> Cow<'static, str> {
        "Clients".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let group = generator.subschema_for::<Group>();
        json_schema!({ "anyOf": [group, { "type": "array", "items": group }] })
    }
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Group {
    count: Option<Spanned<u32>>,
    keys: Option<Spanned<u64>>,
    choice: Option<Spanned<Choice>>,
    start: Option<Spanned<As<Duration>>>,
    stop: Option<Spanned<As<Duration>>>,
    think: Option<Spans>,
    rate: Option<Spanned<u32>>,
    value_bytes: Option<Spanned<Between<u32>>>,
    value_choice: Option<ValueChoice>,
    timeout: Option<Spanned<As<Duration>>>,
    mix: Option<Spanned<TypedMix>>,
    nodes: Option<Spanned<Vec<Spanned<String>>>>,
    coordinators: Option<Coordinators>,
    r: Option<Spanned<As<Level>>>,
    w: Option<Spanned<As<Level>>>,
    pr: Option<Spanned<As<Level>>>,
    pw: Option<Spanned<As<Level>>>,
    dw: Option<Spanned<As<Level>>>,
    zones: Option<Spanned<u8>>,
    sloppy: Option<Spanned<bool>>,
    sessions: bool,
    retry: Option<Spanned<u32>>,
}

#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Choice {
    Uniform,
    Zipf,
    Sequential,
    Hot { keys: u64, share: As<Ppm> },
}

#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum ValueChoice {
    Uniform,
    Zipf,
}

#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Coordinators {
    Any,
    Home,
    Failover,
}

#[derive(Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct TypedMix {
    get: u32,
    update: u32,
    put: u32,
    add: u32,
    delete: u32,
    recreate: u32,
    stale: u32,
    incr: u32,
    sadd: u32,
    srem: u32,
    clash: u32,
}

/// What the groups mean on this stage.
pub(super) fn check(groups: &Groups, stage: &Stage) -> Checked<Vec<ClientPlan>> {
    groups.0.iter().map(|group| plan(group, stage)).collect()
}

fn plan(group: &Group, stage: &Stage) -> Checked<ClientPlan> {
    let duration = stage.duration;
    let start = group.start.as_ref().map_or(Duration::from_secs(3).min(duration.divided(2)), value);
    if let Some(spanned) = group.start.as_ref().filter(|_| start >= duration) {
        return refuse(spanned.span(), format!("clients start at {start}"), before_end(duration));
    }
    let stop = group.stop.as_ref().map_or(duration, value);
    if let Some(spanned) = group.stop.as_ref().filter(|_| stop <= start || stop > duration) {
        let allowed = format!("a time after {start}, when they start, up to the end of the run, {duration}");
        return refuse(spanned.span(), format!("clients stop at {stop}"), allowed);
    }
    let timeout = group.timeout.as_ref().map_or(Duration::from_secs(3), value);
    if let Some(spanned) = group.timeout.as_ref().filter(|_| timeout == Duration::ZERO || timeout > MINUTE) {
        return refuse(spanned.span(), format!("a timeout of {timeout}"), "more than 0s, up to 60s");
    }
    let (value_min, value_max) = value_bytes(&group.value_bytes)?;
    let count = within("count", &group.count, 16, 1, CLIENTS_MAX)?;
    let keys = within("keys", &group.keys, 1000, 1, KEYS_MAX)?;
    Ok(ClientPlan {
        count,
        keys,
        choice: choice(&group.choice, keys)?,
        start: Instant::ZERO + start,
        stop: Instant::ZERO + stop,
        pace: pace(group, count)?,
        value_min,
        value_max,
        value_choice: match group.value_choice {
            None | Some(ValueChoice::Uniform) => plan::Choice::Uniform,
            Some(ValueChoice::Zipf) => plan::Choice::Zipf,
        },
        timeout,
        mix: mix(&group.mix)?,
        coordinators: match group.coordinators {
            None | Some(Coordinators::Any) => plan::Coordinators::Any,
            Some(Coordinators::Home) => plan::Coordinators::Home,
            Some(Coordinators::Failover) => plan::Coordinators::Failover,
        },
        nodes: nodes(&group.nodes, stage)?,
        options: options(group, stage)?,
        sessions: group.sessions,
        retry: within("retry", &group.retry, 0, 0, RETRY_MAX)?,
    })
}

/// What the group's requests ask for.
fn options(group: &Group, stage: &Stage) -> Checked<Options> {
    let config = &stage.nodes[0];
    let w = level("w", &group.w, config.n)?;
    if let Some(spanned) = group.sloppy.as_ref().filter(|sloppy| !sloppy.get_ref())
        && w.unwrap_or(config.w) == Level::Any
    {
        let message = "w is any, which counts hints, and a strict write leaves none".into();
        return refuse(spanned.span(), message, "true, or another w");
    }
    // Replicas lie in as many zones as there can be.
    let zones: BTreeSet<&Zone> = stage.nodes.iter().map(|node| &node.zone).collect();
    let zones_max = config.n.min(u8::try_from(zones.len()).unwrap_or(u8::MAX));
    let zones = group.zones.is_some().then(|| within("zones", &group.zones, 1, 1, zones_max)).transpose()?;
    Ok(Options {
        r: level("r", &group.r, config.n)?,
        w,
        pr: floor("pr", &group.pr, config.n)?,
        pw: floor("pw", &group.pw, config.n)?,
        dw: floor("dw", &group.dw, config.n)?.map(Durability::Replicas),
        zones,
        sloppy: group.sloppy.as_ref().map(|sloppy| *sloppy.get_ref()),
        ..Options::default()
    })
}

/// PR, PW or DW, as `name` says: floors that count replicas only.
fn floor(name: &str, floor: &Option<Spanned<As<Level>>>, n: u8) -> Checked<Option<Level>> {
    let Some(spanned) = floor else { return Ok(None) };
    match value(spanned) {
        Level::Count(0) if name == "dw" => {
            let message = "dw is 0: a crash may lose what memory alone has acknowledged, \
                           and no scenario can promise that it is kept";
            refuse(spanned.span(), message.into(), levels(n))
        }
        Level::Any => {
            let message = format!("a hint is no replica, and {name} counts replicas");
            refuse(spanned.span(), message, levels(n))
        }
        _ => level(name, floor, n),
    }
}

/// Whom the group asks, by number from 0.
fn nodes(names: &Option<Spanned<Vec<Spanned<String>>>>, stage: &Stage) -> Checked<Vec<usize>> {
    let Some(spanned) = names else { return Ok((0..stage.nodes.len()).collect()) };
    if spanned.get_ref().is_empty() {
        return refuse(spanned.span(), "clients that ask nobody".into(), "at least one node");
    }
    spanned.get_ref().iter().map(|name| stage.node(name)).collect()
}

fn pace(group: &Group, count: u32) -> Checked<Pace> {
    let (min, max) = between("think", &group.think, (Duration::from_millis(1), Duration::from_millis(20)))?;
    let Some(spanned) = &group.rate else { return Ok(Pace::Closed { min, max }) };
    if group.think.is_some() {
        let message = "clients that think, and have a rate".into();
        return refuse(spanned.span(), message, "think (a closed loop), or rate (an open one)");
    }
    let rate = within("rate", &group.rate, 1, 1, RATE_MAX)?;
    let every = Duration::from_secs(1).saturating_mul(count.into()).divided(rate.into());
    Ok(Pace::Open { every })
}

fn choice(choice: &Option<Spanned<Choice>>, keys: u64) -> Checked<plan::Choice> {
    let Some(spanned) = choice else { return Ok(plan::Choice::Uniform) };
    Ok(match *spanned.get_ref() {
        Choice::Uniform => plan::Choice::Uniform,
        Choice::Zipf => plan::Choice::Zipf,
        Choice::Sequential => plan::Choice::Sequential,
        Choice::Hot { keys: hot, share: As(share) } if (1..keys).contains(&hot) => {
            plan::Choice::Hot { keys: hot, share }
        }
        Choice::Hot { keys: hot, .. } => {
            let allowed = format!("at least 1, and fewer than all {keys}");
            return refuse(spanned.span(), format!("{hot} hot keys"), allowed);
        }
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

fn mix(mix: &Option<Spanned<TypedMix>>) -> Checked<Mix> {
    let Some(spanned) = mix else {
        return Ok(Mix { get: 50, update: 25, put: 15, add: 5, delete: 5, ..Mix::default() });
    };
    let &TypedMix { get, update, put, add, delete, recreate, stale, incr, sadd, srem, clash } =
        spanned.get_ref();
    let mix = Mix { get, update, put, add, delete, recreate, stale, incr, sadd, srem, clash };
    if mix.total() == 0 {
        return refuse(spanned.span(), "clients that do nothing".into(), "at least one weight above 0");
    }
    Ok(mix)
}

/// The names of the parts of a group, for the report.
pub fn tell(plan: &ClientPlan) -> [String; 2] {
    let name = |choice| match choice {
        plan::Choice::Uniform => "evenly".into(),
        plan::Choice::Zipf => "by Zipf's law".into(),
        plan::Choice::Sequential => "one after the other".into(),
        plan::Choice::Hot { keys, share } => format!("the first {keys} with {share}"),
    };
    let pace = match plan.pace {
        Pace::Closed { min, max } => format!("thinking {min} to {max}"),
        Pace::Open { every } => format!("each due every {every} on average"),
    };
    let sizes = if plan.value_choice == plan::Choice::Uniform { "" } else { " by Zipf's law" };
    let coordinators = match plan.coordinators {
        plan::Coordinators::Any => "",
        plan::Coordinators::Home => ", each at one node",
        plan::Coordinators::Failover => ", each at one node until it fails",
    };
    let until = format!("{} to {}", plan.start, plan.stop);
    let sessions = if plan.sessions { ", reads with the session's context" } else { "" };
    let keys =
        if plan.choice == plan::Choice::Uniform { String::new() } else { format!(" {}", name(plan.choice)) };
    let Mix { get, update, put, add, delete, recreate, stale, incr, sadd, srem, clash } = plan.mix;
    let rare = [(recreate, "recreate"), (stale, "stale"), (incr, "incr"), (sadd, "sadd"), (srem, "srem")];
    let rare = rare.into_iter().chain([(clash, "clash")]).filter(|(count, _)| *count > 0);
    let rare: String = rare.map(|(count, name)| format!(", {count} {name}")).collect();
    let retries = match plan.retry {
        0 => String::new(),
        tries => format!(", writes tried again up to {tries} times"),
    };
    let values = format!("values of {} to {} bytes{sizes}", plan.value_min, plan.value_max);
    let habits = format!("{coordinators}{}{sessions}{retries}", tell_options(&plan.options));
    [
        format!("{} from {until}, {} keys{keys}, {values}, {pace}{habits}", plan.count, plan.keys),
        format!("{get} get, {update} update, {put} put, {add} add, {delete} delete{rare}"),
    ]
}

/// What they ask for, if they ask for anything.
fn tell_options(options: &Options) -> String {
    let Options { r, w, pr, pw, dw, zones, sloppy, .. } = options;
    let level = |name, level: &Option<Level>| level.map(|level| format!(", {name} {level}"));
    let sloppy = sloppy.map(|sloppy| if sloppy { ", sloppy" } else { ", strict" });
    let told = [
        level("R", r),
        level("W", w),
        level("PR", pr),
        level("PW", pw),
        dw.map(|dw| format!(", DW {dw}")),
        zones.map(|zones| format!(", in {zones} zones")),
        sloppy.map(String::from),
    ];
    told.into_iter().flatten().collect()
}
