//! What a run tells: for people ([`text`], with a [`picture`]; [`page`], with a [`chart`]) and for tools ([`json`]),
//! from the same [`stats`], [`series`] and [`timeline`].

pub mod chart;
pub mod json;
pub mod page;
pub mod picture;
pub mod series;
pub mod stats;
pub mod text;
pub mod timeline;

use std::string::String;

/// What the caller knows of a run besides the run itself.
#[derive(Clone, Debug)]
pub struct Setting {
    /// The command line that reproduces the run.
    pub replay: String,
    /// How long the run took, in nanoseconds of the real clock. The simulator itself reads none.
    pub wall_ns: u64,
}
