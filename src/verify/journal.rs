//! Which trails there are, and the look at each while it may be changing.

use std::{
    io,
    path::{Path, PathBuf},
};

use uuid::Uuid;

use crate::{
    disk::Disk,
    journal::{
        segment::{self, SegmentName},
        trails,
    },
};

use super::{
    Options, Progress, Report, TrailReport, VerifyError,
    anchors::Anchors,
    cursors,
    trail::{Stop, Walk},
};

/// Looks once more at a trail that changed under the walk, at most this often.
const ATTEMPTS: usize = 4;

/// A directory that holds a trail.
#[derive(Debug)]
struct TrailDir {
    dir: PathBuf,
    /// The name that the directory gives it.
    named: Option<Uuid>,
}

/// Checks the trails of a directory: all below a base directory, or the one that it is.
///
/// Works offline, takes no lock and changes nothing; a trail may be written meanwhile, and is then
/// checked up to its last whole commit.
///
/// # Errors
///
/// When a file cannot be read, or there is no trail. What is wrong with a trail is no error but a
/// finding.
pub fn journal(dir: impl AsRef<Path>, options: Options<'_>) -> Result<Report, VerifyError> {
    let disk = options.disk.clone();
    let trails = find(&*disk, dir.as_ref())?;
    let mut report = Report::default();
    for trail in &trails {
        report.trails.push(check(&*disk, trail, &options)?);
    }
    for expected in &options.expected {
        if !report
            .trails
            .iter()
            .any(|trail| trail.trail == Some(expected.trail))
        {
            report
                .trails
                .push(TrailReport::absent(expected, dir.as_ref()));
        }
    }
    Ok(report)
}

/// The trails in or below a directory, oldest first.
fn find(disk: &dyn Disk, dir: &Path) -> Result<Vec<TrailDir>, VerifyError> {
    let dirs = trails::find(disk, dir).map_err(VerifyError::io("list", dir))?;
    let dirs = dirs.ok_or_else(|| VerifyError::NotAJournal { dir: dir.into() })?;
    let trail = |dir: PathBuf| TrailDir {
        named: trails::named(&dir),
        dir,
    };
    Ok(dirs.into_iter().map(trail).collect())
}

fn list(disk: &dyn Disk, dir: &Path) -> Result<(Vec<SegmentName>, u64), VerifyError> {
    segment::list(disk, dir).map_err(VerifyError::io("list", dir))
}

fn check(
    disk: &dyn Disk,
    trail: &TrailDir,
    options: &Options<'_>,
) -> Result<TrailReport, VerifyError> {
    let mut attempt = 1;
    loop {
        // The cursors first: what a sink has by now is in the segments that are listed then.
        let furthest = cursors::furthest(disk, &trail.dir);
        let furthest = furthest.map_err(VerifyError::io("read the cursors of", &trail.dir))?;
        let (names, _) = list(disk, &trail.dir)?;
        let done = walk(disk, trail, &names, furthest, options);
        // Trap J9: a segment that is pruned or begun meanwhile can look like a hole.
        let unsettled = !done.as_ref().is_ok_and(TrailReport::holds);
        if unsettled && attempt < ATTEMPTS && list(disk, &trail.dir)?.0 != names {
            attempt += 1;
            continue;
        }
        return done.map_err(|stop| match stop {
            Stop::Gone(file) => {
                VerifyError::io("open", trail.dir.join(file))(io::ErrorKind::NotFound.into())
            }
            Stop::Io(file, error) => VerifyError::io("read", trail.dir.join(file))(error),
        });
    }
}

fn walk(
    disk: &dyn Disk,
    trail: &TrailDir,
    names: &[SegmentName],
    furthest: Option<(String, u64)>,
    options: &Options<'_>,
) -> Result<TrailReport, Stop> {
    let sizes = names
        .iter()
        .filter_map(|name| disk.stat(&trail.dir.join(name.file())).ok());
    let mut progress = Progress {
        trail: trail.named,
        done: 0,
        of: sizes.map(|stat| stat.len).sum(),
    };
    let named = trail.named.or_else(|| {
        let first = names
            .iter()
            .find_map(|name| Walk::origin(disk, &trail.dir.join(name.file())));
        first.map(|origin| origin.trail)
    });
    let anchors = Anchors::new(&options.expected, named);
    let mut read = |bytes: u64| {
        progress.done += bytes;
        if let Some(tell) = options.progress {
            tell(progress);
        }
    };
    let mut walk = Walk::new(disk, &trail.dir, trail.named, anchors, &mut read);
    walk.furthest = furthest;
    walk.run(names)
}
