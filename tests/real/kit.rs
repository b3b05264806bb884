//! Node processes and a client, as small as they can be.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// How long anything may take before a test fails. Far above what it takes, for machines under load.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A folder that is removed with this.
pub struct Scratch(pub PathBuf);

impl Scratch {
    pub fn new() -> Scratch {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("kvnode-test-{}-{number}", std::process::id()));
        fs::create_dir(&path).expect("a new folder");
        Scratch(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _left_behind = fs::remove_dir_all(&self.0);
    }
}

/// `count` ports that nobody uses. (Somebody could take one before the node does; the system hands out others
/// first.)
pub fn free_ports(count: usize) -> Vec<u16> {
    let held: Vec<TcpListener> =
        (0..count).map(|_| TcpListener::bind("127.0.0.1:0").expect("a free port")).collect();
    held.iter().map(|listener| listener.local_addr().expect("it is bound").port()).collect()
}

/// One node: where it is, and its process while it runs.
pub struct Node {
    pub folder: PathBuf,
    pub client: SocketAddr,
    pub peer: SocketAddr,
    process: Option<Child>,
}

impl Node {
    /// Writes the configuration of a node; `more` is added to it.
    pub fn new(folder: PathBuf, client: u16, peer: u16, seeds: &[u16], more: &str) -> Node {
        fs::create_dir_all(&folder).expect("a new folder");
        let seeds: Vec<String> = seeds.iter().map(|port| format!("'127.0.0.1:{port}'")).collect();
        let text = format!(
            "cluster = 'test'\ndata = '{}'\nclient = '127.0.0.1:{client}'\npeer = '127.0.0.1:{peer}'\n\
             seeds = [{}]\nfounders = {}\n{more}\n\
             [timing]\ngossip_every = '100ms'\nsuspect_after = '1s'\nexchange_every = '100ms'\n",
            folder.join("data").display(),
            seeds.join(", "),
            seeds.len(),
        );
        fs::write(folder.join("node.toml"), text).expect("a new file");
        let local = |port| SocketAddr::from(([127, 0, 0, 1], port));
        Node { folder, client: local(client), peer: local(peer), process: None }
    }

    pub fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    pub fn start(&mut self) {
        assert!(self.process.is_none(), "it runs already");
        let log = File::options().create(true).append(true).open(self.folder.join("log"));
        let mut command = kvnode(&["serve", "--config"]);
        command.arg(self.folder.join("node.toml")).stderr(log.expect("a log"));
        self.process = Some(command.spawn().expect("kvnode starts"));
    }

    pub fn kill(&mut self) {
        let mut process = self.process.take().expect("it runs");
        process.kill().expect("SIGKILL");
        process.wait().expect("it ends");
    }

    /// SIGTERM; the answer is how it ended.
    pub fn terminate(&mut self) -> ExitStatus {
        let mut process = self.process.take().expect("it runs");
        let pid = process.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().expect("kill").success());
        wait(&mut process)
    }

    pub fn is_running(&mut self) -> bool {
        self.process.as_mut().is_some_and(|process| process.try_wait().expect("our child").is_none())
    }

    /// A new connection, once the node takes one.
    pub fn connect(&self) -> Client {
        let stream = eventually("a connection", || TcpStream::connect(self.client).ok());
        stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
        Client { stream: BufReader::new(stream) }
    }

    /// The number on the line `key:` of `INFO`.
    pub fn info(&self, key: &str) -> u64 {
        let Value::Text(text) = self.connect().call(&["INFO"]) else { panic!("INFO is a text") };
        let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
        let line = line.unwrap_or_else(|| panic!("no {key} in {text}"));
        line.parse().unwrap_or_else(|_| panic!("{key} is {line}"))
    }

    /// Waits until the node knows a layout and sees `members` members up.
    pub fn await_members(&self, members: u64) {
        eventually("members", || {
            (self.info("layout") > 0 && self.info("members_up") == members).then_some(())
        });
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ended = process.kill();
            let _reaped = process.wait();
        }
        if thread::panicking() {
            let log = fs::read_to_string(self.folder.join("log")).unwrap_or_default();
            eprintln!("--- log of {}\n{log}", self.folder.display());
        }
    }
}

/// The command `kvnode` with `args`.
pub fn kvnode(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kvnode"));
    command.args(args).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    command
}

/// Runs `kvnode` with the configuration of `node`, which it must refuse.
pub fn refused(node: &Node) -> Output {
    let config = node.folder.join("node.toml");
    let mut process = kvnode(&["serve", "--config"]).arg(config).spawn().expect("kvnode starts");
    let deadline = Instant::now() + PATIENCE;
    while process.try_wait().expect("our child").is_none() {
        if Instant::now() > deadline {
            let _ends = process.kill();
        }
        thread::sleep(Duration::from_millis(10));
    }
    process.wait_with_output().expect("its output")
}

/// How `process` ends, which it must.
pub fn wait(process: &mut Child) -> ExitStatus {
    eventually("the end of a process", || process.try_wait().expect("our child"))
}

/// Tries until there is an answer.
pub fn eventually<T>(what: &str, mut attempt: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = attempt() {
            return answer;
        }
        assert!(Instant::now() < deadline, "no {what} in {PATIENCE:?}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// The values that a node's own disk holds of `key`.
pub fn held(client: &mut Client, key: &str) -> Vec<Value> {
    let Value::Array(versions) = client.call(&["KV.PEEK", key]) else { panic!("an array") };
    let value = |version: &Value| match version {
        Value::Array(parts) => parts[2].clone(),
        other => panic!("{other:?}"),
    };
    versions.iter().map(value).collect()
}

/// Names and contents of all files in `folder`.
pub fn contents(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    let mut files: Vec<_> = entries.map(|path| (path.clone(), fs::read(&path).expect("a file"))).collect();
    files.sort();
    files
}

/// A reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// A status, an error with its `-`, or a string. Not UTF-8: lossy.
    Text(String),
    Bytes(Vec<u8>),
    Integer(i64),
    Null,
    Array(Vec<Value>),
    /// In RESP2 an array of keys and values in turn.
    Map(Vec<(Value, Value)>),
}

impl Value {
    pub fn is_error(&self) -> bool {
        matches!(self, Value::Text(text) if text.starts_with('-'))
    }

    /// What a map has at `name`, in either dialect.
    pub fn at(&self, name: &str) -> &Value {
        let found = match self {
            Value::Map(pairs) => pairs.iter().find(|pair| pair.0 == name.into()).map(|pair| &pair.1),
            Value::Array(all) => all.chunks(2).find(|pair| pair[0] == name.into()).map(|pair| &pair[1]),
            _ => None,
        };
        found.unwrap_or_else(|| panic!("no {name} in {self:?}"))
    }

    /// A string of any bytes.
    pub fn bytes(&self) -> &[u8] {
        match self {
            Value::Text(text) => text.as_bytes(),
            Value::Bytes(bytes) => bytes,
            other => panic!("{other:?} is no string"),
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Value {
        Value::Text(text.to_owned())
    }
}

/// A client connection.
pub struct Client {
    pub stream: BufReader<TcpStream>,
}

impl Client {
    /// Sends a command and reads its reply.
    pub fn call<A: AsRef<[u8]>>(&mut self, args: &[A]) -> Value {
        self.send(args);
        self.receive().expect("a reply")
    }

    /// Like `call`; `None` if the node closes the connection instead.
    pub fn call_or_closed(&mut self, args: &[&str]) -> Option<Value> {
        self.send(args);
        self.receive().ok()
    }

    pub fn send<A: AsRef<[u8]>>(&mut self, args: &[A]) {
        let mut request = format!("*{}\r\n", args.len()).into_bytes();
        for arg in args.iter().map(AsRef::as_ref) {
            request.extend_from_slice(format!("${}\r\n", arg.len()).as_bytes());
            request.extend_from_slice(arg);
            request.extend_from_slice(b"\r\n");
        }
        // If the node has closed the connection, reading tells.
        let _closed = self.stream.get_mut().write_all(&request);
    }

    /// Tries a command until it is no error. Elections, suspicions and layouts take their time.
    pub fn insist(&mut self, args: &[&str]) -> Value {
        eventually(&format!("success of {args:?}"), || {
            let reply = self.call(args);
            (!reply.is_error()).then_some(reply)
        })
    }

    pub fn receive(&mut self) -> io::Result<Value> {
        let mut line = String::new();
        if self.stream.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let body = line.trim_end();
        let number = || body[1..].parse::<i64>().expect("a number");
        Ok(match body.as_bytes()[0] {
            b'+' => Value::from(&body[1..]),
            b'-' => Value::from(body),
            b':' => Value::Integer(number()),
            b'_' => Value::Null,
            b'$' if number() < 0 => Value::Null,
            b'$' => {
                let mut bytes = vec![0; number() as usize + 2];
                self.stream.read_exact(&mut bytes)?;
                bytes.truncate(bytes.len() - 2);
                String::from_utf8(bytes).map_or_else(|error| Value::Bytes(error.into_bytes()), Value::Text)
            }
            b'*' => Value::Array((0..number()).map(|_| self.receive()).collect::<io::Result<_>>()?),
            b'%' => {
                let pair = |_| Ok((self.receive()?, self.receive()?));
                Value::Map((0..number()).map(pair).collect::<io::Result<_>>()?)
            }
            other => panic!("reply {other}"),
        })
    }
}
