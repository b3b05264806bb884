//! Every knob, set at the node, by the connection, and by the request, in the words in which each of them says it: the
//! configuration file and RESP. What reaches the node has the nearest of the three, and of that knob alone.

use std::time::Duration;

use kvsim::base::bytes::Bytes;
use kvsim::base::time::Duration as Span;
use kvsim::node::config::Config;
use kvsim::node::consistency::{Consistency, Durability, OnSiblings, Options};
use kvsim::node::request::{Outcome, Request};
use kvsim::quorum::tally::Level;
use kvsim::real::config::{self, Overrides};
use kvsim::real::inbox::{self, Answer, Event, Outlet};
use kvsim::real::session::Session;
use proptest::option::of;
use proptest::prelude::*;
use proptest::sample::select;
use tokio::sync::mpsc::unbounded_channel;

/// Which of the knobs a command looks at, and so takes.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Looks {
    /// `r pr zones timeout`, and whether at `siblings`.
    Read { siblings: bool },
    /// `w pw dw zones sloppy timeout`.
    Write,
}

/// Commands by their looks; `@` is where the options go if the command takes them itself.
const COMMANDS: &[(Looks, &str)] = &[
    (Looks::Read { siblings: false }, "KV.GET k @"),
    (Looks::Read { siblings: true }, "GET k"),
    (Looks::Read { siblings: true }, "EXISTS k l"),
    (Looks::Read { siblings: false }, "SMEMBERS k"),
    (Looks::Read { siblings: false }, "HGET k f"),
    (Looks::Write, "KV.PUT k v @"),
    (Looks::Write, "KV.DEL k @"),
    (Looks::Write, "SET k v"),
    (Looks::Write, "DEL k l"),
    (Looks::Write, "INCR k"),
    (Looks::Write, "HSET k f v"),
    (Looks::Write, "KV.ASSIGN k v"),
];

/// The words by which a client says `options`.
fn words(options: &Options) -> String {
    let Options { r, w, pr, pw, dw, zones, sloppy, timeout, siblings } = options;
    let words = [
        r.map(|level| format!("R {level}")),
        w.map(|level| format!("W {level}")),
        pr.map(|level| format!("PR {level}")),
        pw.map(|level| format!("PW {level}")),
        dw.map(|durability| format!("DW {durability}")),
        zones.map(|count| format!("ZONES {count}")),
        sloppy.map(|sloppy| if sloppy { "SLOPPY" } else { "STRICT" }.to_owned()),
        timeout.map(|timeout| format!("TIMEOUT {}", timeout.as_millis())),
        siblings.map(|policy| format!("SIBLINGS {policy}")),
    ];
    words.into_iter().flatten().collect::<Vec<_>>().join(" ")
}

/// The node whose operator wrote `options` into its file. Seven replicas, so that every number is possible.
fn configured(options: &Options) -> Config {
    let Options { r, w, pr, pw, dw, zones, sloppy, timeout, siblings } = options;
    let lines = [
        r.map(|level| format!("replication.r = {}", toml(&level.to_string()))),
        w.map(|level| format!("replication.w = {}", toml(&level.to_string()))),
        pr.map(|level| format!("replication.pr = {}", toml(&level.to_string()))),
        pw.map(|level| format!("replication.pw = {}", toml(&level.to_string()))),
        dw.map(|durability| format!("replication.dw = {}", toml(&durability.to_string()))),
        zones.map(|count| format!("replication.zones = {count}")),
        sloppy.map(|sloppy| format!("replication.sloppy = {sloppy}")),
        siblings.map(|policy| format!("replication.siblings = '{policy}'")),
        timeout.map(|timeout| format!("limits.request_timeout = '{}ms'", timeout.as_millis())),
    ];
    let text = "cluster = 'c'\ndata = 'd'\nclient = '127.0.0.1:1'\npeer = '127.0.0.1:2'\nreplication.n = 7\n";
    let lines: Vec<String> = lines.into_iter().flatten().collect();
    let text = format!("{text}{}", lines.join("\n"));
    config::read(&text, &Overrides::default()).unwrap_or_else(|problem| panic!("{text}: {problem:?}")).node
}

/// Numbers as numbers, names as names.
fn toml(level: &str) -> String {
    level.parse::<u8>().map_or_else(|_| format!("'{level}'"), |number| number.to_string())
}

/// One connection to `node`, and what reaches the node by it.
struct Connection {
    session: Session,
    outlet: Outlet,
}

impl Connection {
    fn to(node: &Config) -> Connection {
        let (inbox, outlet) = inbox::new();
        // Nothing is answered but by hand, below.
        let (replies, _) = unbounded_channel();
        Connection { session: Session::new(inbox, replies, node.clone().into()), outlet }
    }

    fn say(&mut self, line: &str) {
        let line = format!("{line}\r\n");
        assert_eq!(self.session.feed(line.as_bytes(), 0), line.len());
    }

    /// The requests that `line` makes, which are then answered.
    fn ask(&mut self, line: &str) -> Vec<Request> {
        self.say(line);
        let take = || self.outlet.take(Some(Duration::ZERO));
        let mut requests = Vec::new();
        for event in std::iter::from_fn(take) {
            let Event::Client { request, ticket } = event else { panic!("{event:?}") };
            let found = Outcome::Found { values: [].into(), context: Bytes::default() };
            self.session.answer(ticket.seq, ticket.part, Answer::Outcome(found));
            requests.push(request);
        }
        let mut out = Vec::new();
        self.session.write(&mut out);
        assert!(!requests.is_empty(), "{line}: {}", out.escape_ascii());
        requests
    }
}

/// What of `options` a client can say to a command that looks so.
fn sayable(options: &Options, looks: Looks) -> Options {
    let Options { zones, timeout, .. } = *options;
    let none = Options { zones, timeout, ..Options::default() };
    match looks {
        Looks::Read { siblings } => {
            let siblings = options.siblings.filter(|_| siblings);
            Options { r: options.r, pr: options.pr, siblings, ..none }
        }
        Looks::Write => {
            Options { w: options.w, pw: options.pw, dw: options.dw, sloppy: options.sloppy, ..none }
        }
    }
}

/// `command` with options, in its own way.
fn line(command: &str, options: &Options) -> String {
    match (words(options), command.strip_suffix('@')) {
        (words, Some(command)) => format!("{command}{words}"),
        (words, None) if words.is_empty() => command.to_owned(),
        (words, None) => format!("KV.WITH {words} DO {command}"),
    }
}

/// Asks everything of a connection to `node` that has set `connection`, with `request` where that can be said. What
/// reaches the node must resolve to the nearest of the three, knob by knob.
fn check(request: &Options, connection: &Options, node: &Options) {
    let config = configured(node);
    let mut client = Connection::to(&config);
    client.say(&format!("KV.DEFAULTS {}", words(connection)));
    let built_in = configured(&Options::default()).consistency();
    for &(looks, command) in COMMANDS {
        let own = sayable(request, looks);
        // Field by field and by hand: this is what `or` and `resolve` are checked against.
        let expected = Consistency {
            r: own.r.or(connection.r).or(node.r).unwrap_or(built_in.r),
            w: own.w.or(connection.w).or(node.w).unwrap_or(built_in.w),
            pr: own.pr.or(connection.pr).or(node.pr).unwrap_or(built_in.pr),
            pw: own.pw.or(connection.pw).or(node.pw).unwrap_or(built_in.pw),
            dw: own.dw.or(connection.dw).or(node.dw).unwrap_or(built_in.dw),
            zones: own.zones.or(connection.zones).or(node.zones).unwrap_or(built_in.zones),
            sloppy: own.sloppy.or(connection.sloppy).or(node.sloppy).unwrap_or(built_in.sloppy),
            timeout: own.timeout.or(connection.timeout).or(node.timeout).unwrap_or(built_in.timeout),
            siblings: match command {
                "KV.GET k @" => OnSiblings::All,
                _ => own.siblings.or(connection.siblings).or(node.siblings).unwrap_or(built_in.siblings),
            },
        };
        let line = line(command, &own);
        for asked in client.ask(&line) {
            let got = asked.options.resolve(&config.consistency());
            assert_eq!(got, expected, "{line}, connection {connection:?}, node {node:?}");
        }
    }
    // And all of it is gone with one word.
    client.say("KV.DEFAULTS RESET");
    assert_eq!(client.ask("GET k")[0].options, Options::default());
}

/// Every knob alone, with two values that differ from each other and from the default.
fn knobs() -> Vec<[Options; 2]> {
    let none = Options::default;
    let two = |make: &dyn Fn(u8) -> Options| [make(4), make(5)];
    let level = Level::Count;
    vec![
        two(&|n| Options { r: Some(level(n)), ..none() }),
        two(&|n| Options { w: Some(level(n)), ..none() }),
        two(&|n| Options { pr: Some(level(n)), ..none() }),
        two(&|n| Options { pw: Some(level(n)), ..none() }),
        two(&|n| Options { dw: Some(Durability::Replicas(level(n))), ..none() }),
        two(&|n| Options { zones: Some(n), ..none() }),
        two(&|n| Options { timeout: Some(Span::from_millis(n.into())), ..none() }),
        [false, true].map(|sloppy| Options { sloppy: Some(sloppy), ..none() }),
        [OnSiblings::LastWriter, OnSiblings::All].map(|all| Options { siblings: Some(all), ..none() }),
    ]
}

#[test]
fn each_knob_alone_is_heard_at_each_place_and_by_no_other_knob() {
    let none = Options::default();
    for [one, other] in &knobs() {
        check(&none, &none, one);
        check(&none, one, &none);
        check(one, &none, &none);
        check(&none, one, other);
        check(one, other, &none);
        check(one, &none, other);
        check(other, one, other);
    }
    // Said at one place each, knobs do not hear of each other.
    for [request, _] in &knobs() {
        for [connection, _] in &knobs() {
            check(request, connection, &none);
        }
    }
}

fn levels() -> impl Strategy<Value = Level> {
    let named = [Level::One, Level::Quorum, Level::All, Level::LocalQuorum, Level::EachQuorum];
    prop_oneof![(1u8..8).prop_map(Level::Count), select(named.to_vec())]
}

/// All that is possible whatever the rest. (`any` is not, beside `STRICT`.)
fn options() -> impl Strategy<Value = Options> {
    let durability = prop_oneof![Just(Durability::AsAcknowledged), levels().prop_map(Durability::Replicas)];
    let timeout = (1u64..60_001).prop_map(Span::from_millis);
    let siblings = select(vec![OnSiblings::All, OnSiblings::LastWriter]);
    let levels = (of(levels()), of(levels()), of(levels()), of(levels()));
    (levels, of(durability), of(0u8..8), of(any::<bool>()), of(timeout), of(siblings)).prop_map(
        |((r, w, pr, pw), dw, zones, sloppy, timeout, siblings)| Options {
            r,
            w,
            pr,
            pw,
            dw,
            zones,
            sloppy,
            timeout,
            siblings,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn of_any_knobs_at_any_places_the_nearest_is_obeyed(
        request in options(), connection in options(), node in options(),
    ) {
        check(&request, &connection, &node);
    }
}
