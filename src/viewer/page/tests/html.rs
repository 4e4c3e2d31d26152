//! As much of HTML as the tests need: the tags of a document, as a browser would see them.

/// A tag that begins an element, with its attributes.
#[derive(Debug)]
pub(super) struct Tag {
    pub(super) name: String,
    pub(super) attributes: Vec<(String, String)>,
}

impl Tag {
    pub(super) fn attribute(&self, name: &str) -> Option<&str> {
        let mut attributes = self.attributes.iter();
        attributes.find_map(|(other, value)| (other == name).then_some(&**value))
    }
}

/// All tags; panics where one is not as our own markup writes them.
pub(super) fn tags(html: &str) -> Vec<Tag> {
    let mut tags = Vec::new();
    let mut rest = html;
    while let Some(start) = rest.find('<') {
        rest = &rest[start + 1..];
        if rest.starts_with(['/', '!']) {
            continue;
        }
        let name = rest
            .find([' ', '>'])
            .unwrap_or_else(|| panic!("open tag: {rest:.80}"));
        let (name, mut tail) = rest.split_at(name);
        assert!(
            name.chars().all(|c| c.is_ascii_alphanumeric()),
            "no tag: {rest:.80}"
        );
        let mut attributes = Vec::new();
        while let Some(next) = tail.strip_prefix(' ') {
            let end = next
                .find(['=', ' ', '>'])
                .unwrap_or_else(|| panic!("{tail:.80}"));
            let (attribute, after) = next.split_at(end);
            let value;
            (value, tail) = match after.strip_prefix("=\"") {
                Some(quoted) => quoted
                    .split_once('"')
                    .unwrap_or_else(|| panic!("{quoted:.80}")),
                None => ("", after),
            };
            assert!(
                attribute
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || c == '-'),
                "{attribute}"
            );
            assert!(
                attributes
                    .iter()
                    .all(|(other, _): &(String, String)| other != attribute),
                "{name} has {attribute} twice"
            );
            attributes.push((attribute.to_owned(), unescaped(value)));
        }
        rest = tail
            .strip_prefix('>')
            .unwrap_or_else(|| panic!("unclosed {name}: {tail:.80}"));
        tags.push(Tag {
            name: name.to_owned(),
            attributes,
        });
    }
    tags
}

fn unescaped(text: &str) -> String {
    let text = text
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"");
    text.replace("&amp;", "&")
}

/// The addresses that a document leads to.
pub(super) fn links(html: &str) -> Vec<String> {
    let tags = tags(html);
    let address = |tag: &Tag| {
        ["href", "action", "src"]
            .iter()
            .find_map(|name| tag.attribute(name))
            .map(str::to_owned)
    };
    tags.iter().filter_map(address).collect()
}
