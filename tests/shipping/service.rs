//! The service that ships: a child that is killed once on the way.

use std::{io::Read as _, path::Path, process::ExitCode, time::Duration};

use tower_audit::{
    Actor, Audit, Record, Rejected, SinkOptions, Target,
    sink::{FileSink, url},
};

use crate::cases::say;

/// Records between two lines that say how far it has come.
pub(crate) const STEP: u64 = 1000;

/// How long one call of the sink may take: a receiver that hangs shows soon.
const CALL: Duration = Duration::from_secs(5);

/// How long the last records may take to arrive.
const PATIENCE: Duration = Duration::from_secs(300);

/// The file that gets everything beside the sink that is tested.
pub(crate) fn control_file(dir: &Path) -> std::path::PathBuf {
    dir.join("control.jsonl")
}

/// `DIR URL FROM TO`: records these numbers, says how far it has come, and waits for the end of its
/// input; then delivers everything and says what became of it.
pub(crate) fn main(args: &[&str]) -> ExitCode {
    let [dir, address, from, to] = args else {
        panic!("a service knows no {args:?}");
    };
    let (dir, numbers) = (Path::new(dir), from.parse().unwrap()..to.parse().unwrap());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let options = SinkOptions::new().call_timeout(CALL);
        let control = FileSink::builder(control_file(dir)).build().unwrap();
        let audit = Audit::builder("shipping")
            .dir(dir.join("journal"))
            .sink_with("far", url::parse(address).unwrap(), options)
            .sink("control", control)
            .start()
            .await
            .unwrap();
        emit(&audit, numbers).await;
        say(&format!("all {}", waiting(&audit)));
        let input = tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new()));
        let _ = input.await;
        // A shutdown makes one try at once; a sink that is blocked would wait for a minute.
        let report = audit.shutdown(PATIENCE).await;
        say(&format!("report {report}"));
        say(&format!(
            "stats {}",
            serde_json::to_string(&audit.stats()).unwrap()
        ));
        match report.in_order {
            true => ExitCode::SUCCESS,
            false => ExitCode::FAILURE,
        }
    })
}

/// Records that the sink has not got.
fn waiting(audit: &Audit) -> u64 {
    let sinks = audit.sinks().list();
    let far = sinks.iter().find(|sink| sink.name == "far");
    far.map_or(0, |sink| sink.pending)
}

/// Records that are durable when a line says so.
async fn emit(audit: &Audit, numbers: std::ops::Range<u64>) {
    for number in numbers {
        while let Err(Rejected::Full) = audit.record(record(number)) {
            audit.flush().await.unwrap();
        }
        if (number + 1) % STEP == 0 {
            audit.flush().await.unwrap();
            say(&format!("at {}", number + 1));
        }
    }
    audit.flush().await.unwrap();
}

fn record(number: u64) -> Record {
    Record::new("document.update")
        .actor(Actor::user("146").name("Flapjack Toasty"))
        .target(Target::new("document", format!("doc-{}", number % 1000)))
        .detail("n", number)
        .detail("workspace", "Secret Plans")
}
