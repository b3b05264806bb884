//! Layer 4: the simulator. A whole cluster in one process, in virtual time, with faults that a seed decides.
//!
//! - [`scenario`] is what a run is about; [`world`] is the run itself, as one value; [`run`] drives it to its end.
//! - A world is made of [`host`]s (a node, its [`disk`], its [`clock`]s), a [`network`], clients ([`workload`]),
//!   declared [`fault`]s, and one [`queue`] of [`event`]s.
//! - What clients saw is the [`history`]; what nodes hold is a [`probe`]; [`check`] judges both, and [`report`]
//!   tells.

pub mod audit;
pub mod check;
pub mod clock;
pub mod disk;
pub mod event;
pub mod fault;
pub mod history;
pub mod host;
pub mod membership;
pub mod network;
pub mod probe;
pub mod queue;
pub mod report;
pub mod run;
pub mod scenario;
pub mod trace;
pub mod verdict;
pub mod workload;
pub mod world;
