//! The words by which clients set knobs and ask for more, for one request or for their connection, and which of them
//! has an effect on what.

use std::format;
use std::string::{String, ToString};
use std::vec::Vec;

use crate::base::bytes::Bytes;
use crate::base::id::RequestId;
use crate::base::limits::N_MAX;
use crate::base::time::Duration;
use crate::node::config::{Config, ConfigError};
use crate::node::consistency::{OnSiblings, Options, TIMEOUT_MAX};
use crate::node::request::Rejection;
use crate::quorum::need::Knob;
use crate::quorum::tally::{Impossible, LEVELS};
use crate::real::command::{quoted, upper};
use crate::real::resp::Value;

/// Whoever takes options, told apart by what has an effect on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taker {
    /// `KV.GET`, which shows all siblings whatever anybody says.
    KvGet,
    /// `GET`, and `EXISTS` of one key: a reply with room for one value.
    Get,
    /// `EXISTS` of several keys.
    Gets,
    /// Reads of convergent types, of which there are no siblings.
    Look,
    /// `KV.PUT` and `KV.DEL`.
    KvWrite,
    /// `SET`, `DEL` of one key, and edits: they replace what their coordinator knows, so they take no context.
    Write,
    /// `DEL` of several keys.
    Writes,
    /// `KV.DEFAULTS`: whatever has an effect on any command.
    Connection,
}

use Taker::{Connection, Get, Gets, KvGet, KvWrite, Look, Write, Writes};

/// Every option, and on what it has an effect. On anything else it is an error, for whoever gives it expects one.
const EFFECTS: [(&str, &[Taker]); 13] = [
    // A context, and a reply with one, are of one key.
    ("CONTEXT", &[KvGet, Get, Look, KvWrite]),
    ("FULL", &[KvGet, Get, Look, KvWrite, Write]),
    ("R", &[KvGet, Get, Gets, Look, Connection]),
    ("PR", &[KvGet, Get, Gets, Look, Connection]),
    ("W", &[KvWrite, Write, Writes, Connection]),
    ("PW", &[KvWrite, Write, Writes, Connection]),
    ("DW", &[KvWrite, Write, Writes, Connection]),
    ("ZONES", &[KvGet, Get, Gets, Look, KvWrite, Write, Writes, Connection]),
    ("SLOPPY", &[KvWrite, Write, Writes, Connection]),
    ("STRICT", &[KvWrite, Write, Writes, Connection]),
    ("TIMEOUT", &[KvGet, Get, Gets, Look, KvWrite, Write, Writes, Connection]),
    ("SIBLINGS", &[Get, Gets, Connection]),
    ("ID", &[KvWrite, Write, Writes]),
];

/// What the options of one command say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wishes {
    pub options: Options,
    pub context: Option<Bytes>,
    pub id: Option<RequestId>,
    /// Whether the reply tells all that is known.
    pub full: bool,
}

/// What `words` say to `taker`, which is called `name`.
pub fn parse(taker: Taker, name: &str, words: &[&[u8]]) -> Result<Wishes, String> {
    let mut wishes = Wishes::default();
    let mut full = None;
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let option = upper(word);
        let Some((_, takers)) = EFFECTS.iter().find(|entry| entry.0 == option) else {
            return Err(format!("ERR option '{}' is none of {}", quoted(word), all(taker)));
        };
        if !takers.contains(&taker) {
            return Err(format!("ERR option '{option}' has no effect on {name}, which takes {}", all(taker)));
        }
        match option.as_str() {
            "CONTEXT" => {
                let token = words.next().ok_or("ERR CONTEXT needs a token")?;
                once(&mut wishes.context, Bytes::new(token), word)?;
            }
            "ID" => once(&mut wishes.id, request_id(&mut words)?, word)?,
            "FULL" => once(&mut full, (), word)?,
            _ => knob(&mut wishes.options, &option, word, &mut words)?,
        }
    }
    wishes.full = full.is_some();
    Ok(wishes)
}

/// The options that have an effect on `taker`.
fn all(taker: Taker) -> String {
    let reset = (taker == Connection).then_some("RESET");
    let options = EFFECTS.iter().filter(|entry| entry.1.contains(&taker)).map(|entry| entry.0);
    reset.into_iter().chain(options).collect::<Vec<_>>().join(", ")
}

/// Sets the knob that is called `name` to what the next of `words` say.
fn knob<'a>(
    options: &mut Options,
    name: &str,
    word: &[u8],
    words: &mut impl Iterator<Item = &'a &'a [u8]>,
) -> Result<(), String> {
    match name {
        "R" => once(&mut options.r, level(words.next(), LEVELS)?, word),
        "PR" => once(&mut options.pr, level(words.next(), LEVELS)?, word),
        "W" => once(&mut options.w, level(words.next(), LEVELS)?, word),
        "PW" => once(&mut options.pw, level(words.next(), LEVELS)?, word),
        "DW" => once(&mut options.dw, level(words.next(), &format!("w, {LEVELS}"))?, word),
        "ZONES" => once(&mut options.zones, zones(words.next())?, word),
        "SLOPPY" => once(&mut options.sloppy, true, word),
        "STRICT" => once(&mut options.sloppy, false, word),
        "SIBLINGS" => once(&mut options.siblings, policy(words.next())?, word),
        "TIMEOUT" => once(&mut options.timeout, timeout(words.next())?, word),
        _ => unreachable!("every option of the table has its line"),
    }
}

/// The client's name for a request, two words.
fn request_id<'a>(words: &mut impl Iterator<Item = &'a &'a [u8]>) -> Result<RequestId, String> {
    let mut number = || words.next().and_then(|word| str::from_utf8(word).ok()?.parse().ok());
    match (number(), number()) {
        (Some(client), Some(number)) => Ok(RequestId { client, number }),
        _ => Err("ERR ID needs two numbers: the client's and the request's".into()),
    }
}

/// Refuses what would have every request refused that a connection with these `options` makes of `node`, where a key
/// has `n` replicas. The rules are those for the node's own defaults.
pub fn admit(options: &Options, node: &Config, n: u8) -> Result<(), String> {
    let mut config = node.clone();
    let all = options.resolve(&node.consistency());
    (config.r, config.w, config.pr, config.pw) = (all.r, all.w, all.pr, all.pw);
    (config.dw, config.zones, config.sloppy) = (all.dw, all.zones, all.sloppy);
    (config.request_timeout, config.siblings) = (all.timeout, all.siblings);
    config.n = n;
    config.validate().map_err(|ConfigError { field, allowed }| {
        format!("ERR {field} cannot be so, with n = {n} and the rest as it is: allowed is {allowed}")
    })
}

/// Whether `options` are why `rejection` came.
pub fn cause(options: &Options, rejection: &Rejection) -> bool {
    let Options { r, w, pr, pw, dw, zones, sloppy, timeout, siblings: _ } = options;
    match rejection {
        Rejection::Impossible { why: Impossible::StrictAny, .. } => w.is_some() || sloppy.is_some(),
        Rejection::Impossible { knob, .. }
        | Rejection::Unavailable { knob, .. }
        | Rejection::Timeout { knob, .. } => match knob {
            Knob::R => r.is_some(),
            Knob::Pr => pr.is_some(),
            Knob::W => w.is_some(),
            Knob::Pw => pw.is_some(),
            Knob::Dw => dw.is_some(),
            Knob::Zones => zones.is_some(),
            Knob::Timeout => timeout.is_some(),
        },
        _ => false,
    }
}

/// `farther` where `nearer` says nothing: what of it comes to bear.
pub fn lent(nearer: &Options, farther: &Options) -> Options {
    fn lent<T, U>(nearer: &Option<T>, farther: Option<U>) -> Option<U> {
        if nearer.is_some() { None } else { farther }
    }
    Options {
        r: lent(&nearer.r, farther.r),
        w: lent(&nearer.w, farther.w),
        pr: lent(&nearer.pr, farther.pr),
        pw: lent(&nearer.pw, farther.pw),
        dw: lent(&nearer.dw, farther.dw),
        zones: lent(&nearer.zones, farther.zones),
        sloppy: lent(&nearer.sloppy, farther.sloppy),
        timeout: lent(&nearer.timeout, farther.timeout),
        siblings: lent(&nearer.siblings, farther.siblings),
    }
}

/// What a connection has set, as names and values.
pub fn shown(options: &Options) -> Value {
    let Options { r, w, pr, pw, dw, zones, sloppy, timeout, siblings } = options;
    let pairs = [
        ("r", r.map(|level| level.to_string())),
        ("pr", pr.map(|level| level.to_string())),
        ("w", w.map(|level| level.to_string())),
        ("pw", pw.map(|level| level.to_string())),
        ("dw", dw.map(|durability| durability.to_string())),
        ("zones", zones.map(|count| count.to_string())),
        ("sloppy", sloppy.map(|sloppy| sloppy.to_string())),
        ("timeout", timeout.map(|timeout| timeout.as_millis().to_string())),
        ("siblings", siblings.map(|policy| policy.to_string())),
    ];
    let set = pairs.into_iter().filter_map(|(name, value)| Some((Value::bulk(name), Value::bulk(&value?))));
    Value::Map(set.collect::<Vec<_>>())
}

fn level<T: core::str::FromStr>(word: Option<&&[u8]>, allowed: &str) -> Result<T, String> {
    let word = word.ok_or("ERR a level is missing")?;
    let text = str::from_utf8(word).unwrap_or_default().to_ascii_lowercase();
    text.parse().map_err(|_| format!("ERR level '{}' is none of {allowed}", quoted(word)))
}

fn policy(word: Option<&&[u8]>) -> Result<OnSiblings, String> {
    let text = word.map(|word| String::from_utf8_lossy(word).to_ascii_lowercase());
    let policy = text.and_then(|text| text.parse().ok());
    policy.ok_or_else(|| "ERR SIBLINGS is either siblings (a plain GET is an error) or lww".into())
}

fn zones(word: Option<&&[u8]>) -> Result<u8, String> {
    let number = word.and_then(|word| str::from_utf8(word).ok()?.parse().ok());
    number.filter(|&count| count <= N_MAX).ok_or_else(|| format!("ERR a number of zones is 0 to {N_MAX}"))
}

fn timeout(word: Option<&&[u8]>) -> Result<Duration, String> {
    let (number, max) =
        (word.and_then(|word| str::from_utf8(word).ok()?.parse().ok()), TIMEOUT_MAX.as_millis());
    match number {
        Some(ms) if (1..=max).contains(&ms) => Ok(Duration::from_millis(ms)),
        _ => Err(format!("ERR a timeout is 1 to {max} milliseconds")),
    }
}

fn once<T>(slot: &mut Option<T>, value: T, option: &[u8]) -> Result<(), String> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(format!("ERR option '{}' repeats or contradicts an earlier one", quoted(option))),
    }
}
