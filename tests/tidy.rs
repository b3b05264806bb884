//! The house rules that a compiler does not know. Each finding names file, line and rule.
//!
//! The rules look at code only: comments and string literals are blanked out first.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Which folder may import which: `src/NAME` or `src/NAME.rs`, its layer, and the folders of its own layer that it may
/// use all the same. A folder may import every folder of a lower layer.
const LAYERS: &[(&str, u8, &[&str])] = &[
    ("base", 0, &[]),
    ("disk", 1, &[]),
    ("causal", 1, &[]),
    ("ring", 1, &[]),
    ("storage", 2, &[]),
    ("quorum", 2, &[]),
    ("member", 2, &[]),
    ("repair", 2, &[]),
    ("node", 3, &[]),
    ("sim", 4, &[]),
    ("real", 4, &[]),
    ("cli", 5, &[]),
    ("manual", 5, &[]),
];

/// The highest layer of the core: pure, deterministic, `no_std`.
const CORE: u8 = 3;

/// Words that must not occur in the core, and what to use instead.
const CORE_BANS: &[(&str, &str)] = &[
    ("f32", "integers (base::rng::Ppm, base::time::Duration)"),
    ("f64", "integers (base::rng::Ppm, base::time::Duration)"),
    ("Cell", "&mut"),
    ("RefCell", "&mut"),
    ("OnceCell", "&mut"),
    ("Mutex", "&mut"),
    ("Atomic", "&mut"),
    ("HashMap", "BTreeMap, or base::map::Map where order cannot matter"),
    ("HashSet", "BTreeSet"),
    ("std", "core and alloc"),
    ("unsafe", "safe code"),
    ("println", "a Fact"),
    ("unwrap", "a match, or expect that says why it cannot fail"),
    ("thread_rng", "base::rng::Stream"),
];

/// Words that must not occur anywhere in `src`.
const BANS: &[(&str, &str)] = &[
    ("todo", "finished code"),
    ("unimplemented", "finished code"),
    ("dbg", "nothing"),
    ("FIXME", "finished code, or a note in the manual"),
];

/// Words that only the named file may contain.
const DOORS: &[(&str, &str)] = &[("bincode", "src/base/codec.rs"), ("HashMap", "src/base/map.rs")];

const FILE_LINES_MAX: usize = 800;
const FUNCTION_LINES_MAX: usize = 70;
const LINE_MAX: usize = 120;

struct Source {
    path: PathBuf,
    /// The folder below `src`, or the file's stem.
    room: String,
    text: String,
    /// The text with comments and literals blanked out; same line numbers.
    code: String,
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut paths = Vec::new();
    collect(&root.join("src"), &mut paths);
    paths.sort();
    let sources: Vec<Source> = paths
        .into_iter()
        .map(|path| {
            let text = fs::read_to_string(&path).expect("a source file is readable");
            let relative = path.strip_prefix(root).expect("below the root").to_path_buf();
            let first = relative.components().nth(1).expect("below src").as_os_str().to_string_lossy();
            let room = first.trim_end_matches(".rs").to_string();
            Source { code: blank(&text), room, text, path: relative }
        })
        .collect();
    assert!(sources.len() > 40, "the sources were not found");
    sources
}

fn collect(folder: &Path, paths: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a source folder is readable") {
        let path = entry.expect("an entry is readable").path();
        if path.is_dir() {
            collect(&path, paths);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            paths.push(path);
        }
    }
}

/// Replaces comments, strings and character literals by spaces; line breaks stay.
fn blank(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    let keep = |c: char| if c == '\n' { '\n' } else { ' ' };
    while at < chars.len() {
        let rest = &chars[at..];
        let length = match rest {
            ['/', '/', ..] => rest.iter().position(|&c| c == '\n').unwrap_or(rest.len()),
            ['/', '*', ..] => block_comment(rest),
            ['r', '"' | '#', ..] if !previous_is_word(&chars, at) => raw_string(rest),
            ['"', ..] => string(rest),
            ['\'', '\\', ..] => rest.iter().skip(3).position(|&c| c == '\'').map_or(1, |n| n + 4),
            ['\'', _, '\'', ..] => 3,
            _ => 0,
        };
        if length == 0 {
            out.push(chars[at]);
            at += 1;
        } else {
            out.extend(rest[..length].iter().map(|&c| keep(c)));
            at += length;
        }
    }
    out
}

fn previous_is_word(chars: &[char], at: usize) -> bool {
    at > 0 && (chars[at - 1].is_alphanumeric() || chars[at - 1] == '_')
}

fn block_comment(rest: &[char]) -> usize {
    let end = rest.windows(2).skip(2).position(|pair| pair == ['*', '/']);
    end.map_or(rest.len(), |n| n + 4)
}

fn string(rest: &[char]) -> usize {
    let mut at = 1;
    while at < rest.len() {
        match rest[at] {
            '\\' => at += 2,
            '"' => return at + 1,
            _ => at += 1,
        }
    }
    rest.len()
}

fn raw_string(rest: &[char]) -> usize {
    let hashes = rest[1..].iter().take_while(|&&c| c == '#').count();
    if rest.get(1 + hashes) != Some(&'"') {
        return 0;
    }
    let mut end = vec!['"'];
    end.extend(std::iter::repeat_n('#', hashes));
    let found = rest[2 + hashes..].windows(end.len()).position(|window| window == end);
    found.map_or(rest.len(), |n| n + 2 + hashes + end.len())
}

fn words(line: &str) -> impl Iterator<Item = &str> {
    line.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty())
}

/// The line from which a file's unit tests run to its end.
fn tests_begin(code: &str) -> usize {
    code.lines().position(|line| line.trim() == "#[cfg(test)]").unwrap_or(usize::MAX)
}

fn layer(room: &str) -> Option<u8> {
    LAYERS.iter().find(|entry| entry.0 == room).map(|entry| entry.1)
}

fn finish(findings: Vec<String>) {
    assert!(findings.is_empty(), "\n{}\n", findings.join("\n"));
}

#[test]
fn lower_layers_never_import_higher_ones() {
    let mut findings = Vec::new();
    let mut imports = 0;
    for source in sources() {
        if source.room == "lib" || source.room == "bin" {
            continue;
        }
        let Some((_, own, friends)) = LAYERS.iter().find(|entry| entry.0 == source.room) else {
            findings.push(format!("{}: no layer for {}", source.path.display(), source.room));
            continue;
        };
        for (index, line) in source.code.lines().enumerate() {
            for used in line.split("crate::").skip(1) {
                let room: String = used.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                let Some(theirs) = layer(&room) else { continue };
                imports += 1;
                let allowed = room == source.room || theirs < *own || friends.contains(&room.as_str());
                if !allowed {
                    let place = format!("{}:{}", source.path.display(), index + 1);
                    findings.push(format!("{place}: {} may not import {room}", source.room));
                }
            }
        }
    }
    assert!(imports > 100, "imports were not recognised");
    finish(findings);
}

#[test]
fn the_core_is_pure() {
    let mut findings = Vec::new();
    for source in sources() {
        if layer(&source.room).is_none_or(|layer| layer > CORE) {
            continue;
        }
        let end = tests_begin(&source.code);
        for (index, line) in source.code.lines().enumerate().take(end) {
            let mut found = |what: &str, instead: &str| {
                let place = format!("{}:{}", source.path.display(), index + 1);
                findings.push(format!("{place}: no {what} in the core; use {instead}"));
            };
            let file = source.path.to_string_lossy().replace('\\', "/");
            for (word, instead) in CORE_BANS {
                let door = DOORS.iter().any(|(open, home)| open == word && *home == file);
                if !door && words(line).any(|found| found == *word) {
                    found(word, instead);
                }
            }
            if line.contains("cfg(feature") {
                found("cfg(feature)", "one core for all drivers");
            }
        }
    }
    finish(findings);
}

#[test]
fn nothing_is_left_unfinished_and_every_door_is_the_only_one() {
    let mut findings = Vec::new();
    for source in sources() {
        let file = source.path.to_string_lossy().replace('\\', "/");
        for (index, line) in source.code.lines().enumerate() {
            for (word, instead) in BANS {
                if words(line).any(|found| found == *word) {
                    findings.push(format!("{file}:{}: no {word}; use {instead}", index + 1));
                }
            }
            let in_core = layer(&source.room).is_some_and(|layer| layer <= CORE);
            for (word, home) in DOORS.iter().filter(|(word, _)| in_core || *word == "bincode") {
                if file != *home && words(line).any(|found| found == *word) {
                    findings.push(format!("{file}:{}: {word} belongs into {home}", index + 1));
                }
            }
        }
    }
    finish(findings);
}

#[test]
fn files_and_functions_and_lines_stay_short() {
    let mut findings = Vec::new();
    for source in sources() {
        let file = source.path.display();
        let count = source.text.lines().count();
        if count > FILE_LINES_MAX {
            findings.push(format!("{file}: {count} lines, at most {FILE_LINES_MAX}: split it by mechanism"));
        }
        for (index, line) in source.text.lines().enumerate() {
            // The row of a table cannot be broken.
            if line.chars().count() > LINE_MAX && !line.starts_with("//! |") {
                findings.push(format!("{file}:{}: a line of more than {LINE_MAX} characters", index + 1));
            }
        }
        for (line, name, length) in functions(&source.code) {
            if length > FUNCTION_LINES_MAX {
                findings.push(format!(
                    "{file}:{line}: fn {name} has {length} lines, at most {FUNCTION_LINES_MAX}"
                ));
            }
        }
    }
    finish(findings);
}

/// Line, name and number of lines of every function whose body ends at the indentation at which it began (as rustfmt
/// lays it out).
fn functions(code: &str) -> Vec<(usize, String, usize)> {
    let lines: Vec<&str> = code.lines().collect();
    let mut found = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        let Some(rest) = line.trim_start().split_once("fn ").filter(|(head, _)| is_fn_head(head)) else {
            continue;
        };
        let name: String = rest.1.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        let indent = line.len() - line.trim_start().len();
        let closing = format!("{}}}", " ".repeat(indent));
        let end = lines[index..].iter().position(|line| *line == closing);
        if let Some(end) = end.filter(|_| !line.trim_end().ends_with(';')) {
            found.push((index + 1, name, end + 1));
        }
    }
    found
}

fn is_fn_head(head: &str) -> bool {
    let allowed = ["pub", "const", "async", "extern", "default", "crate", "super", "in", "self", "node"];
    words(head).all(|word| allowed.contains(&word))
}

#[test]
fn every_file_is_part_of_the_crate() {
    let sources = sources();
    let mut declared = BTreeSet::new();
    for source in &sources {
        let folder = source.path.parent().expect("a file has a folder");
        let stem = source.path.file_stem().expect("a file has a name").to_string_lossy().to_string();
        let home = if stem == "mod" || stem == "lib" { folder.to_path_buf() } else { folder.join(&stem) };
        for line in source.code.lines() {
            let line = line.trim();
            let Some(name) = line.split("mod ").nth(1).and_then(|rest| rest.strip_suffix(';')) else {
                continue;
            };
            declared.insert(home.join(format!("{name}.rs")));
            declared.insert(home.join(name).join("mod.rs"));
        }
    }
    let orphans: Vec<String> = sources
        .iter()
        .filter(|source| source.room != "lib" && source.room != "bin" && !declared.contains(&source.path))
        .map(|source| format!("{}: declared by no module", source.path.display()))
        .collect();
    finish(orphans);
}

/// The rules above rest on this: a rule that looks at a comment, or misses code, is worth nothing.
/// The manual names a test, a scenario or a regression for each pitfall. All of them exist.
#[test]
fn the_table_of_pitfalls_names_what_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut texts = String::new();
    for folder in ["src", "tests"] {
        let mut paths = Vec::new();
        collect(&root.join(folder), &mut paths);
        paths.iter().for_each(|path| texts += &fs::read_to_string(path).expect("readable"));
    }
    let table = fs::read_to_string(root.join("src/manual/pitfalls.rs")).expect("the table is there");
    let rows: Vec<&str> = table.lines().filter(|line| line.starts_with("//! | ")).skip(1).collect();
    let mut findings = Vec::new();
    for row in &rows {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let names: Vec<&str> = cells[4].split('`').skip(1).step_by(2).collect();
        let open = cells[5].starts_with("next");
        if names.is_empty() && !open {
            findings.push(format!("nothing shows that this is covered: {row}"));
        }
        for name in names {
            let file = |folder: &str| root.join(folder).join(name).exists();
            let exists = texts.contains(&format!("fn {name}("))
                || file("scenarios")
                || file("scenarios/large")
                || file("sim-results/regressions");
            if !exists {
                findings.push(format!("there is no {name}"));
            }
        }
    }
    assert_eq!(rows.len(), 31, "one row for each pitfall");
    finish(findings);
}

#[test]
fn blanking_removes_comments_and_literals_and_nothing_else() {
    let text =
        "let a = \"f64 \\\" //\"; // f32\n/* unwrap\n */ let b = r#\"dbg \" \"#; 'x'; fn f<'a>(x: &'a u8) {}";
    let code = blank(text);
    assert_eq!(code.lines().count(), text.lines().count());
    assert!(["f64", "f32", "unwrap", "dbg"].iter().all(|word| !code.contains(word)), "{code}");
    assert!(
        code.contains("let a =") && code.contains("let b =") && code.contains("fn f<'a>(x: &'a u8)"),
        "{code}"
    );
}
