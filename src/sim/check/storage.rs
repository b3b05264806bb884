//! Storage integrity: in the end every block of every table, every log and every manifest on every disk matches its
//! checksums, and says what the others say of it ([`inspect`]). What faults have damaged was
//! mended by then.

use std::format;

use super::{Check, Findings};
use crate::sim::disk::SimDisk;
use crate::storage::inspect::inspect;

/// Checks the disks, on copies; each belongs to the node of its number, from 1.
pub fn check<'a>(disks: impl IntoIterator<Item = &'a SimDisk>) -> Check {
    let mut findings = Findings::default();
    let (mut count, mut bytes) = (0, 0);
    for disk in disks {
        count += 1;
        match inspect(true, &mut disk.clone()) {
            Ok(found) => {
                bytes += found.verified_bytes;
                for damage in found.findings {
                    let (file, offset, what) = (damage.file, damage.offset, damage.what);
                    findings.add(|| format!("n{count}: {file} at {offset}: {what}"));
                }
            }
            Err(error) => findings.add(|| format!("n{count}: {error}")),
        }
    }
    findings.conclude("storage", format!("{bytes} bytes on {count} disks, all as they were written"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::{Disk, FileKind};
    use crate::sim::scenario::Scenario;
    use crate::sim::world::World;
    use std::sync::Arc;
    use std::vec::Vec;

    #[test]
    fn one_flipped_bit_on_one_disk_is_found() {
        let text = include_str!("../../../tests/sim/small.toml");
        let mut world = World::new(Arc::new(Scenario::read(text, "small").expect("a good file")), 7);
        // Until a memtable was flushed somewhere, and what was written of it is durable.
        let table = |disk: &SimDisk| {
            let files = disk.clone().list().expect("a disk without faults");
            files.into_iter().find(|file| file.kind == FileKind::Table)
        };
        while world.jobs() > 0 || !world.hosts.iter().any(|host| table(&host.disk).is_some()) {
            world.step().expect("clients write, so a memtable fills up");
        }
        let mut disks: Vec<SimDisk> = world.hosts.iter().map(|host| host.disk.clone()).collect();
        let sound = check(&disks);
        assert!(sound.ok && sound.detail.ends_with("on 5 disks, all as they were written"), "{sound:?}");
        let (number, table) =
            disks.iter().enumerate().find_map(|(number, disk)| Some((number, table(disk)?))).expect("one");
        assert!(disks[number].flip_bit(table, 800), "there is such a bit");
        let damaged = check(&disks);
        assert!(
            !damaged.ok && damaged.detail.starts_with(&format!("n{}: {table} at", number + 1)),
            "{damaged:?}"
        );
    }
}
