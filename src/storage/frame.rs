//! The frame: the one form in which the commit log, the manifest and `current` are written.
//!
//! ```text
//! 0   checksum   u64   of all that follows, padding included; bound to file and offset
//! 8   magic      u32
//! 12  version    u16   of the format
//! 14  kind       u8    1 start, 2 data, 3 end
//! 15  zero       u8
//! 16  file       u64   the number of the file
//! 24  offset     u64   of the frame in its file
//! 32  length     u32   of the payload, in bytes
//! 36  count      u32   records in the payload
//! 40  first      u64   sequence number of the first record
//! 48  synced     u64   every record up to this one was synced when the frame was written
//! 56  payload          zeros up to a multiple of 8 bytes
//! ```
//!
//! All integers are little-endian. Frames begin at multiples of 8 bytes, so after a bad frame the later ones
//! can be found by looking at every such place.
//!
//! `synced` is what tells a torn tail from damage. A bad frame may be cut off only if nothing after it
//! promises that it had been synced: after a crash the unsynced end of a file is allowed to be anything. If a
//! later frame does promise it, somebody was told that the data is safe, and cutting there would lose it
//! silently. (The idea is Pebble's `walSync` chunk; RocksDB and fjall cannot tell the two apart.) What
//! remains undecidable are the frames of the last sync of a log that was not closed, which no later frame
//! speaks for: a flipped bit there looks like a torn write. They are cut from there on, and counted in
//! [`super::Recovery::torn_bytes`].

use alloc::vec::Vec;

use crate::base::checksum::{checksum, mix};
use crate::base::codec::{self, Encode};
use crate::disk::{Disk, DiskError, FileName};

/// 2: the manifest counts the deletes of a table, and tables lie in more than two levels.
/// 3: a frame of the commit log holds a group of writes, each in the form of `wal.rs`. The manifest knows what is
///    damaged.
pub const FORMAT_VERSION: u16 = 3;
pub const HEADER_LEN: usize = 56;
/// The longest payload, in bytes. Larger lengths are forged.
pub const PAYLOAD_MAX: usize = codec::DECODE_LIMIT;
const ALIGNMENT: usize = 8;
const MAGIC: u32 = u32::from_le_bytes(*b"KVFR");
/// How much is read at a time, in bytes, when a file is scanned.
const WINDOW: usize = 256 << 10;

/// Binds a checksum to a place: right bytes in the wrong file or at the wrong offset fail.
pub fn context(file: FileName, offset: u64) -> u64 {
    mix(checksum(file.number, file.kind.stem().as_bytes()), offset)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The first frame of a file.
    Start = 1,
    Data = 2,
    /// The last frame of a log that was closed in good order.
    End = 3,
}

impl Kind {
    fn from_byte(byte: u8) -> Option<Kind> {
        [Kind::Start, Kind::Data, Kind::End].into_iter().find(|kind| *kind as u8 == byte)
    }
}

/// What a frame says besides its payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Head {
    pub kind: Kind,
    pub count: u32,
    pub first: u64,
    pub synced: u64,
}

/// The encoding of a frame that will lie at `offset` of `file`.
pub fn encode<T: Encode>(file: FileName, offset: u64, head: Head, payload: &T) -> Vec<u8> {
    let mut bytes = alloc::vec![0u8; HEADER_LEN];
    codec::encode_into(payload, &mut bytes);
    seal(file, offset, head, &mut bytes);
    bytes
}

/// Makes a frame of `bytes`: [`HEADER_LEN`] bytes for the header to come, and the payload.
pub fn seal(file: FileName, offset: u64, head: Head, bytes: &mut Vec<u8>) {
    assert!(offset.is_multiple_of(ALIGNMENT as u64), "frames lie on multiples of 8");
    let length = bytes.len() - HEADER_LEN;
    assert!(length <= PAYLOAD_MAX, "a payload is checked before it is framed");
    bytes.resize(bytes.len().next_multiple_of(ALIGNMENT), 0);
    bytes[8..12].copy_from_slice(&MAGIC.to_le_bytes());
    bytes[12..14].copy_from_slice(&FORMAT_VERSION.to_le_bytes());
    bytes[14] = head.kind as u8;
    bytes[15] = 0;
    bytes[16..24].copy_from_slice(&file.number.to_le_bytes());
    bytes[24..32].copy_from_slice(&offset.to_le_bytes());
    bytes[32..36].copy_from_slice(&(length as u32).to_le_bytes());
    bytes[36..40].copy_from_slice(&head.count.to_le_bytes());
    bytes[40..48].copy_from_slice(&head.first.to_le_bytes());
    bytes[48..56].copy_from_slice(&head.synced.to_le_bytes());
    let sum = checksum(context(file, offset), &bytes[8..]);
    bytes[..8].copy_from_slice(&sum.to_le_bytes());
}

/// The writing end of a file of frames.
#[derive(Clone, Debug, Hash)]
pub struct Appender {
    pub file: FileName,
    pub len: u64,
}

impl Appender {
    /// For a file that does not exist yet.
    pub fn new(file: FileName) -> Appender {
        Appender { file, len: 0 }
    }

    /// Appends one frame. If the disk is full, what was written of it is cut off again and the file is as it
    /// was. After any other error the end of the file is unknown, and nothing may be appended any more.
    pub fn append<T: Encode>(
        &mut self,
        head: Head,
        payload: &T,
        disk: &mut dyn Disk,
    ) -> Result<(), DiskError> {
        self.write(&encode(self.file, self.len, head, payload), disk)
    }

    /// Like [`Appender::append`] for a frame that was built in place: `bytes` are those that [`seal`] takes.
    pub fn append_built(
        &mut self,
        head: Head,
        bytes: &mut Vec<u8>,
        disk: &mut dyn Disk,
    ) -> Result<(), DiskError> {
        let unpadded = bytes.len();
        seal(self.file, self.len, head, bytes);
        let result = self.write(bytes, disk);
        bytes.truncate(unpadded);
        result
    }

    fn write(&mut self, bytes: &[u8], disk: &mut dyn Disk) -> Result<(), DiskError> {
        let offset = match disk.append(self.file, bytes) {
            Err(DiskError::Full) => return Err(self.undo(disk)),
            result => result?,
        };
        if offset != self.len {
            // Somebody else writes this file. What we appended is bound to another offset, so it is as good
            // as torn.
            return Err(DiskError::Io);
        }
        self.len += bytes.len() as u64;
        Ok(())
    }

    /// Cuts off half a frame, which recovery would take for the end of the file, and all behind it for lost.
    fn undo(&self, disk: &mut dyn Disk) -> DiskError {
        let undone = match self.len {
            0 => disk.remove(self.file).or_else(|error| match error {
                DiskError::NotFound => Ok(()),
                error => Err(error),
            }),
            len => disk.truncate(self.file, len),
        };
        if undone.is_ok() { DiskError::Full } else { DiskError::Io }
    }
}

/// A frame that passed its checksum.
#[derive(Clone, Debug)]
pub struct Frame {
    pub head: Head,
    pub payload: Vec<u8>,
    /// The offset behind it.
    pub end: u64,
}

/// What lies at an offset.
#[derive(Clone, Debug)]
pub enum Look {
    Frame(Frame),
    /// The file ends exactly here.
    End,
    Bad,
    /// A whole frame of a format that we do not know.
    Version(u16),
}

/// The reading end of a file of frames.
pub struct Reader<'a> {
    disk: &'a mut dyn Disk,
    pub file: FileName,
    pub len: u64,
    window: Vec<u8>,
    window_at: u64,
}

impl<'a> Reader<'a> {
    pub fn open(file: FileName, disk: &'a mut dyn Disk) -> Result<Reader<'a>, DiskError> {
        let len = disk.len(file)?;
        Ok(Reader { disk, file, len, window: Vec::new(), window_at: 0 })
    }

    /// The `count` bytes at `offset`, or `None` if the file ends before.
    fn bytes(&mut self, offset: u64, count: usize) -> Result<Option<&[u8]>, DiskError> {
        let Some(end) = offset.checked_add(count as u64).filter(|end| *end <= self.len) else {
            return Ok(None);
        };
        if offset < self.window_at || end > self.window_at + self.window.len() as u64 {
            let want = (self.len - offset).min(count.max(WINDOW) as u64) as usize;
            self.window.resize(want, 0);
            let read = self.disk.read_at(self.file, offset, &mut self.window)?;
            self.window.truncate(read);
            self.window_at = offset;
        }
        let start = (offset - self.window_at) as usize;
        Ok(self.window.get(start..start + count))
    }

    pub fn look(&mut self, offset: u64) -> Result<Look, DiskError> {
        if offset == self.len {
            return Ok(Look::End);
        }
        let file = self.file;
        let Some(header) = self.bytes(offset, HEADER_LEN)? else { return Ok(Look::Bad) };
        let plausible = u32_at(header, 8) == MAGIC
            && u64_at(header, 16) == file.number
            && u64_at(header, 24) == offset
            && u32_at(header, 32) as usize <= PAYLOAD_MAX;
        if !plausible {
            return Ok(Look::Bad);
        }
        let length = u32_at(header, 32) as usize;
        let total = (HEADER_LEN + length).next_multiple_of(ALIGNMENT);
        let Some(bytes) = self.bytes(offset, total)? else { return Ok(Look::Bad) };
        if checksum(context(file, offset), &bytes[8..]) != u64_at(bytes, 0) {
            return Ok(Look::Bad);
        }
        let version = u16::from_le_bytes([bytes[12], bytes[13]]);
        if version != FORMAT_VERSION {
            return Ok(Look::Version(version));
        }
        let Some(kind) = Kind::from_byte(bytes[14]) else { return Ok(Look::Bad) };
        let head =
            Head { kind, count: u32_at(bytes, 36), first: u64_at(bytes, 40), synced: u64_at(bytes, 48) };
        let payload = bytes[HEADER_LEN..HEADER_LEN + length].to_vec();
        Ok(Look::Frame(Frame { head, payload, end: offset + total as u64 }))
    }

    /// The furthest sequence number that any whole frame at or after `from` promises to be synced; zero if
    /// none does.
    ///
    /// Looks at every multiple of 8. A value that imitates a frame would have to guess the file's number and
    /// its own offset before a checksum is even computed.
    pub fn furthest_promise(&mut self, from: u64) -> Result<u64, DiskError> {
        let mut offset = from.next_multiple_of(ALIGNMENT as u64);
        let mut promise = 0;
        while offset < self.len {
            match self.look(offset)? {
                Look::Frame(frame) => {
                    promise = promise.max(frame.head.synced);
                    offset = frame.end;
                }
                _ => offset += ALIGNMENT as u64,
            }
        }
        Ok(promise)
    }
}

/// Fields of a header whose length was checked.
fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let mut field = [0u8; 4];
    field.copy_from_slice(&bytes[at..at + 4]);
    u32::from_le_bytes(field)
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    let mut field = [0u8; 8];
    field.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(field)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::bytes::Bytes;
    use crate::disk::FileKind;

    const LOG: FileName = FileName::new(FileKind::Wal, 7);
    const HEAD: Head = Head { kind: Kind::Data, count: 1, first: 3, synced: 2 };

    /// Golden: frames are on disks.
    #[test]
    fn golden_frame() {
        let frame = encode(LOG, 64, HEAD, &Bytes::from("payload"));
        assert_eq!(frame.len(), 64);
        assert_eq!(u64_at(&frame, 0), 0x14a5_61fd_8d7f_e0ce, "checksum");
        assert_eq!(frame[8..16], *b"KVFR\x03\0\x02\0");
        let words: Vec<u64> = (16..56).step_by(8).map(|at| u64_at(&frame, at)).collect();
        assert_eq!(words, [7, 64, 8 | 1 << 32, 3, 2]);
        assert_eq!(frame[56..], *b"\x07payload");
    }

    #[test]
    fn a_checksum_holds_for_one_file_and_one_offset() {
        let contexts = [
            context(LOG, 64),
            context(LOG, 72),
            context(FileName::new(FileKind::Wal, 8), 64),
            context(FileName::new(FileKind::Manifest, 7), 64),
        ];
        for (at, one) in contexts.iter().enumerate() {
            assert!(contexts[at + 1..].iter().all(|other| other != one));
        }
    }
}
