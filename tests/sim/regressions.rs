//! Regressions: failures that are saved, and runs that are compared with what they once gave.

use std::fs;
use std::path::Path;

use crate::command::{Folder, SMALL, code, command, json, kvsim, out, run};

fn text(path: &Path) -> &str {
    path.to_str().expect("a name in Unicode")
}

/// The small scenario as a regression.
fn regression(folder: &Folder, name: &str, seed: u64, verdict: &str, more: &str) {
    let table = format!(
        "[regression]\nseed = {seed}\nverdict = \"{verdict}\"\n{more}\nstory = \"An example.\"\n\n[storage]"
    );
    folder.scenario(name, &[("[storage]", &table)]);
}

#[test]
fn a_regression_must_give_the_verdict_that_it_once_gave() {
    let folder = Folder::new("regressions");
    let replay = || kvsim(["replay", text(&folder.0)]);
    let object = json(&run(Path::new(SMALL), &["--json"]));
    let trace = object["trace_hash"].as_str().expect("a hash");

    regression(&folder, "good.toml", 42, "pass", &format!("trace_hash = \"{trace}\""));
    let output = replay();
    assert_eq!(code(&output), 0, "{}", out(&output));
    let told = out(&output);
    assert!(
        told.contains("An example.") && told.contains("still fixed, and the run is the one recorded"),
        "{told}"
    );

    // A hash only says that something has changed.
    regression(&folder, "other.toml", 42, "pass", "state_hash = \"0123456789abcdef\"");
    let output = replay();
    assert_eq!(code(&output), 0, "{}", out(&output));
    let told = out(&output);
    assert!(told.contains("still fixed, but the run differs"), "{told}");
    assert!(told.contains("state hash: 0123456789abcdef then, "), "{told}");

    let recorded = "recorded = { events = 1, ok = 2, rejected = 3, unknown = 4, failed = [\"converge\"] }";
    regression(&folder, "wrong.toml", 42, "safety", recorded);
    let output = replay();
    assert_eq!(code(&output), 1, "{}", out(&output));
    let told = out(&output);
    assert!(told.contains("3 regressions, 1 not as expected"), "{told}");
    assert!(told.contains("expected safety, got pass: if that is a fix"), "{told}");
    assert!(told.contains("check converge: failed then, does not now"), "{told}");
    assert!(told.contains(&format!("events: 1 then, {} now", object["events"])), "{told}");
}

/// What is saved is the same run when it is replayed, to the last bit, though the file has another name.
#[test]
fn a_failure_that_is_saved_is_replayed_as_the_run_that_it_was() {
    let folder = Folder::new("saved");
    let hasty = [("settle = \"30s\"", "settle = \"1ms\""), ("for = \"3s\", ", "")];
    let hasty = folder.scenario("hasty.toml", &hasty);
    let inside = |arguments: &[&str]| {
        command(arguments.iter().copied()).current_dir(&folder.0).output().expect("kvsim can be started")
    };
    assert_eq!(code(&inside(&["run", text(&hasty), "--seed", "7", "--save", "--json"])), 1);
    let saved = folder.0.join("sim-results/regressions/hasty-seed7-liveness.toml");
    let replayed = inside(&["replay", "sim-results/regressions"]);
    assert_eq!(code(&replayed), 0, "{}", out(&replayed));
    let told = out(&replayed);
    assert!(
        told.contains("still failing (liveness), and the run is the one recorded\n1 regressions"),
        "{told}"
    );

    // Whoever mends the cause is told so.
    let mended =
        fs::read_to_string(&saved).expect("the file").replace("settle = \"1ms\"", "settle = \"30s\"");
    fs::write(&saved, mended).expect("a file");
    let replayed = inside(&["replay", "sim-results/regressions"]);
    assert_eq!(code(&replayed), 1);
    let told = out(&replayed);
    assert!(told.contains("expected liveness, got pass"), "{told}");
    assert!(told.contains("check converge: failed then, does not now"), "{told}");

    // A sweep saves one of each kind; a file that is there is never replaced.
    let sweep = inside(&["sweep", text(&hasty), "--seeds", "7..9", "--save"]);
    let complaint = String::from_utf8_lossy(&sweep.stderr).into_owned();
    assert!(complaint.contains("hasty-seed7-liveness.toml: File exists"), "{complaint}");
    assert_eq!(fs::read_dir(folder.0.join("sim-results/regressions")).expect("a folder").count(), 1);
    let sweep = inside(&["sweep", text(&hasty), "--seeds", "8..10", "--save"]);
    let complaint = String::from_utf8_lossy(&sweep.stderr).into_owned();
    assert_eq!(complaint.matches("saved ").count(), 1, "{complaint}");
    assert!(folder.0.join("sim-results/regressions/hasty-seed8-liveness.toml").exists());
}
