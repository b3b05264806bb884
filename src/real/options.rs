//! The words by which clients set knobs, for one request or for their connection.

use std::format;
use std::string::{String, ToString};
use std::vec::Vec;

use crate::base::id::RequestId;
use crate::base::limits::N_MAX;
use crate::base::time::Duration;
use crate::node::consistency::{OnSiblings, Options, TIMEOUT_MAX};
use crate::quorum::tally::LEVELS;
use crate::real::command::{once, quoted, upper};
use crate::real::resp::Value;

/// The knobs that a read may have.
pub const READ: &[&str] = &["R", "PR", "ZONES", "TIMEOUT"];
/// The knobs that a read by a plain command may have.
pub const PLAIN_READ: &[&str] = &["R", "PR", "ZONES", "TIMEOUT", "SIBLINGS"];
/// The knobs that a write may have.
pub const WRITE: &[&str] = &["W", "PW", "DW", "ZONES", "SLOPPY", "STRICT", "TIMEOUT"];
/// The knobs that a connection may have.
pub const CONNECTION: &[&str] =
    &["R", "PR", "W", "PW", "DW", "ZONES", "SLOPPY", "STRICT", "TIMEOUT", "SIBLINGS"];

/// Sets the knob that `word` names, if it is one of `allowed`, to what the next of `words` say. False: it is none.
pub fn knob<'a>(
    options: &mut Options,
    allowed: &[&str],
    word: &[u8],
    words: &mut impl Iterator<Item = &'a &'a [u8]>,
) -> Result<bool, String> {
    let name = upper(word);
    if !allowed.contains(&name.as_str()) {
        return Ok(false);
    }
    match name.as_str() {
        "R" => once(&mut options.r, level(words.next(), LEVELS)?, word)?,
        "PR" => once(&mut options.pr, level(words.next(), LEVELS)?, word)?,
        "W" => once(&mut options.w, level(words.next(), LEVELS)?, word)?,
        "PW" => once(&mut options.pw, level(words.next(), LEVELS)?, word)?,
        "DW" => once(&mut options.dw, level(words.next(), &format!("w, {LEVELS}"))?, word)?,
        "ZONES" => once(&mut options.zones, zones(words.next())?, word)?,
        "SLOPPY" => once(&mut options.sloppy, true, word)?,
        "STRICT" => once(&mut options.sloppy, false, word)?,
        "SIBLINGS" => once(&mut options.siblings, policy(words.next())?, word)?,
        "TIMEOUT" => once(&mut options.timeout, timeout(words.next())?, word)?,
        _ => unreachable!("every knob that is allowed anywhere has its line above"),
    }
    Ok(true)
}

/// The client's name for a request, two words.
pub fn request_id<'a>(words: &mut impl Iterator<Item = &'a &'a [u8]>) -> Result<RequestId, String> {
    let mut number = || words.next().and_then(|word| str::from_utf8(word).ok()?.parse().ok());
    match (number(), number()) {
        (Some(client), Some(number)) => Ok(RequestId { client, number }),
        _ => Err("ERR ID needs two numbers: the client's and the request's".into()),
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
