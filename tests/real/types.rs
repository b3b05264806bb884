//! Counters, sets, registers and maps, as any Redis client meets them.

use crate::kit::{Client, Node, Scratch, Value, eventually, free_ports};

fn three(scratch: &Scratch) -> [Node; 3] {
    let ports = free_ports(6);
    let seeds = &ports[3..];
    [0, 1, 2].map(|number| {
        let folder = scratch.0.join(format!("n{number}"));
        Node::new(folder, ports[number], ports[3 + number], seeds, "")
    })
}

fn list(words: &[&str]) -> Value {
    Value::Array(words.iter().map(|&word| Value::from(word)).collect())
}

fn error(client: &mut Client, words: &[&str]) -> String {
    match client.call(words) {
        Value::Text(text) if text.starts_with('-') => text,
        other => panic!("{words:?}: {other:?}"),
    }
}

/// The reply to an edit with FULL has all that a later read needs to see it, through any node, in both dialects.
fn a_session_has_a_floor_from_its_own_edits(a: &mut Client, b: &mut Client) {
    for dialect in ["2", "3"] {
        a.call(&["HELLO", dialect]);
        let key = format!("visits{dialect}");
        let full = a.insist(&["KV.WITH", "W", "all", "FULL", "DO", "INCRBY", &key, "4"]);
        assert_eq!(matches!(full, Value::Map(_)), dialect == "3", "{full:?}");
        assert_eq!(full.at("result"), &Value::Integer(4));
        assert_eq!((full.at("acks"), full.at("durable")), (&Value::Integer(3), &Value::Integer(3)));
        let (Value::Text(dot), context) = (full.at("dot").clone(), full.at("context").bytes()) else {
            panic!("{full:?}")
        };
        // The dot is that of the write: it stands on the disks under this name.
        let peeked = format!("{:?}", b.call(&["KV.PEEK", &key]));
        assert!(peeked.contains(&dot), "{dot}: {peeked}");

        let read: [&[u8]; 9] =
            [b"KV.WITH", b"R", b"one", b"CONTEXT", context, b"FULL", b"DO", b"GET", key.as_bytes()];
        let seen = b.call(&read);
        assert_eq!(seen.at("result"), &Value::from("4"));
        assert!(!seen.at("context").bytes().is_empty());
        let shown = a.call(&["KV.GET", &key, "FULL"]);
        let Value::Array(values) = shown.at("values") else { panic!("{shown:?}") };
        assert_eq!((values[0].at("value"), values[0].at("dot")), (&Value::from("4"), &Value::Null));
        // A context is of one key, whatever the command.
        let forged: [&[u8]; 6] = [b"KV.WITH", b"CONTEXT", context, b"DO", b"SCARD", b"tags"];
        assert!(b.call(&forged).is_error());

        let set = a.insist(&["KV.WITH", "FULL", "DO", "SADD", &format!("seen{dialect}"), "x", "y"]);
        assert_eq!(set.at("result"), &Value::Integer(2));
        let put = a.insist(&["KV.PUT", &format!("plain{dialect}"), "v", "FULL", "W", "all"]);
        let got = b.insist(&["KV.GET", &format!("plain{dialect}"), "FULL"]);
        let Value::Array(values) = got.at("values") else { panic!("{got:?}") };
        assert_eq!((values[0].at("value"), values[0].at("dot")), (&Value::from("v"), put.at("dot")));
        assert_eq!(
            error(b, &["KV.WITH", "FULL", "DO", "SMEMBERS", &key]),
            "-WRONGTYPE the key holds a counter"
        );
        assert_eq!(
            a.insist(&["KV.WITH", "W", "all", "DO", "INCR", &key]),
            Value::Integer(5),
            "as Redis replies"
        );
        let nothing = "-ERR option 'SIBLINGS' has no effect on SMEMBERS, which takes \
                       CONTEXT, FULL, R, PR, ZONES, TIMEOUT";
        assert_eq!(error(a, &["KV.WITH", "SIBLINGS", "lww", "DO", "SMEMBERS", "tags"]), nothing);
        let never = "-ERR r cannot be so, with n = 3 and the rest as it is: allowed is one, quorum, all, \
                     local-quorum, each-quorum, or a number from 1 to n";
        assert_eq!(error(a, &["KV.DEFAULTS", "R", "5"]), never);
        assert_eq!(b.call(&["KV.DEFAULTS", "ZONES", "2"]).at("zones"), &Value::from("2"));
        let refused = error(b, &["GET", &key]);
        assert!(refused.ends_with("(KV.DEFAULTS of this connection asks for that)"), "{refused}");
        b.call(&["KV.DEFAULTS", "RESET"]);
    }
    a.call(&["HELLO", "2"]);
}

#[test]
fn redis_commands_count_collect_and_map_through_any_node() {
    let scratch = Scratch::new();
    let mut nodes = three(&scratch);
    nodes.iter_mut().for_each(Node::start);
    nodes.iter().for_each(|node| node.await_members(3));
    let [mut a, mut b, mut c] = [0, 1, 2].map(|number| nodes[number].connect());

    a.insist(&["DEL", "hits"]);
    assert_eq!(a.call(&["INCR", "hits"]), Value::Integer(1));
    assert_eq!(a.call(&["DECRBY", "hits", "4"]), Value::Integer(-3));
    assert_eq!(b.call(&["GET", "hits"]), Value::from("-3"));
    // The same request again, through every node; and the next one.
    for client in [&mut a, &mut b, &mut c] {
        let named = ["KV.WITH", "W", "all", "ID", "77", "1", "DO", "INCRBY", "hits", "10"];
        assert_eq!(client.insist(&named), Value::Integer(7));
    }
    assert_eq!(b.insist(&["KV.WITH", "ID", "77", "2", "DO", "INCR", "hits"]), Value::Integer(8));
    assert_eq!(c.call(&["GET", "hits"]), Value::from("8"));

    assert_eq!(a.insist(&["KV.WITH", "W", "all", "DO", "SADD", "tags", "x", "y", "z"]), Value::Integer(3));
    assert_eq!(b.call(&["SREM", "tags", "y", "none"]), Value::Integer(1));
    assert_eq!(c.call(&["SMEMBERS", "tags"]), list(&["x", "z"]));
    assert_eq!(c.call(&["SCARD", "tags"]), Value::Integer(2));
    assert_eq!(c.call(&["SISMEMBER", "tags", "y"]), Value::Integer(0));
    assert_eq!(a.call(&["SCARD", "nothing"]), Value::Integer(0));

    assert_eq!(
        a.insist(&["KV.WITH", "W", "all", "DO", "HSET", "user", "name", "ann", "role", "admin"]),
        Value::Integer(2)
    );
    assert_eq!(b.insist(&["KV.WITH", "W", "all", "DO", "HINCRBY", "user", "visits", "3"]), Value::Integer(3));
    assert_eq!(
        c.insist(&["KV.WITH", "W", "all", "DO", "KV.HSADD", "user", "groups", "g"]),
        Value::Integer(1)
    );
    assert_eq!(a.call(&["HDEL", "user", "role", "none"]), Value::Integer(1));
    assert_eq!(b.call(&["HGET", "user", "name"]), Value::from("ann"));
    assert_eq!(b.call(&["HGET", "user", "role"]), Value::Null);
    let Value::Array(all) = c.call(&["HGETALL", "user"]) else { panic!("an array") };
    let name = ["groups", "name", "visits"].map(Value::from);
    assert_eq!(
        all,
        [name[0].clone(), list(&["g"]), name[1].clone(), "ann".into(), name[2].clone(), "3".into()]
    );

    assert_eq!(a.call(&["KV.ASSIGN", "title", "one"]), Value::from("OK"));
    assert_eq!(b.call(&["GET", "title"]), Value::from("one"));
    assert_eq!(a.call(&["EXISTS", "title", "hits", "tags", "gone"]), Value::Integer(3));

    assert_eq!(error(&mut a, &["GET", "tags"]), "-WRONGTYPE the key holds a set");
    assert_eq!(error(&mut a, &["INCR", "tags"]), "-WRONGTYPE the key holds a set");
    assert_eq!(error(&mut a, &["SMEMBERS", "hits"]), "-WRONGTYPE the key holds a counter");
    a.insist(&["SET", "plain", "v"]);
    assert_eq!(error(&mut a, &["SADD", "plain", "m"]), "-WRONGTYPE the key holds a plain value");
    assert_eq!(error(&mut b, &["HGETALL", "plain"]), "-WRONGTYPE the key holds a plain value");
    assert_eq!(a.call(&["SET", "tags", "plain now"]), Value::from("OK"));
    assert_eq!(c.call(&["GET", "tags"]), Value::from("plain now"));

    a_session_has_a_floor_from_its_own_edits(&mut a, &mut b);

    // What a counter held is there after a kill of all, and after a delete it begins at nothing.
    nodes.iter_mut().for_each(Node::kill);
    nodes.iter_mut().for_each(Node::start);
    nodes.iter().for_each(|node| node.await_members(3));
    let mut client = nodes[1].connect();
    assert_eq!(client.insist(&["GET", "hits"]), Value::from("8"));
    eventually("a delete", || (client.call(&["DEL", "hits"]) == Value::Integer(1)).then_some(()));
    assert_eq!(client.call(&["GET", "hits"]), Value::Null);
    assert_eq!(client.insist(&["INCR", "hits"]), Value::Integer(1));
}
