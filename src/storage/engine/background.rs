//! What the engine asks its driver for, and what it does with the answers: syncs, flushes, compactions, and the edits
//! that make their results count.

use alloc::vec::Vec;

use super::{Compaction, Engine, JobId, Pending, Status, SyncRequest, SyncTicket, Work};
use crate::disk::{Disk, DiskError, FileKind, FileName, SyncTarget};
use crate::storage::compaction::pick::{self, Choice};
use crate::storage::error::{Operation, Poisoned};
use crate::storage::job::{Job, JobError, JobResult};
use crate::storage::table::TableMeta;
use crate::storage::version::Edit;

impl Engine {
    /// The next sync to start, if any; call until there is none. At most one of the log and one of the
    /// manifest are in flight. Writes that gathered are put into the log first, which is where a failing disk shows.
    pub fn poll_sync(&mut self, disk: &mut dyn Disk) -> Result<Option<SyncRequest>, Poisoned> {
        match self.status {
            Status::Open => {}
            Status::Closed => return Ok(None),
            Status::Poisoned(poisoned) => return Err(poisoned),
        }
        if self.wal.is_group_due() {
            self.write_group(disk)?;
        }
        let ticket = SyncTicket(self.next_ticket);
        let request = if self.log_sync.is_none()
            && let Some(target) = self.wal.poll_sync()
        {
            *self.log_sync.insert(SyncRequest { ticket, target })
        } else if self.manifest_sync.is_none() && self.manifest.durable() < self.manifest.appended() {
            let request = SyncRequest { ticket, target: SyncTarget::File(self.manifest.file()) };
            self.manifest_sync = Some((request, self.manifest.appended()));
            request
        } else {
            return Ok(None);
        };
        self.next_ticket += 1;
        Ok(Some(request))
    }

    /// A sync has ended. Tickets that nobody waits for are ignored. A failed sync is never tried again: the
    /// engine takes no more writes, and what was not durable may be lost.
    pub fn synced(
        &mut self,
        ticket: SyncTicket,
        result: Result<(), DiskError>,
        disk: &mut dyn Disk,
    ) -> Result<(), Poisoned> {
        match self.status {
            Status::Open => {}
            Status::Closed => return Ok(()),
            Status::Poisoned(poisoned) => return Err(poisoned),
        }
        if let Some(request) = self.log_sync.take_if(|request| request.ticket == ticket) {
            result.map_err(|why| self.poison(Operation::Sync(request.target), why))?;
            self.wal.synced();
        } else if let Some((request, covered)) =
            self.manifest_sync.take_if(|(request, _)| request.ticket == ticket)
        {
            result.map_err(|why| self.poison(Operation::Sync(request.target), why))?;
            self.manifest.synced(covered);
            self.install(disk);
        }
        Ok(())
    }

    /// Takes over the edits that have become durable. From here on reads use the new tables and not the old
    /// ones, which are removed.
    fn install(&mut self, disk: &mut dyn Disk) {
        while let Some(pending) = self.pending.pop_front() {
            if pending.number > self.manifest.durable() {
                self.pending.push_front(pending);
                return;
            }
            self.version = self.version.apply(&pending.edit).expect("our own edits fit");
            self.settled = false;
            let version = &self.version;
            self.damaged.retain(|(number, _)| version.tables().any(|table| table.number == *number));
            if pending.is_flush {
                self.frozen = None;
            } else {
                self.compaction = None;
            }
            for file in pending.obsolete {
                if file.kind == FileKind::Table {
                    self.cache.forget_table(file.number);
                }
                // If it fails the file is an orphan, which the next open removes.
                let _ = disk.remove(file);
            }
        }
    }

    /// Hands out no jobs that write until this is taken back. For a driver or node with a clock, which the engine has
    /// not.
    pub fn pause_jobs(&mut self, paused: bool) {
        self.jobs_paused = paused;
    }

    /// The next job to start, if any; call until there is none. At most one flush, one compaction or repair, and
    /// one scrub are on their way.
    pub fn poll_job(&mut self) -> Option<(JobId, Job)> {
        if !matches!(self.status, Status::Open) {
            return None;
        }
        let writes = self.reserve.takes_jobs() && !self.jobs_paused;
        let job = if writes { self.poll_flush().or_else(|| self.poll_compaction()) } else { None };
        job.or_else(|| self.poll_scrub())
    }

    fn poll_scrub(&mut self) -> Option<(JobId, Job)> {
        let id = JobId(self.next_job + 1);
        let scrub = self.scrub.as_mut().filter(|scrub| scrub.work == Work::Waiting)?;
        scrub.work = Work::Running(id);
        let job = Job::scrub(scrub.table.clone());
        self.next_job = id.0;
        Some((id, job))
    }

    /// A memtable is flushed only after its log is durable. The removal of the log would otherwise race with
    /// its own sync, and positions would have two ways to become durable.
    fn poll_flush(&mut self) -> Option<(JobId, Job)> {
        let durable = self.wal.durable();
        let frozen = self.frozen.as_ref()?;
        if frozen.work != Work::Waiting || durable < frozen.last {
            return None;
        }
        let (memtable, last) = (frozen.memtable.clone(), frozen.last);
        let id = self.take_job_id();
        let numbers = self.take_files(1);
        let job = Job::flush(&self.config, memtable, last, numbers.start);
        if let Some(frozen) = &mut self.frozen {
            frozen.work = Work::Running(id);
            frozen.numbers = numbers;
        }
        Some((id, job))
    }

    fn poll_compaction(&mut self) -> Option<(JobId, Job)> {
        if self.compaction.is_none() {
            let choice = self.pick()?;
            let bytes: u64 = choice.tables().fold(0, |sum, table| sum.saturating_add(table.size()));
            let count = if choice.is_move() { 0 } else { self.outputs(bytes) };
            let numbers = self.take_files(count);
            let job = Some(Job::compact(&self.config, &choice, numbers.clone()));
            let inputs = choice.tables().map(|table| table.number).collect();
            self.compaction =
                Some(Compaction { work: Work::Waiting, job, inputs, into: choice.into, numbers });
        }
        let id = JobId(self.next_job + 1);
        let compaction = self.compaction.as_mut()?;
        let job = compaction.job.take()?;
        compaction.work = Work::Running(id);
        self.next_job = id.0;
        Some((id, job))
    }

    /// How many files to reserve for the tables into which so many bytes are merged. They are cut at `table_bytes`, so
    /// twice as many as the inputs fill are enough; if they are not, the last one grows.
    pub(super) fn outputs(&self, bytes: u64) -> u64 {
        2 * (bytes / self.config.table_bytes) + 2
    }

    /// What to compact next. Asked after every step of a node, so "nothing" is remembered.
    pub(super) fn pick(&mut self) -> Option<Choice> {
        if self.settled {
            return None;
        }
        let damaged = self.damaged.iter().map(|(number, _)| *number).collect();
        let choice = pick::pick(&self.version, &self.config, &damaged);
        self.settled = choice.is_none();
        choice
    }

    fn take_job_id(&mut self) -> JobId {
        self.next_job += 1;
        JobId(self.next_job)
    }

    /// Whether `id` is the flush in progress (and not a compaction).
    pub fn is_flush(&self, id: JobId) -> bool {
        self.frozen.as_ref().is_some_and(|frozen| frozen.work == Work::Running(id))
    }

    /// A job has ended. Ids that nobody waits for are ignored.
    pub fn job_done(&mut self, id: JobId, result: JobResult, disk: &mut dyn Disk) -> Result<(), Poisoned> {
        match self.status {
            Status::Open => {}
            Status::Closed => return Ok(()),
            Status::Poisoned(poisoned) => return Err(poisoned),
        }
        let running = Work::Running(id);
        if self.is_flush(id) {
            self.flushed(result, disk)
        } else if self.compaction.as_ref().is_some_and(|compaction| compaction.work == running) {
            self.compacted(result, disk)
        } else if let Some(scrub) = self.scrub.take_if(|scrub| scrub.work == running) {
            self.scrubbed = scrub.table.number;
            if let Ok(output) = result {
                self.note_damage(output.damaged, disk);
            }
            Ok(())
        } else {
            Ok(())
        }
    }

    fn flushed(&mut self, result: JobResult, disk: &mut dyn Disk) -> Result<(), Poisoned> {
        let frozen = self.frozen.as_mut().expect("the caller saw it");
        let (log, last, numbers) = (frozen.log, frozen.last, frozen.numbers.clone());
        assert!(last <= self.wal.durable(), "a memtable is flushed after its log is durable");
        let done = match result {
            Ok(output) => {
                frozen.work = Work::Written;
                let before = (self.log_floor, self.flushed);
                (self.log_floor, self.flushed) = (self.wal.active().number, last);
                let done = self.append_edit(true, 0, output.added, Vec::new(), alloc::vec![log], disk)?;
                if done == Done::Full {
                    (self.log_floor, self.flushed) = before;
                }
                done
            }
            Err(JobError::Read(_)) => unreachable!("a flush reads no tables"),
            Err(JobError::Write { operation, why }) => self.job_failed(operation, why, disk)?,
        };
        if done == Done::Full {
            self.remove_tables(numbers, disk);
            self.frozen.as_mut().expect("as above").work = Work::Waiting;
        }
        Ok(())
    }

    fn compacted(&mut self, result: JobResult, disk: &mut dyn Disk) -> Result<(), Poisoned> {
        let compaction = self.compaction.as_mut().expect("the caller saw it");
        let (inputs, into) = (compaction.inputs.clone(), compaction.into);
        let numbers = compaction.numbers.clone();
        let done = match result {
            Ok(output) => {
                compaction.work = Work::Written;
                // What was only moved is still needed.
                let kept = |number: &&u64| output.added.iter().any(|table| table.number == **number);
                let obsolete = inputs.iter().filter(|number| !kept(number));
                let obsolete = obsolete.map(|number| FileName::new(FileKind::Table, *number)).collect();
                self.append_edit(false, into, output.added, inputs, obsolete, disk)?
            }
            Err(JobError::Write { operation, why }) => self.job_failed(operation, why, disk)?,
            Err(JobError::Read(error)) => {
                // The damage costs its keys and the space that compaction would have freed; nothing else
                // stops.
                self.note_damage([error], disk);
                Done::Damaged
            }
        };
        if done != Done::Appended {
            self.remove_tables(numbers, disk);
            self.compaction = None;
        }
        Ok(())
    }

    /// A full disk stops a job and nothing else: what it wrote is of no use, and its inputs are all there. That
    /// holds even if it was a sync that found the disk full, as long as it was that of the job's own file.
    fn job_failed(
        &mut self,
        operation: Operation,
        why: DiskError,
        disk: &mut dyn Disk,
    ) -> Result<Done, Poisoned> {
        if why != DiskError::Full || operation == Operation::Sync(SyncTarget::Directory) {
            return Err(self.poison(operation, why));
        }
        self.reserve.ran_out(disk);
        Ok(Done::Full)
    }

    /// Most were never written, and what cannot be removed is an orphan.
    fn remove_tables(&mut self, numbers: core::ops::Range<u64>, disk: &mut dyn Disk) {
        for number in numbers {
            let _ = disk.remove(FileName::new(FileKind::Table, number));
        }
    }

    /// Appends an edit to the manifest. The tables it names are durable already; it counts once it is durable
    /// itself. On a full disk it may take the reserve's space; if even that is gone, nothing has changed.
    fn append_edit(
        &mut self,
        is_flush: bool,
        level: u8,
        added: Vec<TableMeta>,
        removed: Vec<u64>,
        obsolete: Vec<FileName>,
        disk: &mut dyn Disk,
    ) -> Result<Done, Poisoned> {
        let edit = Edit {
            added: added.into_iter().map(|table| (level, table)).collect(),
            removed,
            log_floor: self.log_floor,
            flushed: self.flushed.0,
            next_file: self.next_file,
            damaged: Vec::new(),
        };
        let file = self.manifest.file();
        let mut appended = self.manifest.append(&edit, disk);
        if appended == Err(DiskError::Full) && self.reserve.takes_jobs() {
            self.reserve.ran_out(disk);
            appended = self.manifest.append(&edit, disk);
        }
        match appended {
            Ok(number) => {
                self.pending.push_back(Pending { number, edit, obsolete, is_flush });
                Ok(Done::Appended)
            }
            Err(DiskError::Full) => {
                self.reserve.ran_out(disk);
                Ok(Done::Full)
            }
            Err(why) => Err(self.poison(Operation::Append(file), why)),
        }
    }
}

/// What became of the result of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Done {
    /// Its edit is on the way.
    Appended,
    /// There was no space for it; it can be tried again.
    Full,
    /// Its inputs could not be read.
    Damaged,
}
