//! What `docs/viewer.md` promises of the style sheet and the script.

use super::super::{CSS, JS};

/// The colours of a scheme by name: the first is light, the second dark.
fn schemes() -> Vec<Vec<(&'static str, &'static str)>> {
    let blocks = CSS.split(":root {").skip(1).take(2);
    let colours = |block: &'static str| {
        let (block, _) = block.split_once('}').unwrap();
        let lines = block.split(';').filter_map(|line| line.split_once(": #"));
        lines
            .map(|(name, colour)| (name.trim().trim_start_matches("--"), colour.trim()))
            .collect()
    };
    blocks.map(colours).collect()
}

/// The relative luminance of WCAG 2.
fn luminance(colour: &str) -> f64 {
    let digits: String = match colour.len() {
        3 => colour.chars().flat_map(|digit| [digit, digit]).collect(),
        _ => colour.to_owned(),
    };
    let part = |at: usize| {
        let value = f64::from(u8::from_str_radix(&digits[at..at + 2], 16).unwrap()) / 255.0;
        if value <= 0.03928 {
            value / 12.92
        } else {
            ((value + 0.055) / 1.055).powf(2.4)
        }
    };
    0.2126 * part(0) + 0.7152 * part(2) + 0.0722 * part(4)
}

fn contrast(one: &str, other: &str) -> f64 {
    let (one, other) = (luminance(one), luminance(other));
    (one.max(other) + 0.05) / (one.min(other) + 0.05)
}

#[test]
fn text_and_marks_stand_out_from_what_is_behind_them_in_light_and_in_dark() {
    let text = [
        "text",
        "muted",
        "accent",
        "success",
        "failure",
        "denied",
        "error",
        "cancelled",
        "unknown",
    ];
    let behind = [
        "surface",
        "canvas",
        "raised",
        "hover",
        "accent-soft",
        "before",
        "after",
    ];
    let drawn = [
        "line-strong",
        "bar-success",
        "bar-failure",
        "bar-denied",
        "bar-error",
        "bar-cancelled",
        "bar-unknown",
    ];
    let schemes = schemes();
    assert_eq!(schemes.len(), 2);
    for scheme in schemes {
        let of = |name: &str| scheme.iter().find(|(other, _)| *other == name).unwrap().1;
        for name in text {
            for ground in behind {
                let found = contrast(of(name), of(ground));
                assert!(found >= 4.5, "{name} on {ground}: {found:.2}");
            }
        }
        assert!(contrast(of("on-accent"), of("accent")) >= 4.5);
        for name in drawn {
            let found = contrast(of(name), of("surface"));
            assert!(found >= 3.0, "{name}: {found:.2}");
        }
    }
}

#[test]
fn nothing_is_loaded_from_elsewhere_and_the_script_is_small_and_evaluates_nothing() {
    for text in [CSS, JS] {
        assert!(!text.contains("://") && !text.contains("@import"));
    }
    assert!(!CSS.contains("url("));
    assert!(JS.len() < 9 * 1024, "{}", JS.len());
    assert!(!JS.contains("eval(") && !JS.contains("new Function"));
}
