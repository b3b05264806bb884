use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use crate::kit::{Node, PATIENCE, Scratch, Value, free_ports};

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
