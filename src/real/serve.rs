//! One node, from its configuration to its end: ports, folder, threads, and the order in which they come and
//! go.

use std::boxed::Box;
use std::collections::HashMap;
use std::fmt;
use std::io;
use std::net::TcpListener as StdListener;
use std::thread;
use std::time::Duration;

use rand::rand_core::TryRng;
use rand::rngs::SysRng;
use tokio::net::TcpListener;
use tokio::runtime::Builder;
use tokio::sync::{oneshot, watch};
use tracing::info;

use crate::node::input::Env;
use crate::node::outbox::Outbox;
use crate::node::step::{Node, OpenError};
use crate::real::client::Clients;
use crate::real::clock::Clock;
use crate::real::config::NodeConfig;
use crate::real::disk::RealDisk;
use crate::real::folder::{self, FolderError};
use crate::real::inbox::{self, Event, Inbox};
use crate::real::info::Counters;
use crate::real::link::Links;
use crate::real::listen::{self, BindError, accept};
use crate::real::owner::{Ended, Owner};
use crate::real::peer::Peers;
use crate::real::{jobs, sync};

/// Threads for sockets. The node itself has its own.
const WORKERS: usize = 2;
/// How much longer than a request's timeout a stopping node waits for the replies it still owes.
const GRACE: Duration = Duration::from_millis(500);

/// Why a node did not start, or did not go on.
#[derive(Debug)]
pub enum ServeError {
    Bind(BindError),
    Folder(FolderError),
    Open(OpenError),
    Ended(Ended),
    /// The operating system refused a thread, a signal, or randomness.
    System(io::Error),
}

impl fmt::Display for ServeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ServeError::Bind(error) => error.fmt(f),
            ServeError::Folder(error) => error.fmt(f),
            ServeError::Open(error) => write!(f, "cannot open the node: {error}"),
            ServeError::Ended(ended) => ended.fmt(f),
            ServeError::System(error) => error.fmt(f),
        }
    }
}

impl From<io::Error> for ServeError {
    fn from(error: io::Error) -> ServeError {
        ServeError::System(error)
    }
}

/// Runs a node until `stop` is done, then stops it cleanly.
///
/// Ports are taken before the folder is looked at, the folder is claimed before a file in it is opened, and
/// whose data it holds is checked before anything in it is changed: a start that fails leaves all as it was.
pub fn run<S: Future<Output = ()>>(config: &NodeConfig, stop: impl FnOnce() -> S) -> Result<(), ServeError> {
    let clients = listen::bind("clients", config.client).map_err(ServeError::Bind)?;
    let peers = listen::bind("peers", config.peer).map_err(ServeError::Bind)?;
    let disk = folder::open(&config.data).map_err(ServeError::Folder)?;
    let runtime = Builder::new_multi_thread().worker_threads(WORKERS).enable_all().build()?;
    let result = runtime.block_on(async {
        let started = start(config, disk)?;
        info!(client = %config.client, peer = %config.peer, data = %config.data.display(), "serving");
        serve(config, started, clients, peers, stop()).await
    });
    // A connection attempt to a peer that does not answer must not hold the end up.
    runtime.shutdown_background();
    result
}

struct Started {
    inbox: Inbox,
    ended: oneshot::Receiver<Ended>,
}

/// Opens the node and starts its threads.
fn start(config: &NodeConfig, mut disk: RealDisk) -> Result<Started, ServeError> {
    let clock = Clock::start();
    let mut out = Outbox::default();
    let seed = SysRng.try_next_u64().map_err(io::Error::other)?;
    let mut env = Env { now: clock.now(), disk: &mut disk, out: &mut out };
    let node = Node::open(config.node.clone(), seed, &mut env).map_err(ServeError::Open)?;
    let sender = node.sender();
    info!(node = %sender.node, generation = sender.generation.0, "opened");

    let (inbox, outlet) = inbox::new();
    let owner = Owner {
        links: Links::new(config.node.cluster, tokio::runtime::Handle::current()),
        syncs: sync::spawn(disk.clone(), inbox.clone())?,
        jobs: jobs::spawn(&disk, &inbox)?,
        node,
        disk,
        out,
        clock,
        outlet,
        counters: Counters::default(),
        waiting: HashMap::new(),
        next_tag: 0,
    };
    let (end, ended) = oneshot::channel();
    thread::Builder::new().name("node".into()).spawn(move || {
        let _gone = end.send(owner.run());
    })?;
    Ok(Started { inbox, ended })
}

async fn serve(
    config: &NodeConfig,
    mut started: Started,
    clients: StdListener,
    peers: StdListener,
    stop: impl Future<Output = ()>,
) -> Result<(), ServeError> {
    let (stop_peers, peers_stopped) = watch::channel(false);
    let (stop_clients, clients_stopped) = watch::channel(false);
    let inbox = started.inbox.clone();
    let server = Peers { cluster: config.node.cluster, inbox: inbox.clone() };
    tokio::spawn(accept(TcpListener::from_std(peers)?, server, peers_stopped));
    let server = Clients { inbox: inbox.clone(), max: config.clients_max, node: config.node.clone().into() };
    let mut serving = tokio::spawn(accept(TcpListener::from_std(clients)?, server, clients_stopped));

    // An owner that vanishes without a word has panicked.
    let mut stop = Box::pin(stop);
    tokio::select! {
        ended = &mut started.ended => {
            // The node has answered what was open. Let the answers out.
            stop_clients.send_replace(true);
            let _late = tokio::time::timeout(GRACE, &mut serving).await;
            return Err(ServeError::Ended(ended.unwrap_or(Ended::Died("node"))));
        }
        () = &mut stop => info!("stopping"),
    }
    // Peers go on while requests end: they are needed to end them.
    stop_clients.send_replace(true);
    let patience = Duration::from_millis(config.node.request_timeout.as_millis()) + GRACE;
    let _late = tokio::time::timeout(patience, &mut serving).await;
    stop_peers.send_replace(true);
    inbox.deliver(Event::Stop);
    match started.ended.await.unwrap_or(Ended::Died("node")) {
        Ended::Stopped => {
            info!("stopped");
            Ok(())
        }
        ended => Err(ServeError::Ended(ended)),
    }
}
