//! `tower-audit migrate`.

use tower_audit::sink::tables::{self, MigrateError, Migrated};

use crate::{
    args::MigrateArgs,
    exit::{End, Failure},
    output::Output,
};

pub(crate) async fn run(args: &MigrateArgs, output: &mut Output) -> Result<End, Failure> {
    let migrated = tables::migrate(&args.url, args.service_role.as_deref()).await;
    let migrated = migrated.map_err(|error: MigrateError| Failure::of(error))?;
    output.line(&first_line(&migrated))?;
    for done in &migrated.done {
        output.line(done)?;
    }
    Ok(End::Good)
}

fn first_line(migrated: &Migrated) -> String {
    let Migrated {
        address,
        before,
        now,
        ..
    } = migrated;
    match before {
        Some(before) if before == now => format!("{address}: format {now}, up to date"),
        Some(before) => format!("{address}: format {now}, was {before}"),
        None => format!("{address}: format {now}, made"),
    }
}
