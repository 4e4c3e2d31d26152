//! What else may lie in a base directory.

use super::*;
use crate::disk::Disk;

/// A disk with trail 1, closed in order after one record.
fn with_trail() -> (TestDisk, PathBuf) {
    let disk = TestDisk::new();
    let (base, _events) = in_memory(&disk);
    let opened = base.open(Uuid::from_u128(1)).unwrap();
    commit(opened.inbox(), "0").unwrap();
    assert_eq!(opened.journal.close(soon()), Closed::InOrder);
    (disk.after_kill(), opened.dir().to_owned())
}

/// Opens the base; the trail that was there is left, and why.
fn left(disk: &TestDisk) -> Left {
    let before = contents(disk);
    let (base, _events) = in_memory(disk);
    let mut opened = base.open(Uuid::from_u128(9)).unwrap();
    assert_eq!(opened.journal.origin.trail, Uuid::from_u128(9));
    assert_eq!(opened.left.len(), 1, "{:?}", opened.left);
    assert_eq!(commit(opened.inbox(), "new").unwrap().size, 1);
    let mut after = contents(disk);
    after.retain(|(path, _)| !path.starts_with(opened.dir()));
    assert_eq!(after, before, "it is left as it is");
    opened.left.remove(0)
}

#[test]
fn a_trail_of_a_newer_format_is_left_and_named() {
    let (disk, dir) = with_trail();
    let file = segments(&disk, &dir).remove(0);
    let bytes = disk.bytes(&file).unwrap();
    let text = String::from_utf8(bytes).unwrap();
    let (head, rest) = text.split_once('\n').unwrap();
    let Ok(line::Line::Control(line::Control::Head(mut head))) = line::decode(head.as_bytes())
    else {
        panic!("{head}");
    };
    head.format = line::FORMAT + 1;
    let mut newer = Vec::new();
    line::Control::Head(head).write(&mut newer);
    newer.extend_from_slice(rest.as_bytes());
    disk.put(&file, &newer).unwrap();
    let left = left(&disk);
    assert_eq!(left.dir, dir);
    let OpenError::Newer { path, format } = left.error else {
        panic!("{:?}", left.error);
    };
    assert_eq!((path, format), (file, line::FORMAT + 1));
}

#[test]
fn foreign_files_are_left_alone() {
    let (disk, dir) = with_trail();
    let foreign = [
        dir.join("notes.jsonl"),
        dir.join("1-2.jsonl"),
        dir.join("notes.new"),
        Path::new(BASE).join("README"),
        Path::new(BASE).join("trail-1").join("lock"),
        Path::new(BASE)
            .join(format!("trail-{}x", Uuid::from_u128(5)))
            .join("lock"),
    ];
    for path in &foreign {
        disk.put(path, b"not ours").unwrap();
    }
    let (base, _events) = in_memory(&disk);
    let opened = base.open(Uuid::from_u128(9)).unwrap();
    assert_eq!(
        (opened.journal.origin.trail, opened.left.len()),
        (Uuid::from_u128(1), 0)
    );
    assert_eq!(commit(opened.inbox(), "1").unwrap().size, 2);
    for path in &foreign {
        assert_eq!(disk.bytes(path).unwrap(), b"not ours", "{}", path.display());
    }
}

#[test]
fn a_copy_under_another_id_is_left() {
    let (disk, dir) = with_trail();
    let copy = trails::dir_of(Path::new(BASE), Uuid::from_u128(5));
    for (path, bytes) in contents(&disk) {
        let name = path.strip_prefix(&dir).unwrap();
        disk.put(copy.join(name), &bytes).unwrap();
        disk.unlink(&path).unwrap();
    }
    disk.remove_dir(&dir).unwrap();
    let left = left(&disk);
    assert_eq!(left.dir, copy);
    assert!(
        left.damage().unwrap().reason.contains("another trail"),
        "{left:?}"
    );
}

// Trap J5: the numbers of what is gone are not given again.
#[test]
fn a_trail_whose_segments_are_gone_is_not_begun_anew() {
    let cursor = |next: u64| format!("{{\"cursor\":{{\"start\":0,\"next\":{next}}}}}");
    let (disk, dir) = with_trail();
    disk.unlink(segments(&disk, &dir).remove(0)).unwrap();
    let file = dir.join("cursors/db.json");
    disk.put(&file, cursor(1).as_bytes()).unwrap();
    let found = left(&disk.after_kill());
    assert!(
        found.damage().unwrap().reason.contains("are gone"),
        "{found:?}"
    );
    // A crash before the first commit leaves a cursor as well.
    disk.put(&file, cursor(0).as_bytes()).unwrap();
    let (base, _events) = in_memory(&disk);
    let opened = base.open(Uuid::from_u128(9)).unwrap();
    assert_eq!(
        (opened.journal.origin.trail, opened.left.len()),
        (Uuid::from_u128(1), 0)
    );
}

// Trap J4
#[test]
fn a_new_trail_that_another_process_took_first_makes_room_for_the_next_id() {
    let disk = TestDisk::new();
    let faster = disk.process();
    let lock = trails::dir_of(Path::new(BASE), Uuid::from_u128(9)).join("lock");
    faster.create_dir(lock.parent().unwrap()).unwrap();
    let _held = faster.lock(&lock).unwrap();
    let (base, _events) = in_memory(&disk);
    let opened = base.open(Uuid::from_u128(9)).unwrap();
    assert_eq!(opened.journal.origin.trail, Uuid::from_u128(10));
    assert_eq!(commit(opened.inbox(), "0").unwrap().size, 1);
}

#[test]
fn a_trail_that_is_removed_while_it_is_listed_is_no_error() {
    let disk = TestDisk::new();
    disk.create_dir(Path::new(BASE)).unwrap();
    let held = trails::hold(&disk, Path::new(BASE), Uuid::from_u128(1));
    assert!(matches!(held, Ok(None)), "{held:?}");
}

#[test]
fn a_trail_whose_lock_cannot_be_taken_is_left_and_another_begins() {
    let (disk, dir) = with_trail();
    disk.inject(Fault::eio([Call::Lock]).on(dir.to_string_lossy()));
    let left = left(&disk);
    assert!(
        matches!(left.error, OpenError::Io { what: "lock", .. }),
        "{left:?}"
    );
}
