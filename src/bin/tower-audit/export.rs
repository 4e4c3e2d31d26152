//! `tower-audit export`.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use clap::Args as ClapArgs;
use tower_audit::{
    Audit, Outcome,
    export::{Columns, ColumnsError, Export, ExportFormat, ExportFormatError, Manifest},
    store::{Query, Store},
};

use crate::{
    exit::{End, Failure},
    filter::{Filter, Otherwise},
    output::{Meter, Output},
    recording::{self, RecordArgs},
    target::{Target, beside},
    verify::open,
};

pub(crate) const HELP: &str = "\
Examples:
  tower-audit export --store sqlite://audit.db --all -o audit.jsonl
  tower-audit export --store sqlite://audit.db --from 30d --actor 146 -o 146.csv
  tower-audit export --store sqlite://audit.db --columns 'id,timestamp=Time,actor_id' -o a.csv
  tower-audit export --store sqlite://audit.db --columns duplistatus -o old.csv
  tower-audit export --store sqlite://audit.db --all --format jsonl | zstd > audit.jsonl.zst
  tower-audit export --store sqlite://audit.db --all -o a.jsonl --record /var/lib/docs/audit

Everything that matches and had arrived when the export began, newest first; there is no cap.
Without --from and --all, the last 7 days. Without --format, the file's ending says the format.
A file has its name only when it is whole; until then it is FILE.partial. JSON and JSON Lines end
with a manifest: what was asked for, how many records there are, and that this is all. That of a CSV
is FILE.manifest.json, or on standard error. An export without a manifest broke off.
It leaves a record (audit.export), also when it breaks off, only with --record.
docs/export.md has the formats, the columns and how to undo the apostrophe before formulas.
Exit codes: 0 all of it is there, 1 it is, but some records are not what was delivered,
2 it broke off, and no file has the name; also when nobody read standard output to its end.";

#[derive(Debug, ClapArgs)]
pub(crate) struct ExportArgs {
    /// The store to read, such as sqlite://audit.db
    #[arg(long, value_name = "URL")]
    pub(crate) store: String,
    /// How it is written: csv, json or jsonl
    #[arg(long, value_name = "FORMAT", value_parser = format)]
    pub(crate) format: Option<ExportFormat>,
    /// The columns of a CSV: id,actor_id=User, or default, all, duplistatus
    #[arg(long, value_name = "COLUMNS", value_parser = columns)]
    pub(crate) columns: Option<Columns>,
    /// The file to write, or replace; without it, or with -, standard output
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Write the manifest into this file, too
    #[arg(long, value_name = "FILE")]
    pub(crate) manifest: Option<PathBuf>,
    /// Print the manifest as one line of JSON when all is done
    #[arg(long, requires = "output")]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) filter: Filter,
    #[command(flatten)]
    pub(crate) record: RecordArgs,
}

/// Up to so many records are counted, so that the meter knows the end.
const MAX_COUNTED: u64 = 1_000_000;

pub(crate) async fn run(args: &ExportArgs, output: &mut Output) -> Result<End, Failure> {
    let file = args
        .output
        .as_deref()
        .filter(|path| *path != Path::new("-"));
    let format = chosen(args.format, file)?;
    if args.columns.is_some() && format != ExportFormat::Csv {
        return Err(Failure::said(format!(
            "--columns is for csv; {format} has whole records"
        )));
    }
    if let (Some(file), Some(manifest)) = (file, args.manifest.as_deref())
        && in_the_way(file, manifest)
    {
        return Err(Failure::said(format!(
            "--manifest {} would be written over the export: take another name",
            manifest.display()
        )));
    }
    let query = args.filter.query(Otherwise::Week)?;
    let columns = args.columns.clone().unwrap_or_default();
    let store = open(&args.store).await?;
    let export = Export::begin(store.clone(), query.clone(), format, columns);
    let mut export = export.await.map_err(Failure::of)?;
    let recording = args.record.begin().await?;
    let total = Total::of(&store, query, output).await;
    let (manifest, outcome) = written(args, file, &mut export, &total, output).await;
    let end = manifest.and_then(|manifest| {
        if args.filter.is_default_range() {
            output.note("the last 7 days; --from or --all for more");
        }
        told(&manifest, output)
    });
    let Some(recording) = recording else {
        return end;
    };
    let manifest = export.manifest();
    let record = |audit: &Audit, by| audit.record_export(by, &manifest, outcome);
    recording::both(end, recording.end(record).await)
}

/// Writes the export where it was asked for, and says how that ended.
async fn written(
    args: &ExportArgs,
    file: Option<&Path>,
    export: &mut Export,
    total: &Total,
    output: &mut Output,
) -> (Result<Manifest, Failure>, Outcome) {
    if let Some(path) = file {
        let work = to_file(args, path, export, total, output);
        let (done, outcome) = recording::to_its_end(work).await;
        let done = match outcome {
            Outcome::Cancelled => done.map_err(|failure| failure.and(&not_written(path))),
            // It names the file itself.
            _ => done,
        };
        return (done, outcome);
    }
    let work = to_stdout(args, export, output);
    let (done, outcome) = if args.record.is_wanted() {
        recording::to_its_end(work).await
    } else {
        // A signal ends it at once, also while nobody takes what it writes.
        (work.await, Outcome::Success)
    };
    (done.map_err(Failure::broken_off), outcome)
}

/// The format that was asked for, else that of the file's ending.
fn chosen(asked: Option<ExportFormat>, file: Option<&Path>) -> Result<ExportFormat, Failure> {
    let ending = file
        .and_then(Path::extension)
        .and_then(|ending| ending.to_str());
    match (asked, file, ending.map(str::parse)) {
        (Some(format), ..) | (None, _, Some(Ok(format))) => Ok(format),
        (None, None, _) => Ok(ExportFormat::JsonLines),
        (None, Some(path), _) => Err(Failure::said(format!(
            "{} does not end in .csv, .json or .jsonl: say the format with --format",
            path.display()
        ))),
    }
}

fn not_written(path: &Path) -> String {
    format!("; {} was not written", path.display())
}

async fn to_file(
    args: &ExportArgs,
    path: &Path,
    export: &mut Export,
    total: &Total,
    output: &mut Output,
) -> Result<Manifest, Failure> {
    let mut target = Target::create(path)?;
    {
        let meter = output.meter("exporting");
        let of_store = |error| Failure::of(error).and(&not_written(path));
        while let Some(piece) = export.next().await.map_err(of_store)? {
            target.write(&piece)?;
            total.tell(export, &meter);
        }
    }
    let manifest = export.manifest();
    target.sync()?;
    let beside = (manifest.columns.is_some() && args.manifest.is_none())
        .then(|| beside(path, ".manifest.json"));
    let place = args.manifest.as_deref().or(beside.as_deref());
    if let Some(place) = place {
        // The manifest of another export must not stand beside this one, for no moment.
        match fs::remove_file(place) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(Failure::new(
                    format!("cannot replace {}", place.display()),
                    error,
                ));
            }
            _ => {}
        }
    }
    target.finish()?;
    if let Some(place) = place {
        write_manifest(&manifest, place)?;
    }
    if args.json {
        output.json(&manifest)?;
    }
    Ok(manifest)
}

async fn to_stdout(
    args: &ExportArgs,
    export: &mut Export,
    output: &mut Output,
) -> Result<Manifest, Failure> {
    while let Some(piece) = export.next().await.map_err(Failure::of)? {
        output.bytes(&piece)?;
    }
    output.flush()?;
    let manifest = export.manifest();
    match &args.manifest {
        Some(path) => write_manifest(&manifest, path)?,
        None if manifest.columns.is_some() => output.aside(&text(&manifest)?),
        None => {}
    }
    Ok(manifest)
}

/// Whether one of two files would be written over the other, or over what it is until it is whole.
fn in_the_way(file: &Path, manifest: &Path) -> bool {
    let both = |path: &Path| [path.to_owned(), beside(path, ".partial")].map(|path| named(&path));
    let ours = both(file);
    both(manifest).iter().any(|name| ours.contains(name))
}

/// The same for each way to write the name of one file. Not through a link at its end: a file takes
/// the place of that.
fn named(path: &Path) -> PathBuf {
    let folder = path.parent().filter(|path| !path.as_os_str().is_empty());
    let folder = folder.unwrap_or_else(|| Path::new("."));
    let folder = fs::canonicalize(folder).unwrap_or_else(|_| folder.to_owned());
    path.file_name()
        .map_or_else(|| folder.clone(), |name| folder.join(name))
}

fn write_manifest(manifest: &Manifest, path: &Path) -> Result<(), Failure> {
    let mut target = Target::create(path)?;
    target.write(text(manifest)?.as_bytes())?;
    target.write(b"\n")?;
    target.finish()
}

fn text(manifest: &Manifest) -> Result<String, Failure> {
    serde_json::to_string(manifest).map_err(Failure::of)
}

fn told(manifest: &Manifest, output: &mut Output) -> Result<End, Failure> {
    output.note(&format!("{} records, all that matched", manifest.records));
    if manifest.altered == 0 {
        return Ok(End::Good);
    }
    output.note(&format!(
        "{} of them are not what was delivered: see tower-audit verify --store",
        manifest.altered
    ));
    Ok(End::Wrong)
}

/// How many records there will be, if that could be counted.
struct Total(Option<u64>);

impl Total {
    async fn of(store: &Store, query: Query, output: &Output) -> Self {
        if !output.has_meter() {
            return Self(None);
        }
        // Only for show: an export whose records take too long to count goes on without.
        let count = store.count(&query, MAX_COUNTED).await.ok();
        Self(
            count
                .filter(|count| count.is_exact)
                .map(|count| count.records),
        )
    }

    fn tell(&self, export: &Export, meter: &Meter) {
        let records = export.records();
        match (self.0, export.searched_until()) {
            (Some(total), _) => meter.tell(records, total),
            (None, Some(until)) => {
                meter.say(records, &format!("{records} records, back to {until}"))
            }
            (None, None) => {}
        }
    }
}

fn format(word: &str) -> Result<ExportFormat, ExportFormatError> {
    word.parse()
}

fn columns(list: &str) -> Result<Columns, ColumnsError> {
    list.parse()
}
