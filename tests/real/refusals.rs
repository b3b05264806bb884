use std::fs;
use std::net::TcpListener;
use std::process::Output;

use crate::kit::{Node, Scratch, contents, free_ports, kvnode, refused};

fn failed(output: &Output, code: i32) -> String {
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{text}");
    text
}

fn alone(scratch: &Scratch, name: &str, more: &str) -> Node {
    let ports = free_ports(2);
    Node::new(scratch.0.join(name), ports[0], ports[1], &ports[1..], more)
}

#[test]
fn a_bad_configuration_is_refused_with_its_place_and_what_is_allowed() {
    let scratch = Scratch::new();
    let path = scratch.0.join("node.toml");
    let path = path.to_str().expect("text");
    fs::write(
        path,
        "cluster = 'c'\ncapacity = 'big'\nclient = '127.0.0.1:1'\npeer = '127.0.0.1:2'\ndata = 'd'\n",
    )
    .expect("a new file");
    let output = kvnode(&["serve", "--config", path]).output().expect("it ran");
    let text = failed(&output, 2);
    assert!(text.contains("node.toml:2:12"), "{text}");
    assert!(text.contains("a whole number from 1 to 1000"), "{text}");

    fs::write(path, "cluster = 'c'\ncolour = 'red'\n").expect("a new file");
    let text = failed(&kvnode(&["serve", "--config", path]).output().expect("it ran"), 2);
    assert!(text.contains("node.toml:2:1") && text.contains("expected one of"), "{text}");

    failed(&kvnode(&["serve", "--config", "/nowhere/node.toml"]).output().expect("it ran"), 2);
    failed(&kvnode(&["serve", "--colour"]).output().expect("it ran"), 2);
}

#[test]
fn a_port_in_use_is_refused_before_the_folder_is_made() {
    let scratch = Scratch::new();
    let node = alone(&scratch, "n", "");
    let taken = TcpListener::bind(node.peer).expect("it is free");
    let text = failed(&refused(&node), 1);
    assert!(text.contains("cannot listen for peers") && text.contains("in use"), "{text}");
    assert!(!node.data().exists());
    drop(taken);
}

/// A folder is refused while its node runs, and after that to a node of another cluster or name; in no case
/// is anything in it changed.
#[test]
fn the_folder_of_another_node_is_refused_and_left_as_it_was() {
    let scratch = Scratch::new();
    let mut owner = alone(&scratch, "owner", "");
    owner.start();
    owner.await_members(1);

    let data = owner.data();
    let on_its_data = |name: &str, text: (&str, &str)| {
        let node = alone(&scratch, name, "");
        let path = node.folder.join("node.toml");
        let config = fs::read_to_string(&path).expect("it was written");
        let config = config.replace(node.data().to_str().expect("text"), data.to_str().expect("text"));
        fs::write(&path, config.replace(text.0, text.1)).expect("it is ours");
        node
    };
    let text = failed(&refused(&on_its_data("second", ("", ""))), 1);
    assert!(text.contains("another process that is running"), "{text}");

    assert_eq!(owner.terminate().code(), Some(0));
    let before = contents(&data);
    let text = failed(&refused(&on_its_data("stranger", ("'test'", "'other'"))), 1);
    assert!(text.contains("another cluster"), "{text}");
    assert_eq!(contents(&data), before);
    let text = failed(&refused(&on_its_data("imposter", ("cluster", "node = 'n7'\ncluster"))), 1);
    assert!(text.contains("another node"), "{text}");
    assert_eq!(contents(&data), before);
}

#[test]
fn a_folder_with_other_files_is_refused() {
    let scratch = Scratch::new();
    let node = alone(&scratch, "n", "");
    fs::create_dir(node.data()).expect("a new folder");
    fs::write(node.data().join("thesis.tex"), "years of work").expect("a new file");
    let before = contents(&node.data());
    let text = failed(&refused(&node), 1);
    assert!(text.contains("it holds thesis.tex"), "{text}");
    assert_eq!(contents(&node.data()), before);
}
