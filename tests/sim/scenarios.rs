//! For those who write scenarios: a first one, the list, and the schema.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::command::{Folder, SMALL, code, command, json, kvsim, out, run};

/// The schema as the command prints it.
fn schema() -> jsonschema::Validator {
    let schema = json(&kvsim(["schema"]));
    jsonschema::draft202012::meta::validate(&schema).expect("a schema of that draft");
    jsonschema::validator_for(&schema).expect("a schema that holds together")
}

/// A TOML file as an editor's validator sees it.
fn value(text: &str) -> Value {
    let table: toml::Table = toml::from_str(text).expect("TOML");
    serde_json::to_value(table).expect("it has no dates")
}

fn shipped() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folders = ["scenarios", "scenarios/large", "sim-results/regressions"].map(|folder| root.join(folder));
    let files = folders.iter().flat_map(|folder| fs::read_dir(folder).expect("a folder"));
    let paths = files.map(|entry| entry.expect("an entry").path());
    paths.filter(|path| path.extension().is_some_and(|extension| extension == "toml")).collect()
}

#[test]
fn every_shipped_scenario_fits_the_schema() {
    let schema = schema();
    let shipped = shipped();
    assert!(shipped.len() > 10, "the scenarios were not found");
    for path in shipped {
        let value = value(&fs::read_to_string(&path).expect("a scenario"));
        let wrong: Vec<String> = schema.iter_errors(&value).map(|error| error.to_string()).collect();
        assert!(wrong.is_empty(), "{}: {wrong:?}", path.display());
    }
}

/// What the parser refuses because of its form, the schema refuses too.
#[test]
fn a_file_that_the_parser_refuses_does_not_fit_the_schema() {
    let schema = schema();
    let good = fs::read_to_string(SMALL).expect("the scenario is there");
    assert!(schema.is_valid(&value(&good)));
    for (from, to) in [
        ("nodes = 5", "nodse = 5"),
        ("nodes = 5", "nodes = \"five\""),
        ("nodes = 5", ""),
        ("nodes = 5", "nodes = 5\nw = \"most\""),
        ("duration = \"10s\"", "duration = 10"),
        ("duration = \"10s\"", "duration = \"ten seconds\""),
        ("loss = \"0.5%\"", "loss = 0.5"),
        ("[storage]", "[store]"),
        ("restart = {", "reboot = {"),
        ("lose = \"torn\"", "loose = \"torn\""),
        ("lose = \"torn\"", "lose = \"everything\""),
        ("groups = [[\"n4\", \"n5\"]]", "groups = [\"n4\"]"),
    ] {
        let bad = good.replacen(from, to, 1);
        assert_ne!(bad, good, "{from}");
        assert!(!schema.is_valid(&value(&bad)), "{to}");
        assert!(kvsim::sim::scenario::Scenario::read(&bad, "bad").is_err(), "{to}");
    }
}

#[test]
fn a_new_scenario_passes_fits_the_schema_and_is_never_written_over() {
    let folder = Folder::new("new");
    let new = |name: &str| {
        let mut command = command(["new", name]);
        command.current_dir(&folder.0).output().expect("kvsim can be started")
    };
    let output = new("mine");
    assert_eq!(code(&output), 0, "{output:?}");
    let path = folder.0.join("scenarios/mine.toml");
    assert!(out(&output).contains("kvsim run scenarios/mine.toml --seed 42"), "{}", out(&output));
    let text = fs::read_to_string(&path).expect("the scenario");
    assert!(text.contains("kvsim run scenarios/mine.toml") && !text.contains("PATH"), "{text}");
    assert!(schema().is_valid(&value(&text)));
    let ended = run(&path, &["--json"]);
    assert_eq!((code(&ended), &json(&ended)["verdict"]), (0, &Value::from("pass")), "{}", out(&ended));

    fs::write(&path, text.clone() + "# mine\n").expect("a file");
    assert_eq!(code(&new("mine")), 2);
    assert_eq!(fs::read_to_string(&path).expect("the scenario"), text + "# mine\n");
}

#[test]
fn the_list_says_what_each_shipped_scenario_proves() {
    let listed = json(&kvsim(["list", "--json"]));
    let listed = listed.as_array().expect("an array");
    let is_listed = |path: &PathBuf| !path.components().any(|part| part.as_os_str() == "regressions");
    assert_eq!(listed.len(), shipped().iter().filter(|path| is_listed(path)).count());
    for scenario in listed {
        assert!(scenario["proves"].as_str().is_some_and(|text| text.len() > 40), "{scenario}");
        assert!(
            scenario["nodes"].as_u64() > Some(0) && scenario["duration_ns"].as_u64() > Some(0),
            "{scenario}"
        );
    }
    let told = out(&kvsim(["list"]));
    for scenario in listed {
        let (name, proves) = (scenario["scenario"].as_str(), scenario["proves"].as_str());
        let first = proves.and_then(|text| text.split(' ').next()).expect("a word");
        // Not a line of some text that happens to begin with the same word.
        let start = format!(" {} ", name.expect("a name"));
        let row = told.lines().find(|line| line.starts_with(&start)).expect("a row");
        assert!(row.contains(first), "{row}");
    }
}
