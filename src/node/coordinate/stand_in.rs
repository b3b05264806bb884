//! Taking a write of which no replica can be reached: at `any`, one disk is enough, whosever it is.
//!
//! This is what makes the store "always writeable" (Dynamo, sections 4.5 and 4.6: the first N *healthy* nodes of the
//! preference list take a write). The node that the client asked numbers the write itself, over what hints it keeps of
//! the key, and keeps it as a hint for one of the replicas; other stand-ins get one for each of the others.
//!
//! What is given up: the node does not know what the replicas hold. A write without a context replaces only what this
//! node keeps, and stands beside the rest as a sibling when the hint is handed over; a removal from a set takes out
//! only what was added here; the type of the key is not known, so that a key may end up with two. Until then nobody can
//! read it. And nobody but the keepers has it: the bounds of hints are bounds of what may be lost.

use alloc::collections::BTreeMap;

use crate::base::bytes::Bytes;
use crate::causal::clock::Clock;
use crate::causal::dot::{Actor, Dot};
use crate::node::consistency::Consistency;
use crate::node::coordinate::write::{Kept, Source};
use crate::node::coordinate::{Asker, Route};
use crate::node::fact::Fact;
use crate::node::input::Env;
use crate::node::request::{Rejection, Request};
use crate::node::step::{Node, Waiter};
use crate::quorum::tally::Level;
use crate::quorum::write::WriteTally;

/// Keys of which a node remembers what it gave to their last write. Of others it is known no more, and safe.
const REMEMBERED: usize = 4096;

/// The name of the last write of a key that this process has numbered as a stand-in.
///
/// What it has handed over it does not keep, and a client's context may be older than that: from neither follows which
/// names are taken already. So an actor goes on only where its last write is known, and else a new one begins.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct LastGiven(BTreeMap<Bytes, Dot>);

impl LastGiven {
    /// Who may number one more write of the key, over what is `known`; `None`: nobody who has numbered before.
    pub fn actor(&self, key: &Bytes, known: &Clock) -> Option<Actor> {
        self.0.get(key).filter(|last| known.covers(**last)).map(|last| last.actor)
    }

    fn note(&mut self, key: Bytes, dot: Dot) {
        self.0.insert(key, dot);
        if self.0.len() > REMEMBERED {
            self.0.pop_first();
        }
    }
}

impl Node {
    /// Whether a write is to be taken here though this node is no replica of its key.
    pub(super) fn stands_in(&self, route: &Route, consistency: &Consistency) -> bool {
        let mut replicas = route.placement.replicas(route.slot).iter();
        consistency.w == Level::Any && replicas.all(|&node| !self.usable(node))
    }

    pub(super) fn coordinate_as_stand_in(
        &mut self,
        asker: Asker,
        route: &Route,
        request: &Request,
        consistency: &Consistency,
        env: &mut Env,
    ) -> Result<(), Rejection> {
        let (&Route { placement, slot, .. }, replicas) = (route, route.replicas());
        assert!(!replicas.nodes().contains(&self.me()), "a replica keeps a write as its own");
        let demands = self.write_demands(&replicas, consistency)?;
        if self.is_amnesiac() {
            return Err(Rejection::Amnesiac);
        }
        let hints = self.store.load_hints(&request.key, replicas.nodes(), env.disk);
        let hints = hints.map_err(|error| self.refuse(error, env))?;
        let numbered = self.number(&hints, Source::Hints, request, env)?;
        let (mut stand_ins, mut alone) = self.stand_ins(placement, slot, consistency.sloppy);
        // This node is one of them, or takes the place of the last: what it acknowledges is on its own disk.
        let own = stand_ins.iter().position(|pair| pair.0 == self.me());
        let (_, target) = match own.map(|at| stand_ins.remove(at)).or_else(|| stand_ins.pop()) {
            Some(pair) => pair,
            None => (self.me(), alone.pop().expect("every replica is unusable")),
        };
        let position = self.keep_hint(target, &request.key, &numbered.siblings, env);
        let position = position.ok_or(Rejection::Overloaded)?;
        if !numbered.again {
            self.last_given.note(request.key.clone(), numbered.dot);
        }
        env.out.facts.push(Fact::StoodIn);
        let mut tally = WriteTally::new(replicas, demands, consistency.counting());
        tally.stand_in(self.me(), target);
        let kept = Kept { numbered, tally, stand_ins, alone };
        let id = self.spread(asker, route, &request.key, kept, consistency, env);
        self.wait_for(position, Waiter::Hinted { to: self.me(), op: id });
        Ok(())
    }
}
