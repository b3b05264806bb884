//! Invariants: what must hold between any two steps of a node, said where it is known and asked for after each step by
//! the simulator. They cost a few comparisons each, so that they can be asked for always.

use core::fmt;

/// What does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Broken(pub &'static str);

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// `what` is the promise, as a sentence that is true if all is well.
pub fn holds(condition: bool, what: &'static str) -> Result<(), Broken> {
    if condition { Ok(()) } else { Err(Broken(what)) }
}
