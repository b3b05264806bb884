//! Looking at a store without opening it: reads everything, changes nothing, and goes on after damage.

use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::base::bytes::Bytes;
use crate::disk::{Disk, DiskError, FileKind, FileName};
use crate::storage::error::OpenError;
use crate::storage::manifest;
use crate::storage::recovery::{self, Recovery};
use crate::storage::table::reader;
use crate::storage::table::{KeyRange, Pages, TableMeta};
use crate::storage::version::Version;

/// One table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableInfo {
    pub level: u8,
    pub file: FileName,
    /// In bytes, as the manifest says.
    pub bytes: u64,
    pub entries: u64,
    pub deletes: u64,
    pub first: Bytes,
    pub last: Bytes,
}

/// Something that is not as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub file: FileName,
    /// In bytes.
    pub offset: u64,
    pub what: String,
    /// The keys that nobody can tell anything about, if it is a matter of keys.
    pub unknown: Option<KeyRange>,
}

/// What is in a data folder.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inspection {
    /// Every file with its length in bytes.
    pub files: Vec<(FileName, u64)>,
    /// The tables that the manifest names, by level.
    pub tables: Vec<TableInfo>,
    /// What an open would find in the logs; `None` if they cannot be replayed.
    pub recovery: Option<Recovery>,
    /// Bytes of the files that were read and match all their checksums.
    pub verified_bytes: u64,
    pub findings: Vec<Finding>,
}

/// Looks at the store on `disk`. With `verify` every block of every table is read; without, only what says where
/// things are. The logs and the manifest are always read.
pub fn inspect(verify: bool, disk: &mut dyn Disk) -> Result<Inspection, DiskError> {
    let mut found = Inspection::default();
    for file in disk.list()? {
        found.files.push((file, disk.len(file)?));
    }
    match recovery::examine(disk) {
        Ok(None) => {}
        Ok(Some(examined)) => {
            found.tables = list(&examined.version);
            found.recovery = Some(examined.recovery);
            check_tables(&examined.version, verify, &mut found, disk);
        }
        Err(error) => {
            found.findings.push(finding(error)?);
            // The tables are known all the same if it was a log.
            if let Ok(Some(current)) = manifest::read_current(disk)
                && let Ok(contents) = manifest::read(current, disk)
            {
                found.tables = list(&contents.version);
                check_tables(&contents.version, verify, &mut found, disk);
            }
        }
    }
    let framed = |file: FileName| matches!(file.kind, FileKind::Wal | FileKind::Manifest | FileKind::Current);
    if found.findings.is_empty() {
        let bytes = found.files.iter().filter(|(file, _)| framed(*file)).map(|(_, bytes)| bytes);
        found.verified_bytes += bytes.sum::<u64>();
    }
    Ok(found)
}

fn finding(error: OpenError) -> Result<Finding, DiskError> {
    match error {
        OpenError::Disk(error) => Err(error),
        OpenError::Corrupt { file, offset, what } => {
            Ok(Finding { file, offset, what: what.to_string(), unknown: None })
        }
        OpenError::Version { file, version } => {
            let what = alloc::format!("format version {version} is not one of this program");
            Ok(Finding { file, offset: 0, what, unknown: None })
        }
    }
}

fn list(version: &Version) -> Vec<TableInfo> {
    let info = |level, table: &Arc<TableMeta>| TableInfo {
        level,
        file: table.file(),
        bytes: table.size(),
        entries: table.entries,
        deletes: table.deletes,
        first: table.first.clone(),
        last: table.last.clone(),
    };
    version.levels().flat_map(|(level, tables)| tables.iter().map(move |table| info(level, table))).collect()
}

fn check_tables(version: &Version, verify: bool, found: &mut Inspection, disk: &mut dyn Disk) {
    for table in version.tables() {
        let report = |offset, what: &str, unknown| Finding {
            file: table.file(),
            offset,
            what: what.to_string(),
            unknown,
        };
        let all = || Some(KeyRange { first: table.first.clone(), last: table.last.clone() });
        if disk.len(table.file()) != Ok(table.size()) {
            // If the manifest has lost its end too, an open refuses the store, and names the first of these tables.
            found.findings.retain(|finding| finding.file != table.file());
            found.findings.push(report(0, "the file is missing or has another length", all()));
            continue;
        }
        if !verify {
            continue;
        }
        let mut pages = Pages { disk, cache: None, read: 0 };
        match reader::blocks(table, &mut pages) {
            Err(error) => {
                found.findings.push(report(error.offset, "the footer or the index is damaged", all()));
            }
            Ok(blocks) => {
                for block in blocks {
                    if let Err(error) = pages.fetch(table.file(), block.handle) {
                        let unknown = Some(block.keys);
                        found.findings.push(report(error.offset, "a block is damaged", unknown));
                    }
                }
                if let Err(error) = reader::check_filter(table, &mut pages) {
                    let what = "the filter is damaged: look-ups are slower, no keys are lost";
                    found.findings.push(report(error.offset, what, None));
                }
            }
        }
        if found.findings.iter().all(|finding| finding.file != table.file()) {
            found.verified_bytes += table.size();
        }
    }
}
