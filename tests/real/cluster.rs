use std::io::{BufRead, BufReader};
use std::process::Stdio;

use crate::kit::{Client, Node, Scratch, Value, eventually, free_ports, held, kvnode, wait};

fn three(scratch: &Scratch) -> [Node; 3] {
    let ports = free_ports(6);
    let seeds = &ports[3..];
    [0, 1, 2].map(|number| {
        let folder = scratch.0.join(format!("n{number}"));
        Node::new(folder, ports[number], ports[3 + number], seeds, "")
    })
}

/// The whole life of a small cluster: it forms, serves through any node, goes on without one that was killed,
/// and brings that one up to date when it comes back.
#[test]
fn three_nodes_survive_a_kill_and_heal_the_one_that_returns() {
    let scratch = Scratch::new();
    let mut nodes = three(&scratch);
    nodes.iter_mut().for_each(Node::start);
    nodes.iter().for_each(|node| node.await_members(3));

    assert_eq!(nodes[0].connect().insist(&["SET", "before", "1"]), Value::from("OK"));
    assert_eq!(nodes[1].connect().call(&["GET", "before"]), Value::from("1"));
    eventually("all three copies", || {
        nodes.iter().all(|node| held(&mut node.connect(), "before") == [Value::from("1")]).then_some(())
    });

    nodes[2].kill();
    assert_eq!(nodes[0].connect().insist(&["SET", "during", "2"]), Value::from("OK"));
    assert_eq!(nodes[1].connect().insist(&["GET", "before"]), Value::from("1"));
    assert_eq!(nodes[1].connect().call(&["DEL", "before"]), Value::Integer(1));

    let generation = nodes[0].info("generation");
    nodes[2].start();
    assert!(nodes[2].info("generation") > generation, "each start counts");
    eventually("what the node missed", || {
        let mut client = nodes[2].connect();
        let healed =
            held(&mut client, "during") == [Value::from("2")] && held(&mut client, "before") == [Value::Null];
        healed.then_some(())
    });
    assert_eq!(nodes[2].connect().insist(&["GET", "before"]), Value::Null);

    for node in &mut nodes {
        assert_eq!(node.terminate().code(), Some(0));
    }
    // One alone, from its disk: it has everything.
    nodes[2].start();
    let mut client = nodes[2].connect();
    assert_eq!(held(&mut client, "during"), [Value::from("2")]);
    assert!(nodes[2].info("fact_recovered") > 0);
}

/// All processes die at once, in the middle of a load. Whatever was acknowledged is there afterwards. (A kill
/// leaves the kernel's cache, so this tests recovery and not the syncs; the simulator tests those.)
#[test]
fn acknowledged_writes_survive_the_kill_of_all_nodes() {
    const WRITES: usize = 300;
    let scratch = Scratch::new();
    let mut nodes = three(&scratch);
    nodes.iter_mut().for_each(Node::start);
    nodes.iter().for_each(|node| node.await_members(3));

    let mut client = nodes[0].connect();
    for number in 0..WRITES {
        client.send(&["SET", &format!("key{number}"), &number.to_string()]);
    }
    // Half of the replies, and then the kill: the other half is on its way.
    let acknowledged: Vec<bool> =
        (0..WRITES / 2).map(|_| client.receive().expect("a reply") == Value::from("OK")).collect();
    nodes.iter_mut().for_each(Node::kill);
    assert!(acknowledged.iter().filter(|&&written| written).count() > WRITES / 4, "{acknowledged:?}");

    nodes.iter_mut().for_each(Node::start);
    nodes.iter().for_each(|node| node.await_members(3));
    let mut client = nodes[1].connect();
    for number in (0..WRITES / 2).filter(|&number| acknowledged[number]) {
        let value = client.insist(&["GET", &format!("key{number}")]);
        assert_eq!(value, Value::from(number.to_string().as_str()), "key{number}");
    }
}

/// A key whose only replica is dead: whoever says that any disk will do has its write taken, and the replica gets it when
/// it returns.
#[test]
fn any_disk_takes_what_a_dead_replica_is_to_get() {
    let scratch = Scratch::new();
    let ports = free_ports(4);
    let mut nodes = [0, 1].map(|number| {
        let folder = scratch.0.join(format!("n{number}"));
        Node::new(folder, ports[number], ports[2 + number], &ports[2..], "replication.n = 1")
    });
    nodes.iter_mut().for_each(Node::start);
    nodes.iter().for_each(|node| node.await_members(2));
    nodes[1].kill();

    let mut client = nodes[0].connect();
    let put = |key: &str, w: &str, client: &mut Client| client.call(&["KV.PUT", key, "kept", "W", w]);
    let refusal = Value::from("-REJECTED w needs 1, 0 reachable");
    let key = eventually("a refusal for want of a replica", || {
        (0..20).map(|number| format!("key{number}")).find(|key| put(key, "one", &mut client) == refusal)
    });
    assert!(!put(&key, "any", &mut client).is_error());
    assert_eq!(nodes[0].info("fact_stood_in"), 1);
    assert_eq!(put(&key, "one", &mut client), refusal, "it is no replica for that");

    nodes[1].start();
    eventually("the hint handed over", || {
        (held(&mut nodes[1].connect(), &key) == [Value::from("kept")]).then_some(())
    });
    assert_eq!(nodes[0].connect().insist(&["GET", &key]), Value::from("kept"));
}

#[test]
fn contexts_resolve_siblings_and_pipelines_keep_their_order() {
    let scratch = Scratch::new();
    let ports = free_ports(2);
    let mut node = Node::new(scratch.0.join("n"), ports[0], ports[1], &ports[1..], "replication.n = 1");
    node.start();
    node.await_members(1);
    let mut client = node.connect();

    // Two writers that saw nothing.
    client.insist(&["KV.PUT", "cart", "milk", "CONTEXT", ""]);
    client.insist(&["KV.PUT", "cart", "bread", "CONTEXT", ""]);
    let Value::Array(both) = client.call(&["KV.GET", "cart"]) else { panic!("an array") };
    assert_eq!(both.len(), 3, "{both:?}");
    let context = match &both[0] {
        Value::Text(text) => text.clone().into_bytes(),
        Value::Bytes(bytes) => bytes.clone(),
        other => panic!("{other:?}"),
    };
    let Value::Text(error) = client.call(&["GET", "cart"]) else { panic!("an error") };
    assert!(error.starts_with("-SIBLINGS"), "{error}");
    client.call(&["KV.DEFAULTS", "SIBLINGS", "lww"]);
    assert_eq!(client.call(&["GET", "cart"]), Value::from("bread"), "the last writer's");
    let resolve: [&[u8]; 5] = [b"KV.PUT", b"cart", b"milk, bread", b"CONTEXT", &context];
    let Value::Array(written) = client.call(&resolve) else { panic!("an array") };
    assert_eq!(written[2], Value::Integer(1));
    let Value::Array(one) = client.call(&["KV.GET", "cart", "R", "one"]) else { panic!("an array") };
    assert_eq!(one[1..], [Value::from("milk, bread")]);
    let forged: [&[u8]; 5] = [b"KV.PUT", b"other", b"v", b"CONTEXT", &context];
    assert!(client.call(&forged).is_error(), "a context is bound to its key");

    for number in 0..200 {
        let number = number.to_string();
        client.send(&["SET", "counter", &number]);
        client.send(&["GET", "counter"]);
    }
    for number in 0..200 {
        assert_eq!(client.receive().expect("a reply"), Value::from("OK"));
        assert_eq!(client.receive().expect("a reply"), Value::from(number.to_string().as_str()));
    }
    assert_eq!(client.call(&["EXISTS", "counter", "cart", "nothing"]), Value::Integer(2));
    assert_eq!(node.terminate().code(), Some(0));
}

#[test]
fn a_dev_cluster_starts_in_one_command_and_leaves_nothing_behind() {
    let mut command = kvnode(&["dev", "--nodes", "3"]);
    let mut process = command.stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().expect("kvnode starts");
    let mut lines = BufReader::new(process.stdout.take().expect("it is piped")).lines();
    let mut line = || lines.next().expect("a line").expect("text");
    assert!(line().starts_with("node"));
    let rows: Vec<Vec<String>> =
        (0..3).map(|_| line().split_whitespace().map(str::to_owned).collect()).collect();
    let folder = std::path::PathBuf::from(&rows[0][4]);
    assert!(folder.join("node.toml").exists());

    let stop = std::process::Command::new("kill").args(["-TERM", &process.id().to_string()]).status();
    assert!(stop.expect("kill").success());
    assert_eq!(wait(&mut process).code(), Some(0));
    assert!(!folder.exists());
    for row in rows {
        let port: u16 = row[2].parse().expect("a port");
        assert!(std::net::TcpStream::connect(("127.0.0.1", port)).is_err(), "{} is gone", row[0]);
    }
}
