//! Clock pruning, as Dynamo had it (section 4.4): a clock that names more actors than `clock_length_max` loses the
//! oldest. Off by default, and to be left so; it is here to show what it costs.
//!
//! Dynamo dropped the (node, counter) pair that was written the longest ago, and its authors had not met the price.
//! With an actor for each start of a node it is the starts that pile up, so the oldest are those of the lowest
//! generations. Only an actor whose life is over goes, as far as is known here: one that may still number a write could
//! give a name twice if its own copy of the key were lost while nobody remembered it (Riak's kv679 again). And never
//! one of whom something stands.
//!
//! The price: whoever was away with a version that such an actor wrote brings it back beside what replaced it; a read
//! with a context from before finds nobody who knows as much; and a replica that was not pruned hands the entries back,
//! so replicas that agree on all values repair each other with every write.

use crate::causal::dot::Actor;
use crate::causal::siblings::Siblings;
use crate::node::fact::Fact;
use crate::node::input::Env;
use crate::node::step::Node;

impl Node {
    /// Shortens the clock of a key that is about to be written, if the configuration says so.
    pub(super) fn prune(&self, siblings: &mut Siblings, env: &mut Env) {
        let max = self.config.clock_length_max as usize;
        if max > 0 && siblings.prune(max, |actor| self.age(actor)) > 0 {
            env.out.facts.push(Fact::ClockPruned);
        }
    }

    /// The generation of an actor that numbers nothing any more, as far as is known here.
    fn age(&self, actor: Actor) -> Option<u64> {
        let is_own = actor.node == self.me();
        let now = if is_own { Some(self.identity.generation) } else { self.view.generation(actor.node) };
        let is_over = |now: u64| actor.generation() < now && !actor.shares_life(self.store.life);
        is_over(now?.0).then(|| actor.generation())
    }
}
