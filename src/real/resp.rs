//! RESP, the protocol of Redis: a parser of requests and a writer of replies, both over plain buffers.
//!
//! Requests are arrays of bulk strings (`*2\r\n$3\r\nGET\r\n$1\r\nk\r\n`) or, from people and `redis-benchmark`,
//! inline: one line of words. Nothing nests, so there is no recursion to overflow, and nothing is allocated because
//! of a length that was only announced. Replies are RESP2 until the client asks for RESP3 by `HELLO 3`.
//!
//! Source: the Redis serialization protocol specification (RESP2 and RESP3).

use std::borrow::ToOwned;
use std::format;
use std::string::{String, ToString};
use std::vec::Vec;

use crate::base::bytes::Bytes;
use crate::base::limits::VALUE_MAX;

/// Arguments of one request, the command's name included.
pub const ARGS_MAX: usize = 1024;
/// The longest argument, in bytes. Above any value and context token that the node takes, so that one somewhat too
/// long is rejected with a reason and does not cost the connection.
pub const BULK_MAX: usize = 1 << 20;
/// The longest request, in bytes: one value, one context token, and room for the rest.
pub const REQUEST_MAX: usize = 2 * BULK_MAX + (64 << 10);
const _: () = assert!(VALUE_MAX <= BULK_MAX);
/// The longest inline request, in bytes.
const INLINE_MAX: usize = 4096;
/// The longest `*<count>` or `$<length>` line without its end.
const HEADER_MAX: usize = 16;

/// What is at the front of the input.
#[derive(Debug, PartialEq, Eq)]
pub enum Parsed<'a> {
    /// Not all of it is here. There is no use in trying again before `needed` bytes are.
    Incomplete { needed: usize },
    /// One request of `used` bytes. No arguments: an empty line or array, to be skipped.
    Request { args: Vec<&'a [u8]>, used: usize },
}

/// Why the input is not RESP. Nothing after this point can be understood: answer and close.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProtocolError(pub String);

/// Parses the request at the front of `input`. Any bytes are safe.
pub fn parse(input: &[u8]) -> Result<Parsed<'_>, ProtocolError> {
    match input.first() {
        None => Ok(Parsed::Incomplete { needed: 1 }),
        Some(b'*') => parse_array(input),
        Some(_) => parse_inline(input),
    }
}

fn parse_array(input: &[u8]) -> Result<Parsed<'_>, ProtocolError> {
    let Some((count, mut at)) = header(input, 0, b'*')? else { return Ok(more(input)) };
    if count > ARGS_MAX as i64 {
        return refuse("invalid multibulk length");
    }
    // Redis skips arrays of no or negative length.
    let count = usize::try_from(count).unwrap_or(0);
    let mut args = Vec::new();
    for _ in 0..count {
        let Some((length, start)) = header(input, at, b'$')? else { return Ok(more(input)) };
        let length = match usize::try_from(length) {
            Ok(length) if length <= BULK_MAX => length,
            _ => return refuse("invalid bulk length"),
        };
        let end = start + length;
        if end + 2 > REQUEST_MAX {
            return refuse("request too long");
        }
        let Some(tail) = input.get(end..end + 2) else {
            return Ok(Parsed::Incomplete { needed: end + 2 });
        };
        if tail != b"\r\n" {
            return refuse("a bulk string is longer than its length");
        }
        args.push(&input[start..end]);
        at = end + 2;
    }
    assert!(args.len() == count && at <= input.len());
    Ok(Parsed::Request { args, used: at })
}

/// The number on the line at `at` that begins with `sigil`, and where the next line begins; `None` while the line has
/// no end yet.
fn header(input: &[u8], at: usize, sigil: u8) -> Result<Option<(i64, usize)>, ProtocolError> {
    let Some(line) = input.get(at..).filter(|line| !line.is_empty()) else { return Ok(None) };
    if line[0] != sigil {
        let got = line[..1].escape_ascii();
        return refuse(&format!("expected '{}', got '{got}'", char::from(sigil)));
    }
    let head = &line[..line.len().min(HEADER_MAX)];
    let Some(end) = head.iter().position(|&byte| byte == b'\r') else {
        return if head.len() == HEADER_MAX { refuse("a length has too many digits") } else { Ok(None) };
    };
    match head.get(end + 1) {
        None if head.len() == HEADER_MAX => return refuse("a length has too many digits"),
        None => return Ok(None),
        Some(b'\n') => {}
        Some(_) => return refuse("a line does not end in CRLF"),
    }
    let number = str::from_utf8(&head[1..end]).ok().filter(|digits| !digits.starts_with('+'));
    match number.and_then(|digits| digits.parse().ok()) {
        Some(number) => Ok(Some((number, at + end + 2))),
        None => refuse("a length is not a number"),
    }
}

/// One line of words. Quotes have no meaning here: who needs spaces in a value sends arrays.
fn parse_inline(input: &[u8]) -> Result<Parsed<'_>, ProtocolError> {
    let head = &input[..input.len().min(INLINE_MAX)];
    let Some(end) = head.iter().position(|&byte| byte == b'\n') else {
        return if head.len() == INLINE_MAX { refuse("too big inline request") } else { Ok(more(input)) };
    };
    let words = input[..end].split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    let args: Vec<&[u8]> = words.collect();
    if args.len() > ARGS_MAX {
        return refuse("too many words");
    }
    Ok(Parsed::Request { args, used: end + 1 })
}

fn more(input: &[u8]) -> Parsed<'_> {
    Parsed::Incomplete { needed: input.len() + 1 }
}

fn refuse<T>(why: &str) -> Result<T, ProtocolError> {
    Err(ProtocolError(why.to_owned()))
}

/// Which dialect a connection speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Dialect {
    #[default]
    Resp2,
    Resp3,
}

/// One reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// A short status without line ends, `OK`.
    Simple(&'static str),
    /// An error: a code in capitals, a space, a sentence.
    Error(String),
    Integer(i64),
    Bulk(Bytes),
    /// "There is none."
    Null,
    Array(Vec<Value>),
    /// Pairs. In RESP2 an array of keys and values in turn.
    Map(Vec<(Value, Value)>),
}

impl Value {
    pub fn bulk(text: &str) -> Value {
        Value::Bulk(Bytes::from(text))
    }

    pub fn error(text: &str) -> Value {
        Value::Error(text.to_owned())
    }
}

/// Appends `value` to `out` in `dialect`.
pub fn write(value: &Value, dialect: Dialect, out: &mut Vec<u8>) {
    match value {
        Value::Simple(text) => line(b'+', text, out),
        // What a client typed may stand in an error. A line end in it would end the reply early, and the rest would
        // be taken for the next one.
        Value::Error(text) => line(b'-', &text.replace(char::is_control, " "), out),
        Value::Integer(number) => line(b':', &number.to_string(), out),
        Value::Bulk(bytes) => {
            line(b'$', &bytes.len().to_string(), out);
            out.extend_from_slice(bytes);
            out.extend_from_slice(b"\r\n");
        }
        Value::Null if dialect == Dialect::Resp2 => line(b'$', "-1", out),
        Value::Null => line(b'_', "", out),
        Value::Array(items) => {
            line(b'*', &items.len().to_string(), out);
            items.iter().for_each(|item| write(item, dialect, out));
        }
        Value::Map(pairs) => {
            match dialect {
                Dialect::Resp2 => line(b'*', &(pairs.len() * 2).to_string(), out),
                Dialect::Resp3 => line(b'%', &pairs.len().to_string(), out),
            }
            for (key, item) in pairs {
                write(key, dialect, out);
                write(item, dialect, out);
            }
        }
    }
}

fn line(sigil: u8, text: &str, out: &mut Vec<u8>) {
    out.push(sigil);
    out.extend_from_slice(text.as_bytes());
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::vec;

    fn request<'a>(args: &[&'a [u8]], used: usize) -> Result<Parsed<'a>, ProtocolError> {
        Ok(Parsed::Request { args: args.to_vec(), used })
    }

    fn encoded(args: &[Vec<u8>]) -> Vec<u8> {
        let items = args.iter().map(|arg| Value::Bulk(Bytes::new(arg))).collect();
        let mut out = Vec::new();
        write(&Value::Array(items), Dialect::Resp2, &mut out);
        out
    }

    #[test]
    fn arrays_and_inline_lines_are_requests() {
        let input = b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\nPING\r\n";
        assert_eq!(parse(input), request(&[b"GET", b"k"], 20));
        assert_eq!(parse(&input[20..]), request(&[b"PING"], 6));
        assert_eq!(parse(b"  SET k  v \n"), request(&[b"SET", b"k", b"v"], 12));
        assert_eq!(parse(b"*1\r\n$0\r\n\r\n"), request(&[b""], 10));
    }

    #[test]
    fn empty_requests_are_skipped() {
        assert_eq!(parse(b"\r\nPING"), request(&[], 2));
        assert_eq!(parse(b"*0\r\n"), request(&[], 4));
        assert_eq!(parse(b"*-1\r\n"), request(&[], 5));
    }

    #[test]
    fn a_forged_length_is_refused_and_allocates_nothing() {
        for input in [
            "*1025\r\n",
            "*9999999999999\r\n",
            "*99999999999999999999\r\n",
            "*1\r\n$-1\r\n",
            "*1\r\n$1048577\r\n",
            "*1\r\n$9223372036854775807\r\n",
        ] {
            assert!(parse(input.as_bytes()).is_err(), "{input:?}");
        }
        assert_eq!(parse(b"*1024\r\n"), Ok(Parsed::Incomplete { needed: 8 }), "as many as allowed");
        assert_eq!(parse(b"*1\r\n$1048576\r\n"), Ok(Parsed::Incomplete { needed: 14 + 1_048_576 + 2 }));
    }

    #[test]
    fn a_request_of_many_long_arguments_is_refused_before_it_is_read() {
        let mut input = b"*3\r\n".to_vec();
        for _ in 0..2 {
            input.extend_from_slice(format!("${BULK_MAX}\r\n").as_bytes());
            input.resize(input.len() + BULK_MAX, b'v');
            input.extend_from_slice(b"\r\n");
        }
        input.extend_from_slice(b"$65536\r\n");
        assert_eq!(parse(&input), Err(ProtocolError("request too long".into())));
    }

    #[test]
    fn nesting_and_garbage_are_refused() {
        for input in [
            "*1\r\n*1\r\n",
            "*1\r\n:1\r\n",
            "*x\r\n",
            "*+1\r\n",
            "*1\n$1\r\nk\r\n",
            "*1\rx",
            "*000000000000000001\r\n",
            "*1\r\n$1\r\nkk\r\n",
        ] {
            assert!(parse(input.as_bytes()).is_err(), "{input:?}");
        }
        assert!(parse(&[b'x'; INLINE_MAX]).is_err());
        assert_eq!(parse(&[b'x'; INLINE_MAX - 1]), Ok(Parsed::Incomplete { needed: INLINE_MAX }));
    }

    #[test]
    fn replies_have_the_shape_of_their_dialect() {
        let hello =
            Value::Map(vec![(Value::bulk("proto"), Value::Integer(3)), (Value::bulk("x"), Value::Null)]);
        let mut out = Vec::new();
        write(&hello, Dialect::Resp2, &mut out);
        assert_eq!(out, b"*4\r\n$5\r\nproto\r\n:3\r\n$1\r\nx\r\n$-1\r\n");
        out.clear();
        write(&hello, Dialect::Resp3, &mut out);
        assert_eq!(out, b"%2\r\n$5\r\nproto\r\n:3\r\n$1\r\nx\r\n_\r\n");
    }

    #[test]
    fn an_error_never_spans_lines() {
        let mut out = Vec::new();
        write(&Value::error("ERR unknown command 'a\r\n+OK'"), Dialect::Resp2, &mut out);
        assert_eq!(out, b"-ERR unknown command 'a  +OK'\r\n");
    }

    proptest! {
        #[test]
        fn any_bytes_are_safe(input in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(Parsed::Request { used, .. }) = parse(&input) {
                prop_assert!(used > 0 && used <= input.len());
            }
        }

        #[test]
        fn what_clients_write_is_parsed_however_it_is_cut(
            args in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..40), 1..6),
            cut in any::<proptest::sample::Index>(),
        ) {
            let whole = encoded(&args);
            let cut = cut.index(whole.len());
            match parse(&whole[..cut]) {
                Ok(Parsed::Incomplete { needed }) => prop_assert!(needed > cut && needed <= whole.len()),
                other => prop_assert!(false, "{other:?} of {cut} bytes"),
            }
            let args: Vec<&[u8]> = args.iter().map(Vec::as_slice).collect();
            prop_assert_eq!(parse(&whole), request(&args, whole.len()));
        }
    }
}
