//! The data folder: one process at a time, and only a folder that is ours.

use std::ffi::OsString;
use std::fmt;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::vec::Vec;

use crate::disk::FileName;
use crate::real::disk::RealDisk;

/// What may be in a data folder besides a node's files: the lock, and what a fresh file system has at its
/// root, where data folders are often mounted.
const ALSO_OURS: [&str; 2] = ["lock", "lost+found"];

/// Why a folder cannot be the data folder. Nothing in it was changed.
#[derive(Debug)]
pub enum FolderError {
    /// A file that no node makes: this is some other program's folder, and a node would mix its files with
    /// theirs.
    Foreign {
        path: PathBuf,
        name: OsString,
    },
    /// Another process has it.
    Busy {
        path: PathBuf,
    },
    Io {
        path: PathBuf,
        error: io::Error,
    },
}

impl fmt::Display for FolderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FolderError::Foreign { path, name } => {
                write!(f, "{} is not a data folder: it holds {}", path.display(), name.display())
            }
            FolderError::Busy { path } => {
                write!(f, "{} is the data folder of another process that is running", path.display())
            }
            FolderError::Io { path, error } => write!(f, "{}: {error}", path.display()),
        }
    }
}

/// Opens `path` for this process alone, making the folder if there is none. Whose data it holds is for the
/// node to check.
pub fn open(path: &Path) -> Result<RealDisk, FolderError> {
    let failed = |error| FolderError::Io { path: path.to_path_buf(), error };
    create(path).map_err(failed)?;
    for entry in fs::read_dir(path).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        let ours = |name: &str| ALSO_OURS.contains(&name) || FileName::parse(name).is_some();
        if !name.to_str().is_some_and(ours) {
            return Err(FolderError::Foreign { path: path.to_path_buf(), name });
        }
    }
    RealDisk::open(path).map_err(|error| match error.kind() {
        io::ErrorKind::ResourceBusy => FolderError::Busy { path: path.to_path_buf() },
        _ => failed(error),
    })
}

/// Makes the folder and those above it, each durably. A node syncs the names in its folder; if the folder's
/// own name were lost with the power, all that the node acknowledged would be gone with it.
fn create(path: &Path) -> io::Result<()> {
    let missing: Vec<&Path> =
        path.ancestors().take_while(|at| !at.as_os_str().is_empty() && !at.exists()).collect();
    for at in missing.into_iter().rev() {
        fs::create_dir(at)?;
        let above = at.parent().filter(|above| !above.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(above)?.sync_all()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::format;
    use std::string::ToString;

    fn scratch(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("kvnode-folder-{}-{name}", std::process::id()));
        let _absent = fs::remove_dir_all(&path);
        path
    }

    #[test]
    fn a_folder_has_one_owner_at_a_time() {
        let path = scratch("one-owner").join("deep/down");
        let first = open(&path).expect("it is new");
        assert!(matches!(open(&path), Err(FolderError::Busy { .. })));
        drop(first);
        fs::write(path.join("wal-0000000001"), b"data").expect("it is there");
        open(&path).expect("its owner has gone, and its files are a node's");
        fs::remove_dir_all(scratch("one-owner")).ok();
    }

    #[test]
    fn a_folder_of_another_program_is_refused_and_left_as_it_was() {
        let path = scratch("foreign");
        fs::create_dir(&path).expect("a new folder");
        fs::write(path.join("thesis.tex"), b"years of work").expect("a new file");
        let error = open(&path).expect_err("not ours").to_string();
        assert!(error.contains("it holds thesis.tex"), "{error}");
        assert_eq!(fs::read_dir(&path).expect("it is there").count(), 1);
        fs::remove_dir_all(&path).expect("ours to remove");
    }
}
