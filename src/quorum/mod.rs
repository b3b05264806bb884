//! Layer 2: when enough nodes have answered. Pure decisions, after the quorum tally of riak_kv (`riak_kv_get_core`,
//! `riak_kv_put_core`): fed with events, they say once whether the request succeeded or no longer can.

pub mod need;
pub mod read;
pub mod tally;
pub mod write;

#[cfg(test)]
mod golden;

pub use need::{Demand, Demands, Knob, Replicas};
pub use read::ReadTally;
pub use tally::{Decision, Impossible, Level};
pub use write::{Ack, Counting, WriteTally};
