use std::fs;

use crate::kit::{Node, Scratch, Value, eventually, free_ports, held};

/// A node lost its disk, and with it the count of its lives: it begins again at generation 1. Its peers refuse that, and
/// tell it of its third life; from then on everything it sends has to carry the generation that it has taken after
/// that, or it goes on speaking to the deaf until somebody starts it once more.
#[test]
fn a_node_that_lost_its_disk_is_heard_again_and_gets_its_data_back() {
    let scratch = Scratch::new();
    let ports = free_ports(6);
    let mut nodes = [0, 1, 2].map(|number| {
        let folder = scratch.0.join(format!("n{number}"));
        // Without its name in the configuration it would come back as somebody else.
        let name = format!("node = 'n{}'", number + 1);
        Node::new(folder, ports[number], ports[3 + number], &ports[3..], &name)
    });
    nodes.iter_mut().for_each(Node::start);
    nodes.iter().for_each(|node| node.await_members(3));
    for life in [2, 3] {
        nodes[2].kill();
        nodes[2].start();
        assert_eq!(nodes[2].info("generation"), life);
    }
    nodes.iter().for_each(|node| node.await_members(3));
    assert_eq!(nodes[2].connect().insist(&["SET", "before", "1"]), Value::from("OK"));
    eventually("all three copies", || {
        nodes.iter().all(|node| held(&mut node.connect(), "before") == [Value::from("1")]).then_some(())
    });

    nodes[2].kill();
    fs::remove_dir_all(nodes[2].data()).expect("it is there");
    nodes[2].start();
    eventually("a generation above its third life", || (nodes[2].info("generation") > 3).then_some(()));
    assert_eq!(nodes[2].info("fact_generation_raised"), 1);

    // It cannot do any of this without being heard by another: two of three have to answer it.
    assert_eq!(nodes[2].connect().insist(&["SET", "after", "2"]), Value::from("OK"));
    eventually("what it had lost", || {
        (held(&mut nodes[2].connect(), "before") == [Value::from("1")]).then_some(())
    });
    nodes.iter().for_each(|node| node.await_members(3));
    assert_eq!(nodes[0].connect().insist(&["GET", "after"]), Value::from("2"));
}
