//! A failure as a self-contained regression file: the scenario as it was, and what it gave.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::string::String;
use std::vec::Vec;
use std::{format, string::ToString};

use toml::Value;

use super::load::{self, Loaded};
use super::record::Record;

const FOLDER: &str = "sim-results/regressions";

/// Writes the file, and says where. A file that is there already is left as it is: it may have a story by now.
pub(super) fn save(loaded: &Loaded, record: &Record) -> Result<PathBuf, String> {
    let name = format!("{}-seed{}-{}.toml", loaded.scenario.name, record.seed, record.verdict);
    let path = Path::new(FOLDER).join(name.replace(['/', '\\'], "-"));
    if loaded.regression.is_some() {
        let path = loaded.path.display();
        return Err(format!("kvsim: {path}: not saved: it is a regression, change its [regression] table"));
    }
    let write = || {
        fs::create_dir_all(FOLDER)?;
        File::create_new(&path)?.write_all(text(loaded, record).as_bytes())
    };
    write().map_err(|error| load::complain(&path, &error))?;
    Ok(path)
}

fn text(loaded: &Loaded, record: &Record) -> String {
    let quoted = |text: &str| Value::from(text).to_string();
    let failed: Vec<String> = record.failed.iter().map(|name| quoted(name)).collect();
    // The name is part of the state that is hashed, and would otherwise be that of the new file.
    let named = toml::from_str::<toml::Table>(&loaded.text).is_ok_and(|table| table.contains_key("name"));
    let name = if named { String::new() } else { format!("name = {}\n\n", quoted(&loaded.scenario.name)) };
    format!(
        "{name}{}\n\n\
         # What {} gave. The verdict must stay what it says here: once the cause is gone, make it \"pass\".\n\
         [regression]\n\
         seed = {}\n\
         verdict = {}\n\
         trace_hash = {}\n\
         state_hash = {}\n\
         recorded = {{ events = {}, ok = {}, rejected = {}, unknown = {}, failed = [{}] }}\n\
         story = {}\n",
        loaded.text.trim_end(),
        record.replay,
        record.seed,
        quoted(record.verdict.name()),
        quoted(&record.trace_hash),
        quoted(&record.state_hash),
        record.events,
        record.ops.ok,
        record.ops.rejected,
        record.ops.unknown,
        failed.join(", "),
        quoted(&record.reason),
    )
}
