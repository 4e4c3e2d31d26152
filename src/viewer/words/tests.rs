//! That a text is there in each language is the compiler's; what it must hold is here.

use super::{ALL, Words};

/// All texts of a language with the names of their fields.
fn texts(words: &Words) -> Vec<(String, String)> {
    let printed = format!("{words:?}");
    let printed = printed
        .replace("\\u{a0}", "\u{a0}")
        .replace("\\u{202f}", "\u{202f}");
    let mut texts = Vec::new();
    let mut rest = printed.as_str();
    while let Some((before, after)) = rest.split_once('"') {
        let (text, tail) = after.split_once('"').unwrap();
        let name = before
            .rsplit([' ', '(', '['])
            .find(|word| !word.is_empty())
            .unwrap_or("");
        texts.push((name.to_owned(), text.to_owned()));
        rest = tail;
    }
    texts
}

#[test]
fn no_text_is_empty_and_each_has_the_places_that_english_has() {
    let english = texts(ALL[0]);
    assert!(english.len() > 200, "{}", english.len());
    for words in ALL {
        // A language may write months as numbers.
        let without_months = |texts: Vec<(String, String)>| {
            let is_month = |text: &String| text.chars().count() <= 5 && !text.contains(['{', ' ']);
            texts
                .into_iter()
                .filter(|(_, text)| !is_month(text))
                .collect::<Vec<_>>()
        };
        for (name, text) in texts(words) {
            assert!(
                name == "group:" || !text.trim().is_empty(),
                "{}: {name}",
                words.code
            );
        }
        let pairs = [
            (words.times_in, ALL[0].times_in),
            (words.searched_until, ALL[0].searched_until),
            (words.searched_up_to, ALL[0].searched_up_to),
            (words.export_as, ALL[0].export_as),
            (words.filters.remove, ALL[0].filters.remove),
            (words.filters.in_zone, ALL[0].filters.in_zone),
            (words.chart.counted_from, ALL[0].chart.counted_from),
            (words.chart.none_since, ALL[0].chart.none_since),
        ];
        for (text, of_english) in pairs {
            assert_eq!(text.matches("{}").count(), 1, "{text} / {of_english}");
        }
        let places = |texts: &[(String, String)]| {
            texts.iter().filter(|(_, text)| text.contains("{}")).count()
        };
        assert_eq!(
            places(&without_months(texts(words))),
            places(&without_months(texts(ALL[0]))),
            "{}",
            words.code
        );
    }
}

#[test]
fn languages_differ_in_nearly_every_sentence() {
    for (index, words) in ALL.into_iter().enumerate() {
        for other in ALL.into_iter().skip(index + 1) {
            let others: Vec<_> = texts(other).into_iter().map(|(_, text)| text).collect();
            let is_sentence = |text: &&(String, String)| text.1.split(' ').count() > 3;
            for (name, text) in texts(words).iter().filter(is_sentence) {
                assert!(
                    !others.contains(text),
                    "{} and {}: {name} {text}",
                    words.code,
                    other.code
                );
            }
        }
    }
}

#[test]
fn typography_is_that_of_the_language() {
    for words in ALL {
        for (_, text) in texts(words) {
            assert!(
                !text.contains(['\'', '"']),
                "{}: a straight quote in {text}",
                words.code
            );
            assert!(
                !text.contains("..."),
                "{}: three full stops in {text}",
                words.code
            );
            // In French a space that does not break stands before these.
            if words.code == "fr" {
                for (at, sign) in text.match_indices([':', ';', '!', '?']) {
                    let before = text[..at].chars().last();
                    let is_code = text[at + 1..].starts_with(|next: char| next.is_ascii_digit());
                    assert!(
                        is_code || matches!(before, Some('\u{a0}' | '\u{202f}')),
                        "{sign} in {text}"
                    );
                }
            }
        }
    }
}
