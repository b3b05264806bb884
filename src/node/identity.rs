//! Who a node is, across restarts: one small file, rewritten and synced at every start before anything is served.
//!
//! It answers three questions. *Is this folder mine?* A folder of another cluster or node is refused before anything in
//! it is touched. *Am I the newest process under this name?* The generation goes up at every start, and peers refuse a
//! lower one. *May I go on numbering writes where I stopped?* Never: a node that crashed may have sent writes to others
//! that its own disk then lost, and would give their names to new writes, which replicas would drop as known. So its
//! life as an actor is new at every start: 24 random bits, which no disk has to remember, beside the generation. A node
//! that lost its whole disk, or was given an old copy of it back, counts its generations again and still does not meet
//! an old epoch. It is renewed while the node runs, too, whenever somebody turns out to know writes of it that are not
//! known here ([`Store::merge`](super::store::Store::merge)). And because nobody may turn out to: a key of which
//! nothing of this life is known here is numbered under an epoch of its own ([`Actor::for_key`]).
//!
//! Peers refuse generations below the one that they know, so such a node would speak to the deaf. It hears from them of
//! an earlier life of its own that went further than this one, and raises its generation above that ([`raise`]).
//!
//! The weakness: clocks gain an entry for each restart of each coordinator, until actors retire.

use alloc::vec::Vec;

use crate::base::checksum::checksum;
use crate::base::codec::{self, Decode, Encode};
use crate::base::id::{ClusterId, Generation, NodeId};
use crate::base::rng::Stream;
use crate::causal::dot::Actor;
use crate::disk::{Disk, DiskError, FileKind, FileName, SyncTarget, read_all};

const FILE: FileName = FileName::new(FileKind::Identity, 0);
const NEXT: FileName = FileName::new(FileKind::Temp, u64::MAX);
const FORMAT: u8 = 3;
const CONTEXT: u64 = 0x6964_656e_7469_7479;
const FILE_MAX: u64 = 256;

/// The content of the identity file.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Encode, Decode)]
pub struct Identity {
    pub cluster: ClusterId,
    pub node: NodeId,
    pub generation: Generation,
    /// Drawn when this disk was first used, see [`amnesia`](super::amnesia).
    pub birth: u64,
    pub memory: Memory,
}

/// Whether all that this node has promised to know is on this disk, as far as it can tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Encode, Decode)]
pub enum Memory {
    /// The disk has been used for nothing yet. That may be because another was lost.
    New,
    Whole,
    /// Peers know of a later life than this disk does.
    Less,
}

/// Why the identity cannot be used. Nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdentityError {
    Disk(DiskError),
    OtherCluster {
        found: ClusterId,
    },
    OtherNode {
        found: NodeId,
    },
    /// There is an identity file, but its bytes are not what was written.
    Damaged,
    /// It is whole, and not of the format that this program writes.
    Format,
    /// There is data, but no identity file.
    Missing,
}

impl Identity {
    /// A life in which nothing has been numbered.
    pub fn new_life(&self, epochs: &mut Stream) -> Actor {
        Actor::of_life(self.node, self.generation, epochs.next())
    }
}

/// What the file says, without changing anything. `None` for an empty disk.
pub fn read(disk: &mut dyn Disk) -> Result<Option<Identity>, IdentityError> {
    let files = disk.list().map_err(IdentityError::Disk)?;
    if !files.contains(&FILE) {
        // A crash during the very first start leaves at most the unpublished file.
        let empty = files.iter().all(|file| file.kind == FileKind::Temp);
        return if empty { Ok(None) } else { Err(IdentityError::Missing) };
    }
    let bytes = read_all(disk, FILE, FILE_MAX).map_err(IdentityError::Disk)?;
    let Some((sum, body)) = bytes.split_first_chunk::<8>() else { return Err(IdentityError::Damaged) };
    if u64::from_le_bytes(*sum) != checksum(CONTEXT, body) {
        return Err(IdentityError::Damaged);
    }
    match body.split_first() {
        Some((&FORMAT, encoded)) => codec::decode(encoded).map(Some).map_err(|_| IdentityError::Damaged),
        Some(_) => Err(IdentityError::Format),
        None => Err(IdentityError::Damaged),
    }
}

/// Takes the next generation of the identity on the disk, or mints one, and makes it durable.
pub fn take(
    cluster: ClusterId,
    node: Option<NodeId>,
    rng: &mut Stream,
    disk: &mut dyn Disk,
) -> Result<Identity, IdentityError> {
    let minted = NodeId(rng.next());
    let identity = match read(disk)? {
        Some(found) if found.cluster != cluster => {
            return Err(IdentityError::OtherCluster { found: found.cluster });
        }
        Some(found) if node.is_some_and(|node| node != found.node) => {
            return Err(IdentityError::OtherNode { found: found.node });
        }
        Some(found) => Identity { generation: Generation(found.generation.0.saturating_add(1)), ..found },
        None => {
            let (generation, birth) = (Generation(1), rng.next());
            Identity { cluster, node: node.unwrap_or(minted), generation, birth, memory: Memory::New }
        }
    };
    write(&identity, disk).map_err(IdentityError::Disk)?;
    Ok(identity)
}

/// Raises the generation above `known`, durably. The epoch stays: it is this life's own. What the life that is known of
/// has promised, this disk may not know.
pub fn raise(identity: &mut Identity, known: Generation, disk: &mut dyn Disk) -> Result<(), DiskError> {
    let generation = Generation(known.0.saturating_add(1));
    replace(identity, Identity { generation, memory: Memory::Less, ..identity.clone() }, disk)
}

/// Notes that the disk holds all that it should.
pub fn settle(identity: &mut Identity, disk: &mut dyn Disk) -> Result<(), DiskError> {
    replace(identity, Identity { memory: Memory::Whole, ..identity.clone() }, disk)
}

fn replace(identity: &mut Identity, by: Identity, disk: &mut dyn Disk) -> Result<(), DiskError> {
    write(&by, disk)?;
    *identity = by;
    Ok(())
}

/// Written beside the old file, synced, and only then given its name: a crash leaves the old one or the new one whole.
fn write(identity: &Identity, disk: &mut dyn Disk) -> Result<(), DiskError> {
    let mut body = alloc::vec![FORMAT];
    codec::encode_into(identity, &mut body);
    let mut bytes = Vec::from(checksum(CONTEXT, &body).to_le_bytes());
    bytes.extend_from_slice(&body);
    match disk.remove(NEXT) {
        Ok(()) | Err(DiskError::NotFound) => {}
        Err(error) => return Err(error),
    }
    disk.append(NEXT, &bytes)?;
    disk.sync(SyncTarget::File(NEXT))?;
    disk.publish(NEXT, FILE)?;
    disk.sync(SyncTarget::Directory)
}
