//! The one spelling of a line, and what happens to any other.

use super::*;

const JSON: &str = r#"{"id":"x","details":{"text":"a\u0000b, \"}\" ü"}}"#;

fn record_line(number: u64, closes: Option<Uuid>) -> Vec<u8> {
    let mut out = Vec::new();
    let prepared = Prepared::new(JSON, closes);
    prepared.write(number, &mut out);
    assert!(out.len() <= prepared.len());
    assert_eq!(out.pop(), Some(b'\n'));
    out
}

fn controls() -> Vec<Control> {
    let head = TreeHead::new(3, leaf_hash(b"r"));
    let commit = Commit {
        head,
        group: 2,
        time: Timestamp::from_micros(1_700_000_000_000_001),
    };
    vec![
        Control::Head(Box::new(Head {
            format: FORMAT,
            trail: Uuid::from_u128(7),
            service: "docs".into(),
            instance: Some("web-1".into()),
            generation: 4,
            start: 3,
            frontier: vec![leaf_hash(b"a"), leaf_hash(b"b")],
            open: vec![Uuid::from_u128(9)],
            time: commit.time,
        })),
        Control::Open(Intent {
            id: Uuid::from_u128(9),
            record: RawValue::from_string(JSON.into()).unwrap(),
        }),
        Control::Commit(commit),
        Control::Checkpoint(Checkpoint {
            note: "o\n3\nx=\n\n— o sig\n".into(),
        }),
        Control::End(commit),
    ]
}

#[test]
fn a_record_line_reads_back_with_its_exact_bytes() {
    for (number, closes) in [(0, None), (41, None), (u64::MAX, Some(Uuid::from_u128(5)))] {
        let bytes = record_line(number, closes);
        let Ok(Line::Record(line)) = decode(&bytes) else {
            panic!("{number}")
        };
        assert_eq!(
            line,
            RecordLine {
                number,
                leaf: leaf_hash(JSON.as_bytes()),
                closes,
                json: JSON
            }
        );
    }
}

#[test]
fn every_control_line_reads_back() {
    for control in controls() {
        let mut bytes = Vec::new();
        control.write(&mut bytes);
        let text = String::from_utf8(bytes.clone()).unwrap();
        assert_eq!(bytes.pop(), Some(b'\n'));
        let Ok(Line::Control(again)) = decode(&bytes) else {
            panic!("{text}")
        };
        assert_eq!(format!("{again:?}"), format!("{control:?}"));
    }
}

// Trap J11, J6: there is no byte of a line that can change unseen.
#[test]
fn a_flipped_byte_is_an_error_or_another_number() {
    let mut lines: Vec<Vec<u8>> = vec![record_line(41, Some(Uuid::from_u128(5)))];
    for control in controls() {
        let mut bytes = Vec::new();
        control.write(&mut bytes);
        bytes.pop();
        lines.push(bytes);
    }
    for line in lines {
        for at in 0..line.len() {
            for bit in [1, 2, 4, 32, 128] {
                let mut bad = line.clone();
                bad[at] ^= bit;
                match decode(&bad) {
                    Err(_) => {}
                    // The number and the settled intent are held by the lines around.
                    Ok(Line::Record(line)) => {
                        assert!(
                            line.number != 41 || line.closes != Some(Uuid::from_u128(5)),
                            "{at}"
                        );
                    }
                    Ok(Line::Control(control)) => panic!("{at}: {control:?}"),
                }
            }
        }
    }
}

#[test]
fn a_newer_format_is_named() {
    let mut bytes = Vec::new();
    let Some(Control::Head(mut head)) = controls().into_iter().next() else {
        panic!()
    };
    head.format = 9;
    Control::Head(head).write(&mut bytes);
    bytes.pop();
    assert!(matches!(decode(&bytes), Err(LineError::Newer(9))));
}

proptest::proptest! {
    #[test]
    fn foreign_bytes_never_panic(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..300)) {
        let _ = decode(&bytes);
        let mut framed = b"{\"n\":1,\"h\":\"".to_vec();
        framed.extend(&bytes);
        let _ = decode(&framed);
    }
}
