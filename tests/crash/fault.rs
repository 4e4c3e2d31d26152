//! Every call that a trail makes of the system fails once, or is the last one of the process.
//!
//! `strace` records the calls of one small run, then the run is repeated once per call with that
//! call failing (`EIO`, `ENOSPC`) or killing the process. After each, a last run must find
//! everything that was acknowledged.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::process::ExitStatusExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::{
    cases::{self, Tally},
    check, found,
    place::{self, Place},
    program::{CHILD, Program, Said},
};

/// What happens to a call.
const INSTEAD: [&str; 3] = ["error=EIO", "error=ENOSPC", "signal=KILL"];

/// How often a file is opened for reading before it is always the same.
const OFTEN: usize = 3;

const SIGKILL: i32 = 9;

/// What changes a file, and what opens one. A `?` stands before what some machines do not have.
const CALLS: &str = "write,pwrite64,writev,fsync,fdatasync,fallocate,ftruncate,openat,renameat,\
                     renameat2,unlinkat,mkdirat,?open,?rename,?unlink,?mkdir";

/// What the run must have done, or the cycle is not one.
const KINDS: [&[&str]; 5] = [
    &["write", "pwrite64", "writev"],
    &["fsync", "fdatasync"],
    &["openat", "open"],
    &["rename", "renameat", "renameat2"],
    &["unlink", "unlinkat"],
];

/// One call on one file of the trail, and what happens instead of it.
#[derive(Debug, Clone)]
struct Fault {
    call: String,
    /// Relative to the place.
    file: PathBuf,
    /// The how manieth of its kind on this file.
    when: usize,
    instead: &'static str,
}

/// One line of a recording.
#[derive(Debug)]
struct Recorded {
    call: String,
    file: PathBuf,
    reads: bool,
}

// Traps J1, J2, J13: by the method of transparency-dev/tessera.
pub(crate) fn fault_test() -> Tally {
    let mut tally = Tally::default();
    if let Some(why) = no_strace() {
        tally.skip(&why);
        return tally;
    }
    let planned = tally.check("the cycle is recorded", |place| {
        let template = Template::new();
        let faults = plan(&record(&template, place.path()));
        (template, faults)
    });
    let Some((template, faults)) = planned else {
        return tally;
    };
    let checked = cases::in_parallel(&faults, |fault, place| play(fault, &template, place));
    let hit: Vec<_> = checked.found.into_iter().flatten().collect();
    // Threads do not make their calls in the same order in every run.
    tally.check("most faults hit their call, and of each kind some", |_| {
        assert!(hit.len() * 4 >= faults.len() * 3, "{}", hit.len());
        for (kind, instead) in KINDS.iter().flat_map(|kind| INSTEAD.map(|it| (kind, it))) {
            let of_kind = hit
                .iter()
                .find(|fault| fault.instead == instead && kind.contains(&fault.call.as_str()));
            assert!(of_kind.is_some(), "no {kind:?} with {instead}");
        }
    });
    tally.add(&checked.tally);
    tally.note(format!("{} of {} faults hit, ", hit.len(), faults.len()));
    tally
}

/// Why there is nothing to test with.
fn no_strace() -> Option<String> {
    let mut command = Command::new("strace");
    command.args(["-qq", "-o", "/dev/null", "true"]);
    match command.stderr(Stdio::piped()).output() {
        Err(error) => Some(format!("the fault test needs strace: {error}")),
        Ok(output) if !output.status.success() => {
            let told = String::from_utf8_lossy(&output.stderr);
            Some(format!("strace may not trace here: {}", told.trim()))
        }
        Ok(_) => None,
    }
}

/// What every run finds: a trail whose process was killed with an intent open, a reserve of another
/// size, and a segment that was never finished.
#[derive(Debug)]
struct Template {
    place: Place,
    /// What that process said.
    lines: Vec<String>,
}

impl Template {
    fn new() -> Self {
        let place = Place::new();
        let mut program = Program::start(&["cycle", place.arg(), "and wait"]);
        // That of the cycle, and the one that stays open.
        program.wait_for("intent ");
        program.wait_for("intent ");
        let lines = program.kill();
        for trail in found::entries(&place::journal(place.path())) {
            fs::write(trail.join("reserve"), "short").unwrap();
            fs::write(trail.join("00000000000000000007-0000000002.jsonl.new"), "").unwrap();
        }
        Self { place, lines }
    }

    fn copy(&self, to: &Path) {
        copy(self.place.path(), to);
    }
}

fn copy(from: &Path, to: &Path) {
    for entry in found::entries(from) {
        let target = to.join(entry.file_name().unwrap());
        if entry.is_dir() {
            fs::create_dir(&target).unwrap();
            copy(&entry, &target);
        } else {
            fs::copy(&entry, &target).unwrap();
        }
    }
}

/// What came of one run under `strace`.
#[derive(Debug)]
struct Traced {
    said: Said,
    log: String,
    /// The fault hit a call.
    hit: bool,
}

/// Runs the cycle under `strace` with these options.
fn traced(options: &[String], dir: &Path) -> Traced {
    let log = dir.join("strace.log");
    let mut command = Command::new("strace");
    command
        .args(["-f", "-y", "-qq", "-s", "0", "-o"])
        .arg(&log)
        .args(["-e", "signal=none", "-e", &format!("trace={CALLS}")])
        .args(options)
        .arg(std::env::current_exe().unwrap())
        .args([CHILD, "cycle", dir.to_str().unwrap()])
        // What is injected is also what some threads complain about.
        .stderr(Stdio::null());
    let (lines, status) = Program::run(command).gone();
    let mut said = Said::default();
    said.add(&lines);
    let log = String::from_utf8_lossy(&fs::read(&log).unwrap()).into_owned();
    // `strace` ends as the process did.
    let hit = status.signal() == Some(SIGKILL) || log.contains("(INJECTED)");
    Traced { said, log, hit }
}

fn record(template: &Template, dir: &Path) -> Vec<Recorded> {
    template.copy(dir);
    let Traced { said, log, .. } = traced(&[], dir);
    assert!(said.acknowledged.len() > 3, "the cycle ran: {said:?}");
    let recorded: Vec<_> = log.lines().filter_map(|line| parse(line, dir)).collect();
    for kind in KINDS {
        let of_kind = recorded.iter().find(|it| kind.contains(&it.call.as_str()));
        assert!(of_kind.is_some(), "no {kind:?} in\n{log}");
    }
    recorded
}

/// `1234 write(5</place/journal/…>, ""..., 80) = 80`: the call and the first file of ours in it.
fn parse(line: &str, dir: &Path) -> Option<Recorded> {
    let (_, rest) = line.split_once(' ')?;
    let (call, args) = rest.trim_start().split_once('(')?;
    let of_ours = args.split(['"', '<', '>']).find_map(|part| {
        let file = Path::new(part).strip_prefix(dir).ok()?;
        (file != Path::new("") && file != Path::new("strace.log")).then(|| file.to_owned())
    })?;
    Some(Recorded {
        call: call.to_owned(),
        file: of_ours,
        reads: call.starts_with("open") && args.contains("O_RDONLY"),
    })
}

fn plan(recorded: &[Recorded]) -> Vec<Fault> {
    let mut counts: BTreeMap<(&str, &Path), usize> = BTreeMap::new();
    let mut faults = Vec::new();
    for one in recorded {
        let when = counts.entry((&one.call, &one.file)).or_default();
        *when += 1;
        let instead = match one.reads {
            // Readers come by as often as they like.
            true if *when > OFTEN => continue,
            // A process that dies before it reads leaves what the call before left.
            true => &INSTEAD[..1],
            false => &INSTEAD,
        };
        faults.extend(instead.iter().map(|instead| Fault {
            call: one.call.clone(),
            file: one.file.clone(),
            when: *when,
            instead,
        }));
    }
    faults
}

/// Runs the cycle with one fault, then checks. Gives the fault back if it hit.
fn play(fault: &Fault, template: &Template, place: &Place) -> Option<Fault> {
    template.copy(place.path());
    let Fault {
        call,
        file,
        when,
        instead,
    } = fault;
    let options = [
        "-P".to_owned(),
        place.path().join(file).to_str().unwrap().to_owned(),
        "-e".to_owned(),
        format!("inject={call}:{instead}:when={when}"),
    ];
    let traced = traced(&options, place.path());
    let mut said = traced.said;
    said.add(&template.lines);
    check::verified(place.path());
    check::last_run(place::small_trail(place.path()));
    let (trails, _) = check::journal_holds(place.path(), &said);
    let delivered = found::file(&place::file(place.path()));
    check::same("the file", &trails, &delivered);
    traced.hit.then(|| fault.clone())
}
