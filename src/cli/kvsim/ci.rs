//! What a sweep tells a CI system: JUnit XML, and annotations of GitHub workflows.

use std::fs;
use std::path::Path;
use std::string::String;
use std::vec::Vec;
use std::{env, format};

use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, UndefinedBehavior, Value, context};

use super::ledger::{Line, Source};
use super::load;
use super::record::Record;
use super::summary::Summary;

/// So many failures become annotations: a workflow shows no more of one kind.
const ANNOTATIONS: usize = 10;

/// Writes a suite for each scenario, a case for each seed.
pub(super) fn write_junit(path: &Path, summary: &Summary) -> Result<(), String> {
    fs::write(path, junit(summary)).map_err(|error| load::complain(path, &error))
}

fn junit(summary: &Summary) -> String {
    let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
    let mut environment = Environment::new();
    environment.set_syntax(syntax.expect("only white space differs from the usual syntax"));
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    let suites: Vec<Value> = summary.scenarios.iter().map(|source| suite(summary, source)).collect();
    let context = context! {
        tests => summary.lines.len(),
        failures => summary.failures().count(),
        suites => suites,
    };
    let xml = environment.render_named_str("junit.xml", include_str!("junit.xml"), context);
    xml.expect("the template gets all that it names") + "\n"
}

fn suite(summary: &Summary, source: &Source) -> Value {
    let lines: Vec<&Line> = summary.of(source).collect();
    let case = |line: &&Line| {
        let Record { seed, verdict, reason, replay, .. } = &line.record;
        let (seed, verdict) = (*seed, verdict.name());
        context! { seed, verdict, reason => plain(reason), replay => plain(replay), time => seconds(line.wall_ns) }
    };
    context! {
        name => plain(&source.name),
        tests => lines.len(),
        failures => lines.iter().filter(|line| !line.record.passed()).count(),
        time => seconds(lines.iter().map(|line| line.wall_ns).sum()),
        cases => lines.iter().map(case).collect::<Vec<_>>(),
    }
}

fn seconds(nanos: u64) -> String {
    format!("{}.{:03}", nanos / 1_000_000_000, nanos / 1_000_000 % 1_000)
}

/// The text without what XML cannot hold, not even escaped.
fn plain(text: &str) -> String {
    let allowed = |c: char| c >= ' ' || matches!(c, '\t' | '\n' | '\r');
    text.chars()
        .map(|c| if allowed(c) && !matches!(c, '\u{fffe}' | '\u{ffff}') { c } else { '\u{fffd}' })
        .collect()
}

/// Prints failures as workflow commands, if this runs in a workflow.
pub(super) fn annotate(summary: &Summary) {
    if env::var_os("GITHUB_ACTIONS").is_some() {
        summary.failures().take(ANNOTATIONS).for_each(|record| say!("{}", annotation(record)));
    }
}

fn annotation(record: &Record) -> String {
    let title = format!("{}, seed {}", record.verdict, record.seed);
    let (file, title) = (property(&record.scenario), property(&title));
    format!("::error file={file},title={title}::{}", data(&format!("{}\n{}", record.reason, record.replay)))
}

fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
