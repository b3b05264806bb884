//! Faults: how each begins, what it does to the world, and how it ends.

use std::format;
use std::vec::Vec;

use super::World;
use crate::base::rng::Stream;
use crate::base::time::{Duration, Instant};
use crate::node::outbox::{Halt, Outbox};
use crate::node::step::OpenError;
use crate::sim::budget;
use crate::sim::disk::{self, Damage, Files, SimDisk, Unsynced};
use crate::sim::event::Event;
use crate::sim::fault::{Action, Effect, Moment};
use crate::sim::ghost::{self, Harm};
use crate::sim::host::Doom;
use crate::sim::workload::Client;
use crate::storage;

/// A crash waits so long for its moment: one that finds nothing unsynced proves little.
const CRASH_WITHIN: Duration = Duration::from_secs(1);
/// A node that stopped because of its disk is started again after so long, as a supervisor does.
const SUPERVISED: Duration = Duration::from_secs(2);
/// Steps, or operations on a disk, up to which a crash is drawn.
const STEPS: u64 = 64;
/// Slices of jobs up to which a crash is drawn.
const SLICES: u64 = 16;

impl World {
    pub(super) fn fault(&mut self, index: usize) {
        let faults = self.faults.clone();
        let (fault, now) = (&faults[index], self.now);
        self.effects[index].began = Some(now);
        match &fault.action {
            Action::Partition { links, flap, .. } => self.network.cut(index, links, now, *flap),
            Action::Link { links, what, .. } => {
                let left = (Instant::ZERO + self.scenario.duration).since(now);
                let until = now + fault.lasts.unwrap_or(left);
                self.network.disturb(index, self.ordinal(index), *what, links, until);
            }
            Action::Crash { node, on, .. } => self.doom(index, *node, *on),
            Action::Restart { node } => {
                self.strike(*node);
                self.effects[index].effective = !self.hosts[*node].is_up() && self.start(*node);
            }
            Action::Host { node, what } => self.hosts[*node].impairments.begin(index, *what),
            Action::Clock { node, which, what } => {
                let host = &mut self.hosts[*node];
                host.clock.disturb(index, *which, *what, now);
                let lasting = host.clock.faults().any(|fault| fault == index);
                self.effects[index].effective = !lasting && host.is_up();
                self.rearm(*node);
            }
            Action::Disk { node, what } => {
                let stream = self.draws(index, *node);
                let mut disk = self.hosts[*node].disk.clone();
                // What cannot be read is soon written anew as the replicas have it, and what is under it is gone.
                let unreadable = disk.begin_fault(index, *what, stream);
                if unreadable == 0 || self.charge(index, *node, &disk, false) {
                    self.hosts[*node].disk = disk;
                }
            }
            Action::Damage { node, what, files } => self.damage(index, *node, *what, *files),
            Action::Swap { nodes } => self.swap(index, *nodes),
            Action::Wipe { node } => {
                let mut disk = self.hosts[*node].disk.clone();
                disk.wipe();
                self.lose(index, *node, disk, false);
            }
            Action::Restore { node, .. } => match self.copies.remove(&index) {
                Some(copy) => {
                    let disk = self.hosts[*node].disk.replaced_by(copy);
                    // It may be of the life that it replaces, which nobody can tell.
                    self.lose(index, *node, disk, true);
                }
                None => self.effects[index].refused = true,
            },
        }
        if let Some(lasts) = fault.lasts.filter(|_| fault.action.ends()) {
            self.queue.schedule(now + lasts, Event::Heal { index });
        }
    }

    /// The end of a fault, at its time or when calm begins.
    pub(super) fn heal(&mut self, index: usize) {
        let effect = &mut self.effects[index];
        if effect.began.is_none() || effect.ended.is_some() {
            return;
        }
        effect.ended = Some(self.now);
        let refused = effect.refused;
        let faults = self.faults.clone();
        match &faults[index].action {
            Action::Partition { .. } | Action::Link { .. } => self.network.heal(index),
            Action::Host { node, .. } => {
                self.hosts[*node].impairments.end(index);
                self.release(*node);
            }
            Action::Clock { node, .. } => {
                self.hosts[*node].clock.heal(index, self.now);
                self.rearm(*node);
            }
            // The disk may be in another host by now.
            Action::Disk { .. } => self.hosts.iter_mut().for_each(|host| host.disk.end_fault(index)),
            Action::Swap { nodes: (one, other) } => {
                self.swapped.retain(|swap| swap.0 != index);
                self.exchange_disks(*one, *other);
            }
            Action::Crash { node, .. } | Action::Wipe { node } | Action::Restore { node, .. } => {
                if !refused && !self.hosts[*node].is_up() {
                    self.start(*node);
                }
            }
            Action::Restart { .. } | Action::Damage { .. } => {}
        }
    }

    /// A copy of a disk is laid by, as it would be after a loss of power.
    pub(super) fn copy(&mut self, index: usize) {
        // Of a node with another's disk there is nothing to copy: the restore will be refused.
        if let Action::Restore { node, .. } = self.faults[index].action
            && self.swap_of(node).is_none()
        {
            let disk = self.hosts[node].disk.clone();
            self.copies.insert(index, disk);
        }
    }

    /// The end of the faults: what follows is only waiting until the cluster has recovered.
    pub(in crate::sim) fn grow_calm(&mut self) {
        self.calm = true;
        self.network.calm();
        self.clients.iter_mut().for_each(Client::stop);
        for index in 0..self.faults.len() {
            if self.faults[index].action.ends() {
                self.heal(index);
            }
        }
        for node in 0..self.hosts.len() {
            self.strike(node);
            if !self.hosts[node].is_up() {
                self.start(node);
            }
        }
    }

    /// The place of a fault among those of its kind: what its draws are keyed by, so that a fault of another kind
    /// moves none of them.
    fn ordinal(&self, index: usize) -> u64 {
        let kind = self.faults[index].action.kind();
        self.faults[..index].iter().filter(|fault| fault.action.kind() == kind).count() as u64
    }

    fn draws(&self, index: usize, node: usize) -> Stream {
        disk::stream(self.seed, self.faults[index].action.kind(), self.ordinal(index), node)
    }

    /// Adds what hosts met to the account of the faults.
    pub(super) fn credit_hosts(&mut self) {
        let met = &mut self.scratch.effective;
        self.troubled.iter().for_each(|&node| self.hosts[node].take_met(met));
        for fault in met.drain(..) {
            self.effects[fault].effective = true;
            self.effects[fault].amount += 1;
        }
    }
}

/// Processes.
impl World {
    fn doom(&mut self, index: usize, node: usize, on: Moment) {
        if !self.hosts[node].is_up() {
            return;
        }
        let mut draws = self.draws(index, node);
        let left = match on {
            Moment::Sync => 0,
            Moment::Event | Moment::Disk => draws.below(STEPS),
            Moment::Job => draws.below(SLICES),
        };
        let host = &mut self.hosts[node];
        host.disk.fail_after((on == Moment::Disk).then_some(left));
        host.doomed = Some(Doom { fault: index, moment: on, left });
        self.queue.schedule(self.now + CRASH_WITHIN, Event::Strike { index });
    }

    /// Whether a doomed node dies now, instead of doing what this moment is about.
    pub(super) fn dies(&mut self, node: usize, at: Moment) -> bool {
        match &mut self.hosts[node].doomed {
            Some(doom) if doom.moment == at => {
                let now = doom.left == 0;
                doom.left = doom.left.saturating_sub(1);
                now
            }
            _ => false,
        }
    }

    /// A doomed node dies.
    pub(super) fn strike(&mut self, node: usize) {
        let Some(Doom { fault: index, .. }) = self.hosts[node].doomed.take() else { return };
        let faults = self.faults.clone();
        let Action::Crash { lose, .. } = faults[index].action else { return };
        let amount = self.hosts[node].unsynced();
        self.effects[index] = Effect { began: Some(self.now), effective: true, amount, ..Effect::default() };
        self.crash(node, lose);
        if let Some(lasts) = faults[index].lasts {
            self.queue.schedule(self.now + lasts, Event::Heal { index });
        }
    }

    fn crash(&mut self, node: usize, lose: Unsynced) {
        self.hosts[node].crash(lose);
        self.membership.failed(node, &self.hosts, self.now);
    }

    /// A process ends, and its host's power stays on.
    pub(super) fn stop(&mut self, node: usize) {
        self.hosts[node].stop();
        self.membership.failed(node, &self.hosts, self.now);
    }

    /// A node dies within a step: nothing of what the step was to send leaves it.
    pub(super) fn strike_within(&mut self, node: usize) {
        self.scratch.outbox = Outbox::default();
        self.strike(node);
    }

    /// A pause or a stall is over, perhaps: what waited for it goes on.
    fn release(&mut self, node: usize) {
        let (host, now) = (&mut self.hosts[node], self.now);
        let (number, boot) = (node as u32, host.boot);
        if !host.impairments.stalls_now() {
            for sync in core::mem::take(&mut host.impairments.syncs) {
                self.queue.schedule(now, Event::Synced { node: number, boot, sync });
            }
        }
        if host.impairments.is_paused() {
            return;
        }
        for job in core::mem::take(&mut host.impairments.slices) {
            self.queue.schedule(now, Event::Slice { node: number, boot, job });
        }
        if !host.inbox.is_empty() && !host.turn {
            host.turn = true;
            self.queue.schedule(host.busy_until.max(now), Event::Ready { node: number, boot });
        }
        self.arm(node);
    }

    /// The clock has changed, and with it the time of the next deadline.
    fn rearm(&mut self, node: usize) {
        self.hosts[node].wake_at = None;
        self.arm(node);
    }

    pub(super) fn supervise(&mut self, node: usize) {
        if !self.hosts[node].is_up() {
            self.start(node);
        }
    }

    fn call_supervisor(&mut self, node: usize) {
        let boot = self.hosts[node].boot;
        self.queue.schedule(self.now + SUPERVISED, Event::Supervise { node: node as u32, boot });
    }

    /// A node stopped itself: because of its disk, if a fault did that, and then it is started again.
    pub(super) fn halted(&mut self, node: usize, halt: Halt) {
        let host = &mut self.hosts[node];
        let explained = host.is_hurt() && matches!(halt, Halt::Storage(_));
        self.stop(node);
        if explained {
            self.call_supervisor(node);
        } else {
            self.violations.push(format!("n{} halted at {}: {halt:?}", node + 1, self.now));
        }
    }

    /// A node did not start: rightly so, if its disk is another's, or fails, or is damaged. Then the disk is put back,
    /// or the start is tried again, or the node gets a new disk.
    pub(super) fn refused_to_start(&mut self, node: usize, error: &OpenError) {
        if let Some(fault) = self.swap_of(node) {
            // Whatever keeps it from starting, its own disk comes back when the swap ends.
            let right = matches!(error, OpenError::OtherNode { .. });
            self.effects[fault].effective |= right;
            self.effects[fault].amount += u64::from(right);
        } else if self.hosts[node].is_hurt() && is_of_disk(error) {
            self.call_supervisor(node);
        } else if self.hosts[node].harmed && is_damage(error) {
            let mut disk = self.hosts[node].disk.clone();
            disk.wipe();
            let lost = self.would_lose(node, &disk);
            self.ghost.note(Harm { at: self.now, node, forgets: !lost.is_empty() }, lost);
            self.ghost.replaced += 1;
            self.hosts[node].disk = disk;
            self.hosts[node].harmed = false;
            self.call_supervisor(node);
        } else {
            self.violations.push(format!("n{} did not start at {}: {error}", node + 1, self.now));
        }
    }
}

fn is_of_disk(error: &OpenError) -> bool {
    matches!(error, OpenError::Disk(_) | OpenError::Storage(storage::OpenError::Disk(_)) | OpenError::Scan(_))
}

fn is_damage(error: &OpenError) -> bool {
    use storage::OpenError::{Corrupt, Version};
    matches!(
        error,
        OpenError::Identity(_) | OpenError::Scan(_) | OpenError::Storage(Corrupt { .. } | Version { .. })
    )
}

/// Disks.
impl World {
    fn damage(&mut self, index: usize, node: usize, what: Damage, files: Files) {
        let mut disk = self.hosts[node].disk.clone();
        let amount = disk.damage(what, files, &mut self.draws(index, node));
        // What is in a table is known to be damaged when it is read. The end of a log may look merely torn.
        let forgets = files == Files::Any;
        if amount > 0 && self.harm(index, node, disk, forgets) {
            self.hosts[node].harmed = true;
            self.effects[index].effective = true;
            self.effects[index].amount = amount;
        }
    }

    /// A node goes down and loses its disk, for another. Whether it `forgets`: an empty disk it knows to be one.
    fn lose(&mut self, index: usize, node: usize, disk: SimDisk, forgets: bool) {
        let amount = self.hosts[node].disk.used();
        if self.swap_of(node).is_some() {
            self.effects[index].refused = true; // It would be another node's disk.
            return;
        }
        if self.harm(index, node, disk, forgets) {
            self.strike(node);
            self.crash(node, Unsynced::Lost);
            self.hosts[node].harmed = false;
            self.effects[index].effective = amount > 0;
            self.effects[index].amount = amount;
        }
    }

    /// Puts `disk` in the place of the one of `node`, if the budget allows.
    fn harm(&mut self, index: usize, node: usize, disk: SimDisk, forgets: bool) -> bool {
        let allowed = self.charge(index, node, &disk, forgets);
        if allowed {
            self.hosts[node].disk = disk;
        }
        allowed
    }

    /// Charges it to the budget that `node` is to have no more than what is on `disk`; if that is allowed the ghost
    /// takes note, else the fault is counted as refused.
    fn charge(&mut self, index: usize, node: usize, disk: &SimDisk, forgets: bool) -> bool {
        let lost = self.would_lose(node, disk);
        let harm = Harm { at: self.now, node, forgets: forgets || !lost.is_empty() };
        let within = self.scenario.nodes[0].request_timeout;
        if !budget::allows(self.scenario.unrestricted, &self.ghost, &harm, within, lost.len()) {
            self.effects[index].refused = true;
            return false;
        }
        self.ghost.note(harm, lost);
        true
    }

    /// The acknowledged versions of which no disk would have a whole copy, if that of `node` were this one. What
    /// cannot be read at the moment counts as lost: its node may write it anew any time.
    fn would_lose(&self, node: usize, disk: &SimDisk) -> Vec<ghost::Version> {
        let start = |(number, host): (usize, &crate::sim::host::Host)| {
            let disk = if number == node { disk } else { &host.disk };
            host.opened_on(disk.without_unreadable())
        };
        let mut survivors: Vec<_> = self.hosts.iter().enumerate().filter_map(start).collect();
        ghost::lost(&self.history, &mut survivors)
    }

    fn swap(&mut self, index: usize, (one, other): (usize, usize)) {
        // A node that is down may be without a disk, or have another's already.
        if ![one, other].into_iter().all(|node| self.hosts[node].is_up()) {
            self.effects[index].ended = Some(self.now);
            return;
        }
        self.swapped.push((index, one, other));
        self.exchange_disks(one, other);
        for node in [one, other] {
            if self.hosts[node].is_up() {
                self.violations.push(format!("n{} started at {} from another's disk", node + 1, self.now));
            }
        }
    }

    /// The fault by which the node has another's disk.
    fn swap_of(&self, node: usize) -> Option<usize> {
        let swap = self.swapped.iter().find(|(_, one, other)| node == *one || node == *other);
        swap.map(|(fault, _, _)| *fault)
    }

    /// Two nodes lose power and start with each other's disks.
    fn exchange_disks(&mut self, one: usize, other: usize) {
        for node in [one, other] {
            self.strike(node);
            self.crash(node, Unsynced::Lost);
        }
        let disk = core::mem::take(&mut self.hosts[one].disk);
        let disk = core::mem::replace(&mut self.hosts[other].disk, disk);
        self.hosts[one].disk = disk;
        let harmed = self.hosts[one].harmed;
        self.hosts[one].harmed = core::mem::replace(&mut self.hosts[other].harmed, harmed);
        self.start(one);
        self.start(other);
    }
}
