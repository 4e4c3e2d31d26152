//! Which class and which activity of it an action is.
//!
//! | class | when |
//! |---|---|
//! | 3002 Authentication | somebody logs in or out |
//! | 3005 User Access Management | privileges or a role are given or taken, and a target is a user |
//! | 3001 Account Change | an account is made, changed, locked …: a target is a user, or nothing else is one and the action's noun is |
//! | 6003 API Activity | anything else that came from an address |
//! | 3004 Entity Management | anything else |
//!
//! An activity that the class does not have is 99, under the name of the verb.

use serde_json::Value;

use crate::format::{
    deed::{Action, Deed},
    tree,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    AccountChange,
    Authentication,
    UserAccess,
    EntityManagement,
    ApiActivity,
}

impl Class {
    /// The class of a record, its activity, and what that is called.
    pub(super) fn of(record: &Value) -> (Self, u32, String) {
        let action = Action::of(record);
        let has = |place| !tree::find(record, place).is_empty();
        let is_of_user = has("targets.@user") || (action.is_about_users() && !has("targets.0"));
        let class = match action.deed {
            Deed::LogIn | Deed::LogOut => Self::Authentication,
            Deed::Grant | Deed::Revoke | Deed::AssignRole | Deed::RemoveRole
                if has("targets.@user") =>
            {
                Self::UserAccess
            }
            deed if is_of_user && is_account_change(deed, &action) => Self::AccountChange,
            _ if has("context.ip_address") => Self::ApiActivity,
            _ => Self::EntityManagement,
        };
        let (id, name) = match class.activity(&action) {
            Some((id, name)) => (id, name.to_owned()),
            None if action.verb.is_empty() => (99, "unknown".to_owned()),
            None => (99, action.verb),
        };
        (class, id, name)
    }

    pub(super) const fn uid(self) -> u32 {
        match self {
            Self::AccountChange => 3001,
            Self::Authentication => 3002,
            Self::UserAccess => 3005,
            Self::EntityManagement => 3004,
            Self::ApiActivity => 6003,
        }
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::AccountChange => "Account Change",
            Self::Authentication => "Authentication",
            Self::UserAccess => "User Access Management",
            Self::EntityManagement => "Entity Management",
            Self::ApiActivity => "API Activity",
        }
    }

    pub(super) const fn category(self) -> &'static str {
        match self {
            Self::ApiActivity => "Application Activity",
            _ => "Identity & Access Management",
        }
    }

    /// The activity that the class has for an action.
    fn activity(self, action: &Action) -> Option<(u32, &'static str)> {
        let activity = match (self, action.deed) {
            (Self::Authentication, Deed::LogIn) => (1, "Logon"),
            (Self::Authentication, Deed::LogOut) => (2, "Logoff"),
            (Self::UserAccess, Deed::Grant | Deed::AssignRole) => (1, "Assign Privileges"),
            (Self::UserAccess, Deed::Revoke | Deed::RemoveRole) => (2, "Revoke Privileges"),
            (Self::AccountChange, deed) => return account(deed, action.has_object),
            (Self::ApiActivity, deed) => return call(deed),
            (Self::EntityManagement, deed) => return entity(deed),
            _ => return None,
        };
        Some(activity)
    }
}

/// Whether an action changes an account: not one that reads, or that only happens to name one.
fn is_account_change(deed: Deed, action: &Action) -> bool {
    match deed {
        Deed::Read => false,
        Deed::ChangePassword
        | Deed::ResetPassword
        | Deed::EnableMfa
        | Deed::DisableMfa
        | Deed::Lock
        | Deed::Unlock => true,
        _ => action.is_about_users(),
    }
}

const fn account(deed: Deed, has_object: bool) -> Option<(u32, &'static str)> {
    // What is made is not the account: `user.create_api_key`.
    if has_object {
        return None;
    }
    Some(match deed {
        Deed::Create | Deed::Enroll => (1, "Create"),
        Deed::Enable | Deed::Activate | Deed::Resume => (2, "Enable"),
        Deed::ChangePassword => (3, "Password Change"),
        Deed::ResetPassword => (4, "Password Reset"),
        Deed::Disable | Deed::Deactivate | Deed::Suspend => (5, "Disable"),
        Deed::Delete | Deed::Unenroll => (6, "Delete"),
        Deed::Lock => (9, "Lock"),
        Deed::EnableMfa => (10, "MFA Factor Enable"),
        Deed::DisableMfa => (11, "MFA Factor Disable"),
        Deed::Unlock => (12, "Unlock"),
        _ => return None,
    })
}

const fn call(deed: Deed) -> Option<(u32, &'static str)> {
    Some(match deed {
        Deed::Create => (1, "Create"),
        Deed::Read => (2, "Read"),
        Deed::Delete => (4, "Delete"),
        Deed::Other | Deed::LogIn | Deed::LogOut => return None,
        _ => (3, "Update"),
    })
}

const fn entity(deed: Deed) -> Option<(u32, &'static str)> {
    Some(match deed {
        Deed::Create => (1, "Create"),
        Deed::Read => (2, "Read"),
        Deed::Delete => (4, "Delete"),
        Deed::Move => (5, "Move"),
        Deed::Enroll => (6, "Enroll"),
        Deed::Unenroll => (7, "Unenroll"),
        Deed::Enable => (8, "Enable"),
        Deed::Disable => (9, "Disable"),
        Deed::Activate => (10, "Activate"),
        Deed::Deactivate => (11, "Deactivate"),
        Deed::Suspend => (12, "Suspend"),
        Deed::Resume => (13, "Resume"),
        Deed::Other | Deed::LogIn | Deed::LogOut => return None,
        _ => (3, "Update"),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn found(action: &str, targets: &[(&str, &str)], context: &Value) -> (u32, u32, String) {
        let target = |(kind, id): &(&str, &str)| json!({"type": kind, "id": id});
        let targets: Vec<Value> = targets.iter().map(target).collect();
        let record = json!({"action": action, "targets": targets, "context": context});
        let (class, activity, name) = Class::of(&record);
        (class.uid(), activity, name)
    }

    #[test]
    fn what_happens_to_accounts_has_classes_of_its_own() {
        let address = json!({"ip_address": "192.0.2.1"});
        let (user, role) = (("user", "7"), ("role", "admin"));
        for (action, targets, class, activity, name) in [
            ("user.login", &[][..], 3002, 1, "Logon"),
            ("user.logout", &[], 3002, 2, "Logoff"),
            ("user.create", &[user], 3001, 1, "Create"),
            ("user.rename", &[user], 3001, 99, "rename"),
            ("user.create_api_key", &[user], 3001, 99, "create_api_key"),
            ("user.change_password", &[], 3001, 3, "Password Change"),
            ("password.reset", &[user], 3001, 4, "Password Reset"),
            ("user.read", &[user], 6003, 2, "Read"),
            ("role.assign", &[role, user], 3005, 1, "Assign Privileges"),
            ("role.revoke", &[role, user], 3005, 2, "Revoke Privileges"),
            ("role.assign", &[role], 6003, 3, "Update"),
        ] {
            let found = found(action, targets, &address);
            assert_eq!(found, (class, activity, name.to_owned()), "{action}");
        }
    }

    #[test]
    fn anything_else_is_a_call_if_it_has_an_address_and_management_if_not() {
        let address = json!({"ip_address": "192.0.2.1"});
        let (here, document) = (json!({}), ("document", "d"));
        for (action, targets, context, class, activity, name) in [
            ("user.invite", &[document][..], &address, 6003, 1, "Create"),
            (
                "document.share",
                &[("user", "7")],
                &address,
                6003,
                99,
                "share",
            ),
            ("document.rename", &[document], &address, 6003, 3, "Update"),
            ("document.rename", &[document], &here, 3004, 5, "Move"),
            ("audit.start", &[], &here, 3004, 99, "start"),
            ("unknown", &[], &address, 6003, 99, "unknown"),
            ("", &[], &here, 3004, 99, "unknown"),
        ] {
            let found = found(action, targets, context);
            assert_eq!(found, (class, activity, name.to_owned()), "{action}");
        }
    }
}
