//! [`Roster`]: the members that a node has heard of, besides itself. Each has a place, which it gets when it is first
//! heard of and keeps for ever. A message of gossip tells of dozens of members, and in a large cluster the memory of
//! all of them is far away: so one lookup finds a place, and what goes by place lies side by side.

use core::ops::{Index, IndexMut};

use alloc::vec::Vec;

use crate::base::id::NodeId;
use crate::base::map::Map;
use crate::base::time::Instant;
use crate::member::gossip::{Card, News};

/// One of the members of a roster, counted from 0 as they were first heard of. It means nothing to any other roster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place(pub u32);

/// A member that is not this node.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Member {
    pub card: Card,
    pub heartbeat: u64,
    /// When the heartbeat was last seen to rise, on the own clock, or when this node began to watch it.
    pub advanced: Instant,
    /// The own judgement: silent for too long. Only who is watched is judged.
    pub suspected: bool,
}

impl Member {
    pub fn new(news: &News, now: Instant) -> Member {
        Member { card: news.card.clone(), heartbeat: news.heartbeat, advanced: now, suspected: false }
    }

    pub fn news(&self) -> News {
        News { card: self.card.clone(), heartbeat: self.heartbeat }
    }
}

/// All members by their places, and their places by their identities.
#[derive(Clone, Debug, Default, Hash)]
pub struct Roster {
    places: Map<NodeId, Place>,
    members: Vec<Member>,
}

impl Roster {
    pub fn len(&self) -> usize {
        self.members.len()
    }

    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    pub fn place(&self, node: NodeId) -> Option<Place> {
        self.places.get(&node).copied()
    }

    pub fn get(&self, node: NodeId) -> Option<&Member> {
        self.place(node).map(|place| &self[place])
    }

    pub fn get_mut(&mut self, node: NodeId) -> Option<&mut Member> {
        self.place(node).map(|place| &mut self[place])
    }

    /// Adds somebody who is not a member yet.
    pub fn add(&mut self, member: Member) -> Place {
        let place = Place(u32::try_from(self.members.len()).expect("members are limited"));
        let earlier = self.places.insert(member.card.node, place);
        assert!(earlier.is_none(), "a member has one place");
        self.members.push(member);
        place
    }

    /// All members, in the order of their identities.
    pub fn by_node(&self) -> Vec<&Member> {
        let mut members: Vec<_> = self.members.iter().collect();
        members.sort_unstable_by_key(|member| member.card.node);
        members
    }

    /// All places once, beginning with the `first`.
    pub fn around(&self, first: usize) -> impl Iterator<Item = Place> {
        let len = self.members.len();
        (first..len).chain(0..first.min(len)).map(|place| Place(place as u32))
    }
}

impl Index<Place> for Roster {
    type Output = Member;

    fn index(&self, place: Place) -> &Member {
        &self.members[place.0 as usize]
    }
}

impl IndexMut<Place> for Roster {
    fn index_mut(&mut self, place: Place) -> &mut Member {
        &mut self.members[place.0 as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::member::party::card;

    #[test]
    fn members_are_found_by_identity_and_by_place() {
        let mut roster = Roster::default();
        for node in [5, 3, 9] {
            let place = roster.add(Member::new(&News { card: card(node, 1), heartbeat: 7 }, Instant(1)));
            assert_eq!(roster[place].card.node, NodeId(node));
        }
        assert_eq!(roster.place(NodeId(3)), Some(Place(1)));
        assert!(roster.get(NodeId(4)).is_none() && roster.place(NodeId(4)).is_none());
        roster.get_mut(NodeId(9)).expect("a member").heartbeat = 8;
        let by_node: Vec<_> =
            roster.by_node().iter().map(|member| (member.card.node.0, member.heartbeat)).collect();
        assert_eq!(by_node, [(3, 7), (5, 7), (9, 8)]);
        let around: Vec<_> = roster.around(1).map(|place| place.0).collect();
        assert_eq!(around, [1, 2, 0]);
        assert_eq!(Roster::default().around(3).count(), 0);
    }
}
