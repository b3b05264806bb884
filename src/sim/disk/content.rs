//! The bytes of a simulated file, in chunks that clones share until they differ.

use core::fmt;
use std::sync::Arc;
use std::vec::Vec;

use super::SECTOR;
use crate::base::checksum::checksum;

/// Bytes of every chunk but the last. A sync that begins shares the last one, so that the next append copies it: the
/// smaller, the less.
const CHUNK: u64 = 4 << 10;
/// Chunks of every group but the last. Every sync clones a file, so what is shared is shared by groups.
const GROUP: usize = 64;

type Chunk = Arc<Vec<u8>>;

#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct Content {
    groups: Vec<Arc<Vec<Chunk>>>,
}

/// Each chunk by its length and checksum.
impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let chunks = self.groups.iter().flat_map(|group| group.iter());
        f.debug_list().entries(chunks.map(|chunk| (chunk.len(), checksum(0, chunk)))).finish()
    }
}

impl Content {
    pub fn len(&self) -> u64 {
        let Some((group, last)) = self.groups.last().and_then(|group| Some((group, group.last()?))) else {
            return 0;
        };
        let before = (self.groups.len() - 1) * GROUP + group.len() - 1;
        before as u64 * CHUNK + last.len() as u64
    }

    /// The chunk that has this byte, if the file reaches so far.
    fn chunk(&self, offset: u64) -> Option<&Chunk> {
        let index = (offset / CHUNK) as usize;
        self.groups.get(index / GROUP)?.get(index % GROUP)
    }

    fn chunk_mut(&mut self, offset: u64) -> Option<&mut Chunk> {
        let index = (offset / CHUNK) as usize;
        Arc::make_mut(self.groups.get_mut(index / GROUP)?).get_mut(index % GROUP)
    }

    /// The last chunk, which has room: a new one if there was none.
    fn last_mut(&mut self) -> &mut Chunk {
        if self.groups.last().is_none_or(|group| group.len() == GROUP && is_full(&group[GROUP - 1])) {
            self.groups.push(Arc::new(Vec::with_capacity(GROUP)));
        }
        let group = Arc::make_mut(self.groups.last_mut().expect("just made sure"));
        if group.last().is_none_or(is_full) {
            group.push(Arc::default());
        }
        group.last_mut().expect("just made sure")
    }

    /// Reads up to `buffer.len()` bytes; fewer at the end.
    pub fn read_at(&self, offset: u64, buffer: &mut [u8]) -> usize {
        let mut read = 0;
        while read < buffer.len() {
            let at = offset.saturating_add(read as u64);
            let Some(chunk) = self.chunk(at) else { break };
            let Some(rest) = chunk.get((at % CHUNK) as usize..).filter(|rest| !rest.is_empty()) else {
                break;
            };
            let count = rest.len().min(buffer.len() - read);
            buffer[read..read + count].copy_from_slice(&rest[..count]);
            read += count;
        }
        read
    }

    pub fn append(&mut self, mut data: &[u8]) {
        while !data.is_empty() {
            let last = self.last_mut();
            let (now, later) = data.split_at(data.len().min(CHUNK as usize - last.len()));
            if let Some(own) = Arc::get_mut(last) {
                own.extend_from_slice(now);
            } else {
                // With room for what comes next; a clone of a `Vec` has none.
                let mut copy = Vec::with_capacity(CHUNK as usize);
                copy.extend_from_slice(last);
                copy.extend_from_slice(now);
                *last = Arc::new(copy);
            }
            data = later;
        }
    }

    /// Cuts to `len` bytes, if it is longer.
    pub fn truncate(&mut self, len: u64) {
        if len >= self.len() {
            return;
        }
        let chunks = len.div_ceil(CHUNK) as usize;
        self.groups.truncate(chunks.div_ceil(GROUP));
        if let Some(last) = self.groups.last_mut() {
            Arc::make_mut(last).truncate(chunks - (chunks - 1) / GROUP * GROUP);
        }
        if let Some(last) = self.chunk_mut(len.saturating_sub(1)) {
            Arc::make_mut(last).truncate((len - (len - 1) / CHUNK * CHUNK) as usize);
        }
    }

    pub fn flip_bit(&mut self, bit: u64) -> bool {
        let at = bit / 8;
        let Some(chunk) = self.chunk_mut(at).filter(|chunk| at % CHUNK < chunk.len() as u64) else {
            return false;
        };
        Arc::make_mut(chunk)[(at % CHUNK) as usize] ^= 1 << (bit % 8);
        true
    }

    fn to_vec(&self) -> Vec<u8> {
        let mut bytes = std::vec![0; self.len() as usize];
        self.read_at(0, &mut bytes);
        bytes
    }

    /// What a crash leaves of a file that reads as `self` and was last synced as `durable`. `survives` is
    /// asked for each unsynced sector, and first, if synced bytes were cut off or replaced, whether the cut
    /// survives.
    pub fn torn(&self, durable: &Content, mut survives: impl FnMut() -> bool) -> Content {
        if self == durable {
            return self.clone();
        }
        let (now, then) = (self.to_vec(), durable.to_vec());
        let common = now.iter().zip(&then).take_while(|(a, b)| a == b).count();
        let mut bytes = then;
        if common < bytes.len() && survives() {
            bytes.truncate(common);
        }
        let mut start = common;
        while start < now.len() {
            let end = ((start as u64 / SECTOR + 1) * SECTOR).min(now.len() as u64) as usize;
            if survives() {
                bytes.resize(bytes.len().max(end), 0);
                bytes[start..end].copy_from_slice(&now[start..end]);
            }
            start = end;
        }
        let mut content = Content::default();
        content.append(&bytes);
        content
    }
}

fn is_full(chunk: &Chunk) -> bool {
    chunk.len() as u64 == CHUNK
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(bytes: &[u8]) -> Content {
        let mut content = Content::default();
        content.append(bytes);
        content
    }

    #[test]
    fn appends_reads_and_cuts_across_chunks() {
        let group = GROUP as u64 * CHUNK;
        let bytes: Vec<u8> = (0..group + 3 * CHUNK + 100).map(|n| (n % 251) as u8).collect();
        let mut written = Content::default();
        bytes.chunks(777).for_each(|part| written.append(part));
        assert_eq!(written.to_vec(), bytes);
        let whole = written.clone();
        let beyond = [group + 3 * CHUNK + 100, group + 2 * CHUNK, group + 1, group, group - 1];
        for len in beyond.into_iter().chain([3 * CHUNK + 1, 3 * CHUNK, 3 * CHUNK - 1, CHUNK, 1, 0]) {
            written.truncate(len);
            assert_eq!(written.len(), len);
            assert_eq!(written.to_vec(), bytes[..len as usize]);
            // However it came about, it is the same.
            assert_eq!(written, content(&bytes[..len as usize]));
            let mut grown = written.clone();
            grown.append(&bytes[len as usize..]);
            assert_eq!(grown, whole);
        }
        let mut buffer = [0; 10];
        assert_eq!(written.read_at(u64::MAX, &mut buffer), 0);
    }

    #[test]
    fn a_torn_file_keeps_what_was_synced_and_has_zeros_for_lost_sectors() {
        let durable = content(&[1; 700]);
        let mut now = durable.clone();
        now.append(&[2; 1000]);
        let mut coins = [false, false, true, false].into_iter();
        let torn = now.torn(&durable, || coins.next().expect("sectors 1 to 3")).to_vec();
        assert_eq!(coins.len(), 1);
        assert_eq!(torn[..700], [1; 700]);
        assert_eq!(torn[700..1024], [0; 324]);
        assert_eq!(torn[1024..1536], [0; 512]);
        assert_eq!(torn[1536..], [2; 164]);
        assert_eq!(now.torn(&durable, || false), durable);
        assert_eq!(now.torn(&durable, || true), now);
    }

    #[test]
    fn a_cut_of_synced_bytes_survives_by_a_coin() {
        let durable = content(&[1; 700]);
        let now = content(&[1; 100]);
        assert_eq!(now.torn(&durable, || false), durable);
        assert_eq!(now.torn(&durable, || true), now);
    }
}
