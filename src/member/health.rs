//! Self-health: how far a node trusts its own eyes. A node that is paused, overloaded or cut off sees silence
//! everywhere, and is itself the reason; so the worse it fares, the longer it waits before it accuses others (the
//! "local health multiplier" of Dadgar, Phillips, Currey: "Lifeguard: Local Health Awareness for More Accurate Failure
//! Detection", 2018).

use crate::base::time::Duration;

/// The worst score. A node in this state waits nine times as long as a healthy one.
const WORST: u8 = 8;

/// A score of 0 is healthy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Health(u8);

/// What a node noticed about itself in one round of gossip.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Symptoms {
    /// The beat came late: this node did not get to run.
    pub late: bool,
    /// Nobody was heard, though several should have been.
    pub deaf: bool,
    /// Others accuse this node.
    pub accused: bool,
}

impl Health {
    /// One round later: worse by one, or better by one.
    pub fn note(&mut self, symptoms: Symptoms) {
        self.0 = match symptoms == Symptoms::default() {
            true => self.0.saturating_sub(1),
            false => (self.0 + 1).min(WORST),
        };
    }

    /// How long to wait where a healthy node waits for `span`.
    pub fn stretch(self, span: Duration) -> Duration {
        span.saturating_mul(1 + u64::from(self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_symptom_counts_and_a_healthy_round_heals() {
        let symptoms = [
            Symptoms { late: true, ..Symptoms::default() },
            Symptoms { deaf: true, ..Symptoms::default() },
            Symptoms { accused: true, ..Symptoms::default() },
        ];
        let mut health = Health::default();
        for (count, symptom) in symptoms.into_iter().enumerate() {
            health.note(symptom);
            assert_eq!(health.stretch(Duration(10)), Duration(10 * (count as u64 + 2)));
        }
        (0..20).for_each(|_| health.note(symptoms[0]));
        assert_eq!(health.stretch(Duration(10)), Duration(90), "there is a worst");
        (0..8).for_each(|_| health.note(Symptoms::default()));
        assert_eq!(health, Health::default());
    }
}
