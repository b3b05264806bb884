//! What the faults of a scenario file mean.

pub(super) mod typed;

use std::collections::{BTreeMap, BTreeSet};
use std::string::{String, ToString};
use std::vec::Vec;
use std::{format, vec};

use self::typed::{Asked, Clock, Fault as Typed, Files, Lose, On, Partition, Rolling, Which};
use super::file;
use super::meaning::{Checked, before_end, between, refuse, value, within};
use super::place::Spanned;
use super::text::{As, parse_span};
use crate::base::rng::Ppm;
use crate::base::time::{Duration, Instant};
use crate::node::config::Config;
use crate::sim::clock::{self, ClockFault};
use crate::sim::disk::{self, Damage, DiskFault, Unsynced};
use crate::sim::fault::{Action, Fault, Moment, links_between};
use crate::sim::impair::Impairment;
use crate::sim::network::{Flap, LinkFault};
use crate::sim::rates::{KINDS, Rate, ends, links_of, sides};

const FACTOR_MAX: u32 = 1_000_000;
const COUNT_MAX: u32 = 1_000_000;
/// A clock that is twice as fast, or stands still.
const DRIFT_MAX: i32 = 1_000_000;

/// What faults and clients are about.
pub(super) struct Stage<'a> {
    pub nodes: &'a [Config],
    pub duration: Duration,
}

type Time = Spanned<As<Duration>>;
type Names = Vec<Spanned<String>>;

impl Stage<'_> {
    pub(super) fn faults(&self, typed: Vec<Typed>) -> Checked<Vec<Fault>> {
        let mut faults = Vec::new();
        for fault in typed {
            match fault {
                Typed::Rolling(rolling) => faults.extend(self.rolling(&rolling)?),
                fault => faults.push(self.fault(fault)?),
            }
        }
        Ok(faults)
    }

    fn fault(&self, fault: Typed) -> Checked<Fault> {
        match fault {
            Typed::Partition(_)
            | Typed::Delay(_)
            | Typed::Loss(_)
            | Typed::Duplication(_)
            | Typed::Corruption(_)
            | Typed::Reordering(_)
            | Typed::Bandwidth(_)
            | Typed::Clog(_) => self.of_links(fault),
            Typed::Crash(it) => {
                let (lose, on) = (unsynced(it.lose), moment(it.on));
                self.timed(&it.at, &it.lasts, Action::Crash { node: self.node(&it.node)?, lose, on })
            }
            Typed::Restart(it) => self.timed(&it.at, &None, Action::Restart { node: self.node(&it.node)? }),
            Typed::Pause(it) => self.on_host(&it.at, &it.lasts, &it.node, Impairment::Pause),
            Typed::Stall(it) => self.on_host(&it.at, &it.lasts, &it.node, Impairment::Stall),
            Typed::Slow(it) => {
                let factor = within("factor", &Some(it.factor), 0, 2, FACTOR_MAX)?;
                self.on_host(&it.at, &it.lasts, &it.node, Impairment::Slow(factor))
            }
            Typed::Lag(it) => {
                let factor = within("factor", &Some(it.factor), 0, 2, FACTOR_MAX)?;
                self.on_host(&it.at, &it.lasts, &it.node, Impairment::Lag(factor))
            }
            Typed::Queue(it) => {
                let limit = within("limit", &Some(it.limit), 0, 0, COUNT_MAX)?;
                self.on_host(&it.at, &it.lasts, &it.node, Impairment::Queue(limit))
            }
            Typed::Clock(it) => self.clock(&it),
            fault => self.of_disk(fault),
        }
    }

    fn of_links(&self, fault: Typed) -> Checked<Fault> {
        match fault {
            Typed::Delay(it) => {
                let (min, max) = between("by", &Some(it.by), (Duration::ZERO, Duration::ZERO))?;
                self.on_links(&it.at, &it.lasts, (&it.from, &it.to), LinkFault::Delay { min, max })
            }
            Typed::Loss(it) => {
                self.on_links(&it.at, &it.lasts, (&it.from, &it.to), LinkFault::Loss(share(&it.share)?))
            }
            Typed::Duplication(it) => self.on_links(
                &it.at,
                &it.lasts,
                (&it.from, &it.to),
                LinkFault::Duplication(share(&it.share)?),
            ),
            Typed::Corruption(it) => {
                self.on_links(&it.at, &it.lasts, (&it.from, &it.to), LinkFault::Corruption(share(&it.share)?))
            }
            Typed::Reordering(it) => {
                let what = LinkFault::Reordering { share: share(&it.share)?, by: value(&it.by) };
                self.on_links(&it.at, &it.lasts, (&it.from, &it.to), what)
            }
            Typed::Bandwidth(it) => {
                let bytes = within("bytes_per_second", &Some(it.bytes_per_second), 0, 1, u64::MAX >> 1)?;
                self.on_links(&it.at, &it.lasts, (&it.from, &it.to), LinkFault::Bandwidth(bytes))
            }
            Typed::Clog(it) => self.on_links(&it.at, &it.lasts, (&it.from, &it.to), LinkFault::Clog),
            Typed::Partition(it) => self.timed(&it.at, &it.lasts, self.parted(&it)?),
            _ => unreachable!("faults of links only"),
        }
    }

    fn of_disk(&self, fault: Typed) -> Checked<Fault> {
        let count = |name: &str, number: &Option<Spanned<u32>>| within(name, number, 1, 1, COUNT_MAX);
        let (at, lasts, action) = match fault {
            Typed::Error(it) => {
                let what = DiskFault::Error { on: asked(it.on), share: share(&it.share)? };
                (it.at, it.lasts, Action::Disk { node: self.node(&it.node)?, what })
            }
            Typed::Full(it) => {
                let what = DiskFault::Full { free: it.free };
                (it.at, it.lasts, Action::Disk { node: self.node(&it.node)?, what })
            }
            Typed::Unreadable(it) => {
                let what = DiskFault::Unreadable { sectors: count("sectors", &it.sectors)? };
                (it.at, it.lasts, Action::Disk { node: self.node(&it.node)?, what })
            }
            Typed::Rot(it) => {
                let (what, files) = (Damage::Rot { bits: count("bits", &it.bits)? }, files(it.files));
                (it.at, None, Action::Damage { node: self.node(&it.node)?, what, files })
            }
            Typed::LostWrite(it) => {
                let what = Damage::LostWrite { sectors: count("sectors", &it.sectors)? };
                (it.at, None, Action::Damage { node: self.node(&it.node)?, what, files: files(it.files) })
            }
            Typed::Misdirect(it) => {
                let (what, files) = (Damage::Misdirect, files(it.files));
                (it.at, None, Action::Damage { node: self.node(&it.node)?, what, files })
            }
            Typed::Swap(it) => {
                let nodes = self.pair(&it.nodes)?;
                (it.at, it.lasts, Action::Swap { nodes })
            }
            Typed::Wipe(it) => (it.at, it.lasts, Action::Wipe { node: self.node(&it.node)? }),
            Typed::Restore(it) => {
                let age = value(&it.age);
                if age == Duration::ZERO || age > value(&it.at) {
                    let allowed = format!("more than 0s, up to {}, the time of the fault", value(&it.at));
                    return refuse(it.age.span(), format!("a copy that is {age} old"), allowed);
                }
                (it.at, it.lasts, Action::Restore { node: self.node(&it.node)?, age })
            }
            _ => unreachable!("faults of disks only"),
        };
        self.timed(&at, &lasts, action)
    }

    /// One after the other.
    fn rolling(&self, it: &Rolling) -> Checked<Vec<Fault>> {
        let nodes = self.names(&it.nodes)?;
        let (every, lasts) = (value(&it.every), Some(value(&it.lasts)));
        let (lose, on) = (unsynced(it.lose), moment(it.on));
        let mut at = Instant::ZERO + value(&it.at);
        let mut faults = Vec::new();
        for node in nodes {
            if at.0 >= self.duration.0 {
                let message = format!("the turn of n{} would come at {at}", node + 1);
                return refuse(it.every.span(), message, before_end(self.duration));
            }
            faults.push(Fault { at, lasts, action: Action::Crash { node, lose, on }, drawn: false });
            at += every;
        }
        Ok(faults)
    }

    fn on_host(
        &self,
        at: &Time,
        lasts: &Option<Time>,
        node: &Spanned<String>,
        what: Impairment,
    ) -> Checked<Fault> {
        self.timed(at, lasts, Action::Host { node: self.node(node)?, what })
    }

    fn on_links(
        &self,
        at: &Time,
        lasts: &Option<Time>,
        (from, to): (&Option<Names>, &Option<Names>),
        what: LinkFault,
    ) -> Checked<Fault> {
        let (from, to) = (self.names(from)?, self.names(to)?);
        let links = links_of(&from, &to);
        if links.is_empty() {
            return refuse(at.span(), "a fault of no link".into(), "two nodes at least, in from and to");
        }
        self.timed(at, lasts, Action::Link { ends: ends(&from, &to, self.nodes.len()), links, what })
    }

    /// A fault that begins and ends before the run does.
    fn timed(&self, at: &Time, lasts: &Option<Time>, action: Action) -> Checked<Fault> {
        let begins = value(at);
        if begins >= self.duration {
            return refuse(at.span(), format!("a fault at {begins}"), before_end(self.duration));
        }
        if let Some(spanned) = lasts {
            let lasts = value(spanned);
            if lasts == Duration::ZERO || begins.0.saturating_add(lasts.0) > self.duration.0 {
                let message = format!("a {} from {begins} for {lasts}", action.kind());
                let allowed = format!("more than 0s, and an end before that of the run, {}", self.duration);
                return refuse(spanned.span(), message, allowed);
            }
        }
        let at = Instant::ZERO + begins;
        Ok(Fault { at, lasts: lasts.as_ref().map(value), action, drawn: false })
    }

    fn clock(&self, it: &Clock) -> Checked<Fault> {
        let which = if it.clock == Which::Wall { clock::Which::Wall } else { clock::Which::Mono };
        let chosen = [it.offset.is_some(), it.jump.is_some(), it.drift_ppm.is_some(), it.freeze];
        if chosen.into_iter().filter(|chosen| *chosen).count() != 1 {
            let allowed = "one of offset = \"+2s\", jump = \"-2s\", drift_ppm = 5000, freeze = true";
            return refuse(it.node.span(), "a clock fault of none or of several kinds".into(), allowed);
        }
        let what = if let Some(spanned) = &it.offset {
            if which == clock::Which::Mono {
                let allowed = "clock = \"wall\", or a jump: a monotonic clock never goes back";
                return refuse(spanned.span(), "an offset of a monotonic clock".into(), allowed);
            }
            ClockFault::Offset(signed(spanned)?)
        } else if let Some(spanned) = &it.jump {
            let by = signed(spanned)?;
            if which == clock::Which::Mono && by < 0 {
                let allowed = "a jump forward: a monotonic clock never goes back";
                return refuse(spanned.span(), "a monotonic clock that jumps back".into(), allowed);
            }
            if let Some(lasts) = &it.lasts {
                let allowed = "no for; an offset is what ends";
                return refuse(lasts.span(), "a jump that lasts".into(), allowed);
            }
            ClockFault::Jump(by)
        } else if it.drift_ppm.is_some() {
            ClockFault::Drift(within("drift_ppm", &it.drift_ppm, 0, -DRIFT_MAX / 2, DRIFT_MAX)?)
        } else {
            ClockFault::Freeze
        };
        self.timed(&it.at, &it.lasts, Action::Clock { node: self.node(&it.node)?, which, what })
    }

    fn parted(&self, it: &Partition) -> Checked<Action> {
        let count = self.nodes.len();
        let (groups, span) = match (&it.groups, &it.zones) {
            (Some(groups), None) => {
                (self.groups(groups.get_ref(), &|name| Ok(vec![self.node(name)?]))?, groups.span())
            }
            (None, Some(zones)) => (self.groups(zones.get_ref(), &|name| self.zone(name))?, zones.span()),
            (groups, _) => {
                let span = groups.as_ref().map_or(it.at.span(), Spanned::span);
                return refuse(
                    span,
                    "a partition of what?".into(),
                    "either groups of nodes or groups of zones",
                );
            }
        };
        let links = links_between(&groups, count, it.one_way, it.partial);
        if links.is_empty() {
            let allowed = match it.partial {
                true => "at least two groups; a partial cut concerns no other node",
                false => "at least two sides; nodes that are in no group are a side of their own",
            };
            return refuse(span, "a partition that parts nothing".into(), allowed);
        }
        let flap = match &it.flap {
            None => None,
            Some(spanned) => {
                let typed::Flap { cut: As(cut), whole: As(whole) } = *spanned.get_ref();
                if cut == Duration::ZERO || whole == Duration::ZERO {
                    return refuse(spanned.span(), "a flap without time".into(), "more than 0s for both");
                }
                Some(Flap { cut, whole })
            }
        };
        let sides = sides(&groups, count, it.one_way, it.partial);
        Ok(Action::Partition { links, sides, flap })
    }

    /// Groups of nodes, by what each name stands for. No node is in two of them, or twice in one.
    fn groups(
        &self,
        typed: &[Names],
        meaning: &dyn Fn(&Spanned<String>) -> Checked<Vec<usize>>,
    ) -> Checked<Vec<Vec<usize>>> {
        let mut members = BTreeSet::new();
        let mut groups = Vec::new();
        for names in typed {
            let mut group = Vec::new();
            for name in names {
                for number in meaning(name)? {
                    if !members.insert(number) {
                        let message = format!("{} is in the groups twice", name.get_ref());
                        return refuse(name.span(), message, "each node once at most");
                    }
                    group.push(number);
                }
            }
            groups.push(group);
        }
        Ok(groups)
    }

    fn zone(&self, name: &Spanned<String>) -> Checked<Vec<usize>> {
        let is_in = |number: &usize| &*self.nodes[*number].zone.0 == name.get_ref().as_str();
        let nodes: Vec<usize> = (0..self.nodes.len()).filter(is_in).collect();
        if nodes.is_empty() {
            let zones: BTreeSet<&str> = self.nodes.iter().map(|config| &*config.zone.0).collect();
            let allowed = zones.into_iter().collect::<Vec<&str>>().join(", ");
            return refuse(name.span(), format!("there is no zone {}", name.get_ref()), allowed);
        }
        Ok(nodes)
    }

    /// These nodes; all, if none are named.
    fn names(&self, names: &Option<Names>) -> Checked<Vec<usize>> {
        match names {
            None => Ok((0..self.nodes.len()).collect()),
            Some(names) => names.iter().map(|name| self.node(name)).collect(),
        }
    }

    fn pair(&self, names: &Spanned<Names>) -> Checked<(usize, usize)> {
        match names.get_ref().as_slice() {
            [one, other] if one.get_ref() != other.get_ref() => Ok((self.node(one)?, self.node(other)?)),
            _ => refuse(names.span(), "a swap of other than two nodes".into(), "two different nodes"),
        }
    }

    pub(super) fn node(&self, name: &Spanned<String>) -> Checked<usize> {
        let nodes = self.nodes.len();
        let number = name.get_ref().strip_prefix('n').and_then(|digits| digits.parse::<usize>().ok());
        let is_it = |number: &usize| (1..=nodes).contains(number) && format!("n{number}") == *name.get_ref();
        match number.filter(is_it) {
            Some(number) => Ok(number - 1),
            None => {
                refuse(name.span(), format!("there is no node {}", name.get_ref()), format!("n1 to n{nodes}"))
            }
        }
    }
}

/// What `[rates]` means.
pub(super) fn rates(typed: &BTreeMap<Spanned<String>, typed::Rate>) -> Checked<Vec<Rate>> {
    let rate = |(name, rate): (&Spanned<String>, &typed::Rate)| {
        let every = value(&rate.every);
        if every < Duration::from_millis(100) {
            return refuse(rate.every.span(), format!("a fault every {every}"), "100ms or more");
        }
        let default = (Duration::from_millis(500), Duration::from_secs(3));
        let (lasts_min, lasts_max) = between("for", &rate.lasts, default)?;
        Ok(Rate { kind: kind(name)?, every, lasts_min, lasts_max })
    };
    typed.iter().map(rate).collect()
}

/// The kinds that `[swarm]` may draw.
pub(super) fn swarm(typed: &Option<typed::Swarm>) -> Checked<Vec<&'static str>> {
    let Some(swarm) = typed else { return Ok(Vec::new()) };
    let kinds = match &swarm.kinds {
        None => KINDS.to_vec(),
        Some(names) => names.iter().map(kind).collect::<Checked<Vec<_>>>()?,
    };
    let without = swarm.without.iter().map(kind).collect::<Checked<Vec<_>>>()?;
    Ok(kinds.into_iter().filter(|kind| !without.contains(kind)).collect())
}

fn kind(name: &Spanned<String>) -> Checked<&'static str> {
    let found = KINDS.into_iter().find(|kind| *kind == name.get_ref());
    let unknown = || format!("there is no rate of {}", name.get_ref());
    found.map_or_else(|| refuse(name.span(), unknown(), KINDS.join(", ")), Ok)
}

/// What `[network]` says of corruption, reordering and bandwidth: faults of all links from the beginning.
pub(super) fn of_network(network: &file::Network, nodes: usize) -> Checked<Vec<Fault>> {
    let all: Vec<usize> = (0..nodes).collect();
    let mut faults = Vec::new();
    let mut add = |what: LinkFault| {
        let (links, ends) = (links_of(&all, &all), "all".to_string());
        let action = Action::Link { links, ends, what };
        faults.push(Fault { at: Instant::ZERO, lasts: None, action, drawn: false });
    };
    if let Some(As(share)) = network.corruption.filter(|share| share.0 > Ppm::NEVER) {
        add(LinkFault::Corruption(share));
    }
    if let Some(reordering) = network.reordering {
        add(LinkFault::Reordering { share: reordering.share.0, by: reordering.by.0 });
    }
    if network.bytes_per_second.is_some() {
        let bytes = within("bytes_per_second", &network.bytes_per_second, 0, 1, u64::MAX >> 1)?;
        add(LinkFault::Bandwidth(bytes));
    }
    Ok(faults)
}

fn share(share: &Spanned<As<Ppm>>) -> Checked<Ppm> {
    if value(share) == Ppm::NEVER {
        return refuse(share.span(), "a share of nothing".into(), "more than \"0%\"");
    }
    Ok(value(share))
}

/// `+2s` or `-150ms`, in nanoseconds.
fn signed(text: &Spanned<String>) -> Checked<i64> {
    let parsed = |text: &str| {
        let (sign, span) = text.split_at_checked(1)?;
        let sign = if sign == "+" { 1 } else { -1 };
        let nanos = i64::try_from(parse_span(span)?.0).ok()?;
        (text.starts_with(['+', '-']) && nanos > 0).then_some(sign * nanos)
    };
    let allowed = "a sign and a span of time, such as \"+2s\" or \"-150ms\"";
    let wrong = || format!("a clock that is off by {}", text.get_ref());
    parsed(text.get_ref()).map_or_else(|| refuse(text.span(), wrong(), allowed), Ok)
}

fn unsynced(lose: Lose) -> Unsynced {
    match lose {
        Lose::Unsynced => Unsynced::Lost,
        Lose::Torn => Unsynced::Torn,
        Lose::Nothing => Unsynced::Kept,
    }
}

fn moment(on: On) -> Moment {
    match on {
        On::Sync => Moment::Sync,
        On::Event => Moment::Event,
        On::Disk => Moment::Disk,
        On::Job => Moment::Job,
    }
}

fn asked(on: Asked) -> disk::Asked {
    match on {
        Asked::Read => disk::Asked::Read,
        Asked::Write => disk::Asked::Write,
        Asked::Sync => disk::Asked::Sync,
    }
}

fn files(files: Files) -> disk::Files {
    match files {
        Files::Tables => disk::Files::Tables,
        Files::Any => disk::Files::Any,
    }
}
