//! `kvnode`: what was typed, and what it means.

use std::format;
use std::io::IsTerminal;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::string::{String, ToString};
use std::vec::Vec;
use std::{eprintln, fs, io};

use clap::{Args, Parser, Subcommand};
use tracing_subscriber::EnvFilter;

use crate::cli::problem;
use crate::real::config::{self, NodeConfig, Overrides, Problem};
use crate::real::dev::{self, Plan};
use crate::real::{data, serve, signal};

/// Bad usage, or a bad configuration file.
const BAD_INPUT: u8 = 2;
/// Anything that went wrong later.
const FAILED: u8 = 1;

/// One node of a Dynamo-style replicated key-value store, for any Redis client.
#[derive(Debug, Parser)]
#[command(name = "kvnode", version, arg_required_else_help = true)]
struct Typed {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run one node.
    Serve(Serve),
    /// Run a small cluster on this machine, to try things out.
    Dev(Dev),
    /// Look at the data folder of a node that does not run. Changes nothing.
    #[command(subcommand)]
    Data(Data),
}

#[derive(Debug, Args)]
struct Serve {
    /// The node's configuration (TOML).
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// The data folder, instead of the file's.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Where clients connect, instead of the file's.
    #[arg(long, value_name = "IP:PORT", value_parser = listen)]
    listen_client: Option<SocketAddr>,
    /// Where peers connect, instead of the file's.
    #[arg(long, value_name = "IP:PORT", value_parser = listen)]
    listen_peer: Option<SocketAddr>,
    /// Where to find peers, instead of the file's. Can be given more than once.
    #[arg(long, value_name = "HOST:PORT", value_parser = host)]
    seed: Vec<String>,
    /// Stop cleanly when standard input ends: for a parent process that must not leave nodes behind.
    #[arg(long)]
    until_eof: bool,
}

#[derive(Debug, Args)]
struct Dev {
    /// How many nodes.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=50))]
    nodes: u16,
    /// Where their data goes, and stays. Without it, a temporary folder that is removed at the end.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// The first of the ports: clients from here, peers 1000 above. Without it, any that are free.
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..=64_000))]
    base_port: Option<u16>,
}

#[derive(Debug, Subcommand)]
enum Data {
    /// Check every checksum. Exit code 1 if something is damaged.
    Verify(Folder),
    /// List files, levels, sizes and key ranges.
    Dump(Folder),
}

#[derive(Debug, Args)]
struct Folder {
    /// The data folder.
    #[arg(value_name = "DIR")]
    path: PathBuf,
    /// One JSON object instead of text.
    #[arg(long)]
    json: bool,
}

fn host(text: &str) -> Result<String, &'static str> {
    if config::is_host(text) { Ok(text.into()) } else { Err("a host and a port, such as node1:7379") }
}

fn listen(text: &str) -> Result<SocketAddr, &'static str> {
    config::listen_address(text).ok_or("an IP address and a port, such as 127.0.0.1:6379")
}

/// Runs `kvnode` with the arguments of this process.
pub fn main() -> ExitCode {
    // Bad usage ends the process in here, with exit code 2.
    let typed = Typed::parse();
    let filter = EnvFilter::try_from_env("KVNODE_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let ansi = io::stderr().is_terminal();
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).with_ansi(ansi).init();
    match typed.command {
        Command::Serve(typed) => serve(typed),
        Command::Dev(typed) => {
            let Dev { nodes, data, base_port } = typed;
            finish(dev::run(&Plan { nodes, data, base_port }))
        }
        Command::Data(Data::Verify(folder)) => look(&folder, true),
        Command::Data(Data::Dump(folder)) => look(&folder, false),
    }
}

fn serve(typed: Serve) -> ExitCode {
    let overrides = Overrides {
        data: typed.data,
        client: typed.listen_client,
        peer: typed.listen_peer,
        seeds: typed.seed,
    };
    match load(&typed.config, &overrides) {
        Ok(config) => finish(serve::run(&config, || signal::stop(typed.until_eof))),
        Err(report) => {
            eprintln!("{report}");
            ExitCode::from(BAD_INPUT)
        }
    }
}

#[allow(clippy::print_stdout, reason = "the report is what was asked for")]
fn look(folder: &Folder, verify: bool) -> ExitCode {
    match data::look(&folder.path, verify, folder.json) {
        Ok(report) => {
            say!("{}", report.text.trim_end());
            if report.is_sound { ExitCode::SUCCESS } else { ExitCode::from(FAILED) }
        }
        Err(error) => finish(Err(std::format!("{}: {error}", folder.path.display()))),
    }
}

fn finish(result: Result<(), impl core::fmt::Display>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("kvnode: {error}");
            ExitCode::from(FAILED)
        }
    }
}

/// The configuration, or what to print about it.
fn load(path: &PathBuf, overrides: &Overrides) -> Result<NodeConfig, String> {
    let text = fs::read_to_string(path).map_err(|error| format!("kvnode: {}: {error}", path.display()))?;
    config::read(&text, overrides).map_err(|problem| report(&path.display().to_string(), &text, &problem))
}

fn report(path: &str, text: &str, problem: &Problem) -> String {
    let Problem { span, message, allowed } = problem;
    problem::render(path, text, message, span.clone(), allowed.as_deref())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_of_the_command_line_is_sound() {
        <Typed as clap::CommandFactory>::command().debug_assert();
    }

    #[test]
    fn a_report_shows_file_line_column_and_what_is_allowed() {
        let text =
            "cluster = 'c'\npeer = '127.0.0.1:1'\ndata = 'd'\nclient = '127.0.0.1:2'\ncapacity = 'big'\n";
        let problem = config::read(text, &Overrides::default()).expect_err("capacity");
        let report = report("node.toml", text, &problem);
        assert!(report.contains("node.toml:5:12"), "{report}");
        assert!(report.contains("^^^^^ allowed: a whole number from 1 to 1000"), "{report}");
    }
}
