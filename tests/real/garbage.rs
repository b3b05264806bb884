use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use crate::kit::{Node, PATIENCE, Scratch, Value, eventually, free_ports};

/// Sends `bytes`, and reads until the node closes the connection, which it must.
fn thrown_at(address: SocketAddr, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).expect("it listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
    // The node may close while this is being sent.
    let _cut_off = stream.write_all(bytes);
    let mut reply = Vec::new();
    match stream.read_to_end(&mut reply) {
        Ok(_) => {}
        Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset, "it stays open"),
    }
    reply
}

#[test]
fn garbage_closes_its_connection_and_nothing_else() {
    let scratch = Scratch::new();
    let ports = free_ports(2);
    let mut node = Node::new(scratch.0.join("n"), ports[0], ports[1], &ports[1..], "");
    node.start();
    let mut bystander = node.connect();

    let deep = b"*1\r\n".repeat(100_000);
    for bytes in [&deep[..], b"*1\r\n$99999999999\r\n", b"*-7x\r\n", b"POST / HTTP/1.1\r\n", &[b'x'; 10_000]]
    {
        let reply = thrown_at(node.client, bytes);
        assert!(reply.is_empty() || reply.starts_with(b"-ERR"), "{}", reply.escape_ascii());
    }
    let mut noise: Vec<u8> = (0..100_000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    thrown_at(node.peer, &noise);
    thrown_at(node.peer, b"GET / HTTP/1.1\r\n\r\n");
    // A header that is right, with a body that is not.
    noise[..8].copy_from_slice(&[100, 0, 0, 0, b'k', b'v', 1, 0]);
    thrown_at(node.peer, &noise);
    // A length above any frame, and one below its own header.
    thrown_at(node.peer, &[255, 255, 255, 127, b'k', b'v', 1, 0]);
    thrown_at(node.peer, &[7, 0, 0, 0, b'k', b'v', 1, 0]);

    assert!(node.is_running());
    assert_eq!(bystander.call(&["PING"]), Value::from("PONG"));
    assert_eq!(node.connect().call(&["ECHO", "still here"]), Value::from("still here"));
}

#[test]
fn a_client_above_the_bound_is_told_so() {
    let scratch = Scratch::new();
    let ports = free_ports(2);
    let more = "limits.clients_max = 1";
    let mut node = Node::new(scratch.0.join("n"), ports[0], ports[1], &ports[1..], more);
    node.start();
    let mut first = node.connect();
    assert_eq!(first.call(&["PING"]), Value::from("PONG"));
    assert_eq!(thrown_at(node.client, b""), b"-ERR max number of clients reached\r\n");
    assert_eq!(first.call(&["QUIT"]), Value::from("OK"));
    eventually("its place", || {
        (node.connect().call_or_closed(&["PING"])? == Value::from("PONG")).then_some(())
    });
}

/// `printf 'SET k v\r\nGET k\r\n' | nc` ends its side at once, and still wants both replies.
#[test]
fn a_client_that_ends_its_side_still_gets_its_replies() {
    let scratch = Scratch::new();
    let ports = free_ports(2);
    let mut node = Node::new(scratch.0.join("n"), ports[0], ports[1], &ports[1..], "replication.n = 1");
    node.start();
    node.await_members(1);
    let mut stream = TcpStream::connect(node.client).expect("it listens");
    stream.write_all(b"SET k v\r\nGET k\r\nPI").expect("it is connected");
    stream.shutdown(std::net::Shutdown::Write).expect("it is connected");
    let mut replies = String::new();
    stream.read_to_string(&mut replies).expect("text");
    assert_eq!(replies, "+OK\r\n$1\r\nv\r\n");
}
