//! `[expect]`: what can be typed, and what it means.

use std::collections::BTreeMap;
use std::format;
use std::string::String;
use std::vec::Vec;

use schemars::JsonSchema;
use serde::Deserialize;

use super::meaning::{Checked, refuse, within};
use super::place::Spanned;
use super::text::As;
use crate::base::rng::Ppm;
use crate::base::time::Duration;
use crate::node::fact::Fact;
use crate::sim::check::guarantee::Guarantee;
use crate::sim::expect::{self, Expect};
use crate::sim::history::Kind;

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct File {
    facts: Vec<Spanned<String>>,
    never: Vec<Spanned<String>>,
    news_rounds: Option<Spanned<u32>>,
    holds: Vec<Spanned<String>>,
    breaks: Vec<Spanned<String>>,
    availability: Option<As<Ppm>>,
    latency: BTreeMap<Spanned<String>, Limits<As<Duration>>>,
    staleness: Staleness,
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Staleness {
    versions: Limits<u64>,
    time: Limits<As<Duration>>,
}

#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Limits<T> {
    p50: Option<T>,
    p90: Option<T>,
    p99: Option<T>,
    p999: Option<T>,
    max: Option<T>,
}

impl<T> Default for Limits<T> {
    fn default() -> Limits<T> {
        Limits { p50: None, p90: None, p99: None, p999: None, max: None }
    }
}

impl<T> Limits<T> {
    fn mean(self, number: impl Fn(T) -> u64) -> expect::Limits {
        let Limits { p50, p90, p99, p999, max } = self;
        let [p50, p90, p99, p999, max] = [p50, p90, p99, p999, max].map(|limit| limit.map(&number));
        expect::Limits { p50, p90, p99, p999, max }
    }
}

/// What the table means.
pub(super) fn check(file: File) -> Checked<Expect> {
    let holds = file.holds.iter().map(guarantee).collect::<Checked<Vec<Guarantee>>>()?;
    let breaks = file.breaks.iter().map(guarantee).collect::<Checked<Vec<Guarantee>>>()?;
    if let Some(both) =
        file.breaks.iter().find(|name| file.holds.iter().any(|held| held.get_ref() == name.get_ref()))
    {
        let message = format!("{} cannot hold and be broken", both.get_ref());
        return refuse(both.span(), message, "each guarantee in one of the two lists");
    }
    let never = file.never.iter().map(fact).collect::<Checked<Vec<Fact>>>()?;
    let facts = file.facts.iter().map(fact).collect::<Checked<Vec<Fact>>>()?;
    if let Some(both) = file.never.iter().zip(&never).find(|(_, fact)| facts.contains(fact)) {
        let message = format!("{} cannot be reached and not be reached", both.0.get_ref());
        return refuse(both.0.span(), message, "each fact in one of the two lists");
    }
    let nanos = |As(span): As<Duration>| span.0;
    let rounds = &file.news_rounds;
    let news_rounds = rounds.is_some().then(|| within("news_rounds", rounds, 1, 1, 1000)).transpose()?;
    Ok(Expect {
        news_rounds,
        facts,
        never,
        holds,
        breaks,
        availability: file.availability.map(|share| share.0),
        latency: file
            .latency
            .iter()
            .map(|(name, limits)| Ok((kind(name)?, limits.mean(nanos))))
            .collect::<Checked<Vec<(Kind, expect::Limits)>>>()?,
        stale_versions: file.staleness.versions.mean(|count| count),
        stale_time: file.staleness.time.mean(nanos),
    })
}

fn fact(name: &Spanned<String>) -> Checked<Fact> {
    named("fact", name, Fact::ALL.iter().copied(), Fact::name)
}

fn guarantee(name: &Spanned<String>) -> Checked<Guarantee> {
    named("guarantee", name, Guarantee::ALL.into_iter(), Guarantee::name)
}

fn kind(name: &Spanned<String>) -> Checked<Kind> {
    named("operation", name, Kind::ALL.into_iter(), Kind::name)
}

/// The one of `all` that has the name.
fn named<T: Copy>(
    what: &str,
    name: &Spanned<String>,
    all: impl Iterator<Item = T> + Clone,
    name_of: fn(T) -> &'static str,
) -> Checked<T> {
    let found = all.clone().find(|one| name_of(*one) == name.get_ref());
    let allowed = || all.map(name_of).collect::<Vec<&str>>().join(", ");
    found.map_or_else(|| refuse(name.span(), format!("there is no {what} {}", name.get_ref()), allowed()), Ok)
}
