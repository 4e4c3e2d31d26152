//! `tower-audit stats`.

use std::path::Path;

use tower_audit::offline::{self, SinkOverview, TrailOverview};

use crate::{
    exit::{End, Failure},
    output::{Output, clean},
};

pub(crate) fn run(dir: &Path, is_json: bool, output: &mut Output) -> Result<End, Failure> {
    let trails = offline::trails(dir).map_err(Failure::journal)?;
    for trail in &trails {
        if is_json {
            output.json(trail)?;
        } else {
            show(trail, output)?;
        }
    }
    Ok(End::Good)
}

fn show(trail: &TrailOverview, output: &mut Output) -> Result<(), Failure> {
    let name = trail
        .trail
        .map_or_else(|| "without a name".to_owned(), |trail| trail.to_string());
    let service = trail.service.as_deref().unwrap_or("nothing written yet");
    let instance = trail
        .instance
        .as_deref()
        .map(|instance| format!(" / {instance}"));
    let instance = instance.unwrap_or_default();
    output.line(&clean(&format!("trail {name}  {service}{instance}")))?;
    output.line(&format!("  {}", clean(&trail.dir.to_string_lossy())))?;
    output.line(&format!("  {}", state(trail)))?;
    output.line(&format!(
        "  records {} (numbers {} to {}), segments {}, {}",
        trail.records,
        trail.first,
        (trail.first + trail.records).saturating_sub(1),
        trail.segments,
        size(trail.bytes),
    ))?;
    if let (Some(began), Some(last)) = (trail.began, trail.committed_at) {
        output.line(&format!("  from {began} to {last}"))?;
    }
    if let Some(head) = trail.head {
        output.line(&format!("  head {}:{}", head.size, head.root))?;
    }
    for sink in &trail.sinks {
        output.line(&format!("  {}", sink_line(sink)))?;
    }
    Ok(())
}

fn state(trail: &TrailOverview) -> &'static str {
    match (trail.held, trail.ended) {
        (true, _) => "held: a process writes it",
        (false, true) => "free: ended in order",
        (false, false) => "free: its process died; the next one adopts it",
    }
}

fn sink_line(sink: &SinkOverview) -> String {
    let mut line = format!("sink {}: ", sink.name);
    match (sink.next, sink.behind) {
        (Some(next), Some(behind)) => line.push_str(&format!("wants {next}, {behind} behind")),
        _ => line.push_str("no cursor"),
    }
    if sink.dead_letters > 0 {
        line.push_str(&format!(", {} dead letters", sink.dead_letters));
    }
    if let Some(damage) = &sink.damage {
        line.push_str(&format!(", damaged: {}", clean(damage)));
    }
    line
}

/// Bytes in the unit that fits.
fn size(bytes: u64) -> String {
    const UNITS: [(u64, &str); 3] = [(30, "GiB"), (20, "MiB"), (10, "KiB")];
    match UNITS.into_iter().find(|(bits, _)| bytes >> bits > 0) {
        // In tenths, so that no float is needed.
        Some((bits, unit)) => {
            let tenths = (bytes >> (bits - 10)).saturating_mul(10) >> 10;
            format!("{}.{} {unit}", tenths / 10, tenths % 10)
        }
        None => format!("{bytes} bytes"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_cut_to_a_tenth() {
        for (bytes, expected) in [
            (0, "0 bytes"),
            (1023, "1023 bytes"),
            (1024, "1.0 KiB"),
            (1536, "1.5 KiB"),
            (10 * 1024 * 1024 - 1, "9.9 MiB"),
            (3 << 30, "3.0 GiB"),
        ] {
            assert_eq!(size(bytes), expected);
        }
    }
}
