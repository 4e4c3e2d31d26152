//! Finds what is to be done with a value by the end of its name.

use super::keys::{End, Group, Hides, STILL_THE_VALUE};

/// Names, each with what is to be done with its values.
///
/// They are kept by their letters from the last to the first, so that the longest one with which a
/// name ends is found in one walk, which for most names is over after two or three letters.
#[derive(Clone)]
pub(super) struct Names {
    nodes: Vec<Node>,
}

#[derive(Clone, Default)]
struct Node {
    next: Vec<(char, usize)>,
    rule: Option<Rule>,
}

/// What is to be done with the values of one name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rule {
    pub(super) treatment: Treatment,
    pub(super) hides: Hides,
    end: End,
}

/// What becomes of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Treatment {
    Mask,
    Drop,
    Hash,
    Allow,
}

/// The names of one record have no use for more; a name is judged by its end.
const MAX_NAME_BYTES: usize = 128;

impl Names {
    pub(super) fn new(groups: &[Group]) -> Self {
        let nodes = vec![Node::default()];
        let mut names = Self { nodes };
        for group in groups {
            let rule = Rule {
                treatment: Treatment::Mask,
                hides: group.hides,
                end: group.end,
            };
            for name in group.names {
                names.insert(name, |_| rule);
            }
        }
        names
    }

    /// Says what is to be done with all values of a name.
    pub(super) fn set(&mut self, name: &str, treatment: Treatment) {
        self.insert(name, |rule| Rule {
            treatment,
            hides: Hides::All,
            // `userpassword` stays with `password`, whatever is done with it.
            end: rule.map_or(End::Words, |rule| rule.end),
        });
    }

    fn insert(&mut self, name: &str, rule: impl FnOnce(Option<Rule>) -> Rule) {
        let mut at = 0;
        for letter in name.chars().rev().filter(|char| char.is_alphanumeric()) {
            at = match self.step(at, lower(letter)) {
                Some(next) => next,
                None => self.grow(at, lower(letter)),
            };
        }
        if at == 0 {
            return;
        }
        if let Some(node) = self.nodes.get_mut(at) {
            node.rule = Some(rule(node.rule));
        }
    }

    fn grow(&mut self, at: usize, letter: char) -> usize {
        let new = self.nodes.len();
        self.nodes.push(Node::default());
        if let Some(node) = self.nodes.get_mut(at) {
            node.next.push((letter, new));
        }
        new
    }

    fn step(&self, at: usize, letter: char) -> Option<usize> {
        let next = &self.nodes.get(at)?.next;
        let found = next.iter().find(|(other, _)| *other == letter)?;
        Some(found.1)
    }

    /// What is to be done with the values of a name, if anything.
    pub(super) fn find(&self, name: &str) -> Option<Rule> {
        let from = name.ceil_char_boundary(name.len().saturating_sub(MAX_NAME_BYTES));
        let mut rest = name.get(from..)?;
        // A few words may stand behind the name; no more than this makes sense.
        for _ in 0..4 {
            if let Some(rule) = self.find_end(rest) {
                return Some(rule);
            }
            rest = without_end(rest)?;
        }
        None
    }

    /// The rule of the longest name with which this ends.
    fn find_end(&self, name: &str) -> Option<Rule> {
        let (mut at, mut best, mut after) = (0, None, None);
        let mut letters = name.chars().rev().peekable();
        while let Some(letter) = letters.next() {
            if !letter.is_alphanumeric() {
                after = None;
                continue;
            }
            let Some(next) = self.step(at, lower(letter)) else {
                break;
            };
            at = next;
            let rule = self.nodes.get(at).and_then(|node| node.rule);
            let fits = |rule: &Rule| {
                rule.end == End::Letters || begins_word(letters.peek().copied(), letter, after)
            };
            best = rule.filter(fits).or(best);
            after = Some(letter);
        }
        best
    }
}

/// Whether a word begins with `letter`, in any of `two_words`, `twoWords`, `HTTPWords`, `2words`.
fn begins_word(before: Option<char>, letter: char, after: Option<char>) -> bool {
    let Some(before) = before else { return true };
    if !before.is_alphanumeric() || before.is_numeric() != letter.is_numeric() {
        return true;
    }
    letter.is_uppercase() && (before.is_lowercase() || after.is_some_and(char::is_lowercase))
}

/// The name without a number, a plural `s` or a word at its end that still means the same value.
fn without_end(name: &str) -> Option<&str> {
    let name = name.trim_end_matches(|char: char| !char.is_alphanumeric());
    let counted = name.trim_end_matches(|char: char| char.is_ascii_digit());
    if counted.len() < name.len() {
        return Some(counted);
    }
    if let Some(start) = last_word(name)
        && let (before, word) = name.split_at(start)
        && is_still_the_value(word)
    {
        return Some(before);
    }
    name.strip_suffix(['s', 'S'])
}

/// Where the last word of a name begins.
fn last_word(name: &str) -> Option<usize> {
    let (mut letters, mut after) = (name.char_indices().rev().peekable(), None);
    while let Some((index, letter)) = letters.next() {
        let before = letters.peek().map(|(_, char)| *char);
        if begins_word(before, letter, after) {
            return Some(index);
        }
        after = Some(letter);
    }
    None
}

fn is_still_the_value(word: &str) -> bool {
    let is_it = |other: &str| other.eq_ignore_ascii_case(word);
    STILL_THE_VALUE.iter().any(|other| is_it(other))
}

fn lower(letter: char) -> char {
    if letter.is_ascii() {
        letter.to_ascii_lowercase()
    } else {
        letter.to_lowercase().next().unwrap_or(letter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::keys::DEFAULT;

    #[test]
    fn a_name_is_known_in_every_spelling() {
        // Traps R2, R3: not only the top level's, not only as we would spell it.
        let names = Names::new(DEFAULT);
        for name in "
            password Password PASSWORD userPassword user_password userpassword new-password
            password_confirmation passwordConfirmation PasswordHash passwords password1
            password2_confirm user.password user[password] pass\u{200b}word apiKey api-key
            API_KEY APIKey x-api-key apiKeys stripeSecretKey aws_secret_access_key AccessToken
            tokens XSRF-TOKEN clientSecret idToken id_token_hint_token sessionId JSESSIONID sid
            Authorization proxy-authorization Set-Cookie cookies cookieHeader code_verifier
            codeVerifier SAMLResponse samlResponse client_assertion backupCodes recovery_codes
            totp totpCode otpCode oneTimeCode verificationCode 2faCode PIN userPin cardNumber CVV
            cvv2 ssn Contraseña CONTRASEÑA Passwort motDePasse private_key_pem privateKey
            secret_key_base authToken vault_token credentials"
            .split_whitespace()
        {
            let rule = names.find(name);
            assert!(
                rule.is_some_and(|rule| rule.treatment == Treatment::Mask),
                "{name}: {rule:?}"
            );
        }
    }

    #[test]
    fn a_name_that_only_speaks_of_a_secret_is_none() {
        let names = Names::new(DEFAULT);
        for name in "
            _ 1 s name passwordChanged password_changed_at passwordPolicy tokens_used tokenType
            token_endpoint access_key_id secretary spin opinion pinned compass bypass japan
            company laptop stop cookie_consent cookiePolicy sessionDuration session_count
            public_key idempotency_key primaryKey cachekey keyboard author authorized
            authorization_endpoint pinCodeLength codec unicode passengers title hash value
            code_challenge hash_key version last_run secretsCount"
            .split_whitespace()
        {
            let rule = names.find(name);
            let says = rule.filter(|rule| rule.hides != Hides::Query);
            assert!(says.is_none(), "{name}: {rule:?}");
        }
    }

    #[test]
    fn the_longest_name_at_the_end_decides() {
        let mut names = Names::new(DEFAULT);
        names.set("token", Treatment::Allow);
        names.set("next_page_token", Treatment::Drop);
        names.set("salary", Treatment::Hash);
        let treatment = |name: &str| names.find(name).map(|rule| rule.treatment);
        for (name, expected) in [
            ("token", Some(Treatment::Allow)),
            ("userToken", Some(Treatment::Allow)),
            ("usertoken", Some(Treatment::Allow)),
            ("accessToken", Some(Treatment::Mask)),
            ("nextPageToken", Some(Treatment::Drop)),
            ("base-salary", Some(Treatment::Hash)),
            ("basesalary", None),
        ] {
            assert_eq!(treatment(name), expected, "{name}");
        }
    }
}
