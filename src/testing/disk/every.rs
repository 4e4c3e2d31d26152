//! All crashes that one moment allows.

use super::{Crash, Length, NameChange, Page, TestDisk};

impl TestDisk {
    /// Every disk that a crash now could leave: all choices of unsynced pages, of unsynced names
    /// and of length, each with a few words on what it kept.
    ///
    /// That is up to 2 to the power of (pages + names + 1) of them, made one by one; keep the sum
    /// below 20. What happens to this disk afterwards does not change them.
    pub fn every_crash(&self) -> impl Iterator<Item = (String, Self)> + use<> {
        let frozen = self.after_kill();
        let choices = Choices {
            pages: frozen.unsynced_pages(),
            names: frozen.unsynced_names(),
        };
        let lengths: &[Length] = if frozen.state().volume.len_is_open() {
            &[Length::Shortest, Length::Longest]
        } else {
            &[Length::Shortest]
        };
        let all = (0..choices.count())
            .flat_map(|number| lengths.iter().map(move |length| (number, *length)));
        all.map(move |(number, length)| {
            let told = format!("{}, {length:?}", choices.told(number));
            (
                told,
                frozen.after_crash(choices.crash(number).length(length)),
            )
        })
    }
}

/// What can be kept or lost, a bit for each in the number of a choice: pages first, then names.
struct Choices {
    pages: Vec<Page>,
    names: Vec<NameChange>,
}

impl Choices {
    fn count(&self) -> u64 {
        let bits = u32::try_from(self.pages.len() + self.names.len()).unwrap_or(u32::MAX);
        1_u64.checked_shl(bits).unwrap_or(u64::MAX)
    }

    fn crash(&self, number: u64) -> Crash {
        let first_name = self.pages.len();
        let mut page = 0..;
        let mut name = first_name..;
        Crash::losing_all()
            .pages(move |_| page.next().is_some_and(|bit| is_set(number, bit)))
            .names(move |_| name.next().is_some_and(|bit| is_set(number, bit)))
    }

    fn told(&self, number: u64) -> String {
        let pages = self.pages.iter().map(|page| {
            let failed = if page.failed { " (failed)" } else { "" };
            format!("{}[{}]{failed}", page.path.display(), page.index)
        });
        let names = self.names.iter().map(|change| format!("{change:?}"));
        let all = pages.chain(names).enumerate();
        let kept: Vec<_> = all
            .filter(|(bit, _)| is_set(number, *bit))
            .map(|(_, what)| what)
            .collect();
        format!("kept: {}", kept.join(", "))
    }
}

fn is_set(number: u64, bit: usize) -> bool {
    let bit = u32::try_from(bit).unwrap_or(u32::MAX);
    number.checked_shr(bit).is_some_and(|bits| bits & 1 == 1)
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, path::Path};

    use super::*;
    use crate::disk::Disk;

    const PAGE: usize = 4096;

    #[test]
    fn every_crash_goes_through_all_choices() {
        let disk = TestDisk::new();
        let mut file = disk.create_new(Path::new("file")).unwrap();
        disk.sync_dir(Path::new("")).unwrap();
        file.write_all(&[7; 2 * PAGE]).unwrap();
        disk.create_new(Path::new("new")).unwrap();
        let found: BTreeSet<_> = disk
            .every_crash()
            .map(|(_, after)| {
                let bytes = after.bytes("file").unwrap();
                let set = |page: usize| bytes.get(page * PAGE).is_some_and(|byte| *byte == 7);
                (bytes.len(), set(0), set(1), after.bytes("new").is_ok())
            })
            .collect();
        // Both lengths count only where the last page is lost.
        assert_eq!(found.len(), 12, "{found:?}");
        assert_eq!(disk.every_crash().count(), 16);
        assert!(file.sync().is_ok(), "the disk goes on");
    }

    #[test]
    fn a_choice_says_what_it_kept() {
        let disk = TestDisk::new();
        disk.create_new(Path::new("file"))
            .unwrap()
            .write_all(b"x")
            .unwrap();
        let told: Vec<_> = disk.every_crash().map(|(told, _)| told).collect();
        assert_eq!(told.len(), 8);
        assert_eq!(told[0], "kept: , Shortest");
        assert_eq!(told[7], "kept: file[0], Created(\"file\"), Longest");
    }

    #[test]
    fn a_disk_where_all_is_synced_has_one_crash() {
        let disk = TestDisk::new();
        disk.put("file", b"x").unwrap();
        assert_eq!(disk.every_crash().count(), 1);
    }
}
