//! A small cluster on this machine: how a newcomer tries it.
//!
//! Each node is a process of its own, as in earnest, so that it can be killed and started again by hand. The
//! nodes stop when their standard input ends, which is when this process ends, however it does: none is left
//! behind.

use std::format;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::string::{String, ToString};
use std::time::{Duration, Instant};
use std::vec::Vec;
use std::{fmt, thread};

use crate::real::config::{self, Overrides};
use crate::real::signal;

/// How long a cluster may take to form.
const FORMING: Duration = Duration::from_secs(30);
/// How long a node may take to stop before it is killed.
const STOPPING: Duration = Duration::from_secs(10);
/// How often nodes are looked at.
const GLANCE: Duration = Duration::from_millis(100);
/// Peer ports lie this far above client ports, if a base was given.
const PEER_OFFSET: u16 = 1000;

/// What was asked for.
#[derive(Clone, Debug)]
pub struct Plan {
    pub nodes: u16,
    /// `None`: a temporary folder, removed at the end.
    pub data: Option<PathBuf>,
    /// `None`: any free ports.
    pub base_port: Option<u16>,
}

/// Why there is no cluster.
#[derive(Debug)]
pub enum DevError {
    Io {
        what: String,
        error: io::Error,
    },
    /// A node ended, or did not get ready; `log` tells why.
    Node {
        name: String,
        log: PathBuf,
        last: String,
    },
}

impl fmt::Display for DevError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DevError::Io { what, error } => write!(f, "{what}: {error}"),
            DevError::Node { name, log, last } => {
                write!(f, "{name} did not get ready; the end of {}:\n{last}", log.display())
            }
        }
    }
}

/// Names what could not be done.
fn doing<T>(what: impl fmt::Display, result: io::Result<T>) -> Result<T, DevError> {
    result.map_err(|error| DevError::Io { what: what.to_string(), error })
}

/// To standard output. If nobody reads it any more, the cluster goes on all the same.
fn print(text: &str) {
    let _nobody_reads = io::stdout().write_all(text.as_bytes());
}

#[derive(Debug)]
struct NodeProcess {
    name: String,
    folder: PathBuf,
    client: SocketAddr,
    peer: SocketAddr,
    process: Child,
    /// Its end was reported.
    ended: bool,
}

/// The running cluster. Dropped, it stops.
#[derive(Debug)]
struct Cluster {
    nodes: Vec<NodeProcess>,
    temporary: Option<PathBuf>,
}

/// Starts the cluster, prints where it is, and stops it at SIGINT or SIGTERM.
pub fn run(plan: &Plan) -> Result<(), DevError> {
    let (root, temporary) = match &plan.data {
        Some(root) => {
            doing(root.display(), fs::create_dir_all(root))?;
            // The configurations have to hold wherever the nodes are started again.
            (doing(root.display(), root.canonicalize())?, None)
        }
        None => {
            let root = std::env::temp_dir().join(format!("kvnode-dev-{}", std::process::id()));
            doing(root.display(), fs::create_dir(&root))?;
            (root.clone(), Some(root))
        }
    };
    let mut cluster = Cluster { nodes: Vec::new(), temporary };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    doing("cannot start", runtime)?.block_on(async {
        let stop = signal::stop(false);
        tokio::pin!(stop);
        write_configs(plan, &root)?;
        for number in 1..=plan.nodes {
            cluster.nodes.push(start(number, &root)?);
        }
        let patience = Instant::now() + FORMING;
        while !cluster.nodes.iter().all(NodeProcess::is_ready) {
            cluster.check(Instant::now() > patience)?;
            tokio::select! {
                () = &mut stop => return Ok(()),
                () = tokio::time::sleep(GLANCE) => {}
            }
        }
        print(&cluster.introduction());
        loop {
            tokio::select! {
                () = &mut stop => return Ok(()),
                () = tokio::time::sleep(GLANCE) => cluster.report_ends(),
            }
        }
    })
}

/// Writes the configurations that are not there yet. One that is keeps its ports, and a reader's changes.
fn write_configs(plan: &Plan, root: &Path) -> Result<(), DevError> {
    // All new ports are held until all are known, so that none is found twice.
    let mut held = Vec::new();
    let mut ports = Vec::new();
    for number in 1..=plan.nodes {
        let wanted = plan.base_port.map(|base| base + number - 1);
        let folder = folder(root, number);
        if folder.join("node.toml").exists() {
            let (client, peer) = read_config(&folder)?;
            if wanted.is_some_and(|wanted| wanted != client.port()) {
                let kept = io::Error::other(format!("its client port is {} already", client.port()));
                return doing(folder.join("node.toml").display(), Err(kept));
            }
            ports.push((None, peer.port()));
        } else {
            let client = free_port(wanted, &mut held)?;
            let peer = free_port(wanted.map(|wanted| wanted + PEER_OFFSET), &mut held)?;
            ports.push((Some(client), peer));
        }
    }
    let seeds: Vec<String> = ports.iter().map(|(_, peer)| format!("\"127.0.0.1:{peer}\"")).collect();
    for (number, (client, peer)) in (1..).zip(&ports) {
        let Some(client) = client else { continue };
        let folder = folder(root, number);
        doing(folder.display(), fs::create_dir_all(&folder))?;
        let text = format!(
            "cluster = \"dev\"\ndata = {}\nclient = \"127.0.0.1:{client}\"\npeer = \"127.0.0.1:{peer}\"\n\
             seeds = [{}]\nfounders = {}\n\n[replication]\nn = {}\n",
            toml::Value::from(folder.join("data").to_string_lossy().into_owned()),
            seeds.join(", "),
            plan.nodes,
            plan.nodes.min(3),
        );
        doing(folder.display(), fs::write(folder.join("node.toml"), text))?;
    }
    Ok(())
}

/// `wanted`, or any port, now held by a listener in `held`.
fn free_port(wanted: Option<u16>, held: &mut Vec<TcpListener>) -> Result<u16, DevError> {
    let port = wanted.unwrap_or(0);
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port));
    let listener = doing(format_args!("cannot use port {port}"), listener)?;
    let port = doing("cannot find a free port", listener.local_addr())?.port();
    held.push(listener);
    Ok(port)
}

fn folder(root: &Path, number: u16) -> PathBuf {
    root.join(format!("node-{number}"))
}

/// The client and the peer address of the node in `folder`.
fn read_config(folder: &Path) -> Result<(SocketAddr, SocketAddr), DevError> {
    let path = folder.join("node.toml");
    let text = doing(path.display(), fs::read_to_string(&path))?;
    let config = config::read(&text, &Overrides::default());
    let config = config.map_err(|problem| io::Error::other(problem.message));
    doing(path.display(), config).map(|config| (config.client, config.peer))
}

fn start(number: u16, root: &Path) -> Result<NodeProcess, DevError> {
    let folder = folder(root, number);
    let (client, peer) = read_config(&folder)?;
    let log = OpenOptions::new().create(true).append(true).open(folder.join("log"));
    let log = doing(folder.display(), log)?;
    let program = doing("cannot find this program", std::env::current_exe())?;
    let mut command = Command::new(program);
    command.arg("serve").arg("--config").arg(folder.join("node.toml")).arg("--until-eof");
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(log);
    let process = doing("cannot start a node", command.spawn())?;
    Ok(NodeProcess { name: format!("node-{number}"), folder, client, peer, process, ended: false })
}

impl NodeProcess {
    /// Whether it answers, and knows a layout.
    fn is_ready(&self) -> bool {
        let info = info(self.client).unwrap_or_default();
        info.lines().any(|line| line.strip_prefix("layout:").is_some_and(|version| version != "0"))
    }

    fn end(&mut self) -> Option<String> {
        self.process.try_wait().ok().flatten().map(|status| status.to_string())
    }
}

/// The reply to `INFO`, near enough.
fn info(client: SocketAddr) -> io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&client, GLANCE)?;
    stream.set_read_timeout(Some(Duration::from_secs(1)))?;
    stream.write_all(b"INFO\r\nQUIT\r\n")?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    Ok(text)
}

impl Cluster {
    /// Fails if a node has ended, or if it is `late` and one is not ready.
    fn check(&mut self, late: bool) -> Result<(), DevError> {
        let failed = self
            .nodes
            .iter_mut()
            .find_map(|node| (node.end().is_some() || (late && !node.is_ready())).then_some(&*node));
        let Some(node) = failed else { return Ok(()) };
        let log = node.folder.join("log");
        let mut text = String::new();
        // No log is no reason to hide which node it was.
        let _unreadable = File::open(&log).and_then(|mut file| file.read_to_string(&mut text));
        let lines: Vec<&str> = text.lines().collect();
        let last = lines[lines.len().saturating_sub(5)..].join("\n");
        // A temporary folder is about to be removed, and its log with it: what matters is in `last`.
        Err(DevError::Node { name: node.name.clone(), log, last })
    }

    /// Where everything is, and what to try first.
    fn introduction(&self) -> String {
        let mut text =
            format!("{:<8} {:>8} {:>11} {:>10}  folder\n", "node", "pid", "client port", "peer port");
        for node in &self.nodes {
            let (pid, client, peer) = (node.process.id(), node.client.port(), node.peer.port());
            let folder = node.folder.display();
            text += &format!("{:<8} {pid:>8} {client:>11} {peer:>10}  {folder}\n", node.name);
        }
        let first = &self.nodes[0];
        let last = self.nodes.last().expect("a cluster has a node");
        text += "\nTry it:\n";
        text += &format!("  redis-cli -p {} SET greeting hello\n", first.client.port());
        text += &format!("  redis-cli -p {} GET greeting\n", last.client.port());
        text += &format!("  kill -9 {}     # the others go on; then start it again:\n", last.process.id());
        text += &format!("  kvnode serve --config {}\n", last.folder.join("node.toml").display());
        text += "\nCtrl-C stops them all.\n";
        text
    }

    fn report_ends(&mut self) {
        for node in self.nodes.iter_mut().filter(|node| !node.ended) {
            if let Some(status) = node.end() {
                node.ended = true;
                print(&format!("{} ended: {status}\n", node.name));
            }
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for node in &mut self.nodes {
            drop(node.process.stdin.take());
        }
        let patience = Instant::now() + STOPPING;
        for node in &mut self.nodes {
            while node.end().is_none() && Instant::now() < patience {
                thread::sleep(GLANCE);
            }
            // Does nothing to one that has ended.
            let _ended = node.process.kill();
            let _reaped = node.process.wait();
        }
        if let Some(folder) = &self.temporary {
            let _left_behind = fs::remove_dir_all(folder);
        }
    }
}
