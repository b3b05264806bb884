//! The command line, by running it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

/// A folder of its own for one test, removed at its end.
pub struct Folder(pub PathBuf);

impl Folder {
    pub fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("kvsim-{}-{name}", std::process::id()));
        fs::create_dir_all(&path).expect("a temporary folder");
        Folder(path)
    }

    /// The small scenario with pieces of it replaced, in a file.
    pub fn scenario(&self, name: &str, replaced: &[(&str, &str)]) -> PathBuf {
        let mut text = fs::read_to_string(crate::file("small.toml")).expect("the scenario is there");
        for (from, to) in replaced {
            assert!(text.contains(from), "{from}");
            text = text.replacen(from, to, 1);
        }
        let path = self.0.join(name);
        fs::write(&path, text).expect("a file");
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).expect("the folder is ours");
    }
}

pub fn kvsim<'a>(arguments: impl IntoIterator<Item = &'a str>) -> Output {
    command(arguments).output().expect("kvsim can be started")
}

pub fn command<'a>(arguments: impl IntoIterator<Item = &'a str>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kvsim"));
    command.current_dir(env!("CARGO_MANIFEST_DIR")).args(arguments).env_remove("GITHUB_ACTIONS");
    command
}

/// `kvsim list | head -1`.
#[test]
fn who_stops_reading_stops_nothing() {
    for arguments in [&["list"][..], &["schema"], &["run", "tests/sim/small.toml", "--seed", "42"]] {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let mut command = command(arguments.iter().copied());
        let output = command.stdout(writer).stderr(std::process::Stdio::piped()).output().expect("it starts");
        assert!(output.status.success() && output.stderr.is_empty(), "{arguments:?}: {output:?}");
    }
}

pub fn run(scenario: &Path, more: &[&str]) -> Output {
    let scenario = scenario.to_str().expect("a name in Unicode");
    kvsim(["run", scenario, "--seed", "42"].into_iter().chain(more.iter().copied()))
}

pub fn code(output: &Output) -> i32 {
    output.status.code().expect("kvsim ended by itself")
}

pub fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("UTF-8")
}

pub fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).expect("one JSON object")
}

pub const SMALL: &str = "tests/sim/small.toml";

/// What depends on the machine.
const WALL_CLOCK: [(&str, &str); 2] = [
    (r"simulated in \S+ \(\d+ : 1\), \d+ events/s", "simulated in [wall clock]"),
    (r#""wall_ns": \d+"#, r#""wall_ns": "[wall clock]""#),
];

#[test]
fn a_report_tells_what_happened() {
    let output = run(Path::new(SMALL), &[]);
    assert_eq!(code(&output), 0);
    insta::with_settings!({ filters => WALL_CLOCK }, { insta::assert_snapshot!(out(&output)) });
}

#[test]
fn the_json_object_says_the_same_and_always_the_same() {
    let output = run(Path::new(SMALL), &["--json", "--check-determinism"]);
    assert_eq!(code(&output), 0);
    insta::with_settings!({ filters => WALL_CLOCK }, { insta::assert_snapshot!(out(&output)) });
}

#[test]
fn every_field_that_tools_rely_on_is_there() {
    let object = json(&run(Path::new(SMALL), &["--json"]));
    for field in ["scenario", "verdict", "trace_hash", "state_hash", "replay"] {
        assert!(object[field].is_string(), "{field}");
    }
    for field in ["seed", "events", "messages", "sim_ns", "wall_ns", "nodes"] {
        assert!(object[field].is_u64(), "{field}");
    }
    for field in ["ok", "rejected", "unknown"] {
        assert!(object["ops"][field].is_u64(), "ops.{field}");
    }
    for (operation, percentile) in ["get", "put", "del"].iter().zip(["p50", "p99", "p999"]) {
        assert!(object["latency_ns"][operation][percentile].is_u64(), "{operation} {percentile}");
    }
    for kind in ["partition", "crash", "restart", "loss", "duplication"] {
        let faults = object["faults"].as_array().expect("a list");
        let fault = faults.iter().find(|fault| fault["kind"] == kind).expect(kind);
        assert!(fault["attempted"].as_u64() >= Some(1) && fault["effective"].as_u64() >= Some(1), "{fault}");
    }
    assert!(object["staleness"]["reads"].as_u64() > Some(100) && object["staleness"]["ns"]["p999"].is_u64());
    assert!(object["facts"]["read_answered"].is_u64());
    assert!(object["checks"].as_array().is_some_and(|checks| checks.iter().all(|check| check["ok"] == true)));
    assert_eq!(object["replay"], format!("kvsim run {SMALL} --seed 42"));
}

#[test]
fn each_verdict_has_its_exit_code() {
    let folder = Folder::new("verdicts");
    let short = ("duration = \"10s\"", "duration = \"10s\"\nevents_max = 5000");
    // The partition lasts to the end, and there is no time after it.
    let hasty = [("settle = \"30s\"", "settle = \"1ms\""), ("for = \"3s\", ", "")];
    let idle = ("restart = { at = \"6s\", node = \"n2\" }", "restart = { at = \"6s\", node = \"n3\" }");
    let promised = ("[storage]", "[expect]\navailability = \"100%\"\n\n[storage]");
    let unbroken = ("[storage]", "[expect]\nbreaks = [\"causal\"]\n\n[storage]");
    let unreached = ("[storage]", "[expect]\nfacts = [\"damage_refused\"]\n\n[storage]");
    for (name, replaced, expected, verdict) in [
        ("liveness.toml", &hasty[..], 1, "liveness"),
        ("vacuous.toml", &[idle], 4, "vacuous"),
        ("unreached.toml", &[unreached], 4, "vacuous"),
        ("budget.toml", &[short], 5, "budget"),
        ("promised.toml", &[promised], 1, "safety"),
        ("unbroken.toml", &[unbroken], 4, "vacuous"),
    ] {
        let output = run(&folder.scenario(name, replaced), &["--json"]);
        let object = json(&output);
        assert_eq!(
            (code(&output), object["verdict"].as_str()),
            (expected, Some(verdict)),
            "{name}: {object}"
        );
        assert_ne!(object["reasons"], serde_json::json!([]), "{name}");
    }
}

#[test]
fn bad_usage_and_bad_files_exit_with_2_and_say_why() {
    let folder = Folder::new("usage");
    let bad = folder.scenario("bad.toml", &[("nodes = 5", "nodes = 5\nr = 4")]);
    let bad = bad.to_str().expect("a name in Unicode");
    let empty = folder.0.join("history.jsonl");
    fs::write(&empty, "{}\n").expect("a file");
    for (arguments, told) in [
        (&["run", bad, "--seed", "1"][..], "bad.toml:5:5"),
        (&["run", "missing.toml", "--seed", "1"], "missing.toml"),
        (&["run", SMALL], "--seed"),
        (&["run", SMALL, "--seed", "1", "--frobnicate"], "--frobnicate"),
        (&["sweep", SMALL, "--seeds", "7..3"], "7..3"),
        (&["sweep", SMALL, "--seeds", "3..7", "--shard", "3/2"], "3/2"),
        (&["sweep", SMALL, "--seeds", "3..4", "--shard", "2/2"], "shard 2/2 has no seed"),
        (&["sweep", SMALL, "--seeds", "3..7", "--time", "10"], "10m"),
        (&["merge", SMALL], "small.toml:1"),
        (&["replay", SMALL], "[regression]"),
        (&["check", empty.to_str().expect("a name in Unicode")], "history.jsonl:1"),
        (&["dance"], "dance"),
        (&[], "Usage"),
    ] {
        let output = kvsim(arguments.iter().copied());
        let complaint = String::from_utf8(output.stderr.clone()).expect("UTF-8");
        assert_eq!(code(&output), 2, "{arguments:?}: {complaint}");
        assert!(complaint.contains(told), "{arguments:?}: {complaint}");
    }
}

#[test]
fn a_history_that_was_written_can_be_checked_and_a_doctored_one_is_caught() {
    let folder = Folder::new("history");
    let target = folder.0.join("out");
    let output = run(Path::new(SMALL), &["--out", target.to_str().expect("a name in Unicode")]);
    assert_eq!(code(&output), 0);
    let report = fs::read_to_string(target.join("report.txt")).expect("the report");
    assert_eq!(report, out(&output));
    assert!(fs::read_to_string(target.join("run.json")).expect("the object").contains("\"pass\""));

    let path = target.join("history.jsonl");
    let history = fs::read_to_string(&path).expect("the history");
    let check = || kvsim(["check", path.to_str().expect("a name in Unicode")]);
    let checked = check();
    assert_eq!(code(&checked), 0, "{}", out(&checked));
    let lines = history.lines().count();
    assert!(lines > 500 && out(&checked).contains(&format!("{lines} operations")), "{}", out(&checked));

    // The puts of client 0 never happened, yet others read what they wrote.
    let is_put = |line: &&str| line.starts_with(r#"{"client":0,"op":"put""#);
    let doctored: Vec<&str> = history.lines().filter(|line| !is_put(line)).collect();
    fs::write(&path, doctored.join("\n")).expect("a file");
    let checked = check();
    assert_eq!(code(&checked), 1, "{}", out(&checked));
    assert!(out(&checked).contains("FAIL      provenance"), "{}", out(&checked));
}

/// A register of another store, which tells neither contexts nor nodes.
#[test]
fn a_history_from_elsewhere_is_judged_too() {
    let folder = Folder::new("elsewhere");
    let path = folder.0.join("history.jsonl");
    let good = [
        r#"{"client":0,"op":"put","key":"x","value":"1","start_ns":0,"end_ns":10,"outcome":"ok"}"#,
        r#"{"client":1,"op":"cas","key":"x","expected":"1","value":"2","start_ns":5,"end_ns":20,"outcome":"ok"}"#,
        r#"{"client":2,"op":"get","key":"x","values":["1"],"start_ns":6,"end_ns":15,"outcome":"ok"}"#,
        r#"{"client":0,"op":"put","key":"x","value":"3","start_ns":30,"end_ns":null,"outcome":"unknown"}"#,
    ];
    let stale =
        r#"{"client":2,"op":"get","key":"x","values":["1"],"start_ns":21,"end_ns":25,"outcome":"ok"}"#;
    let check = |lines: &[&str], more: &[&str]| {
        fs::write(&path, lines.join("\n")).expect("a file");
        let path = path.to_str().expect("a name in Unicode");
        let output = kvsim(["check", path, "--json"].into_iter().chain(more.iter().copied()));
        let object = json(&output);
        let result = |name| {
            let all = object["guarantees"].as_array().expect("a list");
            let one = all.iter().find(|one| one["name"] == name).expect("all are judged");
            one["result"].as_str().map(String::from).expect("text")
        };
        (code(&output), result("linearizable"), result("monotonic-reads"))
    };
    let told = |code, linear: &str| (code, linear.to_string(), "undecided".to_string());
    assert_eq!(check(&good, &["--holds", "linearizable"]), told(0, "holds"));
    let bad = [&good[..], &[stale]].concat();
    assert_eq!(check(&bad, &[]), told(0, "broken"));
    assert_eq!(check(&bad, &["--holds", "linearizable"]), told(1, "broken"));
    // What cannot be decided is not what was asked for.
    assert_eq!(check(&good, &["--holds", "monotonic-reads"]), told(1, "holds"));
    let output = kvsim(["check", "x", "--holds", "strong"]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("monotonic-writes"), "it says what is allowed");
}

/// A page that opens in a browser without a network, and says what the report says.
#[test]
fn the_page_is_self_contained_and_well_formed_and_draws_every_fault() {
    let folder = Folder::new("page");
    // Nobody is asked to recover before the end, or the run would be over before all has happened.
    let hasty = [("settle = \"30s\"", "settle = \"1ms\"\nheal_every = \"0s\""), ("for = \"3s\", ", "")];
    let failing = folder.scenario("hasty <&>.toml", &hasty);
    for (scenario, verdict) in [(PathBuf::from(SMALL), "pass"), (failing, "liveness")] {
        let path = folder.0.join("page.html");
        let output = run(&scenario, &["--json", "--html", path.to_str().expect("a name in Unicode")]);
        let (object, page) = (json(&output), fs::read_to_string(&path).expect("the page"));
        assert_eq!(object["verdict"], verdict);
        for foreign in ["<script", "src=", "href=", "@import", "url("] {
            assert!(!page.contains(foreign), "{foreign}");
        }
        let svg = &page[page.find("<svg").expect("a drawing")..page.find("</svg>").expect("its end") + 6];
        let svg = roxmltree::Document::parse(svg).expect("well-formed");
        let bars: Vec<&str> = svg
            .descendants()
            .filter(|node| node.attribute("class").is_some_and(|class| class.starts_with("bar ")))
            .map(|node| node.first_element_child().and_then(|title| title.text()).expect("a title"))
            .collect();
        // The partition and the node that is down. Who has recovered also had calm.
        assert!(bars[0].starts_with("partition 4.0s to ") && bars[1].starts_with("n2 down "), "{bars:?}");
        let calm = bars.iter().filter(|bar| bar.starts_with("calm ")).count();
        assert_eq!((bars.len(), calm), if verdict == "pass" { (3, 1) } else { (2, 0) }, "{bars:?}");
        let strings = ["trace_hash", "state_hash"].map(|field| object[field].as_str().expect("a string"));
        let reasons = object["reasons"].as_array().expect("a list").iter().filter_map(Value::as_str);
        let checks = object["checks"].as_array().expect("a list").iter().filter_map(|c| c["detail"].as_str());
        let told: Vec<&str> = strings.into_iter().chain(reasons).chain(checks).collect();
        assert!(told.len() > 8);
        for told in told {
            let escaped = told.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
            let escaped = escaped.replace('"', "&quot;").replace('\'', "&#x27;").replace('/', "&#x2f;");
            assert!(page.contains(&escaped), "{told}");
        }
        assert_eq!(page.contains("hasty &lt;&amp;&gt;"), verdict == "liveness");
    }
}
