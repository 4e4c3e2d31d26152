//! JSON as OpenTelemetry values.

use std::{borrow::Cow, fmt};

use opentelemetry_proto::tonic::common::v1::{
    AnyValue, ArrayValue, KeyValue, KeyValueList, any_value::Value,
};
use serde::de::{self, DeserializeSeed, Deserializer as _, MapAccess, SeqAccess};
use serde_json::value::RawValue;

/// Lists and maps within each other. A record of ours has at most 18; each takes three levels of
/// the message, and many receivers give up at a hundred.
const MAX_DEPTH: usize = 24;

/// The fields of a JSON object, in their order.
pub(super) type Fields<'a> = Vec<(Cow<'a, str>, Node<'a>)>;

/// A JSON value; texts are borrowed where they have no escapes.
#[derive(Debug, PartialEq)]
pub(super) enum Node<'a> {
    Null,
    Bool(bool),
    Integer(i64),
    Double(f64),
    Text(Cow<'a, str>),
    List(Vec<Self>),
    Map(Fields<'a>),
}

/// The fields of a record. What is no JSON object has none.
pub(super) fn fields(json: &str) -> Fields<'_> {
    match parse(json) {
        Some(Node::Map(fields)) => fields,
        Some(_) => Vec::new(),
        // Half a surrogate pair or a value that is nested too deeply: the fields that have one go
        // as their JSON text, the others as ever.
        None => raw_fields(json),
    }
}

fn parse(json: &str) -> Option<Node<'_>> {
    let mut deserializer = serde_json::Deserializer::from_str(json);
    let node = Depth(MAX_DEPTH).deserialize(&mut deserializer).ok()?;
    deserializer.end().ok()?;
    Some(node)
}

fn raw_fields(json: &str) -> Fields<'_> {
    let mut deserializer = serde_json::Deserializer::from_str(json);
    let fields = deserializer.deserialize_map(RawFields);
    fields.unwrap_or_default()
}

impl Node<'_> {
    /// The text, if it is one.
    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The value as it is sent.
    pub(super) fn into_value(self) -> AnyValue {
        let value = match self {
            Self::Null => None,
            Self::Bool(value) => Some(Value::BoolValue(value)),
            Self::Integer(value) => Some(Value::IntValue(value)),
            Self::Double(value) => Some(Value::DoubleValue(value)),
            Self::Text(text) => Some(Value::StringValue(text.into_owned())),
            Self::List(list) => Some(Value::ArrayValue(ArrayValue {
                values: list.into_iter().map(Node::into_value).collect(),
            })),
            Self::Map(fields) => {
                let pairs = fields.into_iter();
                let values = pairs.map(|(name, node)| pair(name, node)).collect();
                Some(Value::KvlistValue(KeyValueList { values }))
            }
        };
        AnyValue { value }
    }
}

/// A name and its value as they are sent.
pub(super) fn pair(name: impl Into<String>, node: Node<'_>) -> KeyValue {
    KeyValue {
        key: name.into(),
        value: Some(node.into_value()),
        key_strindex: 0,
    }
}

/// Reads a value in which so many lists and maps may be within each other.
#[derive(Clone, Copy)]
struct Depth(usize);

impl Depth {
    fn below<E: de::Error>(self) -> Result<Self, E> {
        match self.0.checked_sub(1) {
            Some(depth) => Ok(Self(depth)),
            None => Err(E::custom("nested too deeply")),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Depth {
    type Value = Node<'de>;

    fn deserialize<D: de::Deserializer<'de>>(self, from: D) -> Result<Node<'de>, D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> de::Visitor<'de> for Depth {
    type Value = Node<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Node<'de>, E> {
        Ok(Node::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Node<'de>, E> {
        Ok(Node::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Node<'de>, E> {
        Ok(Node::Integer(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Node<'de>, E> {
        // Digits rather than a double, which would lose the last of them.
        Ok(i64::try_from(value)
            .map_or_else(|_| Node::Text(value.to_string().into()), Node::Integer))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Node<'de>, E> {
        Ok(Node::Double(value))
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Node<'de>, E> {
        Ok(Node::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Node<'de>, E> {
        Ok(Node::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Node<'de>, A::Error> {
        let below = self.below()?;
        let mut nodes = Vec::new();
        while let Some(node) = list.next_element_seed(below)? {
            nodes.push(node);
        }
        Ok(Node::List(nodes))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node<'de>, A::Error> {
        let below = self.below()?;
        let mut fields = Vec::new();
        while let Some(name) = map.next_key_seed(Name)? {
            set(&mut fields, name, map.next_value_seed(below)?);
        }
        Ok(Node::Map(fields))
    }
}

/// Adds a field; of two with one name the last stays, as a receiver expects each name once.
fn set<'a>(fields: &mut Fields<'a>, name: Cow<'a, str>, node: Node<'a>) {
    match fields.iter_mut().find(|(other, _)| *other == name) {
        Some((_, before)) => *before = node,
        None => fields.push((name, node)),
    }
}

/// The name of a field.
struct Name;

impl<'de> DeserializeSeed<'de> for Name {
    type Value = Cow<'de, str>;

    fn deserialize<D: de::Deserializer<'de>>(self, from: D) -> Result<Self::Value, D::Error> {
        from.deserialize_str(self)
    }
}

impl<'de> de::Visitor<'de> for Name {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(text))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(text.to_owned()))
    }
}

/// The fields of an object, each read by itself.
struct RawFields;

impl<'de> de::Visitor<'de> for RawFields {
    type Value = Fields<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields<'de>, A::Error> {
        let mut fields = Vec::new();
        while let Some(name) = map.next_key_seed(Name)? {
            let raw: &'de RawValue = map.next_value()?;
            let node = parse(raw.get()).unwrap_or_else(|| Node::Text(Cow::Borrowed(raw.get())));
            set(&mut fields, name, node);
        }
        Ok(fields)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(json: &str) -> Node<'_> {
        Node::Map(fields(json))
    }

    #[test]
    fn every_kind_of_value_arrives() {
        let json = r#"{"a":null,"b":true,"c":-7,"d":18446744073709551615,"e":1.5,"f":"x\n","g":[1,{"h":2}]}"#;
        let expected = [
            ("a", Node::Null),
            ("b", Node::Bool(true)),
            ("c", Node::Integer(-7)),
            ("d", Node::Text("18446744073709551615".into())),
            ("e", Node::Double(1.5)),
            ("f", Node::Text("x\n".into())),
            (
                "g",
                Node::List(vec![
                    Node::Integer(1),
                    Node::Map(vec![("h".into(), Node::Integer(2))]),
                ]),
            ),
        ];
        let expected = expected.map(|(name, node)| (Cow::Borrowed(name), node));
        assert_eq!(of(json), Node::Map(expected.into()));
    }

    #[test]
    fn what_no_text_can_hold_goes_as_its_json_and_spares_the_other_fields() {
        let deep = format!("{}{}", "[".repeat(40), "]".repeat(40));
        let json = format!(r#"{{"a":"x","b":{{"lone":"\ud800"}},"c":{deep}}}"#);
        let text = |name, text: &str| (Cow::Borrowed(name), Node::Text(text.to_owned().into()));
        let expected = vec![
            text("a", "x"),
            text("b", r#"{"lone":"\ud800"}"#),
            text("c", &deep),
        ];
        assert_eq!(of(&json), Node::Map(expected));
    }

    #[test]
    fn a_name_that_stands_twice_is_sent_once() {
        let expected = vec![("a".into(), Node::Integer(2))];
        assert_eq!(of(r#"{"a":1,"a":2}"#), Node::Map(expected));
    }

    #[test]
    fn what_is_no_object_has_no_fields() {
        for json in ["", "[1]", "7", "{\"a\":"] {
            assert_eq!(of(json), Node::Map(Vec::new()), "{json}");
        }
    }
}
