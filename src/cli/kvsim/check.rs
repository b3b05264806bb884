//! `kvsim check`: the checkers that need only a history, on a history from anywhere.

use std::string::String;
use std::vec::Vec;
use std::{format, println};

use super::{Check, load};
use crate::base::id::ClusterId;
use crate::sim::check::of_history;
use crate::sim::history::{Operation, from_line};
use crate::sim::verdict::Verdict;

pub(super) fn check(typed: &Check) -> Result<u8, String> {
    let text = load::text(&typed.history)?;
    let mut history: Vec<Operation> = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let operation = from_line(line)
            .map_err(|wrong| format!("kvsim: {}:{}: {wrong}", typed.history.display(), index + 1))?;
        history.push(operation);
    }
    let checks = of_history(ClusterId::of_name(&typed.cluster), &history, !typed.eventual);
    println!("{} operations", history.len());
    for check in &checks {
        println!("{} {:<12}{}", if check.ok { "ok  " } else { "FAIL" }, check.name, check.detail);
    }
    let verdict = match checks.iter().all(|check| check.ok) {
        _ if history.is_empty() => Verdict::Vacuous,
        true => Verdict::Pass,
        false => Verdict::Safety,
    };
    println!("{}", verdict.name().to_uppercase());
    Ok(verdict.exit_code())
}
