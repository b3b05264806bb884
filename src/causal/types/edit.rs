//! [`Edit`]: one change to a value of a convergent type.

use alloc::vec::Vec;

use crate::base::bytes::Bytes;
use crate::base::codec::{Decode, Encode};
use crate::base::id::RequestId;
use crate::base::limits::{EDITS_MAX, KEY_MAX, SIBLINGS_BYTES_MAX, VALUE_MAX};
use crate::base::time::WallTime;
use crate::causal::done::Replaced;
use crate::causal::dot::{Actor, Dot};
use crate::causal::siblings::{Siblings, SiblingsOf, Value};
use crate::causal::types::counter::Counter;
use crate::causal::types::part::{Content, Holds, Kind, Part};

/// A change of one field of a map, or (`None`) of a key that is itself a counter, set or register.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Encode, Decode)]
pub struct Edit {
    pub field: Option<Bytes>,
    pub update: Update,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, Encode, Decode)]
pub enum Update {
    Count(i64),
    Add(Bytes),
    TakeOut(Bytes),
    Assign(Bytes),
    /// Deletes the field, of whichever type.
    Clear,
}

/// Who writes, when, and under which of its client's ids.
#[derive(Clone, Copy, Debug)]
pub struct Write {
    pub actor: Actor,
    pub stamp: WallTime,
    pub id: Option<RequestId>,
}

/// What a write did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edited {
    pub dot: Dot,
    /// After a step of a counter its value; else how many members or fields came, or went.
    pub result: i64,
}

/// Why nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EditError {
    /// The key, or the field, holds something else.
    Type { holds: Holds },
    /// The counter would leave the range of its type.
    Overflow,
}

impl Update {
    fn kind(&self) -> Option<Kind> {
        match self {
            Update::Count(_) => Some(Kind::Counter),
            Update::Add(_) | Update::TakeOut(_) => Some(Kind::Set),
            Update::Assign(_) => Some(Kind::Register),
            Update::Clear => None,
        }
    }

    /// The bytes that it carries.
    pub fn bytes(&self) -> usize {
        match self {
            Update::Add(bytes) | Update::TakeOut(bytes) | Update::Assign(bytes) => bytes.len(),
            Update::Count(_) | Update::Clear => 0,
        }
    }
}

impl Edit {
    /// Whether it is of the same field and type.
    fn is_like(&self, other: &Edit) -> bool {
        self.field == other.field && self.update.kind() == other.update.kind()
    }
}

/// Whether a correct node could have sent these.
pub fn edits_are_valid(edits: &[Edit]) -> bool {
    let fits = |edit: &Edit| {
        edit.update.bytes() <= VALUE_MAX
            && edit.field.as_ref().is_none_or(|field| field.len() <= KEY_MAX)
            && (edit.update != Update::Clear || edit.field.is_some())
    };
    let field = |edit: &Edit| edit.field.as_ref().map_or(0, |field| field.len());
    let bytes: usize = edits.iter().map(|edit| edit.update.bytes() + field(edit)).sum();
    (1..=EDITS_MAX).contains(&edits.len()) && edits.iter().all(fits) && bytes <= SIBLINGS_BYTES_MAX
}

impl<V: Value> SiblingsOf<V> {
    /// The write that this request became already, if it is remembered.
    pub fn coordinated(&self, id: RequestId) -> Option<Dot> {
        let counted = || self.parts().iter().find_map(|part| part.step(id));
        self.done().find(id).or_else(counted)
    }

    /// The value of the counter that an edit is of; zero for others.
    pub fn counted(&self, edit: &Edit) -> i64 {
        match edit.update {
            Update::Count(_) => Counter::of(self.field(edit.field.as_ref())).value().unwrap_or(0),
            _ => 0,
        }
    }
}

impl Siblings {
    /// Applies new edits, all or none. They replace what is known here and nothing else, so they need no context.
    pub fn edit(&mut self, write: Write, edits: &[Edit]) -> Result<Edited, EditError> {
        assert!(!edits.is_empty(), "an edit of nothing is no write");
        let mut next = self.clone();
        let mut dot = Dot::default();
        let mut result = 0;
        for (at, edit) in edits.iter().enumerate() {
            // What the one before it has passed need not be looked at again.
            if at == 0 || !edit.is_like(&edits[at - 1]) {
                next.admit(edit)?;
            }
            let (left, changed) = next.apply(write, edit)?;
            // Taking something out leaves nothing behind but the knowledge that it happened. Each edit has a dot, so
            // that they stand in the same order behind those of another try of the same request.
            dot = left.unwrap_or_else(|| next.number(write.actor));
            result = if matches!(edit.update, Update::Count(_)) { changed } else { result + changed };
        }
        next.drop_tombstones();
        let is_gone = |part: &Part| next.parts().binary_search_by_key(&part.dot, |held| held.dot).is_err();
        let counts = |part: &Part| matches!(part.content, Content::Counted(_));
        let took = self.parts().iter().any(|part| !counts(part) && is_gone(part));
        let replaced = if took { Replaced::Held } else { Replaced::Nothing };
        next.remember(write, dot, edits.len() as u64, replaced);
        *self = next;
        Ok(Edited { dot, result })
    }

    /// Refuses an edit of another type than the key, or the field, has.
    fn admit(&self, edit: &Edit) -> Result<(), EditError> {
        let wanted = match (&edit.field, edit.update.kind()) {
            (Some(_), _) | (None, None) => Holds::Map,
            (None, Some(kind)) => Holds::Leaf(kind),
        };
        if let Some(holds) = self.holds_all().into_iter().find(|&holds| holds != wanted) {
            return Err(EditError::Type { holds });
        }
        let kinds = self.kinds(edit.field.as_ref());
        match edit.update.kind() {
            Some(kind) => match kinds.into_iter().find(|&held| held != kind) {
                Some(held) => Err(EditError::Type { holds: Holds::Leaf(held) }),
                None => Ok(()),
            },
            None => Ok(()),
        }
    }

    /// The answer is the dot, if the edit left a part, and by how much the value grew or shrank.
    fn apply(&mut self, write: Write, edit: &Edit) -> Result<(Option<Dot>, i64), EditError> {
        let (field, by) = (&edit.field, write.actor);
        match &edit.update {
            Update::Count(step) => {
                let dot = self.clock().next_dot(by);
                let counter = Counter::of(self.field(field.as_ref()));
                let counted = counter.count(dot, *step, write.id).ok_or(EditError::Overflow)?;
                let own = |part: &Part| part.dot.actor == by && matches!(part.content, Content::Counted(_));
                self.take_parts(field, own);
                let dot = self.leave(write, field, Content::Counted(counted));
                Ok((Some(dot), Counter::of(self.field(field.as_ref())).value().unwrap_or(0)))
            }
            Update::Add(member) => {
                let known = self.take_parts(field, |part| part.content == Content::Member(member.clone()));
                let dot = self.leave(write, field, Content::Member(member.clone()));
                Ok((Some(dot), i64::from(known.is_empty())))
            }
            Update::TakeOut(member) => {
                let known = self.take_parts(field, |part| part.content == Content::Member(member.clone()));
                Ok((None, i64::from(!known.is_empty())))
            }
            Update::Assign(value) => {
                let known = self.take_parts(field, |part| matches!(part.content, Content::Assigned(_)));
                let dot = self.leave(write, field, Content::Assigned(value.clone()));
                Ok((Some(dot), i64::from(known.is_empty())))
            }
            Update::Clear => {
                let live = !self.kinds(field.as_ref()).is_empty();
                let known = self.take_parts(field, |_| true);
                Ok((self.leave_cleared(write, field, &known), i64::from(live)))
            }
        }
    }

    /// Removes and returns the parts of a field that are `meant`.
    pub(super) fn take_parts(&mut self, field: &Option<Bytes>, meant: impl Fn(&Part) -> bool) -> Vec<Part> {
        self.extract(|part| part.field == *field && meant(part))
    }

    /// A new part, under a new dot.
    fn leave(&mut self, write: Write, field: &Option<Bytes>, content: Content) -> Dot {
        let dot = self.number(write.actor);
        self.insert(Part { dot, stamp: write.stamp, field: field.clone(), content });
        dot
    }

    /// What is to stay of a counter whose parts are gone.
    pub(in crate::causal) fn leave_cleared(
        &mut self,
        write: Write,
        field: &Option<Bytes>,
        gone: &[Part],
    ) -> Option<Dot> {
        let cleared = Counter::of(gone.iter()).cleared();
        (!cleared.is_empty()).then(|| self.leave(write, field, Content::Cleared(cleared)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::id::NodeId;
    use crate::causal::clock::Clock;
    use crate::causal::types::counter::RECENT_MAX;
    use crate::causal::types::view::{Leaf, View};
    use alloc::collections::{BTreeMap, BTreeSet};
    use alloc::vec;
    use proptest::prelude::*;

    fn actor(node: u64) -> Actor {
        Actor { node: NodeId(node), epoch: 0 }
    }

    fn by(node: u64) -> Write {
        Write { actor: actor(node), stamp: WallTime(node), id: None }
    }

    fn top(update: Update) -> [Edit; 1] {
        [Edit { field: None, update }]
    }

    fn at(field: &str, update: Update) -> [Edit; 1] {
        [Edit { field: Some(Bytes::from(field)), update }]
    }

    fn edit(siblings: &mut Siblings, write: Write, edits: &[Edit]) -> i64 {
        siblings.edit(write, edits).expect("it is allowed").result
    }

    fn merged(a: &Siblings, b: &Siblings) -> Siblings {
        let mut merged = a.clone();
        merged.merge(b);
        merged
    }

    fn shown(siblings: &Siblings) -> Option<View> {
        let holds = siblings.holds_all();
        assert!(holds.len() <= 1, "{holds:?}");
        siblings.view(*holds.first()?)
    }

    fn set(members: &[&str]) -> Option<View> {
        Some(View::Leaf(Leaf::Set(members.iter().map(|&member| Bytes::from(member)).collect())))
    }

    fn counter(value: i64) -> Option<View> {
        Some(View::Leaf(Leaf::Counter(value)))
    }

    #[test]
    fn concurrent_steps_all_count() {
        let mut a = Siblings::default();
        assert_eq!(edit(&mut a, by(1), &top(Update::Count(5))), 5);
        let mut b = a.clone();
        assert_eq!(edit(&mut a, by(1), &top(Update::Count(-2))), 3);
        assert_eq!(edit(&mut b, by(2), &top(Update::Count(10))), 15);
        assert_eq!(shown(&merged(&a, &b)), counter(13));
        assert_eq!(merged(&a, &b).parts().len(), 2, "one part for each actor, however many steps");
    }

    #[test]
    fn a_step_beyond_the_range_is_refused_and_changes_nothing() {
        let mut a = Siblings::default();
        edit(&mut a, by(1), &top(Update::Count(i64::MAX)));
        let before = a.clone();
        assert_eq!(a.edit(by(2), &top(Update::Count(1))), Err(EditError::Overflow));
        assert_eq!(a, before);
    }

    /// The anomaly of embedded counters: an actor that has not heard of the delete counts on, and brings all its past
    /// with it.
    #[test]
    fn a_delete_takes_away_what_it_saw_and_nothing_that_ran_beside_it() {
        let mut a = Siblings::default();
        edit(&mut a, by(1), &top(Update::Count(10)));
        let mut deleted = a.clone();
        deleted.put(by(2), Some(a.clock()), None);
        assert_eq!(shown(&deleted), None);
        edit(&mut a, by(1), &top(Update::Count(1)));
        let both = merged(&a, &deleted);
        assert_eq!(shown(&both), counter(1));
        // Those who go on from there count from there, also the actor whose part is gone.
        let mut next = both.clone();
        assert_eq!(edit(&mut next, by(1), &top(Update::Count(3))), 4);
        let mut restarted = deleted.clone();
        assert_eq!(edit(&mut restarted, by(1), &top(Update::Count(7))), 7);
        // Two deletes at the same time take the same away, once.
        let mut again = a.clone();
        again.put(by(3), Some(a.clock()), None);
        assert_eq!(shown(&merged(&again, &deleted)), None);
        assert_eq!(edit(&mut merged(&again, &deleted), by(2), &top(Update::Count(2))), 2);
    }

    #[test]
    fn adding_wins_over_a_concurrent_removal_and_a_removal_leaves_no_part() {
        let mut a = Siblings::default();
        let three = ["x", "y", "z"].map(|m| Edit { field: None, update: Update::Add(Bytes::from(m)) });
        assert_eq!(edit(&mut a, by(1), &three), 3);
        assert_eq!(edit(&mut a, by(1), &three[..1]), 0, "known already");
        let mut b = a.clone();
        assert_eq!(edit(&mut b, by(2), &top(Update::TakeOut(Bytes::from("x")))), 1);
        assert_eq!(edit(&mut b, by(2), &top(Update::TakeOut(Bytes::from("y")))), 1);
        assert_eq!(b.parts().len(), 1);
        edit(&mut a, by(1), &top(Update::Add(Bytes::from("x"))));
        assert_eq!(shown(&merged(&a, &b)), set(&["x", "z"]));
        let old = merged(&b, &merged(&a, &b));
        assert_eq!(shown(&old), set(&["x", "z"]), "what was taken out does not come back");
    }

    #[test]
    fn a_register_shows_the_last_write_and_the_next_one_replaces_all() {
        let mut a = Siblings::default();
        edit(&mut a, by(1), &top(Update::Assign(Bytes::from("first"))));
        let mut b = a.clone();
        edit(&mut a, by(1), &top(Update::Assign(Bytes::from("early"))));
        edit(&mut b, by(2), &top(Update::Assign(Bytes::from("late"))));
        let mut both = merged(&a, &b);
        assert_eq!(shown(&both), Some(View::Leaf(Leaf::Register(Bytes::from("late")))));
        edit(&mut both, by(1), &top(Update::Assign(Bytes::from("new"))));
        assert_eq!(both.parts().len(), 1);
    }

    #[test]
    fn a_map_holds_all_three_and_forgets_fields_of_each() {
        let mut map = Siblings::default();
        assert_eq!(edit(&mut map, by(1), &at("hits", Update::Count(2))), 2);
        assert_eq!(edit(&mut map, by(1), &at("tags", Update::Add(Bytes::from("new")))), 1);
        assert_eq!(edit(&mut map, by(1), &at("name", Update::Assign(Bytes::from("n")))), 1);
        assert_eq!(edit(&mut map, by(1), &at("name", Update::Assign(Bytes::from("m")))), 0);
        let fields = vec![
            (Bytes::from("hits"), Leaf::Counter(2)),
            (Bytes::from("name"), Leaf::Register(Bytes::from("m"))),
            (Bytes::from("tags"), Leaf::Set(vec![Bytes::from("new")])),
        ];
        assert_eq!(shown(&map), Some(View::Map(fields)));
        for field in ["hits", "tags", "name"] {
            assert_eq!(edit(&mut map, by(2), &at(field, Update::Clear)), 1);
            assert_eq!(edit(&mut map, by(2), &at(field, Update::Clear)), 0);
        }
        assert_eq!(shown(&map), None);
        assert_eq!(edit(&mut map, by(1), &at("hits", Update::Count(1))), 1, "from nothing");
    }

    #[test]
    fn what_is_of_another_type_is_refused_and_a_mix_made_elsewhere_is_seen() {
        let mut a = Siblings::default();
        edit(&mut a, by(1), &top(Update::Count(1)));
        let holds = Holds::Leaf(Kind::Counter);
        assert_eq!(a.edit(by(1), &top(Update::Add(Bytes::from("m")))), Err(EditError::Type { holds }));
        assert_eq!(a.edit(by(1), &at("f", Update::Count(1))), Err(EditError::Type { holds }));
        let mut plain = Siblings::default();
        plain.put(by(2), Some(&Clock::EMPTY), Some(Bytes::from("v")));
        let holds = Holds::Plain;
        assert_eq!(plain.edit(by(2), &top(Update::Count(1))), Err(EditError::Type { holds }));
        let mut mixed = merged(&a, &plain);
        assert_eq!(
            mixed.holds_all().into_iter().collect::<Vec<_>>(),
            [Holds::Plain, Holds::Leaf(Kind::Counter)]
        );
        assert!(mixed.edit(by(3), &top(Update::Count(1))).is_err());
        mixed.put(by(3), None, Some(Bytes::from("w")));
        assert_eq!(
            mixed.holds_all().into_iter().collect::<Vec<_>>(),
            [Holds::Plain],
            "a plain write replaces all"
        );
        let mut map = Siblings::default();
        edit(&mut map, by(1), &at("f", Update::Count(1)));
        let holds = Holds::Leaf(Kind::Counter);
        assert_eq!(
            map.edit(by(1), &at("f", Update::Assign(Bytes::from("v")))),
            Err(EditError::Type { holds })
        );
    }

    fn request(write: Write, number: u64) -> Write {
        Write { id: Some(RequestId { client: 7, number }), ..write }
    }

    fn adds(members: &[&str]) -> Vec<Edit> {
        members.iter().map(|&member| Edit { field: None, update: Update::Add(Bytes::from(member)) }).collect()
    }

    /// The first try was kept by a replica beyond a split; the second was acknowledged, and its member taken out.
    #[test]
    fn a_member_that_was_added_twice_and_taken_out_does_not_come_back() {
        let mut alone = Siblings::default();
        let mut others = Siblings::default();
        edit(&mut alone, request(by(1), 1), &adds(&["x", "y", "z"]));
        edit(&mut others, request(by(2), 1), &adds(&["x", "y", "z"]));
        assert_eq!(shown(&merged(&alone, &others)), set(&["x", "y", "z"]));
        assert_eq!(edit(&mut others, by(2), &top(Update::TakeOut(Bytes::from("y")))), 1);
        let both = merged(&alone, &others);
        assert_eq!(shown(&both), set(&["x", "z"]), "of each edit its own twin");
        assert_eq!(both, merged(&others, &alone));
    }

    /// Somebody else's addition of the same member, of which whoever took it out knew nothing, is part of the first
    /// try.
    #[test]
    fn a_try_that_took_the_place_of_an_unknown_addition_stays() {
        let mut alone = Siblings::default();
        let mut others = Siblings::default();
        edit(&mut alone, by(1), &adds(&["x"]));
        edit(&mut alone, request(by(1), 1), &adds(&["x"]));
        edit(&mut others, request(by(2), 1), &adds(&["x"]));
        edit(&mut others, by(2), &top(Update::TakeOut(Bytes::from("x"))));
        assert_eq!(shown(&merged(&alone, &others)), set(&["x"]));
    }

    /// The first coordinator took it and was cut off; the client tried again elsewhere.
    #[test]
    fn a_request_that_two_actors_counted_counts_once_before_and_after_they_hear_of_it() {
        let mut a = Siblings::default();
        edit(&mut a, request(by(1), 1), &top(Update::Count(5)));
        let mut b = Siblings::default();
        edit(&mut b, request(by(2), 1), &top(Update::Count(5)));
        edit(&mut b, request(by(2), 2), &top(Update::Count(100)));
        let both = merged(&a, &b);
        assert_eq!(shown(&both), counter(105));
        // The larger name takes it out of its total, the smaller one keeps it.
        let (mut larger, mut smaller) = (both.clone(), both.clone());
        assert_eq!(edit(&mut larger, by(2), &top(Update::Count(1))), 106);
        assert_eq!(edit(&mut smaller, by(1), &top(Update::Count(1000))), 1105);
        assert_eq!(shown(&merged(&larger, &smaller)), counter(1106));
    }

    #[test]
    fn an_actor_forgets_its_oldest_requests_but_not_while_they_are_counted_twice() {
        let mut a = Siblings::default();
        let mut b = Siblings::default();
        edit(&mut b, request(by(2), 0), &top(Update::Count(1)));
        for number in 0..2 * RECENT_MAX as u64 {
            edit(&mut a, request(by(1), number), &top(Update::Count(1)));
            a.merge(&b);
        }
        assert_eq!(shown(&a), counter(2 * RECENT_MAX as i64));
        let id = |number| RequestId { client: 7, number };
        assert!(a.coordinated(id(0)).is_some() && a.coordinated(id(1)).is_none());
        assert!(a.is_valid());
    }

    fn edits() -> impl Strategy<Value = Edit> {
        let bytes = || (0u8..3).prop_map(|byte| Bytes::new(&[byte]));
        let update = prop_oneof![
            (-5i64..5).prop_map(Update::Count),
            bytes().prop_map(Update::Add),
            bytes().prop_map(Update::TakeOut),
            bytes().prop_map(Update::Assign),
        ];
        // The type is that of the field's name, but for one field of which everybody thinks differently.
        let field = |update: &Update| match update {
            Update::Count(_) => "c",
            Update::Add(_) | Update::TakeOut(_) => "s",
            _ => "r",
        };
        (update, 0u8..8).prop_map(move |(update, odd)| match odd {
            0 => Edit { field: Some(Bytes::from(field(&update))), update: Update::Clear },
            1 => Edit { field: Some(Bytes::from("any")), update },
            _ => Edit { field: Some(Bytes::from(field(&update))), update },
        })
    }

    #[derive(Clone, Debug)]
    enum Act {
        Edit(usize, Edit, Option<u64>),
        Delete(usize),
        Merge(usize, usize),
    }

    fn acts() -> impl Strategy<Value = Vec<Act>> {
        let act = prop_oneof![
            4 => (0usize..3, edits(), proptest::option::of(0u64..6)).prop_map(|(at, edit, id)| Act::Edit(at, edit, id)),
            1 => (0usize..3).prop_map(Act::Delete),
            3 => (0usize..3, 0usize..3).prop_map(|(at, from)| Act::Merge(at, from)),
        ];
        proptest::collection::vec(act, 0..30)
    }

    fn replicas(acts: &[Act]) -> [Siblings; 3] {
        let mut replicas = [Siblings::default(), Siblings::default(), Siblings::default()];
        for (step, act) in acts.iter().enumerate() {
            let write = |at: usize, id: Option<u64>| Write {
                actor: actor(at as u64),
                stamp: WallTime(step as u64 % 5),
                id: id.map(|number| RequestId { client: 1, number }),
            };
            match act {
                Act::Edit(at, edit, id) => {
                    let _refused = replicas[*at].edit(write(*at, *id), core::slice::from_ref(edit));
                }
                Act::Delete(at) => {
                    replicas[*at].put(write(*at, None), None, None);
                }
                Act::Merge(at, from) => {
                    let source = replicas[*from].clone();
                    replicas[*at].merge(&source);
                }
            }
        }
        replicas
    }

    proptest! {
        #[test]
        fn merge_is_commutative_associative_idempotent_and_says_what_it_did(acts in acts()) {
            let [a, b, c] = replicas(&acts);
            prop_assert_eq!(merged(&a, &b), merged(&b, &a));
            prop_assert_eq!(merged(&merged(&a, &b), &c), merged(&a, &merged(&b, &c)));
            prop_assert_eq!(merged(&a, &a), a.clone());
            let both = merged(&a, &b);
            prop_assert!(both.is_valid());
            prop_assert_eq!(a.knows(&b), both == a);
            let bytes = crate::base::codec::encode(&both);
            prop_assert_eq!(crate::base::codec::decode::<Siblings>(&bytes), Ok(both));
        }

        /// Without deletes: the counter is the sum of all steps, each request once, whoever counted it and whatever
        /// met when.
        #[test]
        fn a_counter_is_the_sum_of_its_requests(
            steps in proptest::collection::vec((0usize..3, 0u64..20, 0usize..3), 0..40),
        ) {
            let mut replicas = [Siblings::default(), Siblings::default(), Siblings::default()];
            let mut asked = alloc::collections::BTreeMap::new();
            for (at, number, from) in steps {
                // A request always asks for the same step.
                let step = number as i64 * 7 - 60;
                let id = RequestId { client: 1, number };
                if replicas[at].coordinated(id).is_none() {
                    let write = Write { actor: actor(at as u64), stamp: WallTime(0), id: Some(id) };
                    edit(&mut replicas[at], write, &top(Update::Count(step)));
                }
                asked.insert(number, step);
                let source = replicas[from].clone();
                replicas[at].merge(&source);
            }
            let [a, b, c] = replicas;
            let all = merged(&merged(&a, &b), &c);
            let sum: i64 = asked.values().sum();
            prop_assert_eq!(shown(&all), if asked.is_empty() { None } else { counter(sum) });
        }

        /// A member stays as long as there is a request that added it and that nobody has taken out who knew one of
        /// its tries, or what took the place of one.
        #[test]
        fn no_member_goes_that_nobody_took_out(
            acts in proptest::collection::vec((0usize..3, 0u64..5, any::<bool>(), 0usize..3), 0..40),
        ) {
            let member = Bytes::from("x");
            let mut replicas = [Siblings::default(), Siblings::default(), Siblings::default()];
            // Which requests a part stands for, or a removal took out.
            let mut adds: BTreeMap<Dot, BTreeSet<u64>> = BTreeMap::new();
            let mut removals: BTreeMap<Dot, BTreeSet<u64>> = BTreeMap::new();
            for (at, number, takes_out, from) in acts {
                let replica = &mut replicas[at];
                let held: BTreeSet<u64> = replica.parts().iter().flat_map(|part| adds[&part.dot].clone()).collect();
                if takes_out {
                    let dot = replica.edit(by(at as u64), &top(Update::TakeOut(member.clone()))).expect("a set").dot;
                    removals.insert(dot, held);
                } else if replica.coordinated(RequestId { client: 7, number }).is_none() {
                    let write = request(by(at as u64), number);
                    let dot = replica.edit(write, &top(Update::Add(member.clone()))).expect("a set").dot;
                    adds.insert(dot, held.into_iter().chain([number]).collect());
                }
                let source = replicas[from].clone();
                replicas[at].merge(&source);
            }
            let [a, b, c] = replicas;
            let all = merged(&merged(&a, &b), &c);
            let known = |(dot, numbers): (&Dot, &BTreeSet<u64>)| all.clock().covers(*dot).then(|| numbers.clone());
            let added: BTreeSet<u64> = adds.iter().filter_map(known).flatten().collect();
            let removed: BTreeSet<u64> = removals.iter().filter_map(known).flatten().collect();
            prop_assert!(added.is_subset(&removed) || !all.parts().is_empty(), "{:?}", all);
        }

        /// Every part fits into the weight that bounds it.
        #[test]
        fn a_part_needs_no_more_bytes_than_it_weighs(
            node in any::<u64>(), epoch in any::<u64>(), n in 1..u64::MAX, steps in 0usize..9, total in any::<i64>(),
        ) {
            let dot = Dot { actor: Actor { node: NodeId(node), epoch }, counter: n };
            let id = RequestId { client: node, number: epoch };
            let step = crate::causal::types::counter::Step { counter: n, id, by: total };
            let total = i128::from(total) << 36;
            let counted = crate::causal::types::counter::Counted { total, recent: vec![step; steps] };
            let cleared = crate::causal::types::counter::Cleared { actor: dot.actor, upto: n, total };
            for content in [Content::Counted(counted), Content::Cleared(vec![cleared; steps])] {
                let part = Part { dot, stamp: WallTime(node), field: Some(Bytes::new(&[0; 300])), content };
                prop_assert!(crate::base::codec::encode(&part).len() <= part.weight());
            }
        }
    }
}
