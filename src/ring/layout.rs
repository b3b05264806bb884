//! The layout: who is in the cluster, and how many replicas a key has.

use core::fmt;

use alloc::vec::Vec;

use crate::base::codec::{Decode, Encode};
use crate::base::id::{NodeId, Zone};
use crate::base::limits::{MEMBERS_MAX, N_MAX, NAME_MAX};

/// The sum of all members' capacities, at most: it bounds the number of tokens (2 million).
pub const CAPACITY_SUM_MAX: u64 = 4 * MEMBERS_MAX as u64;

/// A node as the layout sees it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Encode, Decode)]
pub struct Member {
    pub node: NodeId,
    pub zone: Zone,
    /// The node's share of the data relative to other members. At least 1.
    pub capacity: u16,
    /// That of the disk with which it became a member: see `node::amnesia`.
    pub birth: u64,
}

/// Who is in the cluster and how many replicas a key has. The record or frame that carries it has the version number
/// of its format.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Encode, Decode)]
pub struct Layout {
    pub version: u64,
    /// Replicas per key, `1..=N_MAX`. Fewer members than this are allowed: then every member is a replica.
    pub n: u8,
    /// Sorted by node.
    members: Vec<Member>,
}

/// Why members and N make no layout.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum LayoutError {
    /// `n` is not in `1..=N_MAX`.
    Replicas(u8),
    NoMembers,
    TooManyMembers(usize),
    Duplicate(NodeId),
    /// Decoded members that are not sorted by node.
    Unsorted,
    NoCapacity(NodeId),
    /// The capacities add up to more than [`CAPACITY_SUM_MAX`].
    TooMuchCapacity(u64),
    /// The zone's name is longer than `NAME_MAX`.
    LongZone(NodeId),
}

impl fmt::Display for LayoutError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LayoutError::Replicas(n) => write!(f, "n = {n} is not in 1..={N_MAX}"),
            LayoutError::NoMembers => f.write_str("no members"),
            LayoutError::TooManyMembers(count) => write!(f, "{count} members are more than {MEMBERS_MAX}"),
            LayoutError::Duplicate(node) => write!(f, "{node} is a member twice"),
            LayoutError::Unsorted => f.write_str("members are not sorted by node"),
            LayoutError::NoCapacity(node) => write!(f, "{node} has capacity 0"),
            LayoutError::TooMuchCapacity(sum) => {
                write!(f, "capacities add up to {sum}, more than {CAPACITY_SUM_MAX}")
            }
            LayoutError::LongZone(node) => write!(f, "the zone of {node} is longer than {NAME_MAX} bytes"),
        }
    }
}

impl Layout {
    /// A valid layout of `members`, in whatever order they come.
    pub fn new(version: u64, n: u8, mut members: Vec<Member>) -> Result<Layout, LayoutError> {
        members.sort_by_key(|member| member.node);
        let layout = Layout { version, n, members };
        layout.validate()?;
        Ok(layout)
    }

    /// Whether this layout, decoded from a peer's or a disk's bytes, could have come from [`Layout::new`].
    pub fn validate(&self) -> Result<(), LayoutError> {
        if self.n == 0 || self.n > N_MAX {
            return Err(LayoutError::Replicas(self.n));
        }
        if self.members.is_empty() {
            return Err(LayoutError::NoMembers);
        }
        if self.members.len() > MEMBERS_MAX {
            return Err(LayoutError::TooManyMembers(self.members.len()));
        }
        for pair in self.members.windows(2) {
            match pair[0].node.cmp(&pair[1].node) {
                core::cmp::Ordering::Less => {}
                core::cmp::Ordering::Equal => return Err(LayoutError::Duplicate(pair[0].node)),
                core::cmp::Ordering::Greater => return Err(LayoutError::Unsorted),
            }
        }
        for member in &self.members {
            if member.capacity == 0 {
                return Err(LayoutError::NoCapacity(member.node));
            }
            if member.zone.0.len() > NAME_MAX {
                return Err(LayoutError::LongZone(member.node));
            }
        }
        let sum = self.members.iter().map(|member| u64::from(member.capacity)).sum();
        if sum > CAPACITY_SUM_MAX { Err(LayoutError::TooMuchCapacity(sum)) } else { Ok(()) }
    }

    /// Sorted by node.
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// Who is placed, in order.
    pub fn nodes(&self) -> impl Iterator<Item = NodeId> {
        self.members.iter().map(|member| member.node)
    }

    pub fn member(&self, node: NodeId) -> Option<&Member> {
        let index = self.members.binary_search_by_key(&node, |member| member.node).ok()?;
        self.members.get(index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::codec::{decode, encode};
    use alloc::vec;

    fn member(node: u64, capacity: u16) -> Member {
        Member { node: NodeId(node), zone: Zone("z".into()), capacity, birth: 0 }
    }

    fn flat(count: u64) -> Vec<Member> {
        (1..=count).map(|node| member(node, 1)).collect()
    }

    #[test]
    fn a_layout_refuses_what_it_cannot_place() {
        let new = |n, members| Layout::new(1, n, members).map(drop);
        assert_eq!(new(0, flat(3)), Err(LayoutError::Replicas(0)));
        assert_eq!(new(1, flat(3)), Ok(()));
        assert_eq!(new(N_MAX, flat(3)), Ok(()));
        assert_eq!(new(N_MAX + 1, flat(3)), Err(LayoutError::Replicas(N_MAX + 1)));
        assert_eq!(new(3, vec![]), Err(LayoutError::NoMembers));
        assert_eq!(new(3, flat(MEMBERS_MAX as u64)), Ok(()));
        let count = MEMBERS_MAX + 1;
        assert_eq!(new(3, flat(count as u64)), Err(LayoutError::TooManyMembers(count)));
        let twice = vec![member(2, 1), member(1, 1), member(2, 1)];
        assert_eq!(new(3, twice), Err(LayoutError::Duplicate(NodeId(2))));
        assert_eq!(new(3, vec![member(1, 0)]), Err(LayoutError::NoCapacity(NodeId(1))));
        assert_eq!(new(3, vec![member(1, CAPACITY_SUM_MAX as u16)]), Ok(()));
        let sum = CAPACITY_SUM_MAX + 1;
        assert_eq!(new(3, vec![member(1, sum as u16)]), Err(LayoutError::TooMuchCapacity(sum)));
        let long = Member { zone: Zone("z".repeat(NAME_MAX + 1).into()), ..member(1, 1) };
        assert_eq!(new(3, vec![long]), Err(LayoutError::LongZone(NodeId(1))));
    }

    #[test]
    fn a_decoded_layout_is_validated_by_the_same_rules() {
        let good = Layout::new(1, 3, flat(5)).expect("valid");
        let decoded: Layout = decode(&encode(&good)).expect("our own encoding");
        assert_eq!(decoded, good);
        assert_eq!(decoded.validate(), Ok(()));
        let forged = Layout { version: 1, n: 3, members: vec![member(2, 1), member(1, 1)] };
        let decoded: Layout = decode(&encode(&forged)).expect("well-formed");
        assert_eq!(decoded.validate(), Err(LayoutError::Unsorted));
    }
}
