//! A run as a picture: time from left to right, one row for each fault, and what clients could do meanwhile.

use std::collections::BTreeMap;
use std::format;
use std::string::String;
use std::vec::Vec;

use super::stats::Classes;
use crate::base::time::{Duration, Instant};
use crate::sim::disk::Unsynced;
use crate::sim::fault::{Action, Effect};
use crate::sim::world::World;

/// Columns of the picture.
const WIDTH: usize = 60;
/// Columns of the labels before it.
const LABEL: usize = 14;
/// From empty to full.
const LEVELS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

struct Canvas {
    end: Instant,
}

impl Canvas {
    /// The column in which `at` falls.
    fn column(&self, at: Instant) -> usize {
        let column = u128::from(at.0) * WIDTH as u128 / u128::from(self.end.0.max(1));
        (column as usize).min(WIDTH - 1)
    }

    /// A row that is marked from one time to another, both included.
    fn bar(&self, from: Instant, to: Instant) -> String {
        let (from, to) = (self.column(from), self.column(to));
        (0..WIDTH).map(|column| if (from..=to).contains(&column) { '█' } else { '·' }).collect()
    }

    fn axis(&self) -> String {
        let step = WIDTH / 4;
        let mark = |part: usize| {
            let at = Duration(self.end.0 / 4 * part as u64);
            let at = Duration(at.0 - at.0 % 100_000_000);
            format!("{:<step$}", format!("|{at}"))
        };
        (0..4).map(mark).collect()
    }
}

fn row(label: &str, drawing: &str, note: &str) -> String {
    let line = format!("{label:<LABEL$}{drawing} {note}");
    format!("{}\n", line.trim_end())
}

/// The picture, with a line break after each row.
pub fn draw(world: &World) -> String {
    let canvas = Canvas { end: world.now() };
    let scenario = world.scenario();
    let mut picture = row("", &canvas.axis(), "");
    for (index, (fault, effect)) in world.faults().iter().zip(world.effects()).enumerate() {
        if let Some(began) = effect.began.filter(|_| !fault.drawn) {
            picture.push_str(&of_fault(world, &canvas, index, began));
        }
    }
    picture.push_str(&of_drawn(world, &canvas));
    let calm = Instant::ZERO + scenario.duration;
    if canvas.end > calm {
        picture.push_str(&row("calm", &canvas.bar(calm, canvas.end), "clients stopped, everything healed"));
    }
    picture.push_str(&clients(world, &canvas));
    picture
}

/// The row of one fault; none for a restart, which is the end of a crash.
fn of_fault(world: &World, canvas: &Canvas, index: usize, began: Instant) -> String {
    let (fault, effect) = (&world.faults()[index], &world.effects()[index]);
    let span = |to: Instant| format!("{} to {}", tenths(began), tenths(to));
    let ended = effect.ended.unwrap_or(canvas.end);
    match &fault.action {
        Action::Restart { .. } => String::new(),
        Action::Partition { sides, .. } => {
            let note = format!("{}, {sides}, {} frames dropped", span(ended), effect.amount);
            row("partition", &canvas.bar(began, ended), &note)
        }
        Action::Crash { node, lose, .. } => {
            let back = effect.ended.or_else(|| back_at(world, index, *node)).unwrap_or(canvas.end);
            let fate = match lose {
                Unsynced::Lost => "lost",
                Unsynced::Torn => "torn",
                Unsynced::Kept => "kept by the system",
            };
            let note = format!("{}, {} unsynced bytes {fate}", span(back), effect.amount);
            row(&format!("n{} down", node + 1), &canvas.bar(began, back), &note)
        }
        action => {
            let ended = if action.ends() { ended } else { began };
            let what = match effect {
                Effect { refused: true, .. } => "refused by the budget".into(),
                Effect { effective: false, .. } => "no effect".into(),
                Effect { amount, .. } => format!("{amount} {}", unit(action)),
            };
            let note = format!("{}, {}, {what}", span(ended), action.whom());
            row(action.kind(), &canvas.bar(began, ended), note.trim_end())
        }
    }
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

/// One row for all drawn faults of a kind.
fn of_drawn(world: &World, canvas: &Canvas) -> String {
    let mut kinds: BTreeMap<&str, (Vec<char>, [u64; 3])> = BTreeMap::new();
    for (fault, effect) in world.faults().iter().zip(world.effects()).filter(|(fault, _)| fault.drawn) {
        let Some(began) = effect.began else { continue };
        let empty = || (std::vec!['·'; WIDTH], [0; 3]);
        let (bar, counts) = kinds.entry(fault.action.kind()).or_insert_with(empty);
        let ended = if fault.action.ends() { effect.ended.unwrap_or(canvas.end) } else { began };
        if effect.effective {
            bar[canvas.column(began)..=canvas.column(ended)].fill('█');
        }
        counts[0] += 1;
        counts[1] += u64::from(effect.effective);
        counts[2] += u64::from(effect.refused);
    }
    let drawn = kinds.into_iter().map(|(kind, (bar, [attempted, effective, refused]))| {
        let refused = if refused > 0 { format!(", {refused} refused") } else { String::new() };
        let bar: String = bar.into_iter().collect();
        row(kind, &bar, &format!("{attempted} drawn, {effective} effective{refused}"))
    });
    drawn.collect()
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

/// How much clients did, and how much of it succeeded, by the start of the operation.
fn clients(world: &World, canvas: &Canvas) -> String {
    let mut columns: Vec<Vec<_>> = (0..WIDTH).map(|_| Vec::new()).collect();
    for operation in world.history() {
        columns[canvas.column(operation.start)].push(operation);
    }
    let classes: Vec<Classes> = columns.into_iter().map(Classes::of).collect();
    let most = classes.iter().map(Classes::total).max().unwrap_or(0);
    let level = |part: u64, whole: u64| {
        let top = LEVELS.len() as u64 - 1;
        LEVELS[(part * top).div_ceil(whole.max(1)).min(top) as usize]
    };
    let drawn = |of: &dyn Fn(&Classes) -> char| -> String {
        classes.iter().map(|classes| if classes.total() == 0 { ' ' } else { of(classes) }).collect()
    };
    // Rounded up at the bottom, but only all is all: one failure is seen.
    let available = drawn(&|classes| match classes.availability() {
        Some(10_000) => '█',
        _ => level(classes.ok, classes.total()).min('▇'),
    });
    let busy = drawn(&|classes| level(classes.total(), most));
    let per_second = u128::from(most) * WIDTH as u128 * 1_000_000_000 / u128::from(canvas.end.0.max(1));
    row("available", &available, "█ all, ▇ and below less")
        + &row("operations", &busy, &format!("█ {per_second}/s"))
}

/// A time with one decimal of a second.
fn tenths(at: Instant) -> String {
    let tenths = at.0 / 100_000_000;
    format!("{}.{}s", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_covers_its_share_of_the_time() {
        let canvas = Canvas { end: Instant(60) };
        let bar = canvas.bar(Instant(10), Instant(19));
        assert_eq!(bar.chars().count(), WIDTH);
        assert_eq!(bar.chars().filter(|&mark| mark == '█').count(), 10);
        assert_eq!(bar.chars().position(|mark| mark == '█'), Some(10));
        assert!(canvas.bar(Instant(60), Instant(99)).ends_with("·█"));
    }
}
