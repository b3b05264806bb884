//! What lasted during a run, for every picture of it: faults, and the calm after them.

use std::format;
use std::string::String;
use std::vec::Vec;

use crate::base::time::Instant;
use crate::sim::disk::Unsynced;
use crate::sim::fault::{Action, Effect};
use crate::sim::world::World;

/// Something that began and ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// The fault's kind, or `calm`.
    pub kind: &'static str,
    /// What it is about. Spans of one label can share a row.
    pub label: String,
    pub from: Instant,
    pub to: Instant,
    /// When it was, and what it did.
    pub note: String,
    /// By a rate or a swarm: of those there are many.
    pub drawn: bool,
}

/// All spans, in the order in which the scenario declares them; the calm comes last.
pub fn spans(world: &World) -> Vec<Span> {
    let scenario = world.scenario();
    let end = world.now();
    let mut spans = Vec::new();
    for (index, (fault, effect)) in world.faults().iter().zip(world.effects()).enumerate() {
        let Some(from) = effect.began else { continue };
        let ended = effect.ended.unwrap_or(end);
        let (label, to, what) = match &fault.action {
            Action::Partition { sides, .. } => {
                let what = format!("{sides}, {} frames dropped", effect.amount);
                ("partition".into(), ended, what)
            }
            Action::Crash { node, lose, .. } => {
                let fate = match lose {
                    Unsynced::Lost => "lost",
                    Unsynced::Torn => "torn",
                    Unsynced::Kept => "kept by the system",
                };
                let what = format!("{} unsynced bytes {fate}", effect.amount);
                (
                    format!("n{} down", node + 1),
                    effect.ended.or_else(|| back_at(world, index, *node)).unwrap_or(end),
                    what,
                )
            }
            // It ends the span of a crash.
            Action::Restart { .. } => continue,
            action => {
                let to = if action.ends() { ended } else { from };
                (action.kind().into(), to, told(action, effect))
            }
        };
        let note = format!("{} to {}, {what}", tenths(from), tenths(to));
        spans.push(Span { kind: fault.action.kind(), label, from, to, note, drawn: fault.drawn });
    }
    let calm = Instant::ZERO + scenario.duration;
    if end > calm {
        let note = "clients stopped, everything healed".into();
        spans.push(Span { kind: "calm", label: "calm".into(), from: calm, to: end, note, drawn: false });
    }
    spans
}

/// Whom a fault was about, and what came of it.
fn told(action: &Action, effect: &Effect) -> String {
    let what = match effect {
        Effect { refused: true, .. } => "refused by the budget".into(),
        Effect { effective: false, .. } => "no effect".into(),
        Effect { amount, .. } => format!("{amount} {}", unit(action)),
    };
    let whom = action.whom();
    if whom.is_empty() { what } else { format!("{whom}, {what}") }
}

/// What the amount of an effect counts.
fn unit(action: &Action) -> &'static str {
    match action {
        Action::Partition { .. } | Action::Link { .. } => "frames",
        Action::Crash { .. } | Action::Wipe { .. } | Action::Restore { .. } => "bytes",
        Action::Damage { .. } => "bits",
        Action::Clock { .. } => "steps",
        Action::Swap { .. } => "starts refused",
        Action::Host { .. } | Action::Disk { .. } | Action::Restart { .. } => "times met",
    }
}

/// When the node that this crash stopped was started again: by a later restart, or by the calm.
fn back_at(world: &World, crash: usize, node: usize) -> Option<Instant> {
    let scenario = world.scenario();
    let crashed = world.effects()[crash].began?;
    let restarts = world.faults().iter().zip(world.effects()).filter_map(|(fault, effect)| {
        let is_it = matches!(fault.action, Action::Restart { node: restarted } if restarted == node);
        effect.began.filter(|began| is_it && effect.effective && *began >= crashed)
    });
    let calm = Instant::ZERO + scenario.duration;
    restarts.chain((world.now() >= calm).then_some(calm)).min()
}

/// A time with one decimal of a second.
fn tenths(at: Instant) -> String {
    let tenths = at.0 / 100_000_000;
    format!("{}.{}s", tenths / 10, tenths % 10)
}
