use super::*;

const SCHEMES: &[&str] = &["file", "sqlite"];

const NAME_VALUE: &str = "write each as name=value, and an & that belongs to a value as %26";

fn wrong(text: &str) -> (String, String, String) {
    let error = Address::parse(text, SCHEMES).unwrap_err();
    (error.part, error.value, error.expected)
}

#[test]
fn an_address_is_taken_apart_and_decoded() {
    let mut address = Address::parse("file:///var/a%20b.jsonl?keep=10&name=1%64", SCHEMES).unwrap();
    assert_eq!(address.path(), Ok(PathBuf::from("/var/a b.jsonl")));
    assert_eq!(
        address.take("keep", "", |text| text.parse().ok()),
        Ok(Some(10))
    );
    assert_eq!(
        address.take("name", "", |text| Some(text.to_owned())),
        Ok(Some("1d".into()))
    );
    assert_eq!(address.take("age", "", |_| Some(())), Ok(None));
    assert_eq!(address.finish(&[]), Ok(()));
}

#[test]
fn every_mistake_names_the_part_the_value_and_what_would_be_right() {
    let cases = [
        ("flie:///a", "scheme", "flie", "did you mean file?"),
        (
            "mongodb://a",
            "scheme",
            "mongodb",
            "known here: file, sqlite",
        ),
        (
            "sqlite:a.db",
            "scheme",
            "sqlite",
            "write sqlite:// before the path",
        ),
        ("/var/log/a", "scheme", "", "begin with file://, sqlite://"),
        (
            "file:///a#b",
            "location",
            "#",
            "write a # that belongs to it as %23",
        ),
        ("file:///a?keep", "option", "", NAME_VALUE),
        ("file:///a?", "option", "", NAME_VALUE),
        ("file:///a?=1", "option", "", NAME_VALUE),
        ("file:///a?x=1&x=2", "option x", "", "give it once"),
    ];
    for (text, part, value, expected) in cases {
        assert_eq!(
            wrong(text),
            (part.into(), value.into(), expected.into()),
            "{text}"
        );
    }
}

#[test]
fn a_location_is_decoded_when_it_is_asked_for() {
    let cases = [
        ("sqlite://", "name a file: sqlite:///path/to/file"),
        ("file:///a%zz", "write % itself as %25"),
        ("file:///a%ff", "it must be UTF-8"),
        ("file:///a%00", "it must not hold NUL"),
    ];
    for (text, expected) in cases {
        let error = Address::parse(text, SCHEMES).unwrap().path().unwrap_err();
        assert_eq!(
            (error.part.as_str(), error.value.as_str()),
            ("location", ""),
            "{text}"
        );
        assert_eq!(error.expected, expected, "{text}");
    }
}

#[test]
fn a_secret_comes_from_an_option_or_from_a_file_and_is_never_shown() {
    let address = |query: &str| Address::parse(&format!("file:///a?{query}"), SCHEMES);
    let mut inline = address("token=hunter2").unwrap();
    assert!(!format!("{inline:?}").contains("hunter2"));
    let secret = inline.take_secret("token").unwrap().unwrap();
    assert_eq!(secret.read().unwrap(), "hunter2");
    assert!(!format!("{secret:?}").contains("hunter2"));
    let mut file = address("token_file=/run/token").unwrap();
    assert!(file.take_secret("token").unwrap().is_some());

    for query in [
        "token=hunter2&token=hunter2",
        "token=hunter2&hunter2",
        "token=%zzhunter2",
    ] {
        let error = address(query).unwrap_err();
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }
    // The rest of a token that holds an `&`, with the padding of base 64.
    let mut split = address("token=abc&hunter2==").unwrap();
    split.take_secret("token").unwrap();
    let error = split.finish(&["token"]).unwrap_err().to_string();
    assert!(
        !error.contains("hunter2") && error.contains("%26"),
        "{error}"
    );
    let mut both = address("token=hunter2&token_file=/run/token").unwrap();
    let error = both.take_secret("token").unwrap_err();
    assert_eq!(error.expected, "give either token or token_file");
    assert_eq!(address("").unwrap_err().part, "option");
}

#[test]
fn an_option_nobody_knows_gets_a_suggestion() {
    let address = Address::parse("file:///a?rotat=1", SCHEMES).unwrap();
    let error = address.finish(&["rotate", "age"]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "wrong option in an address: \"rotat\"; did you mean rotate?"
    );
}

#[test]
fn the_distance_counts_changed_characters() {
    for (from, to, expected) in [("", "abc", 3), ("abc", "abc", 0), ("kitten", "sitting", 3)] {
        assert_eq!(distance(from, to), expected, "{from} {to}");
    }
}
