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
