//! A configuration file, in TOML: the builder's settings, word by word.

use std::{fs, io::Read as _, path::Path, time::Duration};

use toml::de::DeTable;

use super::{Entry, StartError, wrong};
use crate::{
    address::units,
    audit::builder::{AuditBuilder, OnDamage},
    delivery::StartAt,
    policy::{
        Policy, PolicyError,
        file::{
            from_table,
            read::{Key, Read, Value, Wrong, place, table, tables, text, word},
        },
    },
};

/// What a file may have at most.
const MAX_BYTES: u64 = 1024 * 1024;

/// The keys of a file.
pub(super) const KEYS: [&str; 17] = [
    "service",
    "instance",
    "dir",
    "sink",
    "policy",
    "on_damage",
    "commit_timeout",
    "buffered_delay",
    "queue_limit",
    "memory_limit",
    "segment_bytes",
    "reserve_bytes",
    "keep_delivered",
    "keep_undelivered",
    "adopt_every",
    "tidy_every",
    "verify_every",
];

/// The keys of one sink.
pub(super) const SINK: [&str; 5] = ["name", "url", "from", "call_timeout", "dead_letter_bytes"];

const KEEP: [&str; 2] = ["age", "bytes"];

/// Why a file cannot be used.
enum Fault {
    Wrong(Wrong),
    Policy(PolicyError),
}

impl From<Wrong> for Fault {
    fn from(wrong: Wrong) -> Self {
        Self::Wrong(wrong)
    }
}

/// The builder with all that a file says, and the file's sinks.
pub(super) fn apply(
    builder: AuditBuilder,
    setting: &'static str,
    path: &Path,
) -> Result<(AuditBuilder, Vec<Entry>), StartError> {
    let shown = path.display();
    let content = read(path).map_err(|what| wrong(setting, format!("{shown}: {what}")))?;
    let placed = |mut error: PolicyError| {
        error.file.get_or_insert_with(|| path.to_owned());
        let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}"));
        wrong(setting, format!("{error}{}", cause.unwrap_or_default()))
    };
    let root = DeTable::parse(&content);
    let root = root.map_err(|error| placed(syntax(&error).place(&content)))?;
    let mut sheet = Sheet {
        text: &content,
        setting,
        path,
        builder,
        sinks: Vec::new(),
    };
    for (key, value) in root.get_ref() {
        sheet = sheet.take(key, value).map_err(|fault| match fault {
            Fault::Wrong(wrong) => placed(wrong.place(&content)),
            Fault::Policy(error) => placed(error),
        })?;
    }
    Ok((sheet.builder, sheet.sinks))
}

/// Without what the parser quotes: on a line that is no TOML there may be an address.
fn syntax(error: &toml::de::Error) -> Wrong {
    Wrong {
        at: error.span().map_or(0, |span| span.start),
        key: None,
        reason: "this is no TOML; texts stand in quotes, as in dir = \"/var/lib/docs/audit\""
            .into(),
    }
}

fn read(path: &Path) -> Result<String, String> {
    let mut content = String::new();
    let file = fs::File::open(path).map_err(|error| error.to_string())?;
    let read = file.take(MAX_BYTES + 1).read_to_string(&mut content);
    read.map_err(|error| error.to_string())?;
    if content.len() as u64 > MAX_BYTES {
        return Err("it is longer than 1 MiB".to_owned());
    }
    Ok(content)
}

/// A file, half read.
struct Sheet<'a> {
    text: &'a str,
    setting: &'static str,
    path: &'a Path,
    builder: AuditBuilder,
    sinks: Vec<Entry>,
}

impl Sheet<'_> {
    fn take(mut self, key: &Key<'_>, value: &Value<'_>) -> Result<Self, Fault> {
        let name = key.get_ref().as_ref();
        let builder = self.builder;
        self.builder = match name {
            "service" => called(builder, filled(value, name)?),
            "instance" => builder.instance(filled(value, name)?),
            "dir" => builder.dir(filled(value, name)?),
            "sink" => {
                self.builder = builder;
                return self.sinks(value);
            }
            "policy" => builder.policy(policy(value, self.text)?),
            "on_damage" => builder.on_damage(word(
                value,
                name,
                &[
                    ("new_trail", OnDamage::NewTrail),
                    ("refuse", OnDamage::Refuse),
                ],
            )?),
            _ => limit(builder, key, value)?,
        };
        Ok(self)
    }

    fn sinks(mut self, value: &Value<'_>) -> Result<Self, Fault> {
        for value in tables(value, "sink")? {
            let entry = self.sink(value)?;
            if self.sinks.iter().any(|other| other.name == entry.name) {
                let reason = format!(
                    "two sinks are named {}; give each a name of its own",
                    entry.name
                );
                return Err(Wrong::new(value, "sink.name", reason).into());
            }
            self.sinks.push(entry);
        }
        Ok(self)
    }

    fn sink(&self, value: &Value<'_>) -> Read<Entry> {
        let table = table(value, "sink")?;
        let Some(url) = table.get("url") else {
            let reason = "a sink needs an address, such as url = \"sqlite://audit.db\"";
            return Err(Wrong::new(value, "sink.url", reason));
        };
        let address = filled(url, "sink.url")?.to_owned();
        let (line, _) = place(self.text, url.span().start);
        let mut entry = Entry::new(
            address
                .split("://")
                .next()
                .unwrap_or_default()
                .replace('+', "-"),
            address,
            self.setting,
            format!("{}:{line}: sink.url", self.path.display()),
        );
        for (key, value) in table {
            match key.get_ref().as_ref() {
                "url" => {}
                "name" => entry.name = filled(value, "sink.name")?.to_owned(),
                "from" => {
                    let words = [("now", StartAt::Now), ("oldest", StartAt::Oldest)];
                    entry.start_at = Some(word(value, "sink.from", &words)?);
                }
                "call_timeout" => entry.call_timeout = Some(time(value, "sink.call_timeout")?),
                "dead_letter_bytes" => {
                    entry.dead_letter_bytes = Some(size(value, "sink.dead_letter_bytes")?);
                }
                _ => return Err(Wrong::unknown(key, "sink.", &SINK)),
            }
        }
        if entry.name.is_empty() || entry.name.len() > 64 {
            let reason = "a sink needs a name of 1 to 64 characters: it names the cursor too";
            return Err(Wrong::new(value, "sink.name", reason));
        }
        Ok(entry)
    }
}

fn called(mut builder: AuditBuilder, service: &str) -> AuditBuilder {
    builder.service.name = service.into();
    builder
}

fn limit(builder: AuditBuilder, key: &Key<'_>, value: &Value<'_>) -> Read<AuditBuilder> {
    let name = key.get_ref().as_ref();
    Ok(match name {
        "commit_timeout" => builder.commit_timeout(time(value, name)?),
        "buffered_delay" => builder.buffered_delay(time(value, name)?),
        "queue_limit" => builder.queue_limit(memory(value, name)?),
        "memory_limit" => builder.memory_limit(memory(value, name)?),
        "segment_bytes" => builder.segment_bytes(size(value, name)?),
        "reserve_bytes" => builder.reserve_bytes(size(value, name)?),
        "keep_delivered" => keep(builder, value)?,
        "keep_undelivered" => builder.keep_undelivered(size(value, name)?),
        "adopt_every" => builder.adopt_every(time(value, name)?),
        "tidy_every" => builder.tidy_every(time(value, name)?),
        "verify_every" => builder.verify_every(time(value, name)?),
        _ => return Err(Wrong::unknown(key, "", &KEYS)),
    })
}

fn keep(builder: AuditBuilder, value: &Value<'_>) -> Read<AuditBuilder> {
    let table = table(value, "keep_delivered")?;
    let (mut age, mut bytes) = (builder.keep.delivered_age, builder.keep.delivered_bytes);
    for (key, value) in table {
        match key.get_ref().as_ref() {
            "age" => age = time(value, "keep_delivered.age")?,
            "bytes" => bytes = size(value, "keep_delivered.bytes")?,
            _ => return Err(Wrong::unknown(key, "keep_delivered.", &KEEP)),
        }
    }
    Ok(builder.keep_delivered(age, bytes))
}

/// A policy of its own file, or one that stands here.
fn policy(value: &Value<'_>, content: &str) -> Result<Policy, Fault> {
    match value.get_ref().as_table() {
        Some(table) => from_table(table, content).map_err(Fault::Policy),
        None => Policy::from_toml_file(filled(value, "policy")?).map_err(Fault::Policy),
    }
}

fn filled<'a>(value: &'a Value<'_>, key: &str) -> Read<&'a str> {
    let text = text(value, key)?;
    if text.trim().is_empty() {
        let reason = "it is empty; give it a value, or remove the key";
        return Err(Wrong::new(value, key, reason));
    }
    Ok(text)
}

fn time(value: &Value<'_>, key: &str) -> Read<Duration> {
    units::age(text(value, key)?).ok_or_else(|| Wrong::new(value, key, units::AGE))
}

/// A number of bytes, or a text with a unit.
fn size(value: &Value<'_>, key: &str) -> Read<u64> {
    let size = match value.get_ref().as_integer() {
        Some(number) => u64::from_str_radix(number.as_str(), number.radix()).ok(),
        None => units::size(text(value, key)?),
    };
    size.ok_or_else(|| Wrong::new(value, key, units::SIZE))
}

fn memory(value: &Value<'_>, key: &str) -> Read<usize> {
    let size = size(value, key)?;
    usize::try_from(size).map_err(|error| Wrong::new(value, key, error.to_string()))
}
