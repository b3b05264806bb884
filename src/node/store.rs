//! The replica's own data: sibling sets in the storage engine, and the Merkle forest that summarises them.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::hash::{Hash, Hasher};

use crate::base::bytes::Bytes;
use crate::base::checksum::Digest;
use crate::base::codec::{self, Decode, Encode};
use crate::base::id::{NodeId, Slot};
use crate::base::invariant::{Broken, holds};
use crate::base::time::WallTime;
use crate::causal::dot::Actor;
use crate::causal::siblings::{Siblings, SiblingsOf, SiblingsRef, Value};
use crate::disk::Disk;
use crate::node::invariant::in_line;
use crate::node::keyspace;
use crate::repair::hint::HintIndex;
use crate::repair::merkle::Forest;
use crate::repair::page::{KEYS_MAX, Listing, Span};
use crate::repair::refetch::{Content, PAGE_BYTES, PAGE_ENTRIES, Part, UNKNOWN_MAX};
use crate::ring::layout::Layout;
use crate::ring::token::slot_of;
use crate::storage::{self, Engine, Position, ReadError, WriteError};

/// Entries read at a time while scanning.
const SCAN_BATCH: usize = 256;

/// One of the engine's ways to scan.
type Scan = fn(&mut Engine, &[u8], &[u8], usize, &mut dyn Disk) -> Result<Vec<(Bytes, Bytes)>, ReadError>;

/// The data of one replica.
#[derive(Clone, Debug, Hash)]
pub struct Store {
    pub(super) engine: Engine,
    pub(super) forest: Forest,
    /// The life whose actors number the writes that are coordinated here, one for each key.
    pub(super) life: Actor,
    /// A write of this life has come from elsewhere that was not known here: the copy of its key here was lost, or
    /// never whole. There may be more of them, so nothing must be numbered in it any more (Riak's issue kv679).
    pub(super) forgot: bool,
    /// The keys whose newest state is not on the disk yet, and the log position that covers it.
    unsynced: BTreeMap<Bytes, Position>,
    /// The same in the order of the log.
    syncing: VecDeque<(Position, Bytes)>,
    scratch: Scratch,
}

/// The buffers in which values, and keys of the engine, are encoded, and what is about to change is read. What is left
/// in them means nothing, so they are in no hash, and in no clone.
#[derive(Debug, Default)]
struct Scratch {
    value: Vec<u8>,
    key: Vec<u8>,
    stored: Vec<u8>,
}

/// What is stored of a key, in the buffer of its store, which wants it back ([`Store::put_back`]).
pub struct Stored {
    bytes: Vec<u8>,
    is_there: bool,
}

impl Stored {
    /// Empty if nothing was ever written.
    pub fn siblings(&self) -> Result<SiblingsRef<'_>, StoreError> {
        let siblings = self.is_there.then(|| keyspace::decode_value(&self.bytes));
        siblings.transpose().map_err(|_| StoreError::Damaged).map(Option::unwrap_or_default)
    }
}

impl Clone for Scratch {
    fn clone(&self) -> Scratch {
        Scratch::default()
    }
}

impl Hash for Scratch {
    fn hash<H: Hasher>(&self, _: &mut H) {}
}

/// Why a sibling set was not stored. Nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreError {
    /// The copy here is damaged, so what it would be merged with is not known.
    Damaged,
    /// Too much waits for the engine's background work.
    Overloaded,
    /// The disk is full.
    Full,
    /// Together with what is here, more than a key may hold.
    TooLarge,
    /// The engine has failed; the node is about to halt.
    Poisoned,
}

impl From<WriteError> for StoreError {
    fn from(error: WriteError) -> StoreError {
        match error {
            WriteError::Poisoned => StoreError::Poisoned,
            WriteError::Overloaded => StoreError::Overloaded,
            WriteError::Full => StoreError::Full,
            WriteError::TooLarge => StoreError::TooLarge,
        }
    }
}

/// A hint as it is stored.
#[derive(Clone, Debug, Default, Encode, Decode)]
struct Kept {
    /// When the oldest write in it was kept, by this node's wall clock.
    since: WallTime,
    siblings: Siblings,
}

/// What lies under other prefixes than the data, as found at boot.
pub struct Found {
    pub hints: HintIndex,
    pub layout: Option<Layout>,
}

impl Store {
    /// Builds the forest and the hint index by one scan over an engine that has just been opened. Damage costs the
    /// keys it hits: what is not in the forest looks missing to the replicas, which makes them send it.
    pub fn new(engine: Engine, life: Actor, disk: &mut dyn Disk) -> Result<(Store, Found), ReadError> {
        let mut store = Store::over(engine, life);
        let mut hints = HintIndex::default();
        let (from, to) = keyspace::data_range();
        store.scan_with(Engine::scan_around, from, &to, disk, |forest, engine_key, value| {
            count(forest, engine_key, value);
            true
        })?;
        let (from, to) = keyspace::hint_range();
        store.scan_with(Engine::scan_around, from, &to, disk, |_, engine_key, value| {
            if let Some((target, key)) = keyspace::parse_hint_key(engine_key) {
                // One that cannot be read is as old as can be, so that it is soon dropped, and seen to be.
                let since = keyspace::decode_value(value).map_or(WallTime(0), |kept: Kept| kept.since);
                hints.insert(target, Bytes::new(key), engine_key.len() + value.len(), since);
            }
            true
        })?;
        // A layout that cannot be read is learned again by gossip.
        let layout = store.engine.get(keyspace::LAYOUT, disk).unwrap_or(None);
        let layout = layout.and_then(|bytes| keyspace::decode_value::<Layout>(&bytes).ok());
        let layout = layout.filter(|layout| layout.validate().is_ok());
        Ok((store, Found { hints, layout }))
    }

    /// Opens what lies on a disk for a look at it: [`Store::load`], [`Store::load_hints`] and [`Store::appended`] work,
    /// and nothing else does, because nothing is scanned.
    pub fn look(config: storage::Config, disk: &mut dyn Disk) -> Result<Store, storage::OpenError> {
        let (engine, _) = Engine::open(config, disk)?;
        Ok(Store::over(engine, Actor { node: NodeId(0), epoch: 0 }))
    }

    fn over(engine: Engine, life: Actor) -> Store {
        let (forest, unsynced, syncing) = (Forest::default(), BTreeMap::new(), VecDeque::new());
        Store { engine, forest, life, forgot: false, unsynced, syncing, scratch: Scratch::default() }
    }

    /// The last write that is known here.
    pub fn appended(&self) -> Position {
        self.engine.appended()
    }

    /// What is stored of a key; empty if nothing ever was.
    pub fn load(&mut self, key: &[u8], disk: &mut dyn Disk) -> Result<Siblings, StoreError> {
        let found = self.with_key(data_key(key), |store, engine_key| {
            store.engine.get_with(engine_key, disk, |bytes| keyspace::decode_value(bytes))
        });
        let found = found.map_err(|_| StoreError::Damaged)?;
        found.transpose().map_err(|_| StoreError::Damaged).map(Option::unwrap_or_default)
    }

    /// What `look` makes of what is stored of a key, where it lies.
    pub fn look_at<T>(
        &mut self,
        key: &[u8],
        disk: &mut dyn Disk,
        look: impl Fn(&SiblingsRef) -> T,
    ) -> Result<T, StoreError> {
        let found = self.with_key(data_key(key), |store, engine_key| {
            store
                .engine
                .get_with(engine_key, disk, |bytes| keyspace::decode_value(bytes).map(|held| look(&held)))
        });
        match found {
            Ok(None) => Ok(look(&SiblingsRef::default())),
            Ok(Some(Ok(seen))) => Ok(seen),
            Ok(Some(Err(_))) | Err(_) => Err(StoreError::Damaged),
        }
    }

    /// What is stored of a key, for whoever is about to change it.
    pub fn read_out(&mut self, key: &[u8], disk: &mut dyn Disk) -> Result<Stored, StoreError> {
        let mut bytes = core::mem::take(&mut self.scratch.stored);
        bytes.clear();
        let found = self.with_key(data_key(key), |store, engine_key| {
            store.engine.get_with(engine_key, disk, |value| bytes.extend_from_slice(value))
        });
        let is_there = found.map_err(|_| StoreError::Damaged)?.is_some();
        Ok(Stored { bytes, is_there })
    }

    /// Gives the buffer back.
    pub fn put_back(&mut self, stored: Stored) {
        self.scratch.stored = stored.bytes;
    }

    /// Does something with an engine key that lies in the buffer for keys meanwhile.
    fn with_key<T>(
        &mut self,
        encode: impl FnOnce(&mut Vec<u8>),
        act: impl FnOnce(&mut Store, &[u8]) -> T,
    ) -> T {
        let mut key = core::mem::take(&mut self.scratch.key);
        key.clear();
        encode(&mut key);
        let result = act(self, &key);
        self.scratch.key = key;
        result
    }

    /// Whether what is stored of a key would survive a crash.
    pub fn is_durable(&self, key: &[u8]) -> bool {
        !self.unsynced.contains_key(key)
    }

    /// The log has become durable up to here.
    pub fn note_durable(&mut self, durable: Position) {
        while let Some((_, key)) = self.syncing.pop_front_if(|entry| entry.0 <= durable) {
            // A key that was written again since waits for its later position.
            if self.unsynced.get(&key).is_some_and(|&position| position <= durable) {
                self.unsynced.remove(&key);
            }
        }
        assert!(self.syncing.len() >= self.unsynced.len(), "what is not synced is waited for");
    }

    /// What holds between any two steps.
    pub fn invariants(&self) -> Result<(), Broken> {
        holds(self.syncing.len() >= self.unsynced.len(), "every key that is not on the disk is waited for")?;
        in_line(&self.syncing, self.engine.durable(), self.engine.appended())
    }

    /// Replaces what is stored of a key: `before` must be the fingerprint of what [`Store::load`] gave.
    pub fn save(
        &mut self,
        key: &Bytes,
        before: Option<u128>,
        after: &Siblings,
        disk: &mut dyn Disk,
    ) -> Result<Position, StoreError> {
        let slot = slot_of(key);
        let data_key = |buffer: &mut Vec<u8>| keyspace::data_key(slot, key, buffer);
        let (_, position) = self.with_key(data_key, |store, key| store.write(key, after, disk))?;
        self.forest.update(slot, key, before, fingerprint(after));
        self.unsynced.insert(key.clone(), position);
        self.syncing.push_back((position, key.clone()));
        Ok(position)
    }

    /// Merges news into what is stored. The answer is whether that changed anything, and the log position that
    /// covers both the news and all that was known before: when it is durable, so is the key.
    pub fn merge(
        &mut self,
        key: &Bytes,
        news: &Siblings,
        disk: &mut dyn Disk,
    ) -> Result<(bool, Position), StoreError> {
        let life = self.life;
        let (forgot, before, merged) = self.look_at(key, disk, |held| {
            let merged = (!held.knows(news)).then(|| {
                let mut merged = news.clone();
                merged.join(held);
                merged
            });
            (news.clock().is_ahead(held.clock(), life), fingerprint(held), merged)
        })?;
        self.forgot |= forgot;
        let Some(merged) = merged else { return Ok((false, self.engine.appended())) };
        if !merged.is_valid() {
            return Err(StoreError::TooLarge);
        }
        let position = self.save(key, before, &merged, disk)?;
        Ok((true, position))
    }

    /// Stores a hint beside what is already kept for that target and key. The answer is its size in bytes, and since
    /// when some of it has been kept.
    pub fn save_hint(
        &mut self,
        target: NodeId,
        key: &[u8],
        siblings: &Siblings,
        now: WallTime,
        disk: &mut dyn Disk,
    ) -> Result<(usize, WallTime, Position), StoreError> {
        self.with_key(hint_key(target, key), |store, engine_key| {
            let kept = store.read_hint(engine_key, disk)?;
            let mut kept = kept.unwrap_or(Kept { since: now, siblings: Siblings::default() });
            kept.siblings.merge(siblings);
            if !kept.siblings.is_valid() {
                return Err(StoreError::TooLarge);
            }
            let (bytes, position) = store.write(engine_key, &kept, disk)?;
            Ok((engine_key.len() + bytes, kept.since, position))
        })
    }

    /// The hint kept for that target and key.
    pub fn load_hint(
        &mut self,
        target: NodeId,
        key: &[u8],
        disk: &mut dyn Disk,
    ) -> Result<Arc<Siblings>, StoreError> {
        let kept = self.with_key(hint_key(target, key), |store, key| store.read_hint(key, disk));
        Ok(Arc::new(kept?.unwrap_or_default().siblings))
    }

    /// All that is kept for these targets about a key, together.
    pub fn load_hints(
        &mut self,
        key: &[u8],
        targets: &[NodeId],
        disk: &mut dyn Disk,
    ) -> Result<Siblings, StoreError> {
        let mut hints = Siblings::default();
        for &target in targets {
            hints.merge(&*self.load_hint(target, key, disk)?);
        }
        Ok(hints)
    }

    /// Forgets a hint.
    pub fn remove_hint(
        &mut self,
        target: NodeId,
        key: &[u8],
        disk: &mut dyn Disk,
    ) -> Result<Position, StoreError> {
        Ok(self.with_key(hint_key(target, key), |store, key| store.engine.put(key, None, disk))?)
    }

    /// Keeps the layout for the next start.
    pub fn save_layout(&mut self, layout: &Layout, disk: &mut dyn Disk) -> Result<Position, StoreError> {
        Ok(self.write(keyspace::LAYOUT, layout, disk)?.1)
    }

    /// The keys of a part of a leaf with the digests of what is stored, in key order, as many as go into a page.
    pub fn list(&mut self, span: &Span, disk: &mut dyn Disk) -> Result<Listing, ReadError> {
        let (mut from, to) = keyspace::slot_range(span.slot);
        if let Some(after) = &span.after {
            from.extend_from_slice(after);
            from.push(0);
        }
        let mut listing = Listing { entries: Vec::new(), end: true };
        self.scan_with(Engine::scan, from, &to, disk, |_, engine_key, value| {
            let parsed = keyspace::parse_data_key(engine_key).filter(|(_, key)| span.contains(key));
            let (Some((_, key)), Ok(siblings)) = (parsed, keyspace::decode_value::<SiblingsRef>(value))
            else {
                return true;
            };
            listing.end = listing.entries.len() < KEYS_MAX;
            if listing.end {
                listing.entries.extend(fingerprint(&siblings).map(|digest| (Bytes::new(key), digest)));
            }
            listing.end
        })?;
        Ok(listing)
    }

    /// A page of what is stored in `part`, of slots that are `shared`, and in which parts of it nothing can be told
    /// because of damage.
    pub fn gather(
        &mut self,
        part: Part,
        shared: &dyn Fn(Slot) -> bool,
        disk: &mut dyn Disk,
    ) -> Result<Content, StoreError> {
        let (from, to) = (keyspace::place(&part.from), keyspace::place(&part.to));
        let mut content =
            Content { part, entries: Vec::new(), unknown: Vec::new(), may_pass: false, next: None };
        let (mut seen, mut bytes, mut is_damaged) = (0, 0, false);
        let scanned = self.scan_with(Engine::scan_beside, from, &to, disk, |_, engine_key, value| {
            let Some((slot, key)) = keyspace::parse_data_key(engine_key) else { return true };
            if bytes >= PAGE_BYTES || seen >= PAGE_ENTRIES {
                content.next = Some((slot, Bytes::new(key)));
                return false;
            }
            seen += 1;
            if shared(slot) {
                match keyspace::decode_value(value) {
                    Ok(siblings) => content.entries.push((Bytes::new(key), Arc::new(siblings))),
                    Err(_) => is_damaged = true,
                }
                bytes += key.len() + value.len();
            }
            true
        });
        if scanned.is_err() || is_damaged {
            return Err(StoreError::Damaged);
        }
        // After the scan, which may have found some of them.
        let covered = content.covered();
        let suspects = self.engine.suspects(disk);
        let ranges = suspects.iter().flat_map(|suspect| &suspect.ranges);
        let unknown = ranges.filter_map(|range| keyspace::part(&range.first, &range.last)?.within(&covered));
        content.unknown = unknown.filter(|part| part.slots().any(shared)).collect();
        content.may_pass = !content.unknown.is_empty() && self.engine.may_pass(disk);
        if content.unknown.len() <= UNKNOWN_MAX { Ok(content) } else { Err(StoreError::Damaged) }
    }

    /// Counts the entries of a slot into the forest anew; the answer is how many there are. What is damaged is passed
    /// over.
    pub fn recount(&mut self, slot: Slot, disk: &mut dyn Disk) -> Result<usize, ReadError> {
        self.forest.forget(slot);
        let (from, to) = keyspace::slot_range(slot);
        let mut entries = 0;
        self.scan_with(Engine::scan_around, from, &to, disk, |forest, engine_key, value| {
            count(forest, engine_key, value);
            entries += 1;
            true
        })?;
        Ok(entries)
    }

    fn read_hint(&mut self, engine_key: &[u8], disk: &mut dyn Disk) -> Result<Option<Kept>, StoreError> {
        let found = self.engine.get_with(engine_key, disk, |bytes| keyspace::decode_value(bytes));
        found.map_err(|_| StoreError::Damaged)?.transpose().map_err(|_| StoreError::Damaged)
    }

    /// The answer is the length of the encoded value, and where in the log it stands.
    fn write<T: codec::Encode>(
        &mut self,
        engine_key: &[u8],
        value: &T,
        disk: &mut dyn Disk,
    ) -> Result<(usize, Position), StoreError> {
        let bytes = &mut self.scratch.value;
        bytes.clear();
        keyspace::encode_value(value, bytes);
        Ok((bytes.len(), self.engine.put(engine_key, Some(bytes), disk)?))
    }

    /// Hands over every entry of a range in key order, for as long as `each` wants more.
    fn scan_with(
        &mut self,
        scan: Scan,
        mut from: Vec<u8>,
        to: &[u8],
        disk: &mut dyn Disk,
        mut each: impl FnMut(&mut Forest, &[u8], &[u8]) -> bool,
    ) -> Result<(), ReadError> {
        loop {
            let batch = scan(&mut self.engine, &from, to, SCAN_BATCH, disk)?;
            for (key, value) in &batch {
                if !each(&mut self.forest, key, value) {
                    return Ok(());
                }
            }
            match batch.last() {
                // The smallest key after the last one is that key and a zero byte.
                Some((last, _)) if batch.len() == SCAN_BATCH => from = [last, &[0][..]].concat(),
                _ => return Ok(()),
            }
        }
    }
}

/// Enters an entry of the data into the forest.
fn count(forest: &mut Forest, engine_key: &[u8], value: &[u8]) {
    let parsed = keyspace::parse_data_key(engine_key);
    if let (Some((slot, key)), Ok(siblings)) = (parsed, keyspace::decode_value::<SiblingsRef>(value)) {
        forest.update(slot, key, None, fingerprint(&siblings));
    }
}

fn data_key(key: &[u8]) -> impl FnOnce(&mut Vec<u8>) {
    move |buffer| keyspace::data_key(slot_of(key), key, buffer)
}

fn hint_key(target: NodeId, key: &[u8]) -> impl FnOnce(&mut Vec<u8>) {
    move |buffer| keyspace::hint_key(target, key, buffer)
}

/// What the Merkle forest knows of a sibling set: its clock, the dots of its versions and parts, and the requests that
/// it remembers (which are a matter of what has been forgotten, too), `None` for nothing. The
/// values themselves are left out: a dot names one write, so equal dots mean equal values, and that the bytes are
/// still those that were written is what the engine's checksums are for.
pub fn fingerprint<V: Value>(siblings: &SiblingsOf<V>) -> Option<u128> {
    if siblings.is_empty() {
        return None;
    }
    let mut digest = Digest::default();
    let mut tell = |bytes: &[u8]| digest.update(bytes);
    codec::encode_with(siblings.clock(), &mut tell);
    for version in siblings.versions() {
        codec::encode_with(&version.dot, &mut tell);
    }
    for part in siblings.parts() {
        codec::encode_with(&part.dot, &mut tell);
    }
    if !siblings.done().entries().is_empty() {
        codec::encode_with(siblings.done(), &mut tell);
    }
    Some(digest.finish())
}
