//! The manifest: a log of [`Edit`]s to the set of live tables and logs, in frames. `current` names the newest
//! one.
//!
//! Every open writes a new manifest that begins with a snapshot, and then publishes `current` atomically. The
//! tail of the old manifest is thereby written anew and synced before anything is built on it: what a
//! restarted process reads back may lie in the page cache only (see [`super::recovery`]).
//!
//! `current` also says of how many edits the snapshot consists, so a snapshot that lost its end is damage,
//! not a torn tail. A later edit that looks torn is one whose sync never succeeded, or the very last one,
//! damaged. In the second case files that it made obsolete have been removed already, and the open finds them
//! missing.

use alloc::vec::Vec;

use crate::base::codec::{self, Decode, Encode};
use crate::disk::{Disk, DiskError, FileKind, FileName, SyncTarget};
use crate::storage::NUMBER_MAX;
use crate::storage::error::OpenError;
use crate::storage::frame::{self, Appender, Frame, Head, Kind, Look, Reader};
use crate::storage::version::{Edit, Version};

pub const CURRENT: FileName = FileName::new(FileKind::Current, 0);
/// Tables per edit of a snapshot, so that no frame outgrows what can be decoded.
const TABLES_PER_EDIT: usize = 256;

/// The content of `current`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Encode, Decode)]
pub struct Current {
    pub manifest: u64,
    /// Edits that the manifest had when it was published, at least 1.
    pub edits: u64,
}

/// The writing end.
#[derive(Clone, Debug, Hash)]
pub struct Manifest {
    frames: Appender,
    appended: u64,
    durable: u64,
}

impl Manifest {
    pub fn file(&self) -> FileName {
        self.frames.file
    }

    /// Writes a new manifest that says what `version` and `rest` (an edit without tables) say, and syncs it.
    /// Nothing refers to it yet.
    pub fn create(
        number: u64,
        version: &Version,
        rest: &Edit,
        disk: &mut dyn Disk,
    ) -> Result<Manifest, DiskError> {
        assert!(rest.added.is_empty() && rest.removed.is_empty(), "the tables are those of the version");
        let file = FileName::new(FileKind::Manifest, number);
        let mut manifest = Manifest { frames: Appender::new(file), appended: 0, durable: 0 };
        let tables: Vec<_> = version
            .levels()
            .flat_map(|(level, tables)| tables.iter().map(move |table| (level, (**table).clone())))
            .collect();
        manifest.append(rest, disk)?;
        let rest = Edit { damaged: Vec::new(), ..rest.clone() };
        for tables in tables.chunks(TABLES_PER_EDIT) {
            manifest.append(&Edit { added: tables.to_vec(), ..rest.clone() }, disk)?;
        }
        disk.sync(SyncTarget::File(file))?;
        manifest.durable = manifest.appended;
        Ok(manifest)
    }

    /// Appends an edit; the answer is its number. It counts once [`Manifest::durable`] has reached it.
    pub fn append(&mut self, edit: &Edit, disk: &mut dyn Disk) -> Result<u64, DiskError> {
        let number = self.appended + 1;
        let head = Head { kind: Kind::Data, count: 1, first: number, synced: self.durable };
        self.frames.append(head, edit, disk)?;
        self.appended = number;
        Ok(number)
    }

    pub fn appended(&self) -> u64 {
        self.appended
    }

    pub fn durable(&self) -> u64 {
        self.durable
    }

    /// A sync that covered the edits up to `number` has succeeded.
    pub fn synced(&mut self, number: u64) {
        assert!(
            self.durable <= number && number <= self.appended,
            "a sync covers what was appended before it"
        );
        self.durable = number;
    }

    /// Makes `current` name this manifest. The manifest's own name and those of the files it refers to must
    /// be durable before; that it is named is durable when this returns.
    pub fn publish(&self, temp: FileName, disk: &mut dyn Disk) -> Result<(), DiskError> {
        assert_eq!(self.durable, self.appended, "only a durable manifest is published");
        let current = Current { manifest: self.frames.file.number, edits: self.appended };
        let head = Head { kind: Kind::Start, count: 1, first: 1, synced: 0 };
        disk.append(temp, &frame::encode(CURRENT, 0, head, &current))?;
        disk.sync(SyncTarget::File(temp))?;
        disk.publish(temp, CURRENT)?;
        disk.sync(SyncTarget::Directory)
    }
}

/// Reads `current`. `None` if there is none.
pub fn read_current(disk: &mut dyn Disk) -> Result<Option<Current>, OpenError> {
    let corrupt = |what| OpenError::Corrupt { file: CURRENT, offset: 0, what };
    let mut reader = match Reader::open(CURRENT, disk) {
        Err(DiskError::NotFound) => return Ok(None),
        reader => reader?,
    };
    let frame = match reader.look(0)? {
        Look::Frame(frame) if frame.end == reader.len => frame,
        Look::Version(version) => return Err(OpenError::Version { file: CURRENT, version }),
        _ => return Err(corrupt("its checksum fails")),
    };
    let current: Current = codec::decode(&frame.payload).map_err(|_| corrupt("it does not decode"))?;
    if current.edits == 0 { Err(corrupt("it names an empty manifest")) } else { Ok(Some(current)) }
}

/// What a manifest says.
#[derive(Clone, Debug)]
pub struct Contents {
    pub version: Version,
    /// The last edit's fields; its tables are empty, and its damage is all that there is in tables of the version.
    pub rest: Edit,
    /// Whether the last bytes are no edit.
    pub is_torn: bool,
}

/// Reads the manifest that `current` names.
pub fn read(current: Current, disk: &mut dyn Disk) -> Result<Contents, OpenError> {
    let file = FileName::new(FileKind::Manifest, current.manifest);
    let corrupt = |offset, what| OpenError::Corrupt { file, offset, what };
    let mut reader = match Reader::open(file, disk) {
        Err(DiskError::NotFound) => return Err(corrupt(0, "the file is missing")),
        reader => reader?,
    };
    let mut contents = Contents { version: Version::default(), rest: Edit::default(), is_torn: false };
    let (mut offset, mut edits, mut damaged) = (0, 0, Vec::new());
    loop {
        match reader.look(offset)? {
            Look::Frame(Frame { head, payload, end }) => {
                edits += 1;
                if head.first != edits {
                    return Err(corrupt(offset, "an edit is missing before it"));
                }
                let edit: Edit =
                    codec::decode(&payload).map_err(|_| corrupt(offset, "an edit does not decode"))?;
                if edit.flushed >= NUMBER_MAX
                    || edit.next_file >= NUMBER_MAX
                    || edit.log_floor >= edit.next_file
                {
                    return Err(corrupt(offset, "its numbers are impossible"));
                }
                contents.version = contents.version.apply(&edit).map_err(|what| corrupt(offset, what))?;
                damaged.extend_from_slice(&edit.damaged);
                contents.rest = Edit { added: Vec::new(), removed: Vec::new(), ..edit };
                offset = end;
            }
            Look::Version(version) => return Err(OpenError::Version { file, version }),
            Look::End => break,
            Look::Bad => {
                if reader.furthest_promise(offset)? > edits {
                    return Err(corrupt(offset, "an edit that was synced is damaged"));
                }
                // Torn: its sync never succeeded, so nothing was built on it.
                contents.is_torn = true;
                break;
            }
        }
    }
    if edits < current.edits {
        return Err(corrupt(offset, "an edit of the snapshot is damaged or missing"));
    }
    damaged.retain(|(number, _)| contents.version.tables().any(|table| table.number == *number));
    contents.rest.damaged = damaged;
    Ok(contents)
}
