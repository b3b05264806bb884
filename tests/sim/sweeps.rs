//! Sweeps, their ledgers and their reports, by running them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::command::{Folder, SMALL, code, command, json, kvsim, out};

fn text(path: &Path) -> &str {
    path.to_str().expect("a name in Unicode")
}

/// A sweep whose results lie in the folder.
fn sweep(folder: &Folder, results: &str, arguments: &[&str]) -> (i32, String) {
    let results = folder.0.join(results);
    let output = kvsim(["sweep", "--results", text(&results)].into_iter().chain(arguments.iter().copied()));
    (code(&output), out(&output))
}

/// A scenario of three seconds, and one that is vacuous in addition: its restart finds a node that runs.
fn scenarios(folder: &Folder) -> [PathBuf; 2] {
    let short = [
        ("duration = \"10s\"", "duration = \"3s\""),
        ("start = \"2s\"", "start = \"1s\""),
        ("at = \"4s\", for = \"3s\"", "at = \"1500ms\", for = \"1s\""),
        ("at = \"5s\"", "at = \"1600ms\""),
        ("at = \"6s\"", "at = \"2700ms\""),
    ];
    let good = folder.scenario("good.toml", &short);
    let mut vacuous = fs::read_to_string(&good).expect("just written");
    vacuous.push_str("\n[[fault]]\nrestart = { at = \"100ms\", node = \"n3\" }\n");
    let path = folder.0.join("idle.toml");
    fs::write(&path, vacuous).expect("a file");
    [good, path]
}

#[test]
fn a_sweep_gives_the_same_whatever_the_number_of_threads() {
    let folder = Folder::new("threads");
    let [good, idle] = scenarios(&folder);
    let sweep =
        |jobs| sweep(&folder, jobs, &[text(&good), text(&idle), "--seeds", "1..3", "--jobs", jobs, "--json"]);
    let (code, alone) = sweep("1");
    assert_eq!(sweep("3"), (code, alone.clone()));
    let object: Value = serde_json::from_str(&alone).expect("one object");
    assert_eq!((code, &object["verdicts"]), (4, &serde_json::json!({ "pass": 2, "vacuous": 2 })), "{alone}");
    assert_eq!((&object["seeds"], &object["planned"]), (&Value::from(4), &Value::from(4)));
    assert_eq!(object["scenarios"][0]["faults_never_effective"], serde_json::json!([]));
    assert_eq!(object["scenarios"][0]["faults"]["crash"]["effective"], 2);
    let missed = object["facts_never_reached"].as_array().expect("a list");
    assert!(missed.contains(&"disk_full".into()) && !missed.contains(&"read_answered".into()), "{missed:?}");
}

#[test]
fn a_sweep_ends_with_a_table_and_how_to_see_each_failure_again() {
    let folder = Folder::new("table");
    let [good, idle] = scenarios(&folder);
    let (code, told) = sweep(&folder, "r.jsonl", &[text(&good), text(&idle), "--seeds", "5..7"]);
    assert_eq!(code, 4);
    for seed in [5, 6] {
        let line = format!(
            "seed {seed}: VACUOUS: the restart at 100ms had no effect\n    kvsim run {} --seed {seed}",
            text(&idle)
        );
        assert!(told.contains(&line), "{told}");
    }
    let rows: Vec<Vec<&str>> = told.lines().take(4).map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows[0], ["scenario", "runs", "events", "pass", "vacuous"], "{told}");
    assert_eq!((rows[1][0], rows[1][3], rows[1][4]), ("good", "2", "-"), "{told}");
    assert_eq!((rows[3][0], rows[3][3], rows[3][4]), ("all", "2", "2"), "{told}");
    for title in ["FACTS NEVER REACHED", "SLOWEST", "FAILURES"] {
        assert!(told.contains(&format!("\n{title}\n")), "{told}");
    }
}

#[test]
fn a_sweep_that_fails_fast_ends_with_the_first_failure_whatever_the_number_of_threads() {
    let folder = Folder::new("fast");
    let [good, idle] = scenarios(&folder);
    for jobs in ["1", "3"] {
        let paths = [text(&good), text(&idle)];
        let more = ["--seeds", "1..100", "--fail-fast", "--json", "--jobs", jobs];
        let (code, told) = sweep(&folder, "r.jsonl", &[&paths[..], &more].concat());
        let object: Value = serde_json::from_str(&told).expect("one object");
        assert_eq!((code, &object["seeds"], &object["planned"]), (4, &Value::from(2), &Value::from(198)));
    }
}

#[test]
fn a_sweep_without_time_begins_nothing_and_proves_nothing() {
    let folder = Folder::new("time");
    let (code, told) = sweep(&folder, "r.jsonl", &[SMALL, "--seeds", "1..3", "--time", "0s"]);
    assert_eq!(code, 4, "{told}");
    assert!(told.contains("0 of 2 runs"), "{told}");
}

/// The process is killed while runs are under way, and the last line that it wrote is torn as a crash may tear it. The
/// ledger then is gone on with, and the end is the same as without all that.
#[test]
fn a_sweep_that_was_killed_and_resumed_ends_as_one_that_was_not() {
    let folder = Folder::new("resume");
    let [good, idle] = scenarios(&folder);
    let plain = [text(&good), text(&idle), "--seeds", "1..4", "--json"];
    let whole = sweep(&folder, "whole.jsonl", &plain);

    let path = folder.0.join("killed.jsonl");
    let arguments = [&["sweep", "--results", text(&path)], &plain[..]].concat();
    let mut child = command(arguments).stdout(Stdio::null()).spawn().expect("kvsim can be started");
    let began = Instant::now();
    let lines = || fs::read_to_string(&path).unwrap_or_default().lines().count();
    while lines() < 3 {
        assert!(began.elapsed() < Duration::from_secs(300), "no runs are written");
        std::thread::sleep(Duration::from_millis(5));
    }
    child.kill().expect("it runs");
    child.wait().expect("it was ours");
    let written = fs::read_to_string(&path).expect("the ledger");
    assert!(written.lines().count() < 7, "it was killed too late");
    fs::write(&path, &written[..written.len() - 7]).expect("a torn line");

    let resumed = [&plain[..], &["--resume"]].concat();
    assert_eq!(sweep(&folder, "killed.jsonl", &resumed), whole);
    // Now everything is there: nothing is run again.
    let before = fs::read_to_string(&path).expect("the ledger");
    assert!(before.starts_with(written.lines().next().expect("the head")));
    assert_eq!(sweep(&folder, "killed.jsonl", &resumed), whole);
    assert_eq!(fs::read_to_string(&path).expect("the ledger"), before);
    // Killed before it had written what is swept.
    for bytes in [0, 20] {
        fs::write(&path, &before[..bytes]).expect("a torn head");
        assert_eq!(sweep(&folder, "killed.jsonl", &resumed), whole);
    }
    // A changed scenario is another sweep.
    let changed = fs::read_to_string(&good).expect("the scenario") + "\n# changed\n";
    fs::write(&good, changed).expect("a file");
    assert_eq!(sweep(&folder, "killed.jsonl", &resumed).0, 2);
}

#[test]
fn shards_that_are_merged_are_the_whole_sweep_and_a_missing_one_is_told() {
    let folder = Folder::new("shards");
    let [good, idle] = scenarios(&folder);
    let plain = [text(&good), text(&idle), "--seeds", "1..4", "--json"];
    let whole = sweep(&folder, "whole", &plain);
    for shard in ["1/3", "2/3", "3/3"] {
        sweep(&folder, &shard.replace('/', "-"), &[&plain[..], &["--shard", shard]].concat());
    }
    let paths = ["1-3", "2-3", "3-3"].map(|name| folder.0.join(name));
    let junit = folder.0.join("junit.xml");
    let merge = |paths: &[PathBuf]| {
        let files = paths.iter().map(|path| text(path));
        kvsim(["merge", "--json", "--junit", text(&junit)].into_iter().chain(files))
    };
    let merged = merge(&paths);
    assert_eq!((code(&merged), out(&merged)), whole);
    assert!(merged.stderr.is_empty());
    // The same shard twice is the same runs.
    assert_eq!(out(&merge(&[&paths[..], &paths[..1]].concat())), whole.1);

    let xml = fs::read_to_string(&junit).expect("the file");
    let xml = roxmltree::Document::parse(&xml).expect("well-formed");
    let count = |name: &str| xml.descendants().filter(|node| node.has_tag_name(name)).count();
    assert_eq!((count("testsuite"), count("testcase"), count("failure")), (2, 6, 3));
    assert_eq!(xml.root_element().attribute("failures"), Some("3"));

    let missing = merge(&paths[1..]);
    assert_eq!(json(&missing)["seeds"], 4);
    assert!(String::from_utf8_lossy(&missing.stderr).contains("2 of 6 runs"));

    // Two shards that do not agree on a run are a finding of their own.
    let doctored = folder.0.join("doctored");
    let shard = fs::read_to_string(&paths[0]).expect("a shard");
    let (hash, other) = (json(&merged)["runs"][0]["trace_hash"].clone(), "0123456789abcdef");
    fs::write(&doctored, shard.replace(hash.as_str().expect("a hash"), other)).expect("a file");
    let parted = merge(&[&paths[..], &[doctored]].concat());
    assert_eq!((code(&parted), &json(&parted)["verdicts"]["nondeterminism"]), (3, &Value::from(1)));
}

#[test]
fn failures_become_annotations_of_a_workflow_and_cases_of_a_test_report() {
    let folder = Folder::new("annotations");
    let [_, idle] = scenarios(&folder);
    let junit = folder.0.join("junit.xml");
    let results = folder.0.join("r.jsonl");
    let arguments =
        ["sweep", text(&idle), "--seeds", "3..4", "--results", text(&results), "--junit", text(&junit)];
    let sweep = |github: bool| {
        let mut command = command(arguments);
        if github {
            command.env("GITHUB_ACTIONS", "true");
        }
        out(&command.output().expect("kvsim can be started"))
    };
    assert!(!sweep(false).contains("::error"));
    let told = sweep(true);
    let expected = format!(
        "\n::error file={0},title=vacuous%2C seed 3::VACUOUS: the restart at 100ms had no effect%0Akvsim run {0} --seed 3",
        text(&idle)
    );
    assert!(told.contains(&expected), "{told}");

    let xml = fs::read_to_string(&junit).expect("the file");
    let xml = roxmltree::Document::parse(&xml).expect("well-formed");
    let failure = xml.descendants().find(|node| node.has_tag_name("failure")).expect("one");
    assert_eq!(failure.attribute("type"), Some("vacuous"));
    assert_eq!(failure.text().map(str::trim), Some(format!("kvsim run {} --seed 3", text(&idle)).as_str()));
}
