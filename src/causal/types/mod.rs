//! Convergent types: values that replicas merge by themselves, so that concurrent writes leave no siblings.
//!
//! Three types, and a map of them: a *counter* that goes up and down (PN), a *set* in which adding wins over a
//! concurrent removal (OR), a *register* that shows the last write. They are the causal types of Almeida, Shoker and
//! Baquero ("Delta State Replicated Data Types", 2018, section 7): everything lies in one store of dots under one clock
//! for the key, and differs only in which parts a write replaces. So there is one merge, the one of the siblings, and
//! what it promises (commutative, associative, idempotent) holds for all of them.
//!
//! | a write | adds a part | replaces, of what its coordinator knows |
//! |---|---|---|
//! | add a member | the member | parts of the same member |
//! | take a member out | none, only its dot: no tombstone | parts of the member |
//! | assign | the value | parts of the register |
//! | count | all that its actor ever counted here | the actor's own part |
//! | clear a counter | what every actor had counted by then | all parts of the counter |
//!
//! A part that a write did not know survives it: that is what makes adding win, and what makes a count that runs
//! beside a delete still count.

pub mod counter;
pub mod edit;
pub mod part;
pub mod view;
