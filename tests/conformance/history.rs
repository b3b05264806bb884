//! What a store was asked to write, and the one rule of recovery: what comes back is the state after some
//! prefix of the writes that contains every synced one.

use std::collections::BTreeMap;

use kvsim::disk::Disk;
use kvsim::storage::ReadError;

use crate::driver::Store;

pub type Model = BTreeMap<String, String>;

#[derive(Clone, Debug, Default)]
pub struct History {
    /// Every write that was tried, in order. The last may have failed half way.
    pub writes: Vec<(String, Option<String>)>,
    /// How many of them were reported durable.
    pub durable: usize,
}

impl History {
    /// Tries a write; false if it poisoned the engine. Refused writes change nothing and are not remembered.
    pub fn put<D: Disk>(&mut self, store: &mut Store<D>, key: &str, value: Option<String>) -> bool {
        use kvsim::storage::WriteError::{Full, Overloaded, Poisoned, TooLarge};
        let put = store.engine.put(key.as_bytes(), value.as_deref().map(str::as_bytes), &mut store.disk);
        match put {
            Err(Full | Overloaded | TooLarge) => return true,
            Err(Poisoned) => {}
            Ok(position) => assert_eq!(position.0 as usize, self.writes.len() + 1),
        }
        self.writes.push((key.to_string(), value));
        put.is_ok()
    }

    /// Takes note of what the engine reports durable.
    pub fn observe<D: Disk>(&mut self, store: &Store<D>) {
        let durable = store.engine.durable().0 as usize;
        assert!(self.durable <= durable && durable <= self.writes.len(), "durability went back or ahead");
        self.durable = durable;
    }

    pub fn after(&self, writes: usize) -> Model {
        let mut model = Model::new();
        for (key, value) in &self.writes[..writes] {
            match value {
                Some(value) => drop(model.insert(key.clone(), value.clone())),
                None => drop(model.remove(key)),
            }
        }
        model
    }

    /// Checks a store that was just opened, and forgets the writes that it did not recover.
    pub fn recovered<D: Disk>(&mut self, store: &mut Store<D>) {
        let recovered = store.engine.appended().0 as usize;
        assert!(self.durable <= recovered, "{} writes were synced, {recovered} came back", self.durable);
        assert!(recovered <= self.writes.len(), "{recovered} came back of {}", self.writes.len());
        self.writes.truncate(recovered);
        self.durable = recovered;
        self.check(store);
    }

    /// Every key reads as it should.
    pub fn check<D: Disk>(&self, store: &mut Store<D>) {
        let model = self.after(self.writes.len());
        for (key, _) in &self.writes {
            assert_eq!(store.get(key).as_ref(), model.get(key), "{key}");
        }
        assert_eq!(store.all(), model.into_iter().collect::<Vec<_>>());
    }

    /// Every key reads as it should, or not at all. The answer is how many reads failed.
    pub fn check_damaged<D: Disk>(&self, store: &mut Store<D>) -> usize {
        let model = self.after(self.writes.len());
        let mut failed = 0;
        for (key, _) in &self.writes {
            match store.engine.get(key.as_bytes(), &mut store.disk) {
                Ok(value) => {
                    assert_eq!(value.as_deref(), model.get(key).map(std::string::String::as_bytes), "{key}");
                }
                Err(ReadError { .. }) => failed += 1,
            }
        }
        if store.engine.scan(b"", b"\xff", usize::MAX, &mut store.disk).is_ok() {
            assert_eq!(store.all(), model.into_iter().collect::<Vec<_>>());
        } else {
            failed += 1;
        }
        failed
    }
}
