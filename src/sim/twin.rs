//! [`Twins`]: two worlds of one seed, let happen side by side, to prove that chance comes from the seed alone.
//!
//! After every event the traces are compared, and at checkpoints the whole states. When they differ, the event that
//! they parted at lies somewhere behind the last checkpoint: copies of both worlds were kept there, and are let happen
//! once more, in ever smaller steps, until one event is left. So the event is named by which anything at all became
//! different, not the one by which it showed, and so is the field.

use std::format;
use std::string::String;

use crate::base::time::{Duration, Instant};
use crate::sim::difference;
use crate::sim::world::{Step, World};

/// How often whole states are compared, in virtual time.
const EVERY: Duration = Duration::from_secs(10);

/// A world's twin, and what both were when they were last compared.
#[derive(Debug)]
pub struct Twins {
    twin: World,
    /// Equal, one event after the other until now.
    before: (World, World),
    next: Instant,
    /// Done to the twin after each of its events. Nothing, but for tests that must see worlds part.
    tamper: fn(&mut World),
}

impl Twins {
    /// `twin` was made as `world` was, and nothing has happened to either yet.
    pub fn new(world: &World, twin: World) -> Twins {
        Twins { before: (world.clone(), twin.clone()), twin, next: Instant::ZERO, tamper: |_| {} }
    }

    /// Lets the next event happen in both. The error says where they parted.
    pub fn step(&mut self, world: &mut World) -> Result<(), String> {
        world.step();
        self.twin.step();
        (self.tamper)(&mut self.twin);
        if world.trace_hash() == self.twin.trace_hash() { Ok(()) } else { Err(self.parting(world)) }
    }

    /// Whether it is time to compare all that they are.
    pub fn is_due(&self, world: &World) -> bool {
        world.now() >= self.next
    }

    /// Compares all that they are.
    pub fn compare(&mut self, world: &World) -> Result<(), String> {
        self.next = world.now() + EVERY;
        if world.state_hash() != self.twin.state_hash() {
            return Err(self.parting(world));
        }
        self.before = (world.clone(), self.twin.clone());
        Ok(())
    }

    /// Where they parted, event and field.
    fn parting(&self, world: &World) -> String {
        let (mut one, mut other) = self.before.clone();
        let began = one.now();
        if one.state_hash() != other.state_hash() {
            return format!("before the first event: {}", field(&one, &other));
        }
        let mut events = world.events() - one.events();
        let mut last = (None, None);
        while events > 0 {
            let part = events.div_ceil(2);
            let (mut ahead, mut other_ahead) = (one.clone(), other.clone());
            for _ in 0..part {
                last = (ahead.step(), other_ahead.step());
                (self.tamper)(&mut other_ahead);
            }
            if ahead.state_hash() == other_ahead.state_hash() {
                (one, other) = (ahead, other_ahead);
                events -= part;
            } else if part == 1 {
                let number = ahead.events();
                return format!("{}: {}", event(number, last), field(&ahead, &other_ahead));
            } else {
                events = part;
            }
        }
        // Whatever it is, it is not in the world: the address of something, a thread, a clock.
        let now = field(world, &self.twin);
        format!(
            "by event {} at {}: {now}; from {began} on a second time they did not part",
            world.events(),
            world.now()
        )
    }
}

/// The event at which they parted. What differs is what it did, if it is the same event.
fn event(number: u64, (ours, theirs): (Option<Step>, Option<Step>)) -> String {
    let name = |step: Option<Step>| match step {
        Some(Step { at, kind, whom }) => format!("{kind} {whom} at {at}"),
        None => "nothing".into(),
    };
    if ours == theirs {
        format!("event {number} ({}) had two outcomes", name(ours))
    } else {
        format!("event {number} was {} in one world and {} in its twin", name(ours), name(theirs))
    }
}

/// The first field that differs.
fn field(one: &World, other: &World) -> String {
    let parts = one.parts().into_iter().zip(other.parts());
    let differing = parts.into_iter().find(|(ours, theirs)| ours.1.state_hash() != theirs.1.state_hash());
    let told = differing.and_then(|((name, ours), (_, theirs))| {
        difference::first(&name, &ours, &theirs)
            .or(Some(format!("{name}, in something that it does not show")))
    });
    told.unwrap_or_else(|| "nothing that has a name".into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::id::ClientTag;
    use crate::disk::Disk;
    use crate::node::input::Input;
    use crate::node::outbox::Outbox;
    use crate::node::request::{Command, Options, Request};
    use crate::sim::scenario::Scenario;
    use std::sync::Arc;

    /// At this event a test does something to the twin.
    const TAMPERED: u64 = 1_500;

    fn parting(tamper: fn(&mut World)) -> String {
        let text =
            "[cluster]\nnodes = 5\n[run]\nduration = \"3s\"\n[clients]\ncount = 2\nstart = \"1500ms\"\n";
        let scenario = Arc::new(Scenario::read(text, "short").expect("a good file"));
        let mut world = World::new(scenario.clone(), 42);
        let mut twins = Twins { tamper, ..Twins::new(&world, World::new(scenario, 42)) };
        loop {
            if let Err(parting) = twins.step(&mut world) {
                return parting;
            }
            if twins.is_due(&world)
                && let Err(parting) = twins.compare(&world)
            {
                return parting;
            }
        }
    }

    fn told(parting: &str, part: &str) {
        let event = format!("event {TAMPERED} (");
        assert!(parting.starts_with(&event) && parting.contains(part), "{parting}");
    }

    /// Randomness from elsewhere: a draw more in one of the worlds. It shows when the client has thought.
    #[test]
    fn a_draw_too_many_is_found_at_its_event() {
        let parting = parting(|world| {
            if world.events() == TAMPERED {
                world.clients[1].latency();
            }
        });
        told(&parting, "client 1 / latency / drawn: ");
    }

    /// A core that does in one world what it does not in the other. The node says nothing of it for a while.
    #[test]
    fn a_write_in_one_world_only_is_found_with_its_place_in_the_node() {
        let parting = parting(|world| {
            if world.events() != TAMPERED {
                return;
            }
            let (now, host) = (world.now(), &mut world.hosts[2]);
            let command = Command::Put { value: "v".into(), context: None };
            let request = Request { key: "k1".into(), command, options: Options::default(), id: None };
            let input = Input::Client { tag: ClientTag(u64::MAX), request };
            host.busy_until = now;
            host.step(input, now, &mut Outbox::default());
        });
        told(&parting, "node 3 / ");
    }

    /// What no frame and no answer tells: a bit on a disk.
    #[test]
    fn a_difference_that_no_trace_shows_is_found_at_a_checkpoint() {
        let parting = parting(|world| {
            if world.events() == TAMPERED {
                let disk = &mut world.hosts[3].disk;
                let file = disk.list().expect("it works")[0];
                assert!(disk.flip_bit(file, 0));
            }
        });
        told(&parting, "node 4 / disk / inodes / ");
    }

    /// Chance from outside of the world cannot be repeated, but it is not overlooked.
    #[test]
    fn what_does_not_happen_again_is_told_as_such() {
        use std::sync::atomic::{AtomicBool, Ordering};
        static DONE: AtomicBool = AtomicBool::new(false);
        let parting = parting(|world| {
            if world.events() == TAMPERED && !DONE.swap(true, Ordering::Relaxed) {
                world.clients[1].latency();
            }
        });
        assert!(parting.starts_with("by event 1") && parting.ends_with("they did not part"), "{parting}");
    }
}
