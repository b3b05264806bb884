//! # Protocols
//!
//! ## Between nodes
//!
//! Frames over TCP, one connection for each direction: [`crate::node::wire`] has the layout,
//! [`crate::node::message`] the messages. A frame names cluster, sender and generation, and has one checksum over
//! everything. Frames of another cluster or with a wrong checksum, an impossible length or an impossible content
//! are refused and the connection is closed. So is a connection of one node on which a frame of another comes. The core
//! expects nothing of the network: every frame may be lost, doubled, delayed or overtaken.
//!
//! ## For clients
//!
//! RESP2 and, after `HELLO 3`, RESP3, with inline commands and pipelining. Plain `GET`, `SET`, `DEL`, `EXISTS`,
//! `PING`, `ECHO` and `INFO` work with any Redis client; the greetings of clients (`HELLO`, `COMMAND`, `CONFIG
//! GET`, `CLIENT`, `SELECT 0`, `QUIT`) are answered. What Redis has no words for:
//!
//! ```text
//! KV.GET key [CONTEXT token] [read options]                   -> [context, value...]
//! KV.PUT key value [CONTEXT token] [write options]            -> [context, dot, acks, on disk]
//! KV.DEL key [CONTEXT token] [write options]                  -> [context, dot, acks, on disk]
//! KV.WITH [option...] DO command...                           -> as the command replies
//! KV.PEEK key          what this node's own disk holds        -> [[dot, stamp, value or nil]...]
//! KV.DEFAULTS [option...]    for all later commands           -> what is set
//! KV.DEFAULTS RESET          forgets them                     -> nothing is set
//!
//! read options:  [R level] [PR level] [ZONES count] [TIMEOUT ms] [FULL]
//! write options: [W level] [PW level] [DW level|w] [ZONES count] [SLOPPY|STRICT] [TIMEOUT ms] [FULL]
//!                [ID client number]
//! ```
//!
//! With `FULL` any command on one key replies with a map of all that is known ([`crate::real::full`]); see
//! [`crate::manual::operations`], *Sessions*. An option that has no effect on its command is an error; the table is in
//! [`crate::real::options`].
//!
//! Counters, sets, registers and maps: [`crate::real::typed`] lists the commands (`INCR`, `SADD`, `HSET`, ...). They
//! take options by `KV.WITH`, as every plain command does. `KV.GET` shows of them, after the context, the value, the
//! members, or fields and values in turn. `HGETALL` and `KV.GET` give a set within a map as an array of its own.
//!
//! `ID` makes a write safe to try again ([`crate::manual::replication`], *Trying again*): a random number that the
//! client keeps for itself, and another that is new for each request and the same for each try of it.
//!
//! A level is `one`, `quorum`, `all`, `local-quorum`, `each-quorum`, `any` (W only) or a number; what each option
//! means is told in [`crate::manual::replication`]. `KV.DEFAULTS` takes any of them, for plain commands too.
//!
//! Plain `GET` of a key with siblings is an error (`-SIBLINGS`), or with `KV.DEFAULTS SIBLINGS lww` the last writer's
//! value; `KV.GET` gives them all. A plain `SET` replaces what its coordinator holds.
//!
//! Errors begin with a word that a program can tell apart: `-REJECTED` (nothing was applied), `-UNKNOWN` (it may
//! have been applied, with the acknowledgements that are known, and at the end, in hexadecimal, the context that the
//! write has if it was), `-WRONGTYPE` (the key holds another type; nothing was applied), `-OVERLOADED` (too much is
//! waiting, nothing was applied), `-ERR` (the command is not understood, or an option of it not supported: it is
//! refused, never ignored).
//!
//! Bounds: 1,024 connections by default, one request at most what a key and a value may have, and so many requests
//! of one connection in flight (128, and fewer the more all connections have together); beyond that the connection is
//! read no further until answers have gone out.
//!
//! There are no transactions: `MULTI` begins one that nothing is done in, and `EXEC` ends it with `-EXECABORT`. Clients
//! that wrap every pipeline into one have to be told not to (`redis-py`: `pipeline(transaction=False)`). There are no
//! users either: `AUTH` is refused.
