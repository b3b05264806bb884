//! The bytes of a simulated file, in chunks that clones share until they differ.

use core::fmt;
use std::sync::Arc;
use std::vec::Vec;

use super::SECTOR;
use crate::base::checksum::checksum;

/// Bytes of every chunk but the last. A sync that begins shares the last one, so that the next append copies it: the
/// smaller, the less.
const CHUNK: u64 = 4 << 10;

#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct Content {
    chunks: Vec<Arc<Vec<u8>>>,
}

/// Each chunk by its length and checksum.
impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.chunks.iter().map(|chunk| (chunk.len(), checksum(0, chunk)))).finish()
    }
}

impl Content {
    pub fn len(&self) -> u64 {
        let Some(last) = self.chunks.last() else { return 0 };
        (self.chunks.len() as u64 - 1) * CHUNK + last.len() as u64
    }

    /// Reads up to `buffer.len()` bytes; fewer at the end.
    pub fn read_at(&self, offset: u64, buffer: &mut [u8]) -> usize {
        let mut read = 0;
        while read < buffer.len() {
            let at = offset.saturating_add(read as u64);
            let Some(chunk) = self.chunks.get((at / CHUNK) as usize) else { break };
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
            let room = match self.chunks.last() {
                Some(last) => CHUNK as usize - last.len(),
                None => 0,
            };
            if room == 0 {
                self.chunks.push(Arc::default());
                continue;
            }
            let (now, later) = data.split_at(room.min(data.len()));
            let last = self.chunks.last_mut().expect("just made sure");
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
        self.chunks.truncate(len.div_ceil(CHUNK) as usize);
        if len < self.len()
            && let Some(last) = self.chunks.last_mut()
        {
            Arc::make_mut(last).truncate((len - (len - 1) / CHUNK * CHUNK) as usize);
        }
    }

    pub fn flip_bit(&mut self, bit: u64) -> bool {
        let at = bit / 8;
        let chunk = self.chunks.get_mut((at / CHUNK) as usize);
        let Some(chunk) = chunk.filter(|chunk| at % CHUNK < chunk.len() as u64) else { return false };
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
        let bytes: Vec<u8> = (0..3 * CHUNK + 100).map(|n| (n % 251) as u8).collect();
        let mut written = Content::default();
        bytes.chunks(777).for_each(|part| written.append(part));
        assert_eq!(written.to_vec(), bytes);
        for len in [3 * CHUNK + 100, 3 * CHUNK + 1, 3 * CHUNK, 3 * CHUNK - 1, CHUNK, 1, 0] {
            written.truncate(len);
            assert_eq!(written.len(), len);
            assert_eq!(written.to_vec(), bytes[..len as usize]);
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
