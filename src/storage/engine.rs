use crate::disk::SyncTarget;
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub struct Config {
    pub memtable_bytes: u64,
    pub table_bytes: u64,
    pub block_bytes: u32,
    pub cache_bytes: u64,
    pub level0_tables: u32,
}
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SyncTicket(pub u64);
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SyncRequest {
    pub ticket: SyncTicket,
    pub target: SyncTarget,
}
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenError;
