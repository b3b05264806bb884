//! The first field in which two values differ, by its path: `node 3 / node / store / engine / wal / appended`.
//!
//! The values are compared by what `Debug` tells of them at length, line by line. That knows every type without a line
//! of code for it, and is slow, which does not matter: it is asked for once, when two worlds have parted.

use core::fmt::Debug;
use std::format;
use std::string::{String, ToString};
use std::vec::Vec;

/// Of a value so many characters are told.
const TOLD: usize = 60;

/// Where two values differ first, and what stands there; `None` if they tell the same of themselves.
pub fn first(root: &str, one: &dyn Debug, other: &dyn Debug) -> Option<String> {
    let (one, other) = (format!("{one:#?}"), format!("{other:#?}"));
    let mut walk = Walk { frames: std::vec![Frame::new(Some(root.into()), 0)], lines: one.lines().collect() };
    for (number, theirs) in other.lines().chain([""]).enumerate() {
        let ours = walk.lines.get(number).copied().unwrap_or_default();
        if ours != theirs {
            let path = walk.path(ours);
            return Some(format!("{path}: {} in one world, {} in its twin", value(ours), value(theirs)));
        }
        if number < walk.lines.len() {
            walk.take(number);
        }
    }
    None
}

/// Where the walk over the lines is.
struct Walk<'a> {
    frames: Vec<Frame>,
    lines: Vec<&'a str>,
}

/// Something that was opened and not closed yet.
struct Frame {
    label: Option<String>,
    /// The line that opened it.
    line: usize,
    /// Elements so far.
    count: usize,
    /// A tuple struct or a variant, whose only field has no name that says anything.
    is_wrapper: bool,
}

impl Frame {
    fn new(label: Option<String>, line: usize) -> Frame {
        Frame { label, line, count: 0, is_wrapper: true }
    }
}

impl Walk<'_> {
    /// Goes past a line.
    fn take(&mut self, number: usize) {
        let line = self.lines[number].trim();
        let closes = line.starts_with(['}', ')', ']']);
        let closed = if closes && self.frames.len() > 1 { self.frames.pop() } else { None };
        let opens = line.ends_with(['{', '(', '[']);
        // `): Value {` ends the key of a map that took several lines.
        let key = closed.filter(|_| line.contains(": ")).map(|frame| self.text(frame.line, number));
        if closes && key.is_none() {
            return;
        }
        let label = key.or_else(|| self.label(line));
        if let Some(parent) = self.frames.last_mut() {
            parent.count += 1;
        }
        if opens {
            let before = line.trim_end_matches('(');
            let is_wrapper = line.ends_with('(') && before.ends_with(|c: char| c.is_alphanumeric());
            self.frames.push(Frame { is_wrapper, ..Frame::new(label, number) });
        }
    }

    /// The key that began in the line `from` and ends in `to`, on one line.
    fn text(&self, from: usize, to: usize) -> String {
        let mut text: String = self.lines[from..to].iter().map(|line| line.trim()).collect();
        text.truncate(text.trim_end_matches(',').len());
        text + ")"
    }

    /// What the element in this line is called: by name, by key, or by number.
    fn label(&self, line: &str) -> Option<String> {
        let key = if line.starts_with('"') {
            line.split_once("\": ").map(|(key, _)| key.trim_start_matches('"'))
        } else {
            None
        };
        let is_name = |name: &&str| name.chars().all(|c| c.is_alphanumeric() || c == '_');
        let name = line.split_once(": ").map(|(name, _)| name).filter(is_name);
        let parent = self.frames.last()?;
        let number = (!parent.is_wrapper).then(|| format!("[{}]", parent.count));
        key.or(name).map(ToString::to_string).or(number)
    }

    /// The path to the element in this line.
    fn path(&self, line: &str) -> String {
        let labels = self.frames.iter().filter_map(|frame| frame.label.clone());
        let last = if line.trim().starts_with(['}', ')', ']']) { None } else { self.label(line.trim()) };
        labels.chain(last).collect::<Vec<String>>().join(" / ")
    }
}

/// What stands in a line, without its name.
fn value(line: &str) -> String {
    let line = line.trim().trim_end_matches(',');
    let value = line.split_once(": ").map_or(line, |(_, value)| value);
    if value.is_empty() || value.starts_with(['}', ')', ']']) {
        return "nothing more".into();
    }
    let mut told: String = value.chars().take(TOLD).collect();
    if told.len() < value.len() {
        told.push('…');
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
    struct Number(u64);

    #[derive(Clone, Debug)]
    struct Inner {
        name: &'static str,
        deep: Option<(u8, u8)>,
    }

    #[derive(Clone, Debug)]
    struct Outer {
        list: Vec<Inner>,
        by_number: BTreeMap<Number, Inner>,
        by_name: BTreeMap<&'static str, Vec<u8>>,
        last: Number,
    }

    fn outer() -> Outer {
        let inner = |name| Inner { name, deep: Some((1, 2)) };
        Outer {
            list: std::vec![inner("a"), inner("b"), inner("c")],
            by_number: BTreeMap::from([(Number(5), inner("x")), (Number(7), inner("y"))]),
            by_name: BTreeMap::from([("k1", std::vec![1, 2]), ("k2", std::vec![3])]),
            last: Number(9),
        }
    }

    fn told(change: impl FnOnce(&mut Outer)) -> String {
        let mut other = outer();
        change(&mut other);
        first("it", &outer(), &other).expect("they differ")
    }

    #[test]
    fn the_path_names_fields_keys_and_places() {
        assert_eq!(first("it", &outer(), &outer()), None);
        assert_eq!(
            told(|it| it.list[1].name = "z"),
            "it / list / [1] / name: \"b\" in one world, \"z\" in its twin"
        );
        assert!(
            told(|it| it.list[2].deep = Some((1, 3))).starts_with("it / list / [2] / deep / [1]: 2 in one")
        );
        assert!(
            told(|it| it.list[0].deep = None).starts_with("it / list / [0] / deep: Some( in one world, None")
        );
        let seventh = |it: &mut Outer| it.by_number.get_mut(&Number(7)).expect("there").name = "z";
        assert!(told(seventh).starts_with("it / by_number / Number(7) / name: \"y\" in one world, \"z\""));
        let second = |it: &mut Outer| it.by_name.get_mut("k2").expect("there").push(4);
        assert_eq!(told(second), "it / by_name / k2: nothing more in one world, 4 in its twin");
        assert_eq!(told(|it| it.last = Number(8)), "it / last: 9 in one world, 8 in its twin");
    }
}
