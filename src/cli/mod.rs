//! Layer 5: the command lines. Each in two steps: what was typed, and what it means.

/// A line for whoever reads standard output. If nobody does any more (`kvsim list | head -1`), that is no reason to
/// stop: what a command is asked for is also in its files and its exit code.
macro_rules! say {
    ($($text:tt)*) => {{
        let line = std::format!($($text)*);
        let _nobody_reads = std::io::Write::write_fmt(&mut std::io::stdout(), std::format_args!("{line}\n"));
    }};
}

pub mod kvnode;
pub mod kvsim;
pub mod problem;
