//! One line of the file: which record it is, its proof, and the record in the file's format.

use uuid::Uuid;

use crate::{
    format::{Event, Format},
    sink::Delivery,
};

/// Appends the line of a record.
pub(super) fn write(out: &mut Vec<u8>, format: Format, trail: &Uuid, record: &Delivery) {
    let event = Event {
        trail,
        number: record.number,
        leaf: &record.leaf,
        json: &record.json,
    };
    format.write(out, &event);
    out.push(b'\n');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::leaf_hash;

    #[test]
    fn a_line_is_as_documented_and_holds_the_exact_bytes() {
        let json = r#"{"id":"x","details":{"a":[1,"\u0000"]}}"#;
        let leaf = leaf_hash(json.as_bytes());
        let record = Delivery::new(41, leaf, json);
        let mut line = Vec::new();
        write(&mut line, Format::Native, &Uuid::from_u128(7), &record);
        let trail = "00000000-0000-0000-0000-000000000007";
        let expected = format!(r#"{{"trail":"{trail}","n":41,"h":"{leaf}","record":{json}}}"#);
        assert_eq!(String::from_utf8(line).unwrap(), format!("{expected}\n"));
    }
}
