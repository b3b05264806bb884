//! The sizes that an operator can choose.

/// All of them may differ from one open to the next; files on disk do not depend on them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Config {
    /// When the log of the active memtable has this many bytes, the memtable is frozen and flushed. At twice
    /// as many, with the last one still not flushed, writes are refused.
    pub memtable_bytes: u64,
    /// Compaction cuts its output into tables of this many bytes. At least 1.
    pub table_bytes: u64,
    /// Bytes of a data block, before which it is not ended.
    pub block_bytes: u32,
    /// Bytes of table blocks (data, indexes, filters) kept in memory.
    pub cache_bytes: u64,
    /// As many tables in level 0 are compacted; at [`LEVEL0_STALL`] times as many, writes are refused. At
    /// least 1.
    pub level0_tables: u32,
    /// Bytes laid by for the day when the disk is full: enough to flush what is in memory and to restart. Zero
    /// for none.
    pub reserve_bytes: u64,
}

/// See [`Config::level0_tables`]. RocksDB's defaults compact at 4 and slow down at 20.
pub const LEVEL0_STALL: u32 = 5;

impl Default for Config {
    fn default() -> Config {
        Config {
            memtable_bytes: 8 << 20,
            table_bytes: 8 << 20,
            block_bytes: 4 << 10,
            cache_bytes: 32 << 20,
            level0_tables: 4,
            reserve_bytes: 1 << 20,
        }
    }
}
