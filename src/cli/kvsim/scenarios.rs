//! `kvsim new`, `kvsim list` and `kvsim schema`: for those who write scenarios.

use std::format;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::string::{String, ToString};
use std::vec::Vec;

use comfy_table::{ContentArrangement, Table, presets};
use serde::Serialize;

use super::load::{self, Loaded};
use super::replay::collect;
use super::{List, New};
use crate::sim::scenario;

/// Where scenarios lie if nobody says otherwise.
const FOLDER: &str = "scenarios";
/// The width of the list, in columns.
const WIDTH: u16 = 118;

/// Writes a commented scenario that passes.
pub(super) fn new(typed: &New) -> Result<u8, String> {
    let path = place(&typed.name);
    let text = include_str!("new.toml").replace("PATH", &path.display().to_string());
    let write = || {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        File::create_new(&path)?.write_all(text.as_bytes())
    };
    write().map_err(|error| load::complain(&path, &error))?;
    say!("wrote {0}\n\n    kvsim run {0} --seed 42", path.display());
    Ok(0)
}

/// A bare name is one of the shipped folder; anything else is a path.
fn place(name: &Path) -> PathBuf {
    let is_bare = name.extension().is_none() && name.components().count() == 1;
    if is_bare { Path::new(FOLDER).join(name).with_extension("toml") } else { name.into() }
}

/// Prints the JSON Schema of scenario files.
pub(super) fn schema() -> Result<u8, String> {
    say!("{}", scenario::schema());
    Ok(0)
}

#[derive(Serialize)]
struct Listed {
    scenario: String,
    path: String,
    /// The first paragraph of its comments.
    proves: String,
    nodes: u64,
    duration_ns: u64,
    faults: u64,
}

/// Shows scenarios, and what each proves.
pub(super) fn list(typed: &List) -> Result<u8, String> {
    let mut paths = Vec::new();
    match typed.paths.as_slice() {
        [] => collect(Path::new(FOLDER), &mut paths)?,
        typed => typed.iter().try_for_each(|path| collect(path, &mut paths))?,
    }
    let listed: Vec<Listed> =
        paths.iter().map(|path| Ok(listed(&load::scenario(path)?))).collect::<Result<_, String>>()?;
    if typed.json {
        say!("{}", serde_json::to_string_pretty(&listed).expect("it has no map"));
    } else {
        say!("{}", table(&listed));
    }
    Ok(0)
}

fn listed(loaded: &Loaded) -> Listed {
    let scenario = &loaded.scenario;
    Listed {
        scenario: scenario.name.clone(),
        path: loaded.path.display().to_string(),
        proves: first_paragraph(&loaded.text),
        nodes: scenario.nodes.len() as u64,
        duration_ns: scenario.duration.0,
        faults: scenario.faults.len() as u64,
    }
}

/// The comment with which a file begins, up to the first line of it that is empty.
fn first_paragraph(text: &str) -> String {
    let lines = text.lines().map_while(|line| line.strip_prefix('#')).map(str::trim);
    lines.take_while(|line| !line.is_empty()).collect::<Vec<&str>>().join(" ")
}

fn table(listed: &[Listed]) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_width(WIDTH).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(["scenario", "what it proves"]);
    for Listed { scenario, proves, nodes, duration_ns, faults, .. } in listed {
        let span = crate::base::time::Duration(*duration_ns);
        table.add_row([
            scenario.clone(),
            format!("{proves}\n({nodes} nodes, {span}, {faults} scripted faults)"),
        ]);
    }
    table.trim_fmt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_name_lies_with_the_shipped_scenarios() {
        assert_eq!(place(Path::new("outage")), Path::new("scenarios/outage.toml"));
        assert_eq!(place(Path::new("outage.toml")), Path::new("outage.toml"));
        assert_eq!(place(Path::new("mine/outage")), Path::new("mine/outage"));
    }

    #[test]
    fn what_a_scenario_proves_is_its_first_comment() {
        assert_eq!(first_paragraph("# One\n# two.\n#\n# three\n[run]"), "One two.");
        assert_eq!(first_paragraph("# One.\n\n# two\n"), "One.");
        assert_eq!(first_paragraph("[run] # one\n"), "");
    }
}
