//! # Figures of the simulator
//!
//! `just bench-sim` (`cargo bench --bench simulator`) measures them: the bare event loop, each shipped scenario with
//! all faults and checks on, what the checks cost of it, copies of worlds, and threads. Rates are per second of
//! processor time of the thread that works.
