//! `kvsim check`: the checkers that need only a history, on a history from anywhere.

use std::format;
use std::string::String;
use std::vec::Vec;

use serde::Serialize;

use super::{Check, load};
use crate::base::id::ClusterId;
use crate::sim::check::guarantee::{Guarantee, Held, Judgement, judge_all};
use crate::sim::check::{self, of_history};
use crate::sim::history::{Operation, from_line};
use crate::sim::verdict::Verdict;

#[derive(Serialize)]
struct Object<'a> {
    operations: usize,
    verdict: &'static str,
    checks: Vec<Line<'a>>,
    guarantees: Vec<Line<'a>>,
}

#[derive(Serialize)]
struct Line<'a> {
    name: &'static str,
    /// `ok` or `FAIL` for a check; `holds`, `broken` or `undecided` for a guarantee.
    result: String,
    detail: &'a str,
}

pub(super) fn check(typed: &Check) -> Result<u8, String> {
    let history = history(typed)?;
    let cluster = ClusterId::of_name(&typed.cluster);
    let checks = of_history(cluster, &history, !typed.eventual);
    let guarantees = judge_all(cluster, &history);
    let kept = |judged: &Judgement| judged.held == Held::Holds || !typed.holds.contains(&judged.guarantee);
    let verdict = match checks.iter().all(|check| check.ok) && guarantees.iter().all(kept) {
        _ if history.is_empty() => Verdict::Vacuous,
        true => Verdict::Pass,
        false => Verdict::Safety,
    };
    let object = Object {
        operations: history.len(),
        verdict: verdict.name(),
        checks: checks.iter().map(of_check).collect(),
        guarantees: guarantees.iter().map(of_guarantee).collect(),
    };
    if typed.json {
        say!("{}", serde_json::to_string_pretty(&object).expect("its keys are text"));
    } else {
        tell(&object);
    }
    Ok(verdict.exit_code())
}

fn history(typed: &Check) -> Result<Vec<Operation>, String> {
    let text = load::text(&typed.history)?;
    let line = |(index, line): (usize, &str)| {
        let place = || format!("kvsim: {}:{}", typed.history.display(), index + 1);
        from_line(line).map_err(|wrong| format!("{}: {wrong}", place()))
    };
    text.lines().enumerate().map(line).collect()
}

fn of_check(check: &check::Check) -> Line<'_> {
    let result = if check.ok { "ok" } else { "FAIL" };
    Line { name: check.name, result: result.into(), detail: &check.detail }
}

fn of_guarantee(judged: &Judgement) -> Line<'_> {
    Line { name: judged.guarantee.name(), result: format!("{}", judged.held), detail: &judged.detail }
}

fn tell(object: &Object) {
    say!("{} operations", object.operations);
    for Line { name, result, detail } in &object.checks {
        say!("{result:<9} {name:<20}{detail}");
    }
    say!("\nguarantees");
    for Line { name, result, detail } in &object.guarantees {
        say!("{result:<9} {name:<20}{detail}");
    }
    say!("\n{}", object.verdict.to_uppercase());
}

/// A guarantee, as it is typed.
pub(super) fn guarantee(name: &str) -> Result<Guarantee, String> {
    let names = || Guarantee::ALL.map(Guarantee::name).join(", ");
    Guarantee::parse(name).ok_or_else(|| format!("one of {}", names()))
}
