//! Writes one table, block by block.

use alloc::vec::Vec;

use crate::base::bytes::Bytes;
use crate::base::checksum::checksum;
use crate::base::codec;
use crate::disk::{Disk, DiskError, FileKind, FileName};
use crate::storage::frame::context;
use crate::storage::table::{BLOCK_MAX, Footer, Handle, TABLE_VERSION, TableMeta, block, filter, pack};

#[derive(Clone, Debug, Hash)]
pub struct Writer {
    file: FileName,
    /// Bytes written so far.
    len: u64,
    block_bytes: u32,
    compress: bool,
    block: block::Builder,
    index: block::Builder,
    hashes: Vec<u64>,
    deletes: u64,
    first: Option<Bytes>,
}

impl Writer {
    /// A table in a file that does not exist yet, cut into blocks of about `block_bytes`, compressed
    /// if they are worth it and `compress` is set.
    pub fn new(number: u64, block_bytes: u32, compress: bool) -> Writer {
        Writer {
            file: FileName::new(FileKind::Table, number),
            len: 0,
            block_bytes,
            compress,
            block: block::Builder::default(),
            index: block::Builder::default(),
            hashes: Vec::new(),
            deletes: 0,
            first: None,
        }
    }

    pub fn file(&self) -> FileName {
        self.file
    }

    /// Bytes written so far.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Adds an entry; keys come in rising order.
    pub fn push(&mut self, key: &[u8], value: Option<&[u8]>, disk: &mut dyn Disk) -> Result<(), DiskError> {
        if self.first.is_none() {
            self.first = Some(Bytes::new(key));
        }
        self.block.push(key, value);
        self.hashes.push(filter::hash(key));
        self.deletes += u64::from(value.is_none());
        if self.block.len() >= self.block_bytes as usize { self.finish_block(disk) } else { Ok(()) }
    }

    fn finish_block(&mut self, disk: &mut dyn Disk) -> Result<(), DiskError> {
        assert!(!self.block.is_empty(), "a block has entries");
        let last_key = self.block.last_key().to_vec();
        let bytes = self.block.finish();
        let handle = self.write(bytes, self.compress, disk)?;
        self.index.push(&last_key, Some(&codec::encode(&handle)));
        Ok(())
    }

    fn write(&mut self, bytes: Vec<u8>, compress: bool, disk: &mut dyn Disk) -> Result<Handle, DiskError> {
        let bytes = pack::pack(bytes, compress);
        assert!(bytes.len() <= BLOCK_MAX as usize, "tables are cut long before a part gets so large");
        let offset = disk.append(self.file, &bytes)?;
        if offset != self.len {
            return Err(DiskError::Io);
        }
        self.len += bytes.len() as u64;
        let checksum = checksum(context(self.file, offset), &bytes);
        Ok(Handle { offset, len: bytes.len() as u32, checksum })
    }

    /// Writes what follows the data. The table is not durable yet.
    pub fn finish(mut self, newest: u64, disk: &mut dyn Disk) -> Result<TableMeta, DiskError> {
        let first = self.first.clone().expect("a table is begun with its first entry");
        if !self.block.is_empty() {
            self.finish_block(disk)?;
        }
        let last = Bytes::new(self.index.last_key());
        assert!(first <= last, "keys came in rising order");
        let filter = self.write(filter::build(&self.hashes), false, disk)?;
        let index = self.index.finish();
        let index = self.write(index, false, disk)?;
        let footer = codec::encode(&Footer { version: TABLE_VERSION, filter, index });
        let footer = self.write(footer, false, disk)?;
        let entries = self.hashes.len() as u64;
        let deletes = self.deletes;
        Ok(TableMeta { number: self.file.number, footer, first, last, newest, entries, deletes })
    }
}
