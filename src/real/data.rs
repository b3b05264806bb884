//! `kvnode data`: what is in a data folder, and whether it is what was written. Reads only; also a folder that a
//! node refuses to open.

use std::fmt::Write;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::string::{String, ToString};
use std::vec::Vec;

use serde_json::{Value, json};

use crate::disk::{Disk, DiskError, FileName, SyncTarget};
use crate::storage::inspect::{self, Finding, Inspection};

/// A folder that is only read. Opens a file for each read: tools are not in a hurry.
#[derive(Debug)]
struct ReadOnly(PathBuf);

impl ReadOnly {
    fn open(&self, file: FileName) -> Result<File, DiskError> {
        File::open(self.0.join(file.to_string())).map_err(disk_error)
    }
}

fn disk_error(error: io::Error) -> DiskError {
    if error.kind() == io::ErrorKind::NotFound { DiskError::NotFound } else { DiskError::Io }
}

impl Disk for ReadOnly {
    fn read_at(&mut self, file: FileName, offset: u64, buffer: &mut [u8]) -> Result<usize, DiskError> {
        let file = self.open(file)?;
        let mut read = 0;
        while read < buffer.len() {
            match file.read_at(&mut buffer[read..], offset + read as u64) {
                Ok(0) => break,
                Ok(count) => read += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(disk_error(error)),
            }
        }
        Ok(read)
    }

    fn len(&mut self, file: FileName) -> Result<u64, DiskError> {
        Ok(self.open(file)?.metadata().map_err(disk_error)?.len())
    }

    fn append(&mut self, _: FileName, _: &[u8]) -> Result<u64, DiskError> {
        Err(DiskError::Io)
    }

    fn truncate(&mut self, _: FileName, _: u64) -> Result<(), DiskError> {
        Err(DiskError::Io)
    }

    fn publish(&mut self, _: FileName, _: FileName) -> Result<(), DiskError> {
        Err(DiskError::Io)
    }

    fn remove(&mut self, _: FileName) -> Result<(), DiskError> {
        Err(DiskError::Io)
    }

    fn list(&mut self) -> Result<Vec<FileName>, DiskError> {
        let entries = fs::read_dir(&self.0).map_err(disk_error)?.filter_map(Result::ok);
        let names = entries.filter_map(|entry| FileName::parse(entry.file_name().to_str()?));
        let mut files: Vec<FileName> = names.collect();
        files.sort_unstable();
        Ok(files)
    }

    fn sync(&mut self, _: SyncTarget) -> Result<(), DiskError> {
        Err(DiskError::Io)
    }
}

/// What was found, and whether all is as it was written.
#[derive(Debug)]
pub struct Report {
    pub text: String,
    pub is_sound: bool,
}

/// Reads the folder; with `verify` every byte of it. Refuses the folder of a node that runs: its files change while
/// they are read.
pub fn look(path: &Path, verify: bool, as_json: bool) -> Result<Report, io::Error> {
    if let Ok(lock) = File::open(path.join("lock"))
        && matches!(lock.try_lock_shared(), Err(fs::TryLockError::WouldBlock))
    {
        let text = std::format!("{} is in use by a node that runs: stop it first", path.display());
        return Err(io::Error::new(io::ErrorKind::ResourceBusy, text));
    }
    fs::read_dir(path)?;
    let found = inspect::inspect(verify, &mut ReadOnly(path.to_path_buf()))
        .map_err(|error| io::Error::other(error.to_string()))?;
    if found.files.is_empty() {
        // "Sound" would be true, and no comfort to whoever mistyped the path.
        let text = std::format!("{} holds no data of a node", path.display());
        return Err(io::Error::new(io::ErrorKind::NotFound, text));
    }
    let text = if as_json { json_of(&found).to_string() } else { text_of(&found, verify) };
    Ok(Report { text, is_sound: found.findings.is_empty() })
}

fn key(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string()
}

fn text_of(found: &Inspection, verify: bool) -> String {
    let mut text = String::new();
    let mut line = |args: std::fmt::Arguments<'_>| {
        let _cannot_fail = text.write_fmt(args);
        text.push('\n');
    };
    let bytes: u64 = found.files.iter().map(|(_, bytes)| bytes).sum();
    line(std::format_args!("{} files, {bytes} bytes", found.files.len()));
    if !verify {
        for (file, bytes) in &found.files {
            line(std::format_args!("  {file}  {bytes} bytes"));
        }
        for table in &found.tables {
            line(std::format_args!(
                "  level {}  {}  {} entries, {} of them deletes  {} to {}",
                table.level,
                table.file,
                table.entries,
                table.deletes,
                key(&table.first),
                key(&table.last)
            ));
        }
    }
    if let Some(recovery) = &found.recovery {
        let (replayed, torn) = (recovery.replayed, recovery.torn_bytes);
        let end = if recovery.clean { "closed in good order" } else { "not closed" };
        line(std::format_args!("log: {end}, {replayed} writes to replay, {torn} bytes of a torn tail"));
    }
    if verify {
        line(std::format_args!("{} bytes verified", found.verified_bytes));
    }
    for Finding { file, offset, what, unknown } in &found.findings {
        line(std::format_args!("DAMAGED {file} at byte {offset}: {what}"));
        if let Some(range) = unknown {
            line(std::format_args!("        keys {} to {}", key(&range.first), key(&range.last)));
        }
    }
    line(std::format_args!("{}", if found.findings.is_empty() { "sound" } else { "damaged" }));
    text
}

fn json_of(found: &Inspection) -> Value {
    let files = found.files.iter().map(|(file, bytes)| json!({ "file": file.to_string(), "bytes": bytes }));
    let tables = found.tables.iter().map(|table| {
        json!({
            "file": table.file.to_string(), "level": table.level, "bytes": table.bytes,
            "entries": table.entries, "deletes": table.deletes,
            "first": key(&table.first), "last": key(&table.last),
        })
    });
    let findings = found.findings.iter().map(|finding| {
        let range = |range: &crate::storage::KeyRange| json!([key(&range.first), key(&range.last)]);
        json!({
            "file": finding.file.to_string(), "offset": finding.offset, "what": finding.what,
            "unknown_keys": finding.unknown.as_ref().map(range),
        })
    });
    let log = found.recovery.as_ref().map(|recovery| {
        json!({
            "clean": recovery.clean, "writes_to_replay": recovery.replayed, "torn_bytes": recovery.torn_bytes,
        })
    });
    json!({
        "sound": found.findings.is_empty(), "files": files.collect::<Vec<_>>(),
        "tables": tables.collect::<Vec<_>>(), "log": log, "verified_bytes": found.verified_bytes,
        "findings": findings.collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_without_data_is_not_called_sound() {
        let path = std::env::temp_dir().join(std::format!("kvnode-no-data-{}", std::process::id()));
        fs::create_dir_all(&path).expect("a temporary folder");
        let error = look(&path, true, false).expect_err("there is nothing");
        fs::remove_dir(&path).expect("it is empty");
        assert!(error.to_string().ends_with("holds no data of a node"), "{error}");
    }
}
