//! JSON and JSON Lines: the stored texts themselves, one a line.

use serde::Serialize;
use serde_json::{Value, value::RawValue};

use super::Manifest;
use crate::store::Stored;

/// A text in the database that is no JSON object, so that nobody mistakes it for a record.
#[derive(Serialize)]
struct Unreadable<'a> {
    id: String,
    unreadable: &'a str,
}

/// The manifest, as the last line of either form has it.
#[derive(Serialize)]
struct Last<'a> {
    manifest: &'a Manifest,
}

/// One record on one line, without the end of the line: exactly its stored text. A text that is no
/// JSON object, which no sink writes, stands in the field `unreadable` of one.
pub(super) fn record(stored: &Stored, out: &mut Vec<u8>) -> serde_json::Result<()> {
    // A broken text must not open or close anything of the document around it.
    let is_object = stored.json.trim_ascii_start().starts_with('{')
        && serde_json::from_str::<&RawValue>(&stored.json).is_ok();
    if !is_object {
        let id = stored.id.to_string();
        let unreadable = &*stored.json;
        return serde_json::to_writer(out, &Unreadable { id, unreadable });
    }
    // JSON may have line breaks between its parts; ours never does.
    out.extend(stored.json.bytes().map(|byte| match byte {
        b'\n' | b'\r' => b' ',
        other => other,
    }));
    Ok(())
}

/// `{"manifest":{…}}`.
pub(super) fn last_line(manifest: &Manifest, out: &mut Vec<u8>) -> serde_json::Result<()> {
    serde_json::to_writer(&mut *out, &Last { manifest })?;
    out.push(b'\n');
    Ok(())
}

/// `"manifest":{…}}`, which ends the whole object.
pub(super) fn last_field(manifest: &Manifest, out: &mut Vec<u8>) -> serde_json::Result<()> {
    serde_json::to_writer(&mut *out, &Value::from("manifest"))?;
    out.push(b':');
    serde_json::to_writer(&mut *out, manifest)?;
    out.extend(b"}\n");
    Ok(())
}
