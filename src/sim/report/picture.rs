//! A run as a picture: time from left to right, one row for each fault, and what clients could do meanwhile.

use std::format;
use std::string::String;
use std::vec::Vec;

use super::stats::Classes;
use crate::base::time::{Duration, Instant};
use crate::sim::disk::Unsynced;
use crate::sim::fault::Action;
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
    for (index, (fault, effect)) in scenario.faults.iter().zip(world.effects()).enumerate() {
        let Some(began) = effect.began else { continue };
        let seconds = |from: Instant, to: Instant| format!("{} to {}", tenths(from), tenths(to));
        match &fault.action {
            Action::Partition { sides, .. } => {
                let ended = effect.ended.unwrap_or(canvas.end);
                let note = format!("{}, {sides}, {} frames dropped", seconds(began, ended), effect.amount);
                picture.push_str(&row("partition", &canvas.bar(began, ended), &note));
            }
            Action::Crash { node, lose } => {
                let back = back_at(world, index, *node).unwrap_or(canvas.end);
                let fate = if *lose == Unsynced::Lost { "lost" } else { "torn" };
                let note = format!("{}, {} unsynced bytes {fate}", seconds(began, back), effect.amount);
                picture.push_str(&row(&format!("n{} down", node + 1), &canvas.bar(began, back), &note));
            }
            Action::Restart { .. } | Action::Pause { .. } => {}
        }
    }
    let calm = Instant::ZERO + scenario.duration;
    if canvas.end > calm {
        picture.push_str(&row("calm", &canvas.bar(calm, canvas.end), "clients stopped, everything healed"));
    }
    picture.push_str(&clients(world, &canvas));
    picture
}

/// When the node that this crash stopped was started again: by a later restart, or by the calm.
fn back_at(world: &World, crash: usize, node: usize) -> Option<Instant> {
    let scenario = world.scenario();
    let crashed = world.effects()[crash].began?;
    let restarts = scenario.faults.iter().zip(world.effects()).filter_map(|(fault, effect)| {
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
