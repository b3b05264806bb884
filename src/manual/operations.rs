//! # Running real nodes
//!
//! ## To try it
//!
//! ```text
//! kvnode dev --nodes 3 [--data DIR] [--base-port 7101]
//! ```
//!
//! starts nodes as processes of their own on loopback, prints ports and folders, and stops them all at Ctrl-C.
//! Without `--data` the folder is temporary. Kill one with `kill -9`: reads and writes go on; start it again with
//! the line that was printed: it has its data, and gets what it missed.
//!
//! ## One node
//!
//! ```text
//! kvnode serve --config node.toml [--data DIR] [--listen-client IP:PORT] [--listen-peer IP:PORT] [--seed HOST:PORT]...
//! ```
//!
//! [`crate::real::config`] is the reference of the file; `deploy/node.toml` is a commented example. A mistake in it
//! ends the start with exit code 2 and a message that shows file, line and column and what is allowed there.
//!
//! *Forming a cluster.* Give every node the same `cluster` name, the same `seeds`, and `founders`: how many members
//! found it. The node whose own address stands first in `seeds` is the founder: it waits until it sees that many
//! members, makes the first layout of those it sees, and spreads it. Until then every request is rejected with "the
//! cluster is still forming". A node that arrives later coordinates requests but owns no data.
//!
//! *Whose folder.* The first start mints an identity and writes it into the folder. A folder of another cluster,
//! or, where `node` is configured, of another node, is refused before anything in it is touched; so is a folder
//! that another process has open.
//!
//! *A lost disk.* Configure the identity as `node` (`INFO` shows it), start with an empty folder: peers tell the
//! node of its earlier life, it takes a generation above that, and they give it its data back. Until every other
//! replica of its keys has (`amnesiac:1` in `INFO`), it answers no reads ([`crate::node::amnesia`]): so bring back
//! others that are down first. Without `node` it comes as a new member, and the old one stays down. A folder from an
//! old backup is handled in the same way, unless it was copied since the node was last started: then nobody notices,
//! and reads may be behind until repair has come by. Give the node an empty folder instead.
//!
//! *Stopping.* SIGTERM and SIGINT: no more connections, what is queued is finished, everything is synced, exit code
//! 0. A node that cannot trust its disk any more (a failed write or sync) halts with exit code 1 and says why; open
//! requests are answered `UNKNOWN`.
//!
//! *Logs* go to standard error; `KVNODE_LOG` sets the level (`info` by default, the syntax of tracing's
//! `EnvFilter`).
//!
//! *Watching.* `INFO` on the client port: identity, members up and down, hints waiting, operations by outcome,
//! what found no room (`ops_refused`, `frames_refused`: the node is offered more than it can take), frames dropped, and
//! every [`crate::node::fact::Fact`] with its count.
//!
//! ## Sessions
//!
//! A client sees its own writes, through any node and at any R, if it gives the context that a write replied to its
//! later reads (`CONTEXT`; a read waits for replicas that know as much). `KV.PUT` and `KV.DEL` reply it; every other
//! command replies as Redis does, and with `FULL` a map (in RESP2 an array of names and values in turn) instead:
//!
//! ```text
//! KV.WITH FULL DO INCRBY hits 4               context, dot, acks, durable, result  (result: 4, what INCRBY replies)
//! KV.WITH CONTEXT token FULL DO GET hits      context, result
//! KV.WITH CONTEXT token FULL DO SMEMBERS tags context, result
//! KV.PUT cart milk FULL                       context, dot, acks, durable
//! KV.GET cart FULL                            context, values  (of each sibling: dot, stamp, value)
//! ```
//!
//! `acks` counts what W counts, `durable` the disks among them. A counter, set or map is what many writes made of it,
//! so `KV.GET` shows it as one value without a dot. A context is of one key, so `FULL` is not for `DEL a b`.
//! A failure is the same error with and without; `-UNKNOWN` has acknowledgements, dot and context in its text.
//!
//! `KV.DEFAULTS` sets knobs for a connection. What no request could be granted (`R 5` where keys have three replicas)
//! is refused there and then. What shows only with a request (more zones than there are, too few nodes up) is refused
//! with each that says nothing itself, and ends with "KV.DEFAULTS of this connection asks for that". An option that
//! has no effect on its command (`SIBLINGS` on a set, `R` on a write) is an error that names those that have.
//!
//! ## Looking inside
//!
//! *Looking at data.* `kvnode data verify DIR [--json]` reads every byte in the folder of a node that does not run, and
//! says what is damaged and which keys that leaves unknown; `kvnode data dump DIR [--json]` lists files, levels, sizes
//! and key ranges. Both change nothing, work on damaged folders too, and end with exit code 1 if there is damage.
//!
//! *A full disk.* The node hands writes of its keys on to their other replicas, and refuses them with `-REJECTED` where
//! no other takes them; reads go on, and writes resume by themselves when there is space again: the `reserve` file in
//! the folder keeps the node able to say so.
