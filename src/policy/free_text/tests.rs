use std::{
    sync::LazyLock,
    time::{Duration, Instant},
};

use proptest::prelude::*;

use super::*;
use crate::{
    keyed::HashKey,
    policy::{
        elsewhere::Found,
        keys::DEFAULT,
        names::{Names, Treatment},
        redact::MASKED,
    },
};

fn masked_by(names: &Names, text: &str) -> Option<String> {
    let key = HashKey::new("k1", b"0123456789abcdef");
    let mut found = Found::default();
    masked(
        text,
        names,
        Credentials::Masked,
        Mask::new(&key),
        &mut found,
    )
}

fn mask(text: &str) -> String {
    static NAMES: LazyLock<Names> = LazyLock::new(|| Names::new(DEFAULT));
    masked_by(&NAMES, text).unwrap_or_else(|| text.to_owned())
}

/// What a form, a query, JSON or `Debug` makes of a password.
const PAIRS: &[(&str, &str)] = &[
    ("password=hunter2", "password=[redacted]"),
    ("password: hunter2", "password: [redacted]"),
    (
        "login failed (password=hunter2)",
        "login failed (password=[redacted])",
    ),
    (
        "user=flapjack,password=hunter2,ip=::1",
        "user=flapjack,password=[redacted],ip=::1",
    ),
    (
        "a=1&new_password=x%26y&b=2",
        "a=1&new_password=[redacted]&b=2",
    ),
    ("user[password]=syrup&x=1", "user[password]=[redacted]&x=1"),
    ("user%5Bpassword%5D=syrup", "user%5Bpassword%5D=[redacted]"),
    (
        r#"{"password":"sy\"rup","n":1}"#,
        r#"{"password":"[redacted]","n":1}"#,
    ),
    (r#"{"apiKey" : "abc"}"#, r#"{"apiKey" : "[redacted]"}"#),
    (
        r#"body {\"password\":\"syrup\",\"n\":1}"#,
        r#"body {\"password\":\"[redacted]\",\"n\":1}"#,
    ),
    (
        r#"{"backupCodes":["a1","b2"],"n":1}"#,
        r#"{"backupCodes":[redacted],"n":1}"#,
    ),
    (
        r#"{"token":{"a":["}"]},"n":1}"#,
        r#"{"token":[redacted],"n":1}"#,
    ),
    (r#"{"otp":482913,"n":1}"#, r#"{"otp":[redacted],"n":1}"#),
    (
        r#"Form { user: "f", password: "syrup", n: 1 }"#,
        r#"Form { user: "f", password: "[redacted]", n: 1 }"#,
    ),
    (
        r#"Form { password: Some("syrup"), n: 1 }"#,
        "Form { password: [redacted], n: 1 }",
    ),
    (
        r#"Form { password: Secret { inner: "syrup" }, n: 1 }"#,
        "Form { password: [redacted], n: 1 }",
    ),
    (
        r#"Form { password: b"syrup", n: 1 }"#,
        r#"Form { password: b"[redacted]", n: 1 }"#,
    ),
    (
        "Form { password: [115, 121], n: 1 }",
        "Form { password: [redacted], n: 1 }",
    ),
    ("'api_key' => 'abc'", "'api_key' => '[redacted]'"),
    ("secret := abc", "secret := [redacted]"),
    ("invalid api key: abc123", "invalid api key: [redacted]"),
    (
        "X-Api-Key: abc123\nHost: x",
        "X-Api-Key: [redacted]\nHost: x",
    ),
    ("password=a(b)c, x", "password=[redacted], x"),
    ("password=don't, x", "password=[redacted], x"),
    ("password=hun,ter2 x", "password=[redacted] x"),
    ("password='not closed", "password='[redacted]"),
    ("Contraseña: jarabe7", "Contraseña: [redacted]"),
    ("passwort=日本語 x", "passwort=[redacted] x"),
    (
        "<password>syrup</password>",
        "<password>[redacted]</password>",
    ),
    ("pin: 1234", "pin: [redacted]"),
    ("code: 482913", "code: [redacted]"),
    ("code=0a1b2c3d4e5f6a7b8c9d", "code=[redacted]"),
];

#[test]
fn pairs_are_masked_in_every_spelling() {
    // Traps R1, R2, R7.
    for (given, expected) in PAIRS {
        assert_eq!(mask(given), *expected, "{given}");
    }
}

#[test]
fn headers_and_credentials_are_masked_whole() {
    for (given, expected) in [
        (
            "Authorization: Digest username=\"f\"\nHost: x",
            "Authorization: [redacted]\nHost: x",
        ),
        (
            "authorization: Bearer abc def\nHost: x",
            "authorization: [redacted]\nHost: x",
        ),
        ("Cookie: a=b; sid=c\nHost: x", "Cookie: [redacted]\nHost: x"),
        (
            "got Bearer abc123, refused",
            "got Bearer [redacted], refused",
        ),
        ("bearer opensesame", "bearer [redacted]"),
        ("Basic ZmxhcGphY2s6c3lydXA=", "Basic [redacted]"),
        (
            "sent eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln today",
            "sent [redacted] today",
        ),
        (
            "postgres://docs:syrup@db/docs",
            "postgres://docs:[redacted]@db/docs",
        ),
        (
            "postgres://docs:sy/rup@db/docs",
            "postgres://docs:[redacted]@db/docs",
        ),
        ("redis://:syrup@db", "redis://:[redacted]@db"),
        (
            "https://ghp0123456789abcdefghij@host/x",
            "https://[redacted]@host/x",
        ),
        (
            "GET /cb?code=abc&state=x",
            "GET /cb?code=[redacted]&state=x",
        ),
        (
            "https://s3/x?X-Amz-Signature=9f&key=k",
            "https://s3/x?X-Amz-Signature=[redacted]&key=[redacted]",
        ),
        (
            "x -----BEGIN RSA PRIVATE KEY-----\nMII\n-----END RSA PRIVATE KEY----- y",
            "x [redacted] y",
        ),
        ("-----BEGIN PRIVATE KEY-----\nMII, and no end", "[redacted]"),
    ] {
        assert_eq!(mask(given), expected, "{given}");
    }
}

#[test]
fn what_only_speaks_of_secrets_stays() {
    for text in [
        "",
        "wrong password",
        "the token has expired",
        "invalid token: must not be empty",
        "password: is too short",
        "authorization: denied",
        "Bearer token missing",
        "Basic authentication required",
        "WWW-Authenticate is Bearer realm=\"docs\"",
        "error code: 57014",
        "code=404 status: 500",
        r#"{"tokens": 3, "passwordChanged": true, "password": null}"#,
        "tokens_used=3",
        "at 12:30:59, see https://example.com:8080/x?a=b&c=d#e",
        "std::secret::Error and token == other",
        "Vec<Token> found <Token>",
        "-----BEGIN CERTIFICATE-----\nMII\n-----END CERTIFICATE-----",
        "eyJ is how it begins",
        "sort=name&key_count=3",
        "postgres://db:5432/docs and mail to a@b.c",
    ] {
        assert_eq!(mask(text), text);
    }
}

#[test]
fn a_name_of_the_policy_counts_in_text_too() {
    let mut names = Names::new(DEFAULT);
    names.set("salary", Treatment::Mask);
    names.set("customer", Treatment::Hash);
    names.set("password", Treatment::Allow);
    let text = masked_by(&names, "salary=1 customer=c7 password=x").unwrap();
    let hash = HashKey::new("k1", b"0123456789abcdef").hash(crate::Purpose::Value, b"c7");
    assert_eq!(text, format!("salary={MASKED} customer={hash} password=x"));
    assert_eq!(masked_by(&names, &text), None);
}

#[test]
fn hostile_text_is_walked_once() {
    // Trap C15: much of what makes a careless scanner start over again and again.
    let pieces = [
        "=",
        ":",
        "a=",
        "code=",
        "code=[",
        "code='",
        "password=",
        "password=[",
        "\"token\":",
        "://",
        "a://b:c",
        "a://b:c/",
        "<token>",
        "Bearer ",
        "bearer b",
        "basic ",
        "eyJ",
        "eyJ.",
        "-----BEGIN ",
        "-----BEGIN PRIVATE KEY-----",
        "password",
        "(",
        "\\\"",
        "code=\\\"",
        "password=\\'",
        "x:'",
        "&sig=",
        "日",
        "token: ",
        "cookie: a=b;",
        "[redacted]",
        "hmac-sha256:",
        "=eb",
        "key ",
        "ss",
    ];
    let names = Names::new(DEFAULT);
    for piece in pieces {
        let text = piece.repeat((1 << 18) / piece.len());
        let begun = Instant::now();
        let masked = masked_by(&names, &text).unwrap_or_default();
        let took = begun.elapsed();
        assert!(masked.len() <= text.len() * 4, "{piece}: {}", masked.len());
        // Without optimisation, on a busy machine; work that grows with the square takes far longer.
        assert!(took < Duration::from_secs(60), "{piece}: {took:?}");
    }
}

#[test]
fn a_password_in_a_url_is_not_looked_for_up_to_the_end_of_the_text() {
    // Trap C15: with work that grows with the square this test does not come to an end.
    let names = Names::new(DEFAULT);
    let text = "a://b:c/".repeat(1 << 19);
    assert_eq!(masked_by(&names, &text), None);
}

/// Text with more of what the scanner looks for than chance would give.
fn texts() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        3 => "[ -~]{0,6}",
        1 => any::<String>(),
        6 => proptest::sample::select(vec![
            "password", "token", "code", "pin", "authorization", "cookie", "Bearer ", "Basic ", "eyJ", "=",
            ": ", ":", "\"", "'", "\\\"", "\\", "&", "?", ";", ",", "(", ")", "[", "]", "{", "}", "<", ">",
            "</", "://", "@", "-----BEGIN ", "PRIVATE KEY-----", "-----END ", "[redacted]", "482913",
            "ZmxhcGphY2s6c3lydXA=", "0a1b2c3d4e5f6a7b8c9d", " ", "\n", "é", "hunter2", "%5D",
        ]).prop_map(str::to_owned),
    ];
    proptest::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn masking_never_fails_and_its_growth_is_bounded(text in texts()) {
        prop_assert!(mask(&text).len() <= text.len() * 4 + 16);
    }

    #[test]
    fn masking_ends(text in texts()) {
        // What is masked can turn what stands around it into a pair; but that has an end.
        let mut text = mask(&text);
        for _ in 0..8 {
            let next = mask(&text);
            if next == text {
                return Ok(());
            }
            text = next;
        }
        prop_assert!(false, "{text}");
    }
}
