//! News that spreads at once. Most of what nodes tell each other is chosen by chance, a little at a time, and takes
//! rounds in proportion to the cluster's size to get around. What has just changed is told first, some times the
//! logarithm of that size, and then no more: it is an epidemic that everybody catches in a logarithmic number of
//! rounds (Demers et al., "Epidemic Algorithms for Replicated Database Maintenance", 1987; as in SWIM, 2002).

use alloc::vec::Vec;

use crate::member::roster::Place;

/// A rumour is told this often for each doubling of the cluster.
const TOLD_PER_DOUBLING: u8 = 3;
/// There is nothing new about a member.
const NOTHING: u8 = u8::MAX;

/// Members about whom there is something new, and how often it was told or heard again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Rumours {
    /// By place; [`NOTHING`] for most. A large cluster forms with rumours about all of it, each of which is counted
    /// with every message: a byte that is found at once.
    counts: Vec<u8>,
    /// How many there are.
    running: usize,
}

/// The number of doublings that lead to `members`, and one.
pub fn doublings(members: usize) -> u32 {
    usize::BITS - members.leading_zeros()
}

/// So many for each doubling.
fn times(per_doubling: u8, members: usize) -> u8 {
    per_doubling * u8::try_from(doublings(members)).expect("the doublings of a number of 64 bits")
}

impl Rumours {
    /// Something about this member is new.
    pub fn start(&mut self, member: Place) {
        self.start_at(member, 0);
    }

    /// This member was not known before. That is told a third as often: when a cluster forms, each has this to tell of
    /// all others, and whoever misses it hears of the node by chance before long.
    pub fn introduce(&mut self, member: Place, members: usize) {
        self.start_at(member, times(TOLD_PER_DOUBLING - 1, members));
    }

    fn start_at(&mut self, member: Place, count: u8) {
        let place = member.0 as usize;
        if self.counts.len() <= place {
            self.counts.resize(place + 1, NOTHING);
        }
        self.running += usize::from(self.counts[place] == NOTHING);
        self.counts[place] = count;
    }

    /// Whether there is something new about this member.
    pub fn has(&self, member: Place) -> bool {
        self.counts.get(member.0 as usize).is_some_and(|&count| count != NOTHING)
    }

    /// What to tell now: up to `limit` members, the newest. That counts as told.
    pub fn take(&mut self, limit: usize, members: usize) -> Vec<Place> {
        if self.running == 0 {
            return Vec::new();
        }
        let mut with_count = [0usize; NOTHING as usize + 1];
        self.counts.iter().for_each(|&count| with_count[usize::from(count)] += 1);
        // All below this count have room, and of those that have it some.
        let (mut below, mut room) = (0, limit);
        while below < NOTHING && with_count[usize::from(below)] <= room {
            room -= with_count[usize::from(below)];
            below += 1;
        }
        let mut newest = Vec::with_capacity(limit.min(self.running));
        for (place, &count) in (0..).zip(&self.counts) {
            let is_last = count == below && count != NOTHING && room > 0;
            room -= usize::from(is_last);
            if count < below || is_last {
                newest.push(Place(place));
            }
        }
        assert_eq!(newest.len(), limit.min(self.running), "as many rumours run as were counted");
        newest.iter().for_each(|&member| self.count(member, members));
        newest
    }

    /// Told, or heard from somebody who knows it already: in both cases it has got further.
    pub fn count(&mut self, member: Place, members: usize) {
        let Some(count) = self.counts.get_mut(member.0 as usize).filter(|count| **count != NOTHING) else {
            return;
        };
        *count += 1;
        if *count >= times(TOLD_PER_DOUBLING, members) {
            *count = NOTHING;
            self.running -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_new_is_told_first_and_not_for_ever() {
        let mut rumours = Rumours::default();
        rumours.start(Place(1));
        assert_eq!(rumours.take(1, 1000), [Place(1)]);
        rumours.start(Place(2));
        assert_eq!(rumours.take(1, 1000), [Place(2)]);
        let told = (0..1000).take_while(|_| !rumours.take(2, 1000).is_empty()).count();
        assert_eq!(told, 29, "three times ten doublings, one of which was told already");
    }

    /// Of equally new ones, those that have room; the others come next.
    #[test]
    fn nobody_is_left_out_for_want_of_room() {
        let mut rumours = Rumours::default();
        (0..5).for_each(|place| rumours.start(Place(place)));
        assert_eq!(rumours.take(3, 1000), [0, 1, 2].map(Place));
        assert_eq!(rumours.take(3, 1000), [0, 3, 4].map(Place));
        assert_eq!(rumours.take(9, 1000).len(), 5);
    }

    #[test]
    fn an_introduction_is_told_less_often_than_a_failure() {
        let mut rumours = Rumours::default();
        rumours.introduce(Place(1), 1000);
        let told = (0..1000).take_while(|_| !rumours.take(2, 1000).is_empty()).count();
        assert_eq!(told, 10, "ten doublings");
    }

    #[test]
    fn what_is_heard_again_is_told_less_often() {
        let mut rumours = Rumours::default();
        rumours.start(Place(1));
        (0..29).for_each(|_| rumours.count(Place(1), 1000));
        assert!(rumours.has(Place(1)));
        rumours.count(Place(1), 1000);
        assert!(!rumours.has(Place(1)) && rumours.take(9, 1000).is_empty());
    }
}
