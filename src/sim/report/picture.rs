//! A run as a picture: time from left to right, one row for each fault, and what clients could do meanwhile.

use std::collections::BTreeMap;
use std::format;
use std::string::String;
use std::vec::Vec;

use super::stats::Classes;
use super::timeline;
use crate::base::time::{Duration, Instant};
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
    let mut picture = row("", &canvas.axis(), "");
    for span in timeline::spans(world).iter().filter(|span| !span.drawn) {
        picture.push_str(&row(&span.label, &canvas.bar(span.from, span.to), &span.note));
    }
    picture.push_str(&of_drawn(world, &canvas));
    picture.push_str(&clients(world, &canvas));
    picture
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
