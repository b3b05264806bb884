//! The real driver.

pub mod disk;
