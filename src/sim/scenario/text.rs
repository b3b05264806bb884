//! The small languages inside a scenario file: spans of time, percentages, levels and hashes.

use core::any::type_name;
use core::fmt;
use core::marker::PhantomData;
use std::borrow::Cow;
use std::string::{String, ToString};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserialize, Deserializer, Error, Unexpected, Visitor};

use crate::base::rng::Ppm;
use crate::base::time::Duration;
use crate::quorum::tally::Level;

/// A value that has a text form of its own in scenario files.
pub(super) trait Text: Sized {
    /// What is allowed, for error messages.
    const ALLOWED: &str;

    /// A regular expression for editors, as far as one can tell.
    const PATTERN: Option<&str> = None;

    fn parse(text: &str) -> Option<Self>;

    /// A bare whole number, where one is allowed.
    fn from_number(_: u64) -> Option<Self> {
        None
    }
}

/// `T`, written as its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct As<T>(pub T);

impl<'de, T: Text> Deserialize<'de> for As<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<As<T>, D::Error> {
        struct Reader<T>(PhantomData<T>);

        impl<T: Text> Visitor<'_> for Reader<T> {
            type Value = As<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(T::ALLOWED)
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<As<T>, E> {
                T::parse(text).map(As).ok_or_else(|| E::invalid_value(Unexpected::Str(text), &self))
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<As<T>, E> {
                let value = u64::try_from(number).ok().and_then(T::from_number);
                value.map(As).ok_or_else(|| E::invalid_type(Unexpected::Signed(number), &self))
            }
        }

        deserializer.deserialize_any(Reader(PhantomData))
    }
}

impl<T: Text> JsonSchema for As<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        let name = type_name::<T>();
        name.rsplit("::").next().unwrap_or(name).into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let mut text = json_schema!({ "type": "string", "description": T::ALLOWED });
        if let Some(pattern) = T::PATTERN {
            text.insert("pattern".into(), pattern.into());
        }
        // A pattern binds strings only.
        if T::from_number(1).is_some() {
            text.insert("type".into(), std::vec!["string", "integer"].into());
        }
        text
    }
}

impl Text for Duration {
    const ALLOWED: &str = r#"a span of time such as "20s", "150ms" or "400us""#;
    const PATTERN: Option<&str> = Some("^[0-9]+(ns|us|ms|s|m)$");

    fn parse(text: &str) -> Option<Duration> {
        parse_span(text)
    }
}

/// `20s`, `150ms`, `400us`, `7ns` or `2m`: a whole number and a unit.
pub fn parse_span(text: &str) -> Option<Duration> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let number: u64 = text[..digits].parse().ok()?;
    let unit: u64 = match &text[digits..] {
        "ns" => 1,
        "us" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        _ => return None,
    };
    number.checked_mul(unit).map(Duration)
}

impl Text for Ppm {
    const ALLOWED: &str = r#"a share from "0%" to "100%", such as "0.5%", with at most 4 decimals"#;
    const PATTERN: Option<&str> = Some(r"^[0-9]{1,3}(\.[0-9]{1,4})?%$");

    fn parse(text: &str) -> Option<Ppm> {
        let number = text.strip_suffix('%')?;
        let (whole, decimals) = number.split_once('.').unwrap_or((number, "0"));
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if !is_number(whole) || !is_number(decimals) || decimals.len() > 4 {
            return None;
        }
        let scale = 10u32.pow(4 - decimals.len() as u32);
        let ppm = whole.parse::<u32>().ok()?.checked_mul(10_000)? + decimals.parse::<u32>().ok()? * scale;
        (ppm <= Ppm::ALWAYS.0).then_some(Ppm(ppm))
    }
}

impl Text for Level {
    const ALLOWED: &str =
        r#"a number of replicas, "one", "quorum", "all", "local-quorum", "each-quorum", or for writes "any""#;
    const PATTERN: Option<&str> = Some("^(one|quorum|all|local-quorum|each-quorum|any)$");

    /// A number stands without quotes.
    fn parse(text: &str) -> Option<Level> {
        text.parse().ok().filter(|level| !matches!(level, Level::Count(_)))
    }

    fn from_number(number: u64) -> Option<Level> {
        u8::try_from(number).ok().map(Level::Count)
    }
}

/// A hash as reports print it: 16 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Hash64(pub u64);

impl Text for Hash64 {
    const ALLOWED: &str = "16 hexadecimal digits";
    const PATTERN: Option<&str> = Some("^[0-9a-fA-F]{16}$");

    fn parse(text: &str) -> Option<Hash64> {
        let is_hash = text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_hash.then(|| u64::from_str_radix(text, 16).ok().map(Hash64)).flatten()
    }
}

/// Splits what a parser says into what is wrong and what it expected.
pub(super) fn split_expected(message: &str) -> (String, Option<String>) {
    let Some((wrong, expected)) = message.split_once(", expected ") else { return (message.into(), None) };
    let expected = match expected {
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number",
        "a string" => "a text in quotes",
        "a boolean" => "true or false",
        other if other.starts_with("struct ") => "a table",
        other => other.strip_prefix("one of ").unwrap_or(other),
    };
    (wrong.into(), Some(expected.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_whole_numbers_with_a_unit() {
        assert_eq!(parse_span("20s"), Some(Duration::from_secs(20)));
        assert_eq!(parse_span("400us"), Some(Duration::from_micros(400)));
        for bad in ["", "s", "20", "20 s", "-1s", "1.5s", "1h", "99999999999999999999s", "18446744074s"] {
            assert_eq!(parse_span(bad), None, "{bad}");
        }
    }

    #[test]
    fn shares_are_exact_to_one_in_a_million() {
        assert_eq!(Ppm::parse("0.5%"), Some(Ppm(5_000)));
        assert_eq!(Ppm::parse("100%"), Some(Ppm::ALWAYS));
        assert_eq!(Ppm::parse("0.0001%"), Some(Ppm(1)));
        for bad in ["", "%", "1", "-1%", "101%", "100.0001%", "0.00001%", "1.%", ".5%", "999999%"] {
            assert_eq!(Ppm::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn what_a_parser_expected_is_what_is_allowed() {
        let (wrong, allowed) = split_expected("unknown field `nodse`, expected one of `n`, `nodes`");
        assert_eq!((wrong.as_str(), allowed.as_deref()), ("unknown field `nodse`", Some("`n`, `nodes`")));
        let (_, allowed) = split_expected("invalid type: string \"x\", expected u16");
        assert_eq!(allowed.as_deref(), Some("a whole number"));
        assert_eq!(split_expected("missing field `nodes`").1, None);
    }
}
