//! The ledger of a sweep: a file of JSON lines. The first says what is swept, each other one is a run, appended as it
//! ends.
//!
//! A sweep that is killed leaves a ledger whose last line may be torn. Whoever resumes drops that line and runs what is
//! missing: a run depends on nothing but its scenario and its seed, so the end is the same. What would make it differ
//! (another build, a changed scenario) is in the first line, and is refused.

use core::ops::Range;
use std::fs::{self, File};
use std::io::{BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::string::{String, ToString};
use std::vec::Vec;
use std::{env, format};

use serde::{Deserialize, Serialize};

use super::load::{self, Loaded};
use super::record::Record;
use crate::base::checksum::checksum;
use crate::sim::report::json;

/// What is swept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Head {
    /// The checksum of the program.
    pub build: String,
    pub scenarios: Vec<Source>,
    pub seeds: Range<u64>,
    /// This part, from 1, of so many.
    pub shard: (u64, u64),
}

/// A scenario of a sweep.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Source {
    pub path: String,
    pub name: String,
    /// The checksum of its text.
    pub text: String,
}

/// A run, and how long it took.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Line {
    #[serde(flatten)]
    pub record: Record,
    pub wall_ns: u64,
}

impl Head {
    pub fn new(scenarios: &[Loaded], seeds: Range<u64>, shard: (u64, u64)) -> Result<Head, String> {
        let source = |loaded: &Loaded| Source {
            path: loaded.path.display().to_string(),
            name: loaded.scenario.name.clone(),
            text: json::hash(checksum(0, loaded.text.as_bytes())),
        };
        let scenarios = scenarios.iter().map(source).collect();
        Ok(Head { build: build()?, scenarios, seeds, shard })
    }

    /// Where the ledger lies if nobody says otherwise. Another build finds it too, to refuse it.
    pub fn default_path(&self) -> PathBuf {
        let swept = Head { build: String::new(), ..self.clone() };
        let name = format!("sweep-{}.jsonl", json::hash(checksum(0, to_line(&swept).as_bytes())));
        Path::new("sim-results/runs").join(name)
    }
}

/// The checksum of the program that runs.
fn build() -> Result<String, String> {
    let path = env::current_exe().map_err(|error| format!("kvsim: where is this program? {error}"))?;
    let mut program = Vec::new();
    let read = File::open(&path).and_then(|file| BufReader::new(file).read_to_end(&mut program));
    read.map_err(|error| load::complain(&path, &error))?;
    Ok(json::hash(checksum(0, &program)))
}

fn to_line(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("its maps have text for keys") + "\n"
}

/// A ledger that is written.
pub(super) struct Ledger {
    path: PathBuf,
    file: File,
}

impl Ledger {
    /// Begins a ledger; whatever lay there is replaced.
    pub fn create(path: &Path, head: &Head) -> Result<Ledger, String> {
        let begin = || {
            if let Some(folder) = path.parent() {
                fs::create_dir_all(folder)?;
            }
            let mut file = File::create(path)?;
            file.write_all(to_line(head).as_bytes())?;
            Ok(Ledger { path: path.into(), file })
        };
        begin().map_err(|error| load::complain(path, &error))
    }

    /// Goes on with the ledger at `path`, and gives the runs in it; begins one if there is none.
    pub fn resume(path: &Path, head: &Head) -> Result<(Ledger, Vec<Line>), String> {
        // Whoever was killed early has written less than the head.
        if !path.exists() || to_line(head).starts_with(&load::text(path)?) {
            return Ok((Ledger::create(path, head)?, Vec::new()));
        }
        let (theirs, lines, bytes) = read(path)?;
        let rebuilt = (theirs.build != head.build).then_some("it was written by another build of kvsim");
        if let Some(what) = rebuilt.or(difference(&theirs, head)) {
            let path = path.display();
            return Err(format!("kvsim: {path}: {what}; without --resume it is replaced"));
        }
        let open = || {
            let file = File::options().append(true).open(path)?;
            file.set_len(bytes)?;
            Ok(Ledger { path: path.into(), file })
        };
        Ok((open().map_err(|error| load::complain(path, &error))?, lines))
    }

    /// Appends a run, in one write: of a kill, at most the last line is torn.
    pub fn append(&mut self, line: &Line) -> Result<(), String> {
        self.file.write_all(to_line(line).as_bytes()).map_err(|error| load::complain(&self.path, &error))
    }
}

/// What keeps two parts from being of one sweep. (Other machines may have other builds of one version; runs that both
/// have tell whether that matters.)
pub(super) fn difference(theirs: &Head, ours: &Head) -> Option<&'static str> {
    if theirs.scenarios != ours.scenarios {
        Some("it is a sweep of other scenarios, or they have changed")
    } else if theirs.seeds != ours.seeds || theirs.shard.1 != ours.shard.1 {
        Some("it is a sweep of other seeds or shards")
    } else {
        None
    }
}

/// What a ledger holds, and how many bytes of it are whole lines.
pub(super) fn read(path: &Path) -> Result<(Head, Vec<Line>, u64), String> {
    let text = load::text(path)?;
    let whole = text.rfind('\n').map_or(0, |at| at + 1);
    let wrong = |line: usize, why: String| format!("kvsim: {}:{line}: {why}", path.display());
    let mut lines = text[..whole].lines();
    let head = lines.next().ok_or_else(|| wrong(1, "a ledger begins with what is swept".into()))?;
    let head: Head = serde_json::from_str(head).map_err(|error| wrong(1, error.to_string()))?;
    let line = |(number, line)| serde_json::from_str(line).map_err(|error| wrong(number, error.to_string()));
    let lines: Vec<Line> = (2..).zip(lines).map(line).collect::<Result<_, String>>()?;
    Ok((head, lines, whole as u64))
}
