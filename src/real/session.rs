//! [`Session`]: one client connection without its socket. Bytes in, questions to the node, bytes out.
//!
//! Replies leave in the order of the requests, though the node answers in any order. Commands of one
//! connection run at the same time, with one exception: a command waits for an earlier one on the same key if
//! either of them writes. So a pipelined `SET k`, `GET k` reads its own write, as it does from Redis; a
//! pipeline that hammers one key pays for that by going one by one.
//!
//! How many run at the same time depends on what all connections have in progress together ([`Inbox::depth`]): a deep
//! pipeline goes on as its own answers come, and is not refused because there are others.

use std::collections::{HashMap, VecDeque};
use std::format;
use std::string::String;
use std::sync::Arc;
use std::time::Duration;
use std::vec::Vec;

use tokio::sync::mpsc::UnboundedSender;

use crate::base::bytes::Bytes;
use crate::node::config::Config;
use crate::node::request::{Options, Outcome, Rejection, Request};
use crate::real::command::{Action, Transaction, interpret};
use crate::real::inbox::{Answer, Event, Inbox, Ticket};
use crate::real::options;
use crate::real::reply::{Shape, reply};
use crate::real::resp::{self, Dialect, Parsed, ProtocolError, Value};

/// Commands, and requests to the node, that one connection may have in progress; the next one is left unread.
/// (A `DEL` of many keys, begun below this bound, may exceed it.)
const OPEN_MAX: usize = 128;
/// Replies in bytes that may wait for a slow reader before its next requests are left unread.
const OUTPUT_MAX: usize = 1 << 20;
/// However many writes a client sends at once, it is heard again after this time.
const REST_MAX: Duration = Duration::from_millis(250);
/// What a command within a transaction is told.
const NO_TRANSACTIONS: &str =
    "ERR transactions are not supported: nothing is done between MULTI and EXEC, send it without";

/// A connection's state.
#[derive(Debug)]
pub struct Session {
    inbox: Inbox,
    replies: UnboundedSender<(u64, u16, Answer)>,
    /// What the node is told where neither request nor connection says anything.
    node: Arc<Config>,
    dialect: Dialect,
    /// What the connection says of the consistency of its requests.
    defaults: Options,
    /// One for each command whose reply has not left, oldest first.
    slots: VecDeque<Slot>,
    /// The number of the oldest slot.
    first: u64,
    /// Requests in progress at the node.
    open: usize,
    /// Keys of commands in progress, and how many writes and reads of each.
    keys: HashMap<Bytes, Use>,
    /// How many bytes the next request needs at least, as far as is known.
    needed: usize,
    /// Writes that were begun since [`Session::rest`] was asked.
    writes: u32,
    /// From `MULTI` to `EXEC` or `DISCARD`.
    transaction: bool,
    /// Nothing more is read; when all replies have left, the connection closes.
    closing: bool,
}

#[derive(Debug)]
struct Slot {
    dialect: Dialect,
    state: State,
}

#[derive(Debug)]
enum State {
    Done(Value),
    Waiting(Waiting),
}

/// A command that the node has not answered yet.
#[derive(Debug)]
struct Waiting {
    shape: Shape,
    touched: Vec<(Bytes, bool)>,
    /// What the connection, and not the command, has asked for.
    lent: Options,
    answers: Vec<Option<Answer>>,
    missing: usize,
}

#[derive(Debug, Default)]
struct Use {
    reads: usize,
    writes: usize,
}

impl Session {
    /// A new connection to `node`, which asks through `inbox` and wants its answers at `replies`.
    pub fn new(inbox: Inbox, replies: UnboundedSender<(u64, u16, Answer)>, node: Arc<Config>) -> Session {
        Session {
            inbox,
            replies,
            node,
            dialect: Dialect::default(),
            defaults: Options::default(),
            slots: VecDeque::new(),
            first: 0,
            open: 0,
            keys: HashMap::new(),
            needed: 1,
            writes: 0,
            transaction: false,
            closing: false,
        }
    }

    /// Takes as many requests from the front of `input` as may be begun now; the answer is how many bytes
    /// they were. Whatever is left has to be offered again, after more input or after an answer.
    pub fn feed(&mut self, input: &[u8], output_waiting: usize) -> usize {
        let mut used = 0;
        while !self.closing && self.slots.len() < OPEN_MAX && output_waiting < OUTPUT_MAX {
            if self.open >= self.inbox.depth(OPEN_MAX) {
                break;
            }
            let rest = &input[used..];
            if rest.len() < self.needed {
                break;
            }
            match resp::parse(rest) {
                Ok(Parsed::Incomplete { needed }) => {
                    assert!(needed > rest.len(), "a parser that asks for nothing would never end");
                    self.needed = needed;
                }
                Ok(Parsed::Request { args, used: bytes }) => {
                    if !args.is_empty() && !self.begin(interpret(&args)) {
                        break;
                    }
                    used += bytes;
                    self.needed = 1;
                }
                Err(ProtocolError(why)) => {
                    self.done(Value::Error(format!("ERR Protocol error: {why}")));
                    self.closing = true;
                }
            }
        }
        used
    }

    /// Reads nothing more; the connection closes when what was begun has been answered.
    pub fn close(&mut self) {
        self.closing = true;
    }

    /// How long this client should rest before more is read of it, for the writes that it has begun since this was
    /// asked last. Nothing, unless the node's disk is behind; then the longer the more it is, until writes are refused.
    pub fn rest(&mut self) -> Duration {
        let writes = core::mem::take(&mut self.writes);
        if writes == 0 { Duration::ZERO } else { self.inbox.rest().saturating_mul(writes).min(REST_MAX) }
    }

    /// Whether nothing more is read.
    pub fn is_closing(&self) -> bool {
        self.closing
    }

    /// Whether every reply has left. Then, what is left of the input is no whole request.
    pub fn is_idle(&self) -> bool {
        self.slots.is_empty()
    }

    /// Takes an answer of the node.
    pub fn answer(&mut self, seq: u64, part: u16, answer: Answer) {
        let at = seq.checked_sub(self.first).and_then(|at| usize::try_from(at).ok());
        let slot = at.and_then(|at| self.slots.get_mut(at)).expect("the node answers each request once");
        let State::Waiting(waiting) = &mut slot.state else {
            panic!("command {seq} was answered before");
        };
        let before = waiting.answers[usize::from(part)].replace(answer);
        assert!(before.is_none(), "part {part} of command {seq} was answered before");
        waiting.missing -= 1;
        self.open -= 1;
        self.inbox.ended(1);
        if waiting.missing > 0 {
            return;
        }
        for (key, writes) in &waiting.touched {
            release(&mut self.keys, key, *writes);
        }
        slot.state = State::Done(waiting.reply());
    }

    /// Appends the replies that are ready, in order, to `out`.
    pub fn write(&mut self, out: &mut Vec<u8>) {
        while out.len() < OUTPUT_MAX
            && let Some(Slot { dialect, state: State::Done(value) }) = self.slots.front()
        {
            resp::write(value, *dialect, out);
            self.slots.pop_front();
            self.first += 1;
        }
    }

    /// Begins a command; false if it has to wait for an earlier one.
    fn begin(&mut self, action: Action) -> bool {
        match action {
            Action::Quit(value) => {
                self.done(value);
                self.closing = true;
            }
            Action::Transaction(step) => {
                let reply = self.transact(step);
                self.done(reply);
            }
            _ if self.transaction => self.done(Value::error(NO_TRANSACTIONS)),
            Action::Reply(value) => self.done(value),
            Action::Hello(dialect) => {
                self.dialect = dialect.unwrap_or(self.dialect);
                self.done(hello(self.dialect));
            }
            Action::Defaults(change) => {
                let reply = self.set_defaults(change).unwrap_or_else(Value::Error);
                self.done(reply);
            }
            Action::Info => self.wait(Shape::Info, |ticket| Event::Info { ticket }),
            Action::Peek(key) => self.wait(Shape::Peek, |ticket| Event::Peek { key, ticket }),
            Action::Ask { requests, shape } => return self.ask(requests, shape),
        }
        true
    }

    /// There are none, so each ends with nothing done. Were `MULTI` itself refused, a client that sends all of it
    /// at once would have its commands done one by one, and be told by `EXEC` that they failed.
    fn transact(&mut self, step: Transaction) -> Value {
        match (step, self.transaction) {
            (Transaction::Multi, true) => return Value::error("ERR MULTI within MULTI"),
            (Transaction::Exec, false) => return Value::error("ERR EXEC without MULTI"),
            (Transaction::Discard, false) => return Value::error("ERR DISCARD without MULTI"),
            (step, _) => self.transaction = step == Transaction::Multi,
        }
        match step {
            Transaction::Exec => Value::error("EXECABORT transactions are not supported: nothing was done"),
            Transaction::Multi | Transaction::Discard => Value::Simple("OK"),
        }
    }

    /// Adds `change` to what the connection has set, or forgets all of it. What no request could be granted is refused
    /// here, where it is said, and not at each request that says nothing.
    fn set_defaults(&mut self, change: Option<Options>) -> Result<Value, String> {
        let defaults = change.map_or_else(Options::default, |change| change.or(&self.defaults));
        // Whoever founded the cluster may have been told another n than this node.
        options::admit(&defaults, &self.node, self.node.n.max(self.inbox.replicas()))?;
        self.defaults = defaults;
        Ok(options::shown(&self.defaults))
    }

    fn ask(&mut self, mut requests: Vec<Request>, shape: Shape) -> bool {
        let touched: Vec<(Bytes, bool)> = requests.iter().map(touched).collect();
        let conflicts = |(key, writes): &(Bytes, bool)| {
            self.keys.get(key).is_some_and(|open| open.writes > 0 || (*writes && open.reads > 0))
        };
        if touched.iter().any(conflicts) {
            return false;
        }
        for (key, writes) in &touched {
            self.writes = self.writes.saturating_add(u32::from(*writes));
            let open = self.keys.entry(key.clone()).or_default();
            *(if *writes { &mut open.writes } else { &mut open.reads }) += 1;
        }
        // All parts of a command have the same options.
        let lent = options::lent(&requests[0].options, &self.defaults);
        for request in &mut requests {
            request.options = request.options.or(&self.defaults);
        }
        let parts = requests.len();
        let seq = self.push(shape, touched, lent, parts);
        for (part, request) in requests.into_iter().enumerate() {
            let part = u16::try_from(part).expect("a command has at most ARGS_MAX parts");
            self.offer(seq, part, |ticket| Event::Client { request, ticket });
        }
        true
    }

    fn wait(&mut self, shape: Shape, event: impl FnOnce(Ticket) -> Event) {
        let seq = self.push(shape, Vec::new(), Options::default(), 1);
        self.offer(seq, 0, event);
    }

    fn push(&mut self, shape: Shape, touched: Vec<(Bytes, bool)>, lent: Options, parts: usize) -> u64 {
        let seq = self.first + self.slots.len() as u64;
        let mut answers = Vec::new();
        answers.resize_with(parts, || None);
        let state = State::Waiting(Waiting { shape, touched, lent, answers, missing: parts });
        self.slots.push_back(Slot { dialect: self.dialect, state });
        self.open += parts;
        self.inbox.begun(parts);
        seq
    }

    fn offer(&mut self, seq: u64, part: u16, event: impl FnOnce(Ticket) -> Event) {
        let ticket = Ticket { seq, part, replies: self.replies.clone() };
        if self.inbox.offer_client(event(ticket)).is_err() {
            self.answer(seq, part, Answer::Outcome(Outcome::Rejected(Rejection::Overloaded)));
        }
    }

    fn done(&mut self, value: Value) {
        self.slots.push_back(Slot { dialect: self.dialect, state: State::Done(value) });
    }
}

impl Waiting {
    /// The reply, now that every part is answered. A client that is refused what it has not asked for with this command
    /// is told who has.
    fn reply(&mut self) -> Value {
        let answers: Vec<Answer> = core::mem::take(&mut self.answers).into_iter().flatten().collect();
        let blamed = |answer: &Answer| match answer {
            Answer::Outcome(Outcome::Rejected(rejection)) => options::cause(&self.lent, rejection),
            _ => false,
        };
        let blamed = answers.iter().any(blamed);
        match reply(&self.shape, answers) {
            Value::Error(error) if blamed => {
                Value::Error(format!("{error} (KV.DEFAULTS of this connection asks for that)"))
            }
            value => value,
        }
    }
}

impl Drop for Session {
    /// The client has gone. What it asked for is still done; nobody waits for it.
    fn drop(&mut self) {
        self.inbox.ended(self.open);
    }
}

/// The key of `request`, and whether it writes.
fn touched(request: &Request) -> (Bytes, bool) {
    (request.key.clone(), request.command.is_write())
}

fn release(keys: &mut HashMap<Bytes, Use>, key: &Bytes, writes: bool) {
    let open = keys.get_mut(key).expect("a key in use is counted");
    *(if writes { &mut open.writes } else { &mut open.reads }) -= 1;
    if open.reads == 0 && open.writes == 0 {
        keys.remove(key);
    }
}

fn hello(dialect: Dialect) -> Value {
    let proto = match dialect {
        Dialect::Resp2 => 2,
        Dialect::Resp3 => 3,
    };
    let text = |key: &str, value: &str| (Value::bulk(key), Value::bulk(value));
    let pairs = [
        text("server", "kvnode"),
        text("version", env!("CARGO_PKG_VERSION")),
        (Value::bulk("proto"), Value::Integer(proto)),
        text("mode", "standalone"),
        text("role", "master"),
        (Value::bulk("modules"), Value::Array(Vec::new())),
    ];
    Value::Map(pairs.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::real::inbox::{self, Outlet};
    use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

    struct Bench {
        session: Session,
        outlet: Outlet,
        answers: UnboundedReceiver<(u64, u16, Answer)>,
    }

    fn connection(inbox: &Inbox) -> (Session, UnboundedReceiver<(u64, u16, Answer)>) {
        let (replies, answers) = unbounded_channel();
        let mut node = Config::new(Default::default(), crate::base::id::Address("a:1".into()));
        node.n = 3;
        (Session::new(inbox.clone(), replies, node.into()), answers)
    }

    impl Bench {
        fn new() -> Bench {
            let (inbox, outlet) = inbox::new();
            let (session, answers) = connection(&inbox);
            Bench { session, outlet, answers }
        }

        /// The requests that reached the node.
        fn asked(&self) -> Vec<(Request, Ticket)> {
            let take = || self.outlet.take(Some(Duration::ZERO));
            let events = std::iter::from_fn(take).map(|event| match event {
                Event::Client { request, ticket } => (request, ticket),
                other => panic!("{other:?}"),
            });
            events.collect()
        }

        fn deliver(&mut self, ticket: Ticket, value: &str) {
            let found = crate::node::request::Found {
                value: Bytes::from(value),
                stamp: Default::default(),
                dot: Default::default(),
            };
            ticket.answer(Answer::Outcome(Outcome::Found {
                values: [found].into(),
                context: Bytes::default(),
            }));
            let (seq, part, answer) = self.answers.try_recv().expect("it was sent");
            self.session.answer(seq, part, answer);
        }

        fn output(&mut self) -> String {
            let mut out = Vec::new();
            self.session.write(&mut out);
            String::from_utf8(out).expect("tests use text")
        }
    }

    #[test]
    fn replies_leave_in_order_though_the_node_answers_in_any() {
        let mut bench = Bench::new();
        let input = b"GET a\r\nPING\r\nGET b\r\nGET un";
        assert_eq!(bench.session.feed(input, 0), 20);
        let mut asked = bench.asked();
        assert_eq!(asked.len(), 2);
        bench.deliver(asked.pop().expect("b").1, "vb");
        assert_eq!(bench.output(), "", "the first reply is still missing");
        bench.deliver(asked.pop().expect("a").1, "va");
        assert_eq!(bench.output(), "$2\r\nva\r\n+PONG\r\n$2\r\nvb\r\n");
    }

    #[test]
    fn a_read_waits_for_the_write_before_it_on_the_same_key_and_for_no_other() {
        let mut bench = Bench::new();
        let input = b"SET k v\r\nGET other\r\nGET k\r\n";
        let used = bench.session.feed(input, 0);
        assert_eq!(used, 20);
        let mut asked = bench.asked();
        assert_eq!(asked.len(), 2);
        assert_eq!(bench.session.feed(&input[used..], 0), 0);
        bench.deliver(asked.remove(0).1, "written");
        assert_eq!(bench.session.feed(&input[used..], 0), 7);
        assert_eq!(bench.asked().len(), 1);
    }

    #[test]
    fn a_deep_pipeline_and_a_slow_reader_are_left_unread() {
        let mut bench = Bench::new();
        let input = b"GET k\r\n".repeat(OPEN_MAX + 1);
        assert_eq!(bench.session.feed(&input, 0), input.len() - 7);
        let one = bench.asked().remove(0).1;
        bench.deliver(one, "v");
        assert_eq!(bench.output(), "$1\r\nv\r\n");
        assert_eq!(bench.session.feed(b"GET k\r\n", OUTPUT_MAX), 0);
        assert_eq!(bench.session.feed(b"GET k\r\n", OUTPUT_MAX - 1), 7);
    }

    #[test]
    fn a_full_inbox_answers_overloaded_at_once() {
        let mut bench = Bench::new();
        let (replies, _kept) = unbounded_channel();
        let fill = || Event::Info { ticket: Ticket { seq: 0, part: 0, replies: replies.clone() } };
        while bench.session.inbox.offer_client(fill()).is_ok() {}
        bench.session.feed(b"DEL a b\r\n", 0);
        assert_eq!(bench.output(), "-OVERLOADED too much work is waiting, try later\r\n");
        assert!(bench.session.keys.is_empty());
        assert_eq!(bench.session.open, 0);
    }

    /// Two hundred pipelines of a hundred commands: far more than there is room for. None is refused, none starves, and
    /// none waits for another: each goes on when it is answered itself.
    #[test]
    fn pipelines_wait_for_their_own_answers_rather_than_be_refused() {
        const COMMANDS: usize = 100;
        let (inbox, outlet) = inbox::new();
        let line = b"GET k\r\n";
        let mut clients: Vec<_> = (0..200).map(|_| (connection(&inbox), line.repeat(COMMANDS))).collect();
        let mut replies = 0;
        while replies < clients.len() * COMMANDS {
            for ((session, answers), input) in &mut clients {
                while let Ok((seq, part, answer)) = answers.try_recv() {
                    session.answer(seq, part, answer);
                }
                let used = session.feed(input, 0);
                input.drain(..used);
                assert!(session.open > 0 || input.is_empty(), "nothing would ever wake it");
                let mut out = Vec::new();
                session.write(&mut out);
                let lines: Vec<&[u8]> = out.split_inclusive(|&byte| byte == b'\n').collect();
                assert!(lines.iter().all(|&line| line == b"$-1\r\n"), "{}", lines[0].escape_ascii());
                replies += lines.len();
            }
            while let Some(Event::Client { ticket, .. }) = outlet.take(Some(Duration::ZERO)) {
                let found = Outcome::Found { values: [].into(), context: Bytes::default() };
                ticket.answer(Answer::Outcome(found));
            }
        }
        assert_eq!(outlet.refused(), (0, 0));
    }

    #[test]
    fn a_client_that_leaves_frees_its_share() {
        let (inbox, outlet) = inbox::new();
        let leave = || {
            let (mut session, _answers) = connection(&inbox);
            let used = session.feed(&b"GET k\r\n".repeat(OPEN_MAX), 0);
            while outlet.take(Some(Duration::ZERO)).is_some() {}
            used
        };
        let all = OPEN_MAX * 7;
        assert!((0..100).all(|_| leave() == all));
    }

    #[test]
    fn what_a_connection_sets_holds_for_later_requests_that_say_nothing() {
        use crate::quorum::tally::Level;
        let mut bench = Bench::new();
        bench.session.feed(b"GET a\r\nKV.DEFAULTS R one PW 2\r\nKV.DEFAULTS PW 1 STRICT\r\nGET b\r\n", 0);
        bench.session.feed(b"KV.GET c R all\r\nSET d v\r\nKV.DEFAULTS RESET\r\nSET e v\r\n", 0);
        let options: Vec<Options> = bench.asked().into_iter().map(|asked| asked.0.options).collect();
        let set = Options {
            r: Some(Level::One),
            pw: Some(Level::Count(1)),
            sloppy: Some(false),
            ..Options::default()
        };
        let siblings = Some(crate::node::consistency::OnSiblings::All);
        let nearer = Options { r: Some(Level::All), siblings, ..set.clone() };
        assert_eq!(options, [Options::default(), set.clone(), nearer, set, Options::default()]);
    }

    #[test]
    fn a_connection_is_shown_what_it_has_set() {
        let mut bench = Bench::new();
        bench.session.feed(b"KV.DEFAULTS TIMEOUT 5 DW 0\r\nKV.DEFAULTS RESET\r\n", 0);
        assert_eq!(bench.output(), "*4\r\n$2\r\ndw\r\n$1\r\n0\r\n$7\r\ntimeout\r\n$1\r\n5\r\n*0\r\n");
    }

    #[test]
    fn defaults_that_no_request_could_be_granted_are_refused_and_change_nothing() {
        let mut bench = Bench::new();
        for (line, field) in [
            ("R 4", "r"),
            ("R any", "r"),
            ("R 0", "r"),
            ("W 4", "w"),
            ("W any STRICT", "w"),
            ("PR 5", "pr"),
            ("PW any", "pw"),
            ("DW 4", "dw"),
            ("ZONES 4", "zones"),
        ] {
            bench.session.feed(format!("KV.DEFAULTS TIMEOUT 9 {line}\r\n").as_bytes(), 0);
            let output = bench.output();
            let start = format!("-ERR {field} cannot be so, with n = 3 and the rest as it is: allowed is ");
            assert!(output.starts_with(&start) && output.len() > start.len() + 2, "{line}: {output}");
        }
        // One by one is no way around it.
        bench.session.feed(b"KV.DEFAULTS W any\r\nKV.DEFAULTS STRICT\r\nKV.DEFAULTS\r\n", 0);
        let output = bench.output();
        let any = "*2\r\n$1\r\nw\r\n$3\r\nany\r\n";
        assert!(output.starts_with(&format!("{any}-ERR w cannot")) && output.ends_with(any), "{output}");
        // The layout has more replicas than this node was told of.
        bench.outlet.set_replicas(5);
        bench.session.feed(b"KV.DEFAULTS R 5\r\nKV.DEFAULTS R 6\r\n", 0);
        let output = bench.output();
        assert!(output.starts_with("*4\r\n$1\r\nr\r\n$1\r\n5\r\n"), "{output}");
        assert!(output.contains("-ERR r cannot be so, with n = 5"), "{output}");
    }

    #[test]
    fn who_is_refused_for_what_the_connection_set_is_told_so() {
        use crate::quorum::need::Knob;
        use crate::quorum::tally::Impossible;
        let mut bench = Bench::new();
        let zones =
            |knob| Rejection::Impossible { knob, why: Impossible::MoreThanZones { asked: 3, zones: 1 } };
        let blamed = "(KV.DEFAULTS of this connection asks for that)";
        bench.session.feed(b"KV.DEFAULTS ZONES 3 W all\r\n", 0);
        bench.output();
        for (line, rejection, told) in [
            ("GET k", zones(Knob::Zones), true),
            ("DEL k l", zones(Knob::Zones), true),
            ("KV.GET k ZONES 3", zones(Knob::Zones), false),
            ("SET k v", Rejection::Unavailable { knob: Knob::W, usable: 2, needed: 3 }, true),
            ("SET k v", Rejection::Unavailable { knob: Knob::Pw, usable: 2, needed: 3 }, false),
            ("GET k", Rejection::Timeout { knob: Knob::R, answers: 1, needed: 2 }, false),
            ("GET k", Rejection::Forming, false),
        ] {
            bench.session.feed(format!("{line}\r\n").as_bytes(), 0);
            let asked = bench.asked();
            for (_, ticket) in asked {
                ticket.answer(Answer::Outcome(Outcome::Rejected(rejection)));
                let (seq, part, answer) = bench.answers.try_recv().expect("it was sent");
                bench.session.answer(seq, part, answer);
            }
            let output = bench.output();
            assert!(output.starts_with("-REJECTED"), "{output}");
            assert_eq!(output.contains(blamed), told, "{line}: {output}");
        }
    }

    #[test]
    fn garbage_is_answered_and_closes_after_the_replies_before_it() {
        let mut bench = Bench::new();
        bench.session.feed(b"GET a\r\n*1\r\n:1\r\nPING\r\n", 0);
        assert!(bench.session.is_closing() && !bench.session.is_idle());
        let asked = bench.asked().remove(0).1;
        bench.deliver(asked, "v");
        assert_eq!(bench.output(), "$1\r\nv\r\n-ERR Protocol error: expected '$', got ':'\r\n");
        assert!(bench.session.is_closing() && bench.session.is_idle());
    }

    /// `redis-py` wraps every pipeline into a transaction, unless it is told not to.
    #[test]
    fn a_transaction_does_nothing_and_says_so() {
        let mut bench = Bench::new();
        bench
            .session
            .feed(b"EXEC\r\nMULTI\r\nSET k v\r\nMULTI\r\nDISCARD\r\nMULTI\r\nPING\r\nEXEC\r\nPING\r\n", 0);
        assert!(bench.asked().is_empty());
        let refused = std::format!("-{NO_TRANSACTIONS}\r\n");
        let replies = [
            "-ERR EXEC without MULTI\r\n+OK\r\n",
            &refused,
            "-ERR MULTI within MULTI\r\n+OK\r\n+OK\r\n",
            &refused,
            "-EXECABORT transactions are not supported: nothing was done\r\n+PONG\r\n",
        ];
        assert_eq!(bench.output(), replies.concat());
    }

    #[test]
    fn hello_changes_the_dialect_of_what_follows_only() {
        let mut bench = Bench::new();
        bench.session.feed(b"HELLO 3\r\nQUIT\r\nPING\r\n", 0);
        let output = bench.output();
        assert!(output.starts_with("%6\r\n"), "{output}");
        assert!(output.ends_with("+OK\r\n"), "{output}");
        assert!(bench.session.is_closing() && bench.session.is_idle());
    }
}
