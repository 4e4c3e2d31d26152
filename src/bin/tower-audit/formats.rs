//! `tower-audit formats`.

use serde::Serialize;
use tower_audit::format::{Format, Mapped};

use crate::{
    args::FormatsArgs,
    exit::{End, Failure},
    output::Output,
};

pub(crate) fn run(args: &FormatsArgs, output: &mut Output) -> Result<End, Failure> {
    match args.explain {
        None => list(args.json, output)?,
        Some(Some(format)) => explain(format, args.json, output)?,
        Some(None) => {
            for format in Format::ALL {
                explain(format, args.json, output)?;
            }
        }
    }
    Ok(End::Good)
}

#[derive(Serialize)]
struct Listed {
    format: &'static str,
    description: &'static str,
}

fn list(is_json: bool, output: &mut Output) -> Result<(), Failure> {
    for format in Format::ALL {
        let listed = Listed {
            format: format.name(),
            description: format.description(),
        };
        if is_json {
            output.json(&listed)?;
        } else {
            output.line(&format!("{:<8}{}", listed.format, listed.description))?;
        }
    }
    Ok(())
}

#[derive(Serialize)]
struct Explained {
    format: &'static str,
    #[serde(flatten)]
    mapped: Mapped,
}

fn explain(format: Format, is_json: bool, output: &mut Output) -> Result<(), Failure> {
    let rows = format.explain();
    if is_json {
        for mapped in rows {
            let format = format.name();
            output.json(&Explained { format, mapped })?;
        }
        return Ok(());
    }
    output.line(&format!("{format}: {}", format.description()))?;
    let width = rows.iter().map(|row| row.field.len()).max().unwrap_or(0);
    for row in rows {
        output.line(&line(&row, width))?;
    }
    Ok(())
}

fn line(row: &Mapped, width: usize) -> String {
    let field = &row.field;
    let to = match (row.has_home, row.note.as_str()) {
        (true, _) => row.to.clone(),
        (false, "") => format!("no home: kept as {}", row.to),
        (false, _) => format!("kept as {}", row.to),
    };
    let note = match row.note.as_str() {
        "" => String::new(),
        note => format!(" ({note})"),
    };
    format!("  {field:<width$}  {to}{note}")
}
