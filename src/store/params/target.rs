//! A target as one text: `type:id`, `type:*`, or an id.

/// What a text says about a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TargetText {
    pub(super) kind: Option<String>,
    pub(super) id: Option<String>,
}

impl TargetText {
    /// Reads the text; none when it names nothing.
    pub(super) fn read(text: &str) -> Option<Self> {
        let Some((kind, id)) = split(text) else {
            // A `*` alone would be everything, as if it were not there.
            let id = text != "*";
            return id.then(|| Self {
                kind: None,
                id: Some(text.to_owned()),
            });
        };
        let kind = (kind != "*").then(|| unescape(kind));
        let id = (id != "*").then(|| id_of(id));
        let is_empty = |part: &Option<String>| part.as_ref().is_some_and(String::is_empty);
        if is_empty(&kind) || is_empty(&id) || (kind.is_none() && id.is_none()) {
            return None;
        }
        Some(Self { kind, id })
    }

    /// The text that is read as this; none without a type and an id.
    pub(super) fn of(kind: Option<&str>, id: Option<&str>) -> Option<String> {
        let kind = kind.filter(|kind| !kind.is_empty());
        let id = id.filter(|id| !id.is_empty());
        match (kind, id) {
            (None, None) => None,
            (None, Some(id)) if !id.contains(':') && id != "*" => Some(id.to_owned()),
            (None, Some(id)) => Some(format!("*:{}", text_of_id(id))),
            (Some(kind), None) => Some(format!("{}:*", escape(kind))),
            (Some(kind), Some(id)) => Some(format!("{}:{}", escape(kind), text_of_id(id))),
        }
    }
}

/// At the first `:` that has no `\` before it.
fn split(text: &str) -> Option<(&str, &str)> {
    let mut escaped = false;
    for (place, byte) in text.bytes().enumerate() {
        match byte {
            b':' if !escaped => return text.get(..place).zip(text.get(place + 1..)),
            b'\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    None
}

fn escape(kind: &str) -> String {
    let escaped = kind.replace('\\', "\\\\").replace(':', "\\:");
    if escaped == "*" {
        return "\\*".to_owned();
    }
    escaped
}

fn unescape(kind: &str) -> String {
    let mut escaped = false;
    let keep = |letter: &char| {
        escaped = *letter == '\\' && !escaped;
        !escaped
    };
    kind.chars().filter(keep).collect()
}

/// Only an id of backslashes and a `*` at the end has one backslash more in the text.
fn text_of_id(id: &str) -> String {
    if is_star(id) {
        format!("\\{id}")
    } else {
        id.to_owned()
    }
}

fn id_of(text: &str) -> String {
    let fewer = text.strip_prefix('\\').filter(|fewer| is_star(fewer));
    fewer.unwrap_or(text).to_owned()
}

fn is_star(text: &str) -> bool {
    text.strip_suffix('*')
        .is_some_and(|rest| rest.bytes().all(|byte| byte == b'\\'))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_target_is_a_type_and_an_id_or_one_of_both() {
        let read = |text: &str| TargetText::read(text).map(|read| (read.kind, read.id));
        let some = |text: &str| Some(text.to_owned());
        for (text, expected) in [
            ("document:4cq", Some((some("document"), some("4cq")))),
            ("document:*", Some((some("document"), None))),
            ("4cq", Some((None, some("4cq")))),
            ("*:4:cq", Some((None, some("4:cq")))),
            ("urn:a:b", Some((some("urn"), some("a:b")))),
            ("a\\:b:c\\d", Some((some("a:b"), some("c\\d")))),
            ("file:\\*", Some((some("file"), some("*")))),
            ("*", None),
            ("*:*", None),
            (":", None),
            (":x", None),
            ("x:", None),
        ] {
            assert_eq!(read(text), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_was_written_is_read_back(kind in "[a*:\\\\é]{0,4}", id in "[a*:\\\\é]{0,4}") {
            let part = |text: &str| (!text.is_empty()).then(|| text.to_owned());
            let (kind, id) = (part(&kind), part(&id));
            let text = TargetText::of(kind.as_deref(), id.as_deref());
            let read = text.as_deref().map(TargetText::read);
            let expected = (kind.is_some() || id.is_some())
                .then_some(Some(TargetText { kind, id }));
            prop_assert_eq!(read, expected, "{:?}", text);
        }
    }
}
