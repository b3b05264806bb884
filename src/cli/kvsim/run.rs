//! `kvsim run`: one scenario, one seed.

use std::eprintln;
use std::fs;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::Path;
use std::string::String;
use std::time::Instant as RealInstant;

use indicatif::{ProgressBar, ProgressStyle};

use super::record::Record;
use super::{Run, load, save};
use crate::sim::history;
use crate::sim::narrate;
use crate::sim::report::{Setting, json, page, text};
use crate::sim::run::{self, Ended};
use crate::sim::scenario::Scenario;
use crate::sim::world::World;

pub(super) fn run(typed: &Run) -> Result<u8, String> {
    let loaded = load::scenario(&typed.scenario)?;
    let bar = progress_bar(&loaded.scenario);
    let began = RealInstant::now();
    let mut progress = |world: &World| bar.set_position(world.now().0 / 1_000_000);
    let (scenario, twin) = (loaded.scenario.clone(), typed.check_determinism);
    let mut lines = typed.events.as_deref().map(Lines::create).transpose()?;
    let ended = match &mut lines {
        None => run::run(scenario, typed.seed, twin, &mut progress),
        Some(lines) => {
            run::run_told(scenario, typed.seed, twin, &mut progress, &mut |world| lines.tell(world))
        }
    };
    let wall_ns = u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX);
    bar.finish_and_clear();
    let setting = Setting { replay: load::replay_line(&typed.scenario, typed.seed), wall_ns };
    if let Some(folder) = &typed.out {
        write(folder, &ended, &setting).map_err(|error| load::complain(folder, &error))?;
    }
    if let Some(path) = &typed.html {
        let page = page::render(&ended, &setting);
        fs::write(path, page).map_err(|error| load::complain(path, &error))?;
    }
    if typed.json {
        say!("{}", json::render(&ended, &setting));
    } else {
        say!("{}", text::render(&ended, &setting).trim_end_matches('\n'));
    }
    lines.map_or(Ok(()), Lines::end)?;
    let record = Record::new(&loaded, &ended);
    if typed.save && !record.passed() {
        eprintln!("saved {}", save::save(&loaded, &record)?.display());
    }
    Ok(ended.verdict.exit_code())
}

/// The file of `--events`.
struct Lines<'a> {
    path: &'a Path,
    file: BufWriter<fs::File>,
    /// Of what was written so far. The run goes on when the file fails, and this is told after its report.
    result: io::Result<()>,
}

impl Lines<'_> {
    fn create(path: &Path) -> Result<Lines<'_>, String> {
        let file = fs::File::create(path).map_err(|error| load::complain(path, &error))?;
        Ok(Lines { path, file: BufWriter::new(file), result: Ok(()) })
    }

    fn tell(&mut self, world: &World) {
        if self.result.is_ok()
            && let Some(line) = narrate::next(world)
        {
            self.result = writeln!(self.file, "{line}");
        }
    }

    fn end(mut self) -> Result<(), String> {
        self.result.and_then(|()| self.file.flush()).map_err(|error| load::complain(self.path, &error))
    }
}

/// Shown on a terminal only, and on standard error, so that no output is ever mixed with it.
fn progress_bar(scenario: &Scenario) -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len} ms simulated, {elapsed}");
    let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(scenario.duration.as_millis()).with_style(style).with_message(scenario.name.clone())
}

fn write(folder: &Path, ended: &Ended, setting: &Setting) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    fs::write(folder.join("run.json"), json::render(ended, setting) + "\n")?;
    fs::write(folder.join("report.txt"), text::render(ended, setting))?;
    let mut lines = BufWriter::new(fs::File::create(folder.join("history.jsonl"))?);
    for operation in ended.world.history() {
        writeln!(lines, "{}", history::to_line(operation))?;
    }
    lines.flush()
}
