//! # Protocols
//!
//! ## Between nodes
//!
//! Frames over TCP, one connection for each direction: [`crate::node::wire`] has the layout,
//! [`crate::node::message`] the messages. A frame names cluster, sender and generation, and has one checksum over
//! everything. Frames of another cluster or with a wrong checksum, an impossible length or an impossible content
//! are refused and the connection is closed. The core expects nothing of the network: every frame may be lost,
//! doubled, delayed or overtaken.
//!
