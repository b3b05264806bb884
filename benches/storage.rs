//! The storage engine against the `fjall` crate: real files, in alternation, each in a process of its own. Prints
//! for each row the rates of both (medians of the rounds) and their ratio with its spread. What happens on a
//! machine between two runs is larger than most differences, so only ratios of neighbouring runs mean anything.
//!
//! ```text
//! cargo bench --bench storage -- [entries] [value bytes] [rounds] [folder]
//! ```
//!
//! The defaults (200,000 × 100 B, 3 rounds) take about a minute. Both engines get a cache of 64 MiB (for one row: one
//! that holds everything) and defaults for all else, and one thread that writes and reads, beside their own background
//! threads. Values are compressible by half. Reads begin when nothing is left to compact.

#![allow(clippy::print_stdout, reason = "a bench prints what it found")]

use std::path::{Path, PathBuf};
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode};
use kvsim::base::bytes::Bytes;
use kvsim::base::checksum::mix;
use kvsim::real::disk::RealDisk;
use kvsim::real::inbox::{self, Event, Outlet};
use kvsim::real::{jobs, sync};
use kvsim::storage::{Config, Engine, Job, JobId, SyncRequest, WriteError};

const CACHE: u64 = 64 << 20;

type Key = [u8; 16];

type Open = fn(&Path, How) -> Box<dyn Store>;

/// How a store is opened.
#[derive(Clone, Copy, PartialEq)]
enum How {
    /// With a cache of so many bytes.
    Cache(u64),
    /// So that it is one sorted run without anything obsolete when it has settled.
    Compacting,
}

/// What is measured.
trait Store {
    fn put(&mut self, key: &Key, value: &[u8]);
    /// All that was put so far is durable.
    fn sync(&mut self);
    fn get(&mut self, key: &Key) -> Option<usize>;
    /// At most `limit` entries from `from` on; the answer is their number.
    fn scan(&mut self, from: &[u8], limit: usize) -> usize;
    /// Everything is in tables, and nothing is left to do in the background.
    fn settle(&mut self);
}

struct Ours {
    engine: Engine,
    disk: RealDisk,
    outlet: Outlet,
    syncs: Sender<SyncRequest>,
    jobs: Sender<(JobId, Job)>,
    puts: u64,
    owed: Duration,
    /// Syncs and jobs that have not ended.
    busy: usize,
}

impl Ours {
    fn open(path: &Path, how: How) -> Ours {
        // The threads of the engine before this one may hold the folder for a moment longer.
        let mut disk = loop {
            match RealDisk::open(path) {
                Err(error) if error.kind() == std::io::ErrorKind::ResourceBusy => std::thread::yield_now(),
                disk => break disk.expect("a folder of the bench"),
            }
        };
        let config = match how {
            How::Cache(cache_bytes) => Config { cache_bytes, ..Config::default() },
            // No level above the last is worth having, then.
            How::Compacting => Config { memtable_bytes: 1 << 40, level0_tables: 1, ..Config::default() },
        };
        let (engine, _) = Engine::open(config, &mut disk).expect("it opens");
        let (inbox, outlet) = inbox::new();
        let jobs = jobs::spawn(&disk, &inbox).expect("threads");
        let syncs = sync::spawn(disk.clone(), inbox).expect("a thread");
        Ours { engine, disk, outlet, syncs, jobs, puts: 0, owed: Duration::ZERO, busy: 0 }
    }

    /// Hands work out and takes results, waiting for the first at most `wait`.
    fn pump(&mut self, wait: Duration) {
        self.hand_out();
        let mut wait = Some(wait);
        while let Some(event) = self.outlet.take(wait) {
            self.busy -= 1;
            match event {
                Event::Synced { ticket, result } => self.engine.synced(ticket, result, &mut self.disk),
                Event::JobDone { id, result } => self.engine.job_done(id, result, &mut self.disk),
                other => panic!("{other:?}"),
            }
            .expect("the disk works");
            wait = Some(Duration::ZERO);
        }
    }

    fn hand_out(&mut self) {
        while let Some(request) = self.engine.poll_sync(&mut self.disk).expect("the disk works") {
            self.busy += 1;
            self.syncs.send(request).expect("the thread runs");
        }
        while let Some(job) = self.engine.poll_job() {
            self.busy += 1;
            self.jobs.send(job).expect("the threads run");
        }
    }
}

impl Store for Ours {
    fn put(&mut self, key: &Key, value: &[u8]) {
        self.owed += Duration::from_nanos(self.engine.delay().as_nanos());
        if self.owed > Duration::from_millis(1) {
            std::thread::sleep(std::mem::take(&mut self.owed));
            self.pump(Duration::ZERO);
        }
        while let Err(error) = self.engine.put(key, Some(value), &mut self.disk) {
            assert_eq!(error, WriteError::Overloaded);
            self.pump(Duration::from_millis(1));
        }
        self.puts += 1;
        if self.puts.is_multiple_of(4096) {
            self.pump(Duration::ZERO);
        }
    }

    fn sync(&mut self) {
        // Waiting for one's own sync, one does it oneself, as the other engine does.
        while self.engine.durable() < self.engine.appended() {
            match self.engine.poll_sync(&mut self.disk).expect("the disk works") {
                Some(request) => {
                    let result = kvsim::disk::Disk::sync(&mut self.disk, request.target);
                    self.engine.synced(request.ticket, result, &mut self.disk).expect("the disk works");
                }
                None => self.pump(Duration::from_secs(10)),
            }
        }
    }

    fn get(&mut self, key: &Key) -> Option<usize> {
        self.engine.get(key, &mut self.disk).expect("it reads").map(|value| value.len())
    }

    fn scan(&mut self, from: &[u8], limit: usize) -> usize {
        let (mut from, mut count) = (from.to_vec(), 0);
        while count < limit {
            // As many values of a kilobyte as fit into the cache of a core.
            let batch = (limit - count).min(256);
            let found: Vec<(Bytes, Bytes)> =
                self.engine.scan(&from, &[0xff; 17], batch, &mut self.disk).expect("it reads");
            count += found.len();
            match found.last() {
                Some((last, _)) if found.len() == batch => from = [last, &[0][..]].concat(),
                _ => break,
            }
        }
        count
    }

    fn settle(&mut self) {
        self.sync();
        self.hand_out();
        while self.busy > 0 {
            self.pump(Duration::from_secs(10));
            self.hand_out();
        }
    }
}

struct Fjall {
    db: Database,
    keys: Keyspace,
    how: How,
}

impl Fjall {
    fn open(path: &Path, how: How) -> Fjall {
        let cache = if let How::Cache(bytes) = how { bytes } else { CACHE };
        let db = Database::builder(path).cache_size(cache).open().expect("it opens");
        let keys = db.keyspace("bench", KeyspaceCreateOptions::default).expect("it opens");
        Fjall { db, keys, how }
    }
}

impl Store for Fjall {
    fn put(&mut self, key: &Key, value: &[u8]) {
        self.keys.insert(key, value).expect("it writes");
    }

    fn sync(&mut self) {
        self.db.persist(PersistMode::SyncData).expect("it syncs");
    }

    fn get(&mut self, key: &Key) -> Option<usize> {
        self.keys.get(key).expect("it reads").map(|value| value.len())
    }

    fn scan(&mut self, from: &[u8], limit: usize) -> usize {
        let found = self.keys.range(from.to_vec()..).take(limit);
        found
            .map(|guard| guard.into_inner().expect("it reads"))
            .map(|(key, _)| usize::from(key.len() == 16))
            .sum()
    }

    fn settle(&mut self) {
        self.keys.rotate_memtable_and_wait().expect("it flushes");
        if self.how == How::Compacting {
            self.keys.major_compact().expect("it compacts");
        }
        let mut quiet = 0;
        while quiet < 4 {
            std::thread::sleep(Duration::from_millis(50));
            let busy = self.db.active_compactions() > 0 || self.db.outstanding_flushes() > 0;
            quiet = if busy { 0 } else { quiet + 1 };
        }
    }
}

/// Keys spread over the whole key space, a bijection of `n`; `seq` keeps them in order.
fn key(n: u64, seq: bool) -> Key {
    let mut key = *b"00000000benchkey";
    key[..8].copy_from_slice(&(if seq { n } else { mix(0, n) }).to_be_bytes());
    key
}

fn value(n: u64, len: usize) -> Vec<u8> {
    let random = (0..(len as u64 / 2).div_ceil(8)).flat_map(|word| mix(n, word).to_le_bytes());
    let mut value: Vec<u8> = random.take(len / 2).collect();
    value.resize(len, b'v');
    value
}

/// Rates in operations per second, or plain figures, by row.
type Figures = Vec<(String, f64)>;

struct Bench {
    entries: u64,
    value_len: usize,
    figures: Figures,
    longest_put: Duration,
}

impl Bench {
    fn rate(&mut self, row: &str, count: u64, mut each: impl FnMut(u64)) {
        let start = Instant::now();
        (0..count).for_each(&mut each);
        self.figure(row, count as f64 / start.elapsed().as_secs_f64());
    }

    fn figure(&mut self, row: &str, figure: f64) {
        self.figures.push((row.into(), figure));
    }

    fn fill(&mut self, row: &str, salt: u64, seq: bool, store: &mut dyn Store) {
        let mut longest = self.longest_put;
        let values: Vec<Vec<u8>> = (0..4096).map(|n| value(n + salt, self.value_len)).collect();
        self.rate(row, self.entries, |n| {
            let put = Instant::now();
            store.put(&key(n, seq), &values[(n % 4096) as usize]);
            longest = longest.max(put.elapsed());
        });
        self.longest_put = longest;
        store.settle();
    }

    fn run(&mut self, path: &Path, open: Open) {
        // First, since a sync may have to wait for what was written elsewhere.
        self.sync(path, open);
        let before = self.write(path, open);
        self.read(path, open);
        let path = path.join("random");
        open(&path, How::Compacting).settle();
        let after = disk_bytes(&path);
        self.figure("disk compacted, MB", after as f64 / 1e6);
        self.figure("disk overwritten / compacted", before as f64 / after as f64);
    }

    fn sync(&mut self, path: &Path, open: Open) {
        let mut store = open(&path.join("sync"), How::Cache(CACHE));
        let small = value(1, self.value_len);
        self.rate("synced groups of 64", 1000, |n| {
            (0..64).for_each(|m| store.put(&key(n * 64 + m, false), &small));
            store.sync();
        });
        self.rate("one sync per put", 1000, |n| {
            store.put(&key(n, false), &small);
            store.sync();
        });
    }

    /// Bytes on the disk after everything was overwritten.
    fn write(&mut self, path: &Path, open: Open) -> u64 {
        let open = |name| open(&path.join(name), How::Cache(CACHE));
        self.fill("fill sequential", 0, true, &mut *open("seq"));
        let mut store = open("random");
        self.fill("fill random", 0, false, &mut *store);
        self.fill("overwrite", 1000, false, &mut *store);
        self.figure("longest put, ms", self.longest_put.as_secs_f64() * 1e3);
        let bytes = disk_bytes(&path.join("random"));
        self.figure("disk after overwrite, MB", bytes as f64 / 1e6);
        bytes
    }

    fn read(&mut self, path: &Path, open: Open) {
        let open = |cache| {
            let mut store = open(&path.join("random"), How::Cache(cache));
            store.settle();
            store
        };
        let (entries, reads, value_len) = (self.entries, self.entries.min(500_000), self.value_len);
        let pick = |n: u64| key(mix(7, n) % entries, false);
        let get = |store: &mut dyn Store, n: u64| assert_eq!(store.get(&pick(n)), Some(value_len));

        let mut store = open(CACHE);
        (0..reads / 2).for_each(|n| get(&mut *store, n + reads));
        self.rate("get, 64 MiB cache", reads, |n| get(&mut *store, n));
        self.rate("get, missing", reads, |n| {
            assert_eq!(store.get(&key((1 << 40) + mix(7, n) % entries, false)), None);
        });
        self.rate("seek and 100 next", reads / 100, |n| assert!(store.scan(&pick(n), 100) > 0));
        let start = Instant::now();
        let found = store.scan(&[], usize::MAX);
        assert_eq!(found as u64, entries);
        self.figure("full scan, entries", found as f64 / start.elapsed().as_secs_f64());
        self.figure("peak memory, MB", peak_memory() as f64 / 1e6);
        drop(store);

        let mut store = open((64 << 20) + 2 * entries * (16 + value_len as u64));
        (0..reads).for_each(|n| get(&mut *store, n));
        self.rate("get, all cached", reads, |n| get(&mut *store, n));
    }
}

fn disk_bytes(path: &Path) -> u64 {
    let entries = std::fs::read_dir(path).expect("a folder").filter_map(Result::ok);
    let bytes = entries.map(|entry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => disk_bytes(&entry.path()),
        // The reserve is not data, and a preallocated journal is not written.
        Ok(metadata) if !entry.file_name().to_string_lossy().starts_with("reserve") => {
            use std::os::unix::fs::MetadataExt;
            metadata.blocks() * 512
        }
        _ => 0,
    });
    bytes.sum()
}

/// The peak resident memory of this process, in bytes; zero where it is not known.
fn peak_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
    kilobytes.unwrap_or(0) * 1024
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// The engines by name.
const ENGINES: [(&str, Open); 2] = [
    ("ours", |path, how| Box::new(Ours::open(path, how))),
    ("fjall", |path, how| Box::new(Fjall::open(path, how))),
];

/// Runs all rows of one engine in a process of its own, so that neither inherits the other's memory.
fn measure(name: &str, entries: u64, value_len: usize, folder: &Path) -> Figures {
    let path = folder.join(format!("kvsim-bench-{}", std::process::id()));
    std::fs::create_dir_all(&path).expect("a folder for the bench");
    let child = std::process::Command::new(std::env::current_exe().expect("this program"))
        .args([&entries.to_string(), &value_len.to_string(), name])
        .arg(&path)
        .output()
        .expect("this program runs");
    std::fs::remove_dir_all(&path).expect("the bench's own folder");
    assert!(child.status.success(), "{}", String::from_utf8_lossy(&child.stderr));
    let text = String::from_utf8(child.stdout).expect("text");
    let figures = text.lines().map(|line| line.split_once('=').expect("row=figure"));
    figures.map(|(row, figure)| (row.to_string(), figure.parse().expect("a number"))).collect()
}

fn main() {
    // `cargo bench` passes options of its own, such as `--bench`.
    let typed: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with("--")).collect();
    let number = |at: usize, default: u64| match typed.get(at) {
        Some(text) => text.parse().expect("[entries] [value bytes] [rounds] [folder]"),
        None => default,
    };
    let (entries, value_len) = (number(0, 200_000), number(1, 100) as usize);
    let folder = typed.get(3).map_or_else(std::env::temp_dir, PathBuf::from);
    if let Some((_, open)) = ENGINES.iter().find(|(name, _)| typed.get(2).is_some_and(|typed| typed == name))
    {
        let mut bench = Bench { entries, value_len, figures: Figures::new(), longest_put: Duration::ZERO };
        bench.run(&folder, *open);
        bench.figures.iter().for_each(|(row, figure)| println!("{row}={figure}"));
        return;
    }
    let rounds = number(2, 3);
    let mut results: Vec<[Figures; 2]> = Vec::new();
    for round in 0..rounds {
        let run = |(name, _): (&str, Open)| measure(name, entries, value_len, &folder);
        // What the first leaves in the kernel's queues hits the second, so they take turns.
        let figures = if round.is_multiple_of(2) {
            ENGINES.map(run)
        } else {
            let second = run(ENGINES[1]);
            [run(ENGINES[0]), second]
        };
        eprintln!("round {} of {rounds} done", round + 1);
        results.push(figures);
    }
    println!("{entries} x {value_len} B, {rounds} rounds; rates in operations per second");
    println!("{:28} {:>12} {:>12} {:>7}   of the rounds", "", ENGINES[0].0, ENGINES[1].0, "ratio");
    for (at, (row, _)) in results[0][0].iter().enumerate() {
        let figure = |round: &[Figures; 2], engine: usize| round[engine][at].1;
        let of = |engine: usize| median(results.iter().map(|round| figure(round, engine)).collect());
        let mut ratios: Vec<f64> = results.iter().map(|round| figure(round, 0) / figure(round, 1)).collect();
        ratios.sort_by(f64::total_cmp);
        let (low, high) = (ratios[0], ratios[ratios.len() - 1]);
        let show = |figure: f64| format!("{figure:.*}", if figure < 100.0 { 2 } else { 0 });
        let (ours, theirs) = (show(of(0)), show(of(1)));
        println!("{row:28} {ours:>12} {theirs:>12} {:7.2}   {low:.2} to {high:.2}", median(ratios));
    }
}
