//! `node.toml`: what an operator writes, checked key by key, with the place of every mistake.
//!
#![doc = "```toml"]
#![doc = include_str!("../../deploy/node.toml")]
#![doc = "```"]

use std::borrow::ToOwned;
use std::format;
use std::net::SocketAddr;
use std::ops::{Range, RangeInclusive};
use std::path::PathBuf;
use std::string::{String, ToString};
use std::vec::Vec;

use serde::Deserialize;
use toml::{Spanned, Value};

use crate::base::id::{Address, ClusterId, NodeId, Zone};
use crate::base::limits::{N_MAX, NAME_MAX, VALUE_MAX};
use crate::base::time::Duration;
use crate::node::config::Config;
use crate::node::consistency::OnSiblings;
use crate::quorum::tally::LEVELS;

/// Client connections at a time, unless the file says otherwise.
const CLIENTS_DEFAULT_MAX: usize = 1024;

/// A node's configuration: the core's, and the driver's own.
#[derive(Clone, Debug)]
pub struct NodeConfig {
    pub node: Config,
    /// The data folder.
    pub data: PathBuf,
    /// Where clients connect.
    pub client: SocketAddr,
    /// Where peers connect.
    pub peer: SocketAddr,
    /// Client connections at a time, at most.
    pub clients_max: usize,
}

/// What the command line says instead of the file.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    pub data: Option<PathBuf>,
    pub client: Option<SocketAddr>,
    pub peer: Option<SocketAddr>,
    pub seeds: Vec<String>,
}

/// What is wrong with a file, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// In bytes of the file. `None`: something is missing.
    pub span: Option<Range<usize>>,
    pub message: String,
    /// What may stand there instead.
    pub allowed: Option<String>,
}

/// Any value with its place. Types are checked by us, so that a wrong one is told what is allowed, as a bad
/// value is.
type Field = Spanned<Value>;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    cluster: Option<Field>,
    data: Option<Field>,
    client: Option<Field>,
    peer: Option<Field>,
    advertise: Option<Field>,
    node: Option<Field>,
    zone: Option<Field>,
    capacity: Option<Field>,
    seeds: Option<Vec<Field>>,
    founders: Option<Field>,
    #[serde(default)]
    replication: Replication,
    #[serde(default)]
    limits: Limits,
    #[serde(default)]
    timing: Timing,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Replication {
    n: Option<Field>,
    r: Option<Field>,
    w: Option<Field>,
    pr: Option<Field>,
    pw: Option<Field>,
    dw: Option<Field>,
    zones: Option<Field>,
    siblings: Option<Field>,
    sloppy: Option<Field>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Limits {
    value_max: Option<Field>,
    request_timeout: Option<Field>,
    ops_max: Option<Field>,
    backlog_max: Option<Field>,
    hints_bytes_max: Option<Field>,
    hint_age_max: Option<Field>,
    clock_length_max: Option<Field>,
    clients_max: Option<Field>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Timing {
    gossip_every: Option<Field>,
    suspect_after: Option<Field>,
    exchange_every: Option<Field>,
    scrub_every: Option<Field>,
    clock_skew_max: Option<Field>,
}

/// Reads a configuration from the text of a file.
pub fn read(text: &str, overrides: &Overrides) -> Result<NodeConfig, Problem> {
    let file: File = toml::from_str(text).map_err(|error| Problem {
        span: error.span(),
        message: error.message().to_owned(),
        allowed: None,
    })?;
    let cluster = required(&file.cluster, "cluster", name)?;
    let peer = given(overrides.peer, &file.peer, "peer", socket)?;
    let data = given(overrides.data.clone(), &file.data, "data", |field| Ok(PathBuf::from(name(field)?)))?;
    let client = given(overrides.client, &file.client, "client", socket)?;
    let address = match &file.advertise {
        Some(field) => host(field)?,
        None if peer.ip().is_unspecified() => {
            let message = format!("peers cannot find this node at {peer}");
            return Err(Problem {
                span: file.peer.as_ref().map(Spanned::span),
                message,
                allowed: Some(
                    "an address of one interface, or a key `advertise` with such an address".into(),
                ),
            });
        }
        None => Address(peer.to_string().into()),
    };

    let mut node = Config::new(ClusterId::of_name(&cluster), address);
    // A restart on a full disk may have to write down all that was in memory.
    node.storage.reserve_bytes = 3 * node.storage.memtable_bytes;
    if let Some(field) = &file.node {
        node.node = Some(identity(field)?);
    }
    set(&mut node.zone, &file.zone, |field| Ok(Zone(name(field)?.into())))?;
    set(&mut node.capacity, &file.capacity, |field| whole(field, 1..=1000))?;
    if let Some(seeds) = &file.seeds {
        node.seeds = seeds.iter().map(host).collect::<Result<_, _>>()?;
    }
    if !overrides.seeds.is_empty() {
        node.seeds = overrides.seeds.iter().map(|seed| Address(seed.as_str().into())).collect();
    }
    // The cluster is founded by all its seeds, unless the file says otherwise: a founder that did not wait for the
    // others would own everything alone.
    node.founders = u16::try_from(node.seeds.len()).unwrap_or(u16::MAX);
    set(&mut node.founders, &file.founders, |field| whole(field, 1..=1000))?;
    replication(&mut node, &file.replication)?;
    set(&mut node.value_max, &file.limits.value_max, |field| whole(field, 1..=VALUE_MAX as i64))?;
    set(&mut node.request_timeout, &file.limits.request_timeout, span)?;
    set(&mut node.ops_max, &file.limits.ops_max, |field| whole(field, 1..=1 << 20))?;
    set(&mut node.backlog_max, &file.limits.backlog_max, |field| whole(field, 1..=1 << 20))?;
    set(&mut node.hints_bytes_max, &file.limits.hints_bytes_max, |field| whole(field, 0..=u32::MAX.into()))?;
    set(&mut node.hint_age_max, &file.limits.hint_age_max, span)?;
    set(&mut node.clock_length_max, &file.limits.clock_length_max, |field| whole(field, 0..=1 << 20))?;
    set(&mut node.gossip_every, &file.timing.gossip_every, span)?;
    set(&mut node.suspect_after, &file.timing.suspect_after, span)?;
    set(&mut node.exchange_every, &file.timing.exchange_every, span)?;
    set(&mut node.scrub_every, &file.timing.scrub_every, span)?;
    set(&mut node.clock_skew_max, &file.timing.clock_skew_max, span)?;
    let mut clients_max = CLIENTS_DEFAULT_MAX;
    set(&mut clients_max, &file.limits.clients_max, |field| whole(field, 1..=65_536))?;

    // What only several keys together show, the core knows.
    node.validate().map_err(|error| Problem {
        span: place(&file, error.field),
        message: format!("this cannot work: {}", error.field),
        allowed: Some(error.allowed.to_owned()),
    })?;
    Ok(NodeConfig { node, data, client, peer, clients_max })
}

fn replication(node: &mut Config, file: &Replication) -> Result<(), Problem> {
    set(&mut node.n, &file.n, |field| whole(field, 1..=N_MAX.into()))?;
    set(&mut node.r, &file.r, |field| level(field, LEVELS))?;
    set(&mut node.w, &file.w, |field| level(field, LEVELS))?;
    set(&mut node.pr, &file.pr, |field| level(field, LEVELS))?;
    set(&mut node.pw, &file.pw, |field| level(field, LEVELS))?;
    set(&mut node.dw, &file.dw, |field| level(field, &format!("w, {LEVELS}")))?;
    set(&mut node.zones, &file.zones, |field| whole(field, 0..=N_MAX.into()))?;
    set(&mut node.siblings, &file.siblings, policy)?;
    set(&mut node.sloppy, &file.sloppy, flag)
}

/// Where the field that the core names stands in the file, if it does.
fn place(file: &File, field: &str) -> Option<Range<usize>> {
    let field = match field {
        "n" => &file.replication.n,
        "r" => &file.replication.r,
        "w" => &file.replication.w,
        "pr" => &file.replication.pr,
        "pw" => &file.replication.pw,
        "dw" => &file.replication.dw,
        "zones" => &file.replication.zones,
        "request_timeout" => &file.limits.request_timeout,
        "suspect_after" => &file.timing.suspect_after,
        _ => &None,
    };
    field.as_ref().map(Spanned::span)
}

fn set<T>(
    slot: &mut T,
    field: &Option<Field>,
    read: impl Fn(&Field) -> Result<T, Problem>,
) -> Result<(), Problem> {
    if let Some(field) = field {
        *slot = read(field)?;
    }
    Ok(())
}

fn required<T>(
    field: &Option<Field>,
    name: &str,
    read: impl Fn(&Field) -> Result<T, Problem>,
) -> Result<T, Problem> {
    let missing = || Problem { span: None, message: format!("the key `{name}` is missing"), allowed: None };
    read(field.as_ref().ok_or_else(missing)?)
}

/// From the command line, or else from the file; a mistake in the file is one even if the command line
/// decides.
fn given<T>(
    over: Option<T>,
    field: &Option<Field>,
    name: &str,
    read: impl Fn(&Field) -> Result<T, Problem>,
) -> Result<T, Problem> {
    match (over, field) {
        (Some(over), None) => Ok(over),
        (Some(over), Some(field)) => read(field).map(|_| over),
        (None, field) => required(field, name, read),
    }
}

fn refuse<T>(field: &Field, allowed: impl Into<String>) -> Result<T, Problem> {
    let message = match field.get_ref() {
        Value::Table(_) | Value::Array(_) => format!("a {} is not allowed here", field.get_ref().type_str()),
        value => format!("{value} is not allowed here"),
    };
    Err(Problem { span: Some(field.span()), message, allowed: Some(allowed.into()) })
}

fn text(field: &Field) -> &str {
    field.get_ref().as_str().unwrap_or_default()
}

fn name(field: &Field) -> Result<String, Problem> {
    match text(field) {
        name if (1..=NAME_MAX).contains(&name.len()) => Ok(name.to_owned()),
        _ => refuse(field, format!("a string of 1 to {NAME_MAX} bytes")),
    }
}

fn whole<T: TryFrom<i64>>(field: &Field, range: RangeInclusive<i64>) -> Result<T, Problem> {
    let number = field.get_ref().as_integer().filter(|number| range.contains(number));
    match number.and_then(|number| T::try_from(number).ok()) {
        Some(number) => Ok(number),
        None => refuse(field, format!("a whole number from {} to {}", range.start(), range.end())),
    }
}

fn flag(field: &Field) -> Result<bool, Problem> {
    field.get_ref().as_bool().map_or_else(|| refuse(field, "true or false"), Ok)
}

fn policy(field: &Field) -> Result<OnSiblings, Problem> {
    text(field).parse().or_else(|_| refuse(field, "\"siblings\" or \"lww\""))
}

fn level<T: core::str::FromStr>(field: &Field, allowed: &str) -> Result<T, Problem> {
    let text = match field.get_ref() {
        Value::Integer(number) => number.to_string(),
        _ => text(field).to_owned(),
    };
    text.parse().or_else(|_| refuse(field, allowed))
}

fn socket(field: &Field) -> Result<SocketAddr, Problem> {
    match listen_address(text(field)) {
        Some(address) => Ok(address),
        None => refuse(field, "an IP address and a port, such as \"127.0.0.1:6379\""),
    }
}

/// An IP address and a port to listen on. Port 0 is none: whoever should connect could not know which it
/// became.
pub fn listen_address(text: &str) -> Option<SocketAddr> {
    text.parse().ok().filter(|address: &SocketAddr| address.port() > 0)
}

/// `host:port`; the host may be a name.
fn host(field: &Field) -> Result<Address, Problem> {
    let text = text(field);
    match is_host(text) {
        true => Ok(Address(text.into())),
        false => refuse(field, "a host and a port, such as \"node1:7379\""),
    }
}

/// Whether `text` is `host:port`.
pub fn is_host(text: &str) -> bool {
    let parts = text.rsplit_once(':');
    let port = parts.and_then(|(host, port)| Some((host, port.parse::<u16>().ok()?)));
    text.len() <= NAME_MAX && port.is_some_and(|(host, port)| !host.is_empty() && port > 0)
}

/// As a node prints itself: `n5`, or 16 hexadecimal digits.
fn identity(field: &Field) -> Result<NodeId, Problem> {
    let text = text(field);
    let number = match text.strip_prefix('n') {
        Some(digits) => digits.parse().ok(),
        None => u64::from_str_radix(text, 16).ok().filter(|_| text.len() == 16),
    };
    // One spelling for each identity.
    match number.map(NodeId).filter(|node| node.to_string() == text) {
        Some(node) => Ok(node),
        None => refuse(field, "a node's name as INFO shows it: \"n5\" or 16 hexadecimal digits"),
    }
}

fn span(field: &Field) -> Result<Duration, Problem> {
    match duration(text(field)) {
        Some(span) if span > Duration::ZERO => Ok(span),
        _ => refuse(field, "a span of time above zero: a whole number with ms, s, m or h, such as \"2s\""),
    }
}

fn duration(text: &str) -> Option<Duration> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(digits);
    let unit = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return None,
    };
    Some(Duration::from_millis(number.parse::<u64>().ok()?.checked_mul(unit)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINIMAL: &str = "cluster = 'c'\ndata = 'd'\nclient = '127.0.0.1:1'\npeer = '127.0.0.1:2'\n";

    fn problem(more: &str) -> (String, String) {
        let text = format!("{MINIMAL}{more}");
        let problem = read(&text, &Overrides::default()).expect_err(more);
        let place = problem.span.map(|span| text[span].to_owned()).unwrap_or_default();
        (place, problem.allowed.unwrap_or(problem.message))
    }

    #[test]
    fn four_keys_are_enough_and_the_rest_has_the_cores_defaults() {
        let config = read(MINIMAL, &Overrides::default()).expect("a good file");
        let mut defaults = Config::new(ClusterId::of_name("c"), Address("127.0.0.1:2".into()));
        defaults.storage.reserve_bytes = 24 << 20;
        assert_eq!(config.node, defaults);
        assert_eq!(config.data, PathBuf::from("d"));
    }

    #[test]
    fn every_key_of_the_example_is_read() {
        let example = include_str!("../../deploy/node.toml");
        let config = read(example, &Overrides::default()).expect("the example is right");
        assert_eq!(config.node.address, Address("node5:7379".into()));
        assert_eq!(config.node.node, Some(NodeId(5)));
        assert_eq!(config.node.seeds.len(), 2);
        assert_eq!(config.node.suspect_after, Duration::from_secs(5));
        assert_eq!(config.clients_max, 1024);
        let defaults = Config::new(config.node.cluster, config.node.address.clone());
        assert_eq!(config.node.consistency(), defaults.consistency(), "the example shows the defaults");
    }

    #[test]
    fn the_command_line_goes_before_the_file() {
        let over = Overrides {
            data: Some("elsewhere".into()),
            client: "127.0.0.1:9".parse().ok(),
            peer: "127.0.0.1:8".parse().ok(),
            seeds: ["a:1".to_owned()].into(),
        };
        let config = read("cluster = 'c'\npeer = '127.0.0.1:2'", &over).expect("good");
        assert_eq!((config.client.port(), config.peer.port()), (9, 8));
        assert_eq!(config.node.address, Address("127.0.0.1:8".into()));
        assert_eq!(config.node.seeds, [Address("a:1".into())]);
        assert_eq!(config.node.founders, 1);
        let three = format!("{MINIMAL}seeds = ['a:1', 'b:1', 'c:1']");
        assert_eq!(read(&three, &Overrides::default()).expect("good").node.founders, 3);
    }

    #[test]
    fn a_mistake_is_shown_where_it_is_with_what_is_allowed() {
        let (place, said) = problem("colour = 'red'");
        assert_eq!(place, "colour");
        assert!(said.starts_with("unknown field `colour`, expected one of `cluster`"), "{said}");
        let floors = "one, quorum, all, local-quorum, each-quorum, or a number from 0 to n";
        for (line, place, allowed) in [
            ("capacity = 'big'", "'big'", "a whole number from 1 to 1000"),
            ("capacity = 0", "0", "a whole number from 1 to 1000"),
            ("advertise = '1.2.3.4'", "'1.2.3.4'", "a host and a port, such as \"node1:7379\""),
            ("zone = 7", "7", "a string of 1 to 256 bytes"),
            ("seeds = ['a:1', 'b']", "'b'", "a host and a port, such as \"node1:7379\""),
            ("seeds = ['a:0']", "'a:0'", "a host and a port, such as \"node1:7379\""),
            ("replication.n = 8", "8", "a whole number from 1 to 7"),
            ("replication.r = 'most'", "'most'", LEVELS),
            ("replication.dw = 'most'", "'most'", &format!("w, {LEVELS}")),
            ("replication.siblings = 'newest'", "'newest'", "\"siblings\" or \"lww\""),
            ("replication.zones = 4", "4", "0 to n"),
            ("replication.pw = 'any'", "'any'", floors),
            ("replication.dw = 4", "4", floors),
            ("limits.request_timeout = '61s'", "'61s'", "at most 60s"),
            ("replication.sloppy = 'yes'", "'yes'", "true or false"),
            ("limits.value_max = 0", "0", &format!("a whole number from 1 to {VALUE_MAX}")),
            ("timing.suspect_after = '1s'", "'1s'", "longer than gossip_every"),
            (
                "replication.r = 'any'",
                "'any'",
                "one, quorum, all, local-quorum, each-quorum, or a number from 1 to n",
            ),
        ] {
            assert_eq!(problem(line), (place.to_owned(), allowed.to_owned()), "{line}");
        }
        for bad in ["2", "'2'", "'s'", "'-1s'", "'0s'", "'1 s'", "'99999999999999999999s'"] {
            let (place, said) = problem(&format!("limits.request_timeout = {bad}"));
            assert_eq!(place, bad);
            assert!(said.starts_with("a span of time above zero"), "{said}");
        }
        for bad in ["'5'", "'n01'", "'n1000001'", "'00000000000000ff'", "'n'"] {
            assert_eq!(problem(&format!("node = {bad}")).0, bad);
        }
    }

    #[test]
    fn a_node_must_say_where_it_can_be_found() {
        let text = MINIMAL.replace("127.0.0.1:2", "0.0.0.0:2");
        let problem = read(&text, &Overrides::default()).expect_err("nobody connects to 0.0.0.0");
        assert_eq!(problem.message, "peers cannot find this node at 0.0.0.0:2");
        let text = format!("{text}advertise = 'here:2'");
        assert!(read(&text, &Overrides::default()).is_ok());
        let missing = read("cluster = 'c'", &Overrides::default()).expect_err("no ports");
        assert_eq!(missing.message, "the key `peer` is missing");
    }
}
