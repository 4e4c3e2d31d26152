//! What an action does, as far as its name tells: other systems ask for one of a few verbs.

use serde_json::Value;

use super::tree::text;

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Deed {
    LogIn,
    LogOut,
    Create,
    Read,
    Update,
    Delete,
    Move,
    Enroll,
    Unenroll,
    Enable,
    Disable,
    Activate,
    Deactivate,
    Suspend,
    Resume,
    Lock,
    Unlock,
    ChangePassword,
    ResetPassword,
    EnableMfa,
    DisableMfa,
    Grant,
    Revoke,
    AssignRole,
    RemoveRole,
    Other,
}

/// An action, taken apart.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Action {
    pub(super) deed: Deed,
    /// What stands before the first dot, in lower case: `user`.
    pub(super) noun: String,
    /// What stands behind the last dot, in lower case: `create_api_key`.
    pub(super) verb: String,
    /// The verb names what it acts on, which is not what the noun names: `create_api_key`.
    pub(super) has_object: bool,
}

/// Parts of a name that tell by themselves, wherever they stand.
const ANYWHERE: &[(Deed, &[&str])] = &[
    (
        Deed::LogIn,
        &[
            "login",
            "log_in",
            "logon",
            "log_on",
            "signin",
            "sign_in",
            "authenticate",
        ],
    ),
    (
        Deed::LogOut,
        &[
            "logout", "log_out", "logoff", "log_off", "signout", "sign_out",
        ],
    ),
];

/// Noun and verb, or the verb alone behind an empty noun.
const PHRASES: &[(Deed, &str, &[&str])] = &[
    (
        Deed::LogIn,
        "session",
        &["create", "start", "begin", "open"],
    ),
    (
        Deed::LogOut,
        "session",
        &["end", "delete", "destroy", "revoke", "close", "expire"],
    ),
    (
        Deed::ChangePassword,
        "password",
        &["change", "update", "set"],
    ),
    (Deed::ResetPassword, "password", &["reset"]),
    (
        Deed::EnableMfa,
        "mfa",
        &["enable", "enroll", "create", "add"],
    ),
    (
        Deed::DisableMfa,
        "mfa",
        &["disable", "unenroll", "delete", "remove"],
    ),
    (Deed::AssignRole, "role", &["assign", "grant"]),
    (Deed::RemoveRole, "role", &["unassign", "revoke"]),
    (
        Deed::ChangePassword,
        "",
        &[
            "change_password",
            "password_change",
            "update_password",
            "set_password",
        ],
    ),
    (
        Deed::ResetPassword,
        "",
        &["reset_password", "password_reset"],
    ),
    (
        Deed::EnableMfa,
        "",
        &["enable_mfa", "mfa_enable", "enroll_mfa", "add_mfa"],
    ),
    (
        Deed::DisableMfa,
        "",
        &["disable_mfa", "mfa_disable", "unenroll_mfa", "remove_mfa"],
    ),
    (
        Deed::AssignRole,
        "",
        &["assign_role", "add_role", "grant_role"],
    ),
    (
        Deed::RemoveRole,
        "",
        &["remove_role", "revoke_role", "unassign_role"],
    ),
    (
        Deed::Grant,
        "",
        &[
            "grant",
            "grant_access",
            "grant_permission",
            "grant_permissions",
            "grant_privilege",
        ],
    ),
    (
        Deed::Revoke,
        "",
        &[
            "revoke_access",
            "revoke_permission",
            "revoke_permissions",
            "revoke_privilege",
        ],
    ),
];

/// Single verbs; past tenses are understood.
const VERBS: &[(Deed, &[&str])] = &[
    (
        Deed::Create,
        &[
            "create",
            "add",
            "insert",
            "new",
            "register",
            "upload",
            "import",
            "duplicate",
            "fork",
            "copy",
            "invite",
            "issue",
            "generate",
        ],
    ),
    (
        Deed::Read,
        &[
            "read", "get", "list", "view", "open", "download", "export", "search", "query",
            "fetch", "show", "run",
        ],
    ),
    (
        Deed::Update,
        &[
            "update", "change", "edit", "modify", "set", "patch", "put", "replace", "save",
            "write", "restore", "reset", "pin", "unpin",
        ],
    ),
    (
        Deed::Delete,
        &[
            "delete", "remove", "destroy", "purge", "prune", "drop", "clear", "truncate", "revoke",
        ],
    ),
    (Deed::Move, &["move", "rename", "transfer"]),
    (Deed::Enroll, &["enroll"]),
    (Deed::Unenroll, &["unenroll"]),
    (Deed::Enable, &["enable"]),
    (Deed::Disable, &["disable"]),
    (Deed::Activate, &["activate"]),
    (Deed::Deactivate, &["deactivate"]),
    (Deed::Suspend, &["suspend", "pause"]),
    (Deed::Resume, &["resume", "unsuspend"]),
    (Deed::Lock, &["lock"]),
    (Deed::Unlock, &["unlock"]),
];

impl Action {
    /// The action of a record; where its name tells nothing, the HTTP method may.
    pub(super) fn of(record: &Value) -> Self {
        let mut action = Self::named(text(record, "action").unwrap_or_default());
        if action.deed == Deed::Other {
            action.deed = match text(record, "context.http.method") {
                Some("GET" | "HEAD") => Deed::Read,
                Some("PUT" | "PATCH") => Deed::Update,
                Some("DELETE") => Deed::Delete,
                _ => Deed::Other,
            };
        }
        action
    }

    fn named(name: &str) -> Self {
        let parts: Vec<String> = name
            .split(['.', ':', '/', ' '])
            .filter(|part| !part.is_empty())
            .map(snake)
            .collect();
        let last = parts.last().map_or("", String::as_str);
        // `user_updated` is a noun and a verb as well.
        let (noun, verb) = match (parts.as_slice(), last.split_once('_')) {
            ([_], Some((noun, verb))) => (noun, verb),
            _ => (parts.first().map_or("", String::as_str), last),
        };
        let (deed, has_object) = deed(&parts, noun, verb);
        Self {
            deed,
            noun: noun.to_owned(),
            verb: verb.to_owned(),
            has_object,
        }
    }

    /// Whether it is about people's accounts, by its noun.
    pub(super) fn is_about_users(&self) -> bool {
        is_user(&self.noun)
    }
}

/// Whether things of this type are people's accounts.
pub(super) fn is_user(kind: &str) -> bool {
    matches!(
        kind,
        "user" | "users" | "account" | "member" | "person" | "service_account" | "User"
    )
}

fn deed(parts: &[String], noun: &str, verb: &str) -> (Deed, bool) {
    let anywhere = ANYWHERE
        .iter()
        .find(|(_, names)| parts.iter().any(|part| names.contains(&part.as_str())));
    if let Some((deed, _)) = anywhere {
        return (*deed, false);
    }
    let phrase = PHRASES.iter().find(|(_, of, verbs)| {
        (of.is_empty() || *of == noun) && verbs.iter().any(|known| is_form(verb, known))
    });
    if let Some((deed, ..)) = phrase {
        return (*deed, false);
    }
    let mut words = verb.split('_').filter(|word| !word.is_empty());
    let first = words.next().unwrap_or_default();
    let known = VERBS
        .iter()
        .find(|(_, verbs)| verbs.iter().any(|known| is_form(first, known)));
    known.map_or((Deed::Other, false), |(deed, _)| {
        (*deed, words.next().is_some())
    })
}

/// Whether a word is this verb, or its past tense.
fn is_form(word: &str, verb: &str) -> bool {
    let past = word.strip_suffix("ed").is_some_and(|stem| stem == verb);
    word == verb || past || word.strip_suffix('d').is_some_and(|stem| stem == verb)
}

/// `SignIn` and `sign-in` as `sign_in`.
fn snake(part: &str) -> String {
    let mut snake = String::with_capacity(part.len() + 4);
    let mut is_small = false;
    for char in part.chars() {
        if char.is_uppercase() && is_small {
            snake.push('_');
        }
        is_small = char.is_lowercase() || char.is_numeric();
        snake.extend(if char == '-' { '_' } else { char }.to_lowercase());
    }
    snake
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_name_tells_what_was_done() {
        for (name, deed, has_object) in [
            ("user.login", Deed::LogIn, false),
            (
                "Interaction.SignIn.Verification.Password.Submit",
                Deed::LogIn,
                false,
            ),
            ("user.sign-out", Deed::LogOut, false),
            ("session.revoke", Deed::LogOut, false),
            ("user.create", Deed::Create, false),
            ("user_updated", Deed::Update, false),
            ("user.create_api_key", Deed::Create, true),
            ("user.change_password", Deed::ChangePassword, false),
            ("password.reset", Deed::ResetPassword, false),
            ("user.assign_role", Deed::AssignRole, false),
            ("role.assigned", Deed::AssignRole, false),
            ("workspace.change_access", Deed::Update, true),
            ("document.move_to_trash", Deed::Move, true),
            ("document.rename", Deed::Move, false),
            ("RevokeToken", Deed::Other, false),
            ("audit.start", Deed::Other, false),
            ("login_page.update", Deed::Update, false),
            ("unknown", Deed::Other, false),
            ("", Deed::Other, false),
            ("...", Deed::Other, false),
        ] {
            let action = Action::named(name);
            assert_eq!(
                (action.deed, action.has_object),
                (deed, has_object),
                "{name}"
            );
        }
    }

    #[test]
    fn the_method_tells_where_the_name_does_not() {
        for (method, deed) in [
            ("GET", Deed::Read),
            ("PATCH", Deed::Update),
            ("DELETE", Deed::Delete),
            ("POST", Deed::Other),
        ] {
            let record = json!({"action": "http.request", "context": {"http": {"method": method}}});
            assert_eq!(Action::of(&record).deed, deed, "{method}");
        }
    }
}
