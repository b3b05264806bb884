//! The commands that clients may send, from words to what they mean.
//!
//! Plain Redis: `GET SET DEL EXISTS PING ECHO INFO`, and what clients say by way of greeting: `HELLO COMMAND
//! CONFIG CLIENT SELECT QUIT`. There are no users, so `AUTH` is refused, and no transactions: what stands between
//! `MULTI` and `EXEC` is not done. Counters, sets, registers and maps: see [`typed`]. Of our own, where Redis has
//! no words:
//!
//! ```text
//! KV.GET key [CONTEXT token] [read options]            -> [context, value...]
//! KV.PUT key value [CONTEXT token] [write options]     -> [context, dot, acks, on disk]
//! KV.DEL key [CONTEXT token] [write options]           -> [context, dot, acks, on disk]
//! KV.WITH [option...] DO command...   any command, with options of its own    -> as that replies
//! KV.PEEK key                  what this node's own disk holds                -> [[dot, stamp, value or nil]...]
//! KV.DEFAULTS [option...]      for the connection's later commands            -> what is set
//! KV.DEFAULTS RESET            forgets them
//!
//! read options:  [R level] [PR level] [ZONES count] [TIMEOUT ms] [FULL]
//! write options: [W level] [PW level] [DW level|w] [ZONES count] [SLOPPY|STRICT] [TIMEOUT ms] [FULL]
//!                [ID client number]
//! ```
//!
//! With `FULL` the reply is a map of all that is known ([`full`](crate::real::full)): of writes, counters and sets
//! included, the context, the dot, the acknowledgements and the result; of reads the context and each value's dot.
//!
//! A level is `one`, `quorum`, `all`, `local-quorum`, `each-quorum`, `any` (W only) or a number. What each option
//! means is told at [`Consistency`](crate::node::consistency::Consistency). A context is the binary token that an
//! earlier reply gave. A write replaces what it covers: an empty one means "I have seen nothing", none at all "replace
//! what is there". A read never shows less than it covers. An id (two numbers: who the client is, and which of
//! its requests this is) makes a write safe to try again, through any node. What is not understood is refused, never
//! ignored.

use std::borrow::ToOwned;
use std::format;
use std::string::{String, ToString};
use std::vec;
use std::vec::Vec;

use crate::base::bytes::Bytes;
use crate::node::consistency::OnSiblings;
use crate::node::request::{Command, Options, Request};
use crate::real::options::{self, Taker, Wishes};
use crate::real::reply::Shape;
use crate::real::resp::{Dialect, Value};
use crate::real::typed;

/// What a connection has to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Reply at once.
    Reply(Value),
    /// Reply and close.
    Quit(Value),
    /// Change the dialect, if one is given, and introduce the server.
    Hello(Option<Dialect>),
    /// Ask the node, all parts at once, and make one reply of the outcomes.
    Ask {
        requests: Vec<Request>,
        shape: Shape,
    },
    Peek(Bytes),
    Info,
    Transaction(Transaction),
    /// Set these for all later commands of the connection, or (`None`) forget what was set.
    Defaults(Option<Options>),
}

/// A word about a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transaction {
    Multi,
    Exec,
    Discard,
}

/// The meaning of `args`, of which there is at least one.
pub fn interpret(args: &[&[u8]]) -> Action {
    assert!(!args.is_empty(), "empty requests are skipped");
    // Only names are compared in capitals; a long first word is not copied to find out that it is none.
    let name = upper(args[0].get(..16).unwrap_or(args[0]));
    let action = match (name.as_str(), &args[1..]) {
        ("GET", [key]) => Ok(ask(Shape::Get, vec![get(key)])),
        ("SET", [key, value, options @ ..]) => set(key, value, options),
        ("DEL", keys @ [_, ..]) => Ok(ask(Shape::Del, keys.iter().map(|key| delete(key)).collect())),
        ("EXISTS", keys @ [_, ..]) => Ok(ask(Shape::Exists, keys.iter().map(|key| get(key)).collect())),
        ("KV.GET", [key, options @ ..]) => kv_get(key, options),
        ("KV.PUT", [key, value, options @ ..]) => kv_put(key, value, options),
        ("KV.DEL", [key, options @ ..]) => kv_del(key, options),
        ("KV.PEEK", [key]) => Ok(Action::Peek(Bytes::new(key))),
        ("KV.WITH", words) => kv_with(words),
        ("KV.DEFAULTS", options) => kv_defaults(options),
        ("INFO", _) => Ok(Action::Info),
        ("PING", []) => Ok(Action::Reply(Value::Simple("PONG"))),
        ("PING" | "ECHO", [message]) => Ok(Action::Reply(Value::Bulk(Bytes::new(message)))),
        ("HELLO", options) => hello(options),
        ("COMMAND", options) => Ok(Action::Reply(command(options))),
        ("CONFIG", [verb, names @ ..]) if upper(verb) == "GET" => Ok(Action::Reply(config_get(names))),
        ("CLIENT", [verb, _, ..]) if introduces(verb) => Ok(okay()),
        ("CLIENT", [verb, ..]) if !introduces(verb) => subcommand("CLIENT", verb),
        ("CONFIG", [verb, ..]) if upper(verb) != "GET" => subcommand("CONFIG", verb),
        ("AUTH", _) => Err(NO_USERS.to_owned()),
        ("MULTI", []) => Ok(Action::Transaction(Transaction::Multi)),
        ("EXEC", []) => Ok(Action::Transaction(Transaction::Exec)),
        ("DISCARD", []) => Ok(Action::Transaction(Transaction::Discard)),
        ("SELECT", [b"0"]) => Ok(okay()),
        ("SELECT", [_]) => Err("ERR there is one database, number 0".to_owned()),
        ("QUIT", _) => Ok(Action::Quit(Value::Simple("OK"))),
        // What a browser sends when a web page makes it talk to this port. Redis closes on these too.
        ("POST" | "HOST:", _) => Ok(Action::Quit(Value::error("ERR this is not an HTTP port"))),
        (name, rest) => typed::interpret(name, rest).unwrap_or_else(|| {
            if NAMES.contains(&name) || typed::NAMES.contains(&name) {
                Err(format!("ERR wrong arguments for '{}'", name.to_ascii_lowercase()))
            } else {
                Err(format!("ERR unknown command '{}'", quoted(args[0])))
            }
        }),
    };
    action.unwrap_or_else(|error| Action::Reply(Value::Error(error)))
}

/// The names above: one that is known but did not match has wrong arguments.
const NAMES: [&str; 18] = [
    "GET", "SET", "DEL", "EXISTS", "KV.GET", "KV.PUT", "KV.DEL", "KV.WITH", "KV.PEEK", "PING", "ECHO",
    "CONFIG", "CLIENT", "SELECT", "HELLO", "MULTI", "EXEC", "DISCARD",
];

/// There are no users, so a password is refused rather than believed.
const NO_USERS: &str = "ERR there are no users and no passwords: connect without AUTH";

fn okay() -> Action {
    Action::Reply(Value::Simple("OK"))
}

fn ask(shape: Shape, requests: Vec<Request>) -> Action {
    Action::Ask { requests, shape }
}

fn request(key: &[u8], command: Command) -> Request {
    Request { key: Bytes::new(key), command, options: Options::default(), id: None }
}

fn get(key: &[u8]) -> Request {
    request(key, Command::Get { context: None })
}

fn put(key: &[u8], value: &[u8]) -> Request {
    request(key, Command::Put { value: Bytes::new(value), context: None })
}

fn delete(key: &[u8]) -> Request {
    request(key, Command::Delete { context: None })
}

fn set(key: &[u8], value: &[u8], options: &[&[u8]]) -> Result<Action, String> {
    if let Some(option) = options.first() {
        return Err(format!("ERR option '{}' of SET is not supported yet", quoted(option)));
    }
    Ok(ask(Shape::Set, vec![put(key, value)]))
}

fn kv_get(key: &[u8], words: &[&[u8]]) -> Result<Action, String> {
    with(Shape::KvGet, vec![get(key)], options::parse(Taker::KvGet, "KV.GET", words)?)
}

fn kv_put(key: &[u8], value: &[u8], words: &[&[u8]]) -> Result<Action, String> {
    let wishes = options::parse(Taker::KvWrite, "KV.PUT", words)?;
    with(Shape::KvWrite, vec![put(key, value)], wishes)
}

fn kv_del(key: &[u8], words: &[&[u8]]) -> Result<Action, String> {
    with(Shape::KvWrite, vec![delete(key)], options::parse(Taker::KvWrite, "KV.DEL", words)?)
}

/// Any command that asks the node something, with options of its own.
fn kv_with(words: &[&[u8]]) -> Result<Action, String> {
    let at = words.iter().position(|word| upper(word) == "DO").ok_or("ERR KV.WITH needs the word DO")?;
    let (words, command) = (&words[..at], &words[at + 1..]);
    if command.is_empty() {
        return Err("ERR KV.WITH needs a command after DO".to_owned());
    }
    let name = quoted(&upper(command[0]).into_bytes());
    // One level deep: a command in itself, however long, must not recurse.
    if name == "KV.WITH" {
        return Err("ERR 'KV.WITH' has no options".to_owned());
    }
    let (requests, shape) = match interpret(command) {
        Action::Ask { requests, shape } => (requests, shape),
        Action::Reply(Value::Error(error)) => return Err(error),
        _ => return Err(format!("ERR '{name}' has no options")),
    };
    let taker = shape.taker(requests.len());
    let called = if requests.len() > 1 { format!("{name} of several keys") } else { name };
    with(shape, requests, options::parse(taker, &called, words)?)
}

/// `requests` with what is wished for them, which may be said in one place only.
fn with(shape: Shape, mut requests: Vec<Request>, wishes: Wishes) -> Result<Action, String> {
    let all = (shape == Shape::KvGet).then_some(OnSiblings::All);
    if matches!(shape, Shape::Full(_)) || requests.iter().any(has_options) {
        return Err("ERR the command has options of its own".to_owned());
    }
    for request in &mut requests {
        request.options = wishes.options.clone();
        // `KV.GET` shows all of them, whatever the connection wants of a plain `GET`.
        request.options.siblings = all.or(request.options.siblings);
        request.id = wishes.id;
        match &mut request.command {
            Command::Get { context } | Command::Put { context, .. } | Command::Delete { context } => {
                *context = wishes.context.clone();
            }
            Command::Edit { .. } => assert!(wishes.context.is_none(), "an edit takes no context"),
        }
    }
    Ok(ask(if wishes.full { Shape::Full(shape.into()) } else { shape }, requests))
}

/// Whether anything was said for `request` itself. (Which siblings it shows may be what its command is for.)
fn has_options(request: &Request) -> bool {
    let options = Options { siblings: None, ..request.options.clone() };
    let context = match &request.command {
        Command::Get { context } | Command::Put { context, .. } | Command::Delete { context } => context,
        Command::Edit { .. } => &None,
    };
    options != Options::default() || request.id.is_some() || context.is_some()
}

fn kv_defaults(words: &[&[u8]]) -> Result<Action, String> {
    if let [word] = words
        && upper(word) == "RESET"
    {
        return Ok(Action::Defaults(None));
    }
    let wishes = options::parse(Taker::Connection, "KV.DEFAULTS", words)?;
    Ok(Action::Defaults(Some(wishes.options)))
}

/// Whether `CLIENT` with this verb says only who the client is.
fn introduces(verb: &[u8]) -> bool {
    ["SETINFO", "SETNAME"].contains(&upper(verb).as_str())
}

fn subcommand(name: &str, verb: &[u8]) -> Result<Action, String> {
    Err(format!("ERR unknown subcommand '{}' of {name}", quoted(verb)))
}

/// `HELLO [version [SETNAME name]]`.
fn hello(words: &[&[u8]]) -> Result<Action, String> {
    let (dialect, rest) = match words {
        [] => return Ok(Action::Hello(None)),
        [b"2", rest @ ..] => (Dialect::Resp2, rest),
        [b"3", rest @ ..] => (Dialect::Resp3, rest),
        _ => return Err("NOPROTO unsupported protocol version".to_owned()),
    };
    match rest {
        [] => Ok(Action::Hello(Some(dialect))),
        [verb, _] if upper(verb) == "SETNAME" => Ok(Action::Hello(Some(dialect))),
        [verb, ..] if upper(verb) == "AUTH" => Err(NO_USERS.to_owned()),
        _ => Err("ERR HELLO takes a version and SETNAME".to_owned()),
    }
}

/// `redis-cli` asks for the commands' documentation to complete what is typed, and does without.
fn command(words: &[&[u8]]) -> Value {
    match words.first().map(|word| upper(word)).as_deref() {
        Some("DOCS") => Value::Map(Vec::new()),
        Some("COUNT") => Value::Integer((NAMES.len() + typed::NAMES.len()) as i64),
        _ => Value::Array(Vec::new()),
    }
}

/// `redis-benchmark` asks for these two, to print them.
fn config_get(names: &[&[u8]]) -> Value {
    let pairs = names.iter().filter_map(|name| match upper(name).as_str() {
        "SAVE" => Some((Value::bulk("save"), Value::bulk(""))),
        "APPENDONLY" => Some((Value::bulk("appendonly"), Value::bulk("yes"))),
        _ => None,
    });
    Value::Map(pairs.collect())
}

pub(super) fn upper(word: &[u8]) -> String {
    // Names are ASCII. What is not never equals one.
    String::from_utf8_lossy(word).to_ascii_uppercase()
}

/// What a client typed, short and printable, to be shown to it again.
pub(super) fn quoted(word: &[u8]) -> String {
    word.get(..32).unwrap_or(word).escape_ascii().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::id::RequestId;
    use crate::base::time::Duration;
    use crate::node::consistency::Durability;
    use crate::quorum::tally::Level;

    fn of(line: &str) -> Action {
        let words: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
        interpret(&words)
    }

    fn error(line: &str) -> String {
        match of(line) {
            Action::Reply(Value::Error(error)) => error,
            other => panic!("{other:?}"),
        }
    }

    fn single(line: &str) -> (Request, Shape) {
        match of(line) {
            Action::Ask { mut requests, shape } if requests.len() == 1 => (requests.remove(0), shape),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn plain_redis_commands_ask_with_the_nodes_defaults() {
        let (request, shape) = single("set k v");
        assert_eq!(shape, Shape::Set);
        assert_eq!(request.command, Command::Put { value: Bytes::from("v"), context: None });
        assert_eq!(request.options, Options::default());
        assert_eq!(single("GET k").0.command, Command::Get { context: None });
        let Action::Ask { requests, shape: Shape::Del } = of("DEL a b c") else { panic!("a delete") };
        assert_eq!(requests.len(), 3);
    }

    #[test]
    fn kv_commands_carry_consistency_and_context() {
        let (get, _) = single("kv.get k r ONE timeout 250");
        assert_eq!(get.options.r, Some(Level::One));
        assert_eq!(get.options.timeout, Some(Duration::from_millis(250)));
        let (get, _) = single("KV.GET k CONTEXT token");
        assert_eq!(get.command, Command::Get { context: Some(Bytes::from("token")) });
        let (put, shape) = single("KV.PUT k v CONTEXT token W 2 STRICT");
        assert_eq!(shape, Shape::KvWrite);
        let context = Some(Bytes::from("token"));
        assert_eq!(put.command, Command::Put { value: Bytes::from("v"), context: context.clone() });
        assert_eq!((put.options.w, put.options.sloppy), (Some(Level::Count(2)), Some(false)));
        assert_eq!(single("KV.DEL k SLOPPY CONTEXT token").0.command, Command::Delete { context });
    }

    #[test]
    fn every_knob_has_a_word_for_requests_and_for_connections() {
        let reads = Options {
            r: Some(Level::LocalQuorum),
            pr: Some(Level::Count(0)),
            zones: Some(2),
            timeout: Some(Duration::from_millis(9)),
            siblings: Some(OnSiblings::All),
            ..Options::default()
        };
        let writes = Options {
            w: Some(Level::EachQuorum),
            pw: Some(Level::One),
            dw: Some(Durability::Replicas(Level::Count(1))),
            zones: Some(3),
            sloppy: Some(false),
            timeout: Some(Duration::from_secs(60)),
            ..Options::default()
        };
        let (read, write) = (
            "R local-quorum PR 0 ZONES 2 TIMEOUT 9",
            "W each-quorum PW one DW 1 ZONES 3 STRICT TIMEOUT 60000",
        );
        assert_eq!(single(&format!("KV.GET k {read}")).0.options, reads);
        assert_eq!(single(&format!("KV.PUT k v {write}")).0.options, writes);
        assert_eq!(single(&format!("KV.DEL k {write}")).0.options, writes);
        assert_eq!(of(&format!("KV.DEFAULTS {write} R local-quorum PR 0")), {
            Action::Defaults(Some(Options { r: reads.r, pr: reads.pr, ..writes }))
        });
        let lww = Options { siblings: Some(OnSiblings::LastWriter), ..Options::default() };
        assert_eq!(of("KV.DEFAULTS SIBLINGS lww"), Action::Defaults(Some(lww)));
        assert_eq!(of("KV.DEFAULTS reset"), Action::Defaults(None));
        assert_eq!(single("KV.PUT k v DW w").0.options.dw, Some(Durability::AsAcknowledged));
    }

    #[test]
    fn any_command_takes_options_and_writes_take_an_id() {
        let (step, shape) = single("KV.WITH W all ID 7 3 DO INCRBY k 5");
        assert_eq!((shape, step.options.w), (Shape::Result, Some(Level::All)));
        assert_eq!(step.id, Some(RequestId { client: 7, number: 3 }));
        assert_eq!(single("KV.PUT k v ID 7 4").0.id, Some(RequestId { client: 7, number: 4 }));
        let (members, _) = single("kv.with r one do SMEMBERS k");
        assert_eq!(members.options, Options { r: Some(Level::One), ..Options::default() });
        let (value, _) = single("KV.WITH SIBLINGS lww DO GET k");
        assert_eq!(value.options.siblings, Some(OnSiblings::LastWriter));
        let context = Some(Bytes::from("t"));
        assert_eq!(single("KV.WITH CONTEXT t DO SCARD k").0.command, Command::Get { context });
        assert_eq!(single("KV.WITH FULL DO INCR k").1, Shape::Full(Shape::Result.into()));
        let (all, shape) = single("KV.WITH R 1 FULL DO KV.GET k");
        assert_eq!((shape, all.options.r), (Shape::Full(Shape::KvGet.into()), Some(Level::Count(1))));
        assert_eq!(all.options.siblings, Some(OnSiblings::All));
        assert_eq!(
            error("KV.WITH ID 7 DO SADD k m"),
            "ERR ID needs two numbers: the client's and the request's"
        );
        assert_eq!(error("KV.WITH W 1 DO PING"), "ERR 'PING' has no options");
        assert_eq!(error("KV.WITH W 1 DO KV.WITH W 1 DO INCR k"), "ERR 'KV.WITH' has no options");
        let twice = ["KV.PUT k v W 2", "KV.PUT k v ID 1 2", "KV.PUT k v CONTEXT t", "KV.PUT k v FULL"];
        for command in twice {
            let line = format!("KV.WITH W 1 DO {command}");
            assert_eq!(error(&line), "ERR the command has options of its own");
        }
        assert_eq!(error("KV.WITH W 1 INCR k"), "ERR KV.WITH needs the word DO");
    }

    #[test]
    fn a_wish_that_cannot_be_honoured_is_an_error() {
        assert_eq!(error("SET k v EX 10"), "ERR option 'EX' of SET is not supported yet");
        let options = "CONTEXT, FULL, R, PR, ZONES, TIMEOUT";
        assert_eq!(error("KV.GET k NX"), format!("ERR option 'NX' is none of {options}"));
        let levels = "one, quorum, all, local-quorum, each-quorum, any or a number from 0 to 7";
        assert_eq!(error("KV.GET k R most"), format!("ERR level 'most' is none of {levels}"));
        assert_eq!(error("KV.PUT k v DW most"), format!("ERR level 'most' is none of w, {levels}"));
        assert_eq!(error("KV.GET k ZONES 8"), "ERR a number of zones is 0 to 7");
        let options = "RESET, R, PR, W, PW, DW, ZONES, SLOPPY, STRICT, TIMEOUT, SIBLINGS";
        assert_eq!(error("KV.DEFAULTS RESET R 1"), format!("ERR option 'RESET' is none of {options}"));
        let policies = "ERR SIBLINGS is either siblings (a plain GET is an error) or lww";
        assert_eq!(error("KV.DEFAULTS SIBLINGS newest"), policies);
        assert_eq!(error("KV.GET k R"), "ERR a level is missing");
        assert_eq!(
            error("KV.PUT k v SLOPPY STRICT"),
            "ERR option 'STRICT' repeats or contradicts an earlier one"
        );
        assert_eq!(error("KV.PUT k v TIMEOUT 0"), "ERR a timeout is 1 to 60000 milliseconds");
        assert_eq!(error("KV.PUT k v CONTEXT"), "ERR CONTEXT needs a token");
        assert_eq!(error("GET"), "ERR wrong arguments for 'get'");
        assert_eq!(error("FLUSHALL"), "ERR unknown command 'FLUSHALL'");
        assert_eq!(error("HELLO 3 AUTH u p"), NO_USERS);
        assert_eq!(error("auth p"), NO_USERS);
        assert_eq!(error("HELLO 3 FOR u"), "ERR HELLO takes a version and SETNAME");
        assert_eq!(error("CLIENT ID"), "ERR unknown subcommand 'ID' of CLIENT");
        assert_eq!(error("CLIENT SETNAME"), "ERR wrong arguments for 'client'");
        assert_eq!(error("CONFIG SET save x"), "ERR unknown subcommand 'SET' of CONFIG");
        assert_eq!(error("SELECT 1"), "ERR there is one database, number 0");
    }

    /// For each command, the options that have an effect on it. All others are errors that say so, and each of them is
    /// tried.
    #[test]
    fn an_option_without_effect_on_its_command_is_an_error() {
        type Words = &'static [&'static str];
        const READ: Words = &["CONTEXT t", "FULL", "R 1", "PR 1", "ZONES 1", "TIMEOUT 9"];
        const WRITE: Words =
            &["FULL", "W 1", "PW 1", "DW 1", "ZONES 1", "SLOPPY", "STRICT", "TIMEOUT 9", "ID 1 2"];
        const LONE: Words = &["CONTEXT t", "FULL"];
        let cases: [(&str, &[Words], Words); 19] = [
            ("GET k", &[READ, &["SIBLINGS lww"]], &[]),
            ("EXISTS k", &[READ, &["SIBLINGS lww"]], &[]),
            ("EXISTS k l", &[READ, &["SIBLINGS lww"]], LONE),
            ("KV.GET k", &[READ], &[]),
            ("SMEMBERS k", &[READ], &[]),
            ("SCARD k", &[READ], &[]),
            ("SISMEMBER k m", &[READ], &[]),
            ("HGET k f", &[READ], &[]),
            ("HGETALL k", &[READ], &[]),
            ("KV.PUT k v", &[WRITE, &["CONTEXT t"]], &[]),
            ("KV.DEL k", &[WRITE, &["CONTEXT t"]], &[]),
            ("SET k v", &[WRITE], &[]),
            ("DEL k", &[WRITE], &[]),
            ("DEL k l", &[WRITE], LONE),
            ("INCR k", &[WRITE], &[]),
            ("SADD k m", &[WRITE], &[]),
            ("HSET k f v", &[WRITE], &[]),
            ("HDEL k f", &[WRITE], &[]),
            ("KV.ASSIGN k v", &[WRITE], &[]),
        ];
        let every: Vec<&str> = [READ, WRITE, &["SIBLINGS lww"]].concat();
        for (command, with, but) in cases {
            let name = command.split(' ').next().expect("a name");
            for option in &every {
                let effect = with.concat().contains(option) && !but.contains(option);
                let line = format!("KV.WITH {option} DO {command}");
                match of(&line) {
                    Action::Ask { .. } => assert!(effect, "{line} is accepted"),
                    Action::Reply(Value::Error(error)) => {
                        let word = option.split(' ').next().expect("a word");
                        let start = format!("ERR option '{word}' has no effect on {name}");
                        assert!(!effect && error.starts_with(&start), "{line}: {error}");
                    }
                    other => panic!("{other:?}"),
                }
            }
        }
        let text = "ERR option 'SIBLINGS' has no effect on SMEMBERS, which takes \
                    CONTEXT, FULL, R, PR, ZONES, TIMEOUT";
        assert_eq!(error("KV.WITH SIBLINGS lww DO SMEMBERS k"), text);
        let text = "ERR option 'FULL' has no effect on DEL of several keys, which takes";
        assert!(error("KV.WITH FULL DO DEL k l").starts_with(text));
        for option in ["CONTEXT t", "FULL", "ID 1 2"] {
            let line = format!("KV.DEFAULTS {option}");
            assert!(error(&line).contains("has no effect on KV.DEFAULTS, which takes RESET, R,"), "{line}");
        }
    }

    #[test]
    fn every_known_name_is_answered_with_wrong_arguments_or_better() {
        for name in NAMES.iter().chain(typed::NAMES) {
            if let Action::Reply(Value::Error(error)) = of(name) {
                let told = error.starts_with("ERR wrong arguments") || error.starts_with("ERR KV.WITH needs");
                assert!(told, "{name}: {error}");
            }
        }
    }

    #[test]
    fn the_greetings_of_real_clients_are_understood() {
        assert_eq!(of("HELLO 3"), Action::Hello(Some(Dialect::Resp3)));
        assert_eq!(of("COMMAND DOCS"), Action::Reply(Value::Map(Vec::new())));
        assert_eq!(of("CLIENT SETINFO LIB-NAME redis-py"), okay());
        let Action::Reply(Value::Map(pairs)) = of("CONFIG GET save") else { panic!("a map") };
        assert_eq!(pairs.len(), 1);
        assert!(matches!(of("POST / HTTP/1.1"), Action::Quit(Value::Error(_))));
    }
}
