//! A run told event by event, for a person who follows one request or one node through it.
//!
//! One line an event: its number, its time, what happens, to whom, and for frames the message in them. It is told from
//! the outside, before the event happens: a run that is told is the same run.
//!
//! ```text
//! #1207 2.001334518s deliver n3 -> n1 Stored { op: OpId(12), ack: Some(Durable) }
//! ```

use std::format;
use std::string::String;

use crate::base::id::ClusterId;
use crate::node::wire;
use crate::sim::event::Event;
use crate::sim::world::World;

/// The line of what happens next in `world`; `None` when nothing does.
pub fn next(world: &World) -> Option<String> {
    let (at, event) = world.next_event()?;
    let number = world.events() + 1;
    let (kind, whom) = event.label();
    let cluster = world.scenario().nodes[0].cluster;
    let told = match event {
        Event::Deliver { from, to, frame, .. } | Event::Garbled { from, to, frame, .. } => {
            format!("{kind} n{} -> n{} {}", from + 1, to + 1, message(cluster, frame))
        }
        Event::Start { .. } | Event::Ready { .. } | Event::Wake { .. } | Event::Supervise { .. } => {
            format!("{kind} n{}", whom + 1)
        }
        Event::Synced { sync, .. } => format!("{kind} n{} sync {sync}", whom + 1),
        Event::Slice { job, .. } => format!("{kind} n{} {job:?}", whom + 1),
        Event::Issue { .. } | Event::Impatience { .. } => format!("{kind} client {whom}"),
        Event::Request { ordinal, .. } => format!("{kind} client {whom} operation {ordinal}"),
        Event::Answer { ordinal, outcome, .. } => match outcome {
            Some(outcome) => format!("{kind} client {whom} operation {ordinal} {outcome:?}"),
            None => format!("{kind} client {whom} operation {ordinal} connection refused"),
        },
        Event::Fault { index } | Event::Strike { index } | Event::Heal { index } | Event::Copy { index } => {
            format!("{kind} {index} {}", world.faults()[*index].action.kind())
        }
        Event::Calm => kind.into(),
    };
    Some(format!("#{number} {at} {told}"))
}

fn message(cluster: ClusterId, frame: &[u8]) -> String {
    match wire::decode(cluster, frame) {
        Ok((_, message)) => format!("{message:?}"),
        Err(error) => format!("{} bytes: {error}", frame.len()),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::vec::Vec;

    use super::*;
    use crate::sim::run::{run, run_told};
    use crate::sim::scenario::Scenario;

    #[test]
    fn a_run_that_is_told_is_the_same_run_and_every_event_has_its_line() {
        let text = "[cluster]\nnodes = 3\n[run]\nduration = \"3s\"\n[network]\nloss = \"1%\"\n[clients]\ncount = 2\n\
                    [[fault]]\ncrash = { at = \"1s\", for = \"500ms\", node = \"n2\" }\n";
        let scenario = Arc::new(Scenario::read(text, "told").expect("a scenario"));
        let plain = run(scenario.clone(), 7, false, &mut |_| {});
        let mut lines = Vec::new();
        let told = run_told(scenario, 7, false, &mut |_| {}, &mut |world| lines.extend(next(world)));
        assert_eq!((plain.world.trace_hash(), plain.state_hash), (told.world.trace_hash(), told.state_hash));
        assert_eq!(lines.len() as u64, told.world.events());
        for (index, line) in lines.iter().enumerate() {
            assert!(line.starts_with(&format!("#{} ", index + 1)), "{line}");
        }
        for words in
            [" start n1", " -> n2 Gossip(", " fault 0 crash", " heal 0 crash", " answer client 1 ", " calm"]
        {
            assert!(lines.iter().any(|line| line.contains(words)), "{words}");
        }
    }
}
