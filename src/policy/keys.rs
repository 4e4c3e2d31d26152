//! The names whose values are masked unless a policy says otherwise.

/// Names of one kind, and which of their values are masked.
pub(super) struct Group {
    /// What they have in common, as the documentation says it.
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "the documentation is held against it")
    )]
    pub(super) what: &'static str,
    pub(super) hides: Hides,
    pub(super) end: End,
    pub(super) names: &'static [&'static str],
}

/// Which values of a name are masked. Booleans and `null` never are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hides {
    /// Texts, lists and maps; a number is a count or a state.
    Texts,
    /// Numbers of three digits and more too.
    Digits,
    /// As texts; in free text everything up to the end of the line belongs to it.
    Line,
    /// Only what looks like a code or a random value: the name alone says too little.
    Opaque,
    /// Only the parameter of a URL.
    Query,
    /// Whatever it is: the policy names it.
    All,
}

/// How a name may end with one of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// With whole words: `userPin`, not `spin`.
    Words,
    /// With these letters: `userpassword` too.
    Letters,
}

/// All of them. The names are compared without case and separators.
pub(super) const DEFAULT: &[Group] = &[
    Group {
        what: "passwords",
        hides: Hides::Texts,
        end: End::Letters,
        names: &[
            "password",
            "passwd",
            "passphrase",
            "passwort",
            "kennwort",
            "mot_de_passe",
            "contraseña",
            "contrasena",
        ],
    },
    Group {
        what: "passwords, by short names",
        hides: Hides::Texts,
        end: End::Words,
        names: &["pass", "pwd", "pw", "pswd", "senha", "clave_secreta"],
    },
    Group {
        what: "secrets",
        hides: Hides::Texts,
        end: End::Letters,
        names: &["secret", "secret_id", "credential", "client_secret"],
    },
    Group {
        what: "answers and phrases that open an account",
        hides: Hides::Texts,
        end: End::Words,
        names: &[
            "security_answer",
            "secret_answer",
            "mnemonic",
            "seed_phrase",
            "recovery_phrase",
            "magic_link",
            "login_link",
            "reset_link",
            "reset_url",
            "connection_string",
        ],
    },
    Group {
        what: "tokens",
        hides: Hides::Texts,
        end: End::Letters,
        names: &[
            "token",
            "access_token",
            "refresh_token",
            "id_token",
            "api_token",
            "auth_token",
            "session_token",
            "reset_token",
            "csrf_token",
            "jwt",
        ],
    },
    Group {
        what: "keys",
        hides: Hides::Texts,
        end: End::Letters,
        names: &[
            "api_key",
            "private_key",
            "secret_key",
            "secret_key_base",
            "access_key",
            "secret_access_key",
            "signing_key",
            "encryption_key",
            "decryption_key",
            "master_key",
            "shared_key",
            "session_key",
            "account_key",
            "unseal_key",
            "hmac_key",
            "aes_key",
            "auth_key",
            "key_material",
        ],
    },
    Group {
        what: "keys, by short names",
        hides: Hides::Texts,
        end: End::Words,
        names: &["bearer", "pem", "pkcs12", "pfx"],
    },
    Group {
        what: "assertions and what is exchanged for a token",
        hides: Hides::Texts,
        end: End::Words,
        names: &[
            "assertion",
            "client_assertion",
            "saml_response",
            "saml_request",
            "saml_assertion",
            "authorization_code",
            "auth_code",
            "device_code",
            "code_verifier",
            "oauth_verifier",
        ],
    },
    Group {
        what: "one-time codes",
        hides: Hides::Digits,
        end: End::Words,
        names: &[
            "otp",
            "otp_code",
            "totp",
            "totp_code",
            "hotp",
            "one_time_code",
            "passcode",
            "verification_code",
            "confirmation_code",
            "security_code",
            "authenticator_code",
            "mfa_code",
            "tfa_code",
            "2fa_code",
            "two_factor_code",
            "sms_code",
            "email_code",
            "login_code",
            "reset_code",
            "activation_code",
            "backup_code",
            "recovery_code",
            "pin",
            "pin_code",
            "puk",
            "tan",
        ],
    },
    Group {
        what: "sessions",
        hides: Hides::Texts,
        end: End::Words,
        names: &[
            "session_id",
            "sid",
            "jsessionid",
            "phpsessid",
            "session_cookie",
        ],
    },
    Group {
        what: "headers that prove who somebody is",
        hides: Hides::Line,
        end: End::Words,
        names: &[
            "authorization",
            "proxy_authorization",
            "cookie",
            "set_cookie",
        ],
    },
    Group {
        what: "payment cards and personal numbers",
        hides: Hides::Digits,
        end: End::Words,
        names: &[
            "card_number",
            "credit_card",
            "credit_card_number",
            "pan",
            "cvv",
            "cvv2",
            "cvc",
            "csc",
            "card_verification_value",
            "ssn",
            "social_security_number",
        ],
    },
    Group {
        what: "names that say too little",
        hides: Hides::Opaque,
        end: End::Words,
        names: &["code", "session", "ticket", "auth"],
    },
    Group {
        what: "parameters of a URL",
        hides: Hides::Query,
        end: End::Words,
        names: &["key", "sig", "signature", "hmac"],
    },
];

/// Words behind a name that still mean its value: `password_confirmation`, `tokenHash`.
///
/// Every other word makes it something else: `passwordChangedAt`, `token_type`.
pub(super) const STILL_THE_VALUE: &[&str] = &[
    "again",
    "base64",
    "bytes",
    "clear",
    "confirm",
    "confirmation",
    "current",
    "digest",
    "encoded",
    "encrypted",
    "hash",
    "hashed",
    "header",
    "hex",
    "new",
    "next",
    "old",
    "plain",
    "plaintext",
    "previous",
    "raw",
    "repeat",
    "salt",
    "string",
    "text",
    "value",
    "verify",
];

#[cfg(test)]
mod tests {
    use super::*;

    const DOCUMENT: &str = include_str!("../../docs/redaction.md");

    /// A row of the table in the documentation.
    fn row(group: &Group) -> String {
        let names: Vec<_> = group.names.iter().map(|name| format!("`{name}`")).collect();
        let by = match group.end {
            End::Words => "words",
            End::Letters => "letters",
        };
        let masked = match group.hides {
            Hides::Texts => "texts, lists, maps",
            Hides::Digits => "texts, lists, maps, numbers of 3 digits and more",
            Hides::Line => "texts, lists, maps; in free text up to the end of the line",
            Hides::Opaque => "6 to 8 digits, or what looks random",
            Hides::Query => "only as the parameter of a URL",
            Hides::All => "everything",
        };
        format!(
            "| {} | {} | {by} | {masked} |",
            group.what,
            names.join(", ")
        )
    }

    #[test]
    fn the_documentation_lists_every_name() {
        let rows: Vec<_> = DEFAULT.iter().map(row).collect();
        let table = rows.join("\n");
        assert!(
            DOCUMENT.contains(&table),
            "docs/redaction.md should have\n{table}\n"
        );
        let documented = DOCUMENT
            .lines()
            .filter(|line| line.matches(" | ").count() == 3);
        assert_eq!(
            documented.count(),
            rows.len() + 1,
            "the rows and their head"
        );
    }

    #[test]
    fn the_documentation_lists_the_words_that_do_not_count() {
        let words: Vec<_> = STILL_THE_VALUE
            .iter()
            .map(|word| format!("`{word}`"))
            .collect();
        let list = format!("These words are: {}.", words.join(", "));
        let text = DOCUMENT.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(
            text.contains(&list),
            "docs/redaction.md should have\n{list}\n"
        );
    }
}
