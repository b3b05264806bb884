//! The disk's contract and the storage engine on it: the same bodies against the simulated and the real disk,
//! then crashes, torn writes and flipped bits against a model on the simulated one.

mod contract;
mod crash;
mod damage;
mod driver;
mod failing;
mod flips;
mod full;
mod history;
mod inspect;
mod model;
mod pitfalls;
mod scenario;
