//! Layer 4: the simulator. A whole cluster in one process, in virtual time, with faults that a seed decides.
//!
//! - [`scenario`] is what a run is about; [`world`] is the run itself, as one value; [`run`] drives it to its end.
//! - A world is made of [`host`]s (a node, its [`disk`], its [`clock`]s), a [`network`], clients ([`workload`]),
//!   declared [`fault`]s, and one [`queue`] of [`event`]s.
//! - What a fault would destroy is known to the [`ghost`]; the [`budget`] says whether it may.
//! - What an acknowledgement stands for is a [`promise`], and the [`audit`] looks whether it is kept.
//! - What clients saw is the [`history`]; what nodes hold is a [`probe`]; [`check`] judges both, [`expect`] holds them
//!   against what the scenario expects, and [`report`] tells.
//! - A run can be [`narrate`]d event by event.
//! - In between, [`heal`] asks whether the cluster would recover, and [`stuck`] why not; [`twin`]s prove that chance
//!   comes from the seed alone, or tell by a [`difference`] where it does not.

pub mod audit;
pub mod budget;
pub mod check;
pub mod clock;
pub mod difference;
pub mod disk;
pub mod event;
pub mod expect;
pub mod fault;
pub mod ghost;
pub mod heal;
pub mod history;
pub mod host;
pub mod impair;
pub mod membership;
pub mod narrate;
pub mod network;
pub mod percentiles;
pub mod probe;
pub mod promise;
pub mod queue;
pub mod rates;
pub mod report;
pub mod run;
pub mod scenario;
pub mod stuck;
pub mod trace;
pub mod twin;
pub mod verdict;
pub mod workload;
pub mod world;
