//! What a reader may see.

/// The part of a store that a reader may see: only records that match everything set here.
///
/// It is part of the query itself: what is outside of it is not counted, not offered as a choice,
/// not exported, not found by its id, and does not decide where a search stops.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Reach {
    pub(super) tenant: Option<String>,
    pub(super) actor: Option<String>,
    pub(super) application: Option<String>,
    /// Two that were joined have nothing in common.
    pub(super) is_nothing: bool,
}

impl Reach {
    /// Only records of the tenant with this id.
    #[must_use]
    pub fn tenant(id: impl Into<String>) -> Self {
        Self {
            tenant: Some(id.into()),
            ..Self::default()
        }
    }

    /// Only what actors with this id did, of whatever kind and tenant.
    ///
    /// Ids of users and of services must not be the same ones: a reader within the reach of actor 7
    /// sees what user 7 did and what service 7 did. Where ids are given by tenant, join it with
    /// [`Reach::tenant`] by [`and`](Self::and).
    #[must_use]
    pub fn actor(id: impl Into<String>) -> Self {
        Self {
            actor: Some(id.into()),
            ..Self::default()
        }
    }

    /// Only records of the application with this id.
    #[must_use]
    pub fn application(id: impl Into<String>) -> Self {
        Self {
            application: Some(id.into()),
            ..Self::default()
        }
    }

    /// Only what is in both: of two that name the same field differently, nothing.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let mut is_nothing = self.is_nothing || other.is_nothing;
        let mut both = |ours: Option<String>, theirs: Option<String>| match (ours, theirs) {
            (Some(ours), Some(theirs)) => {
                is_nothing |= ours != theirs;
                Some(ours)
            }
            (ours, theirs) => ours.or(theirs),
        };
        Self {
            tenant: both(self.tenant, other.tenant),
            actor: both(self.actor, other.actor),
            application: both(self.application, other.application),
            is_nothing,
        }
    }

    /// What it is limited to, by name; nothing when it is the whole store. Different reaches say
    /// different things.
    pub(crate) fn said(&self) -> Vec<(&'static str, &str)> {
        let named = [
            ("tenant", &self.tenant),
            ("actor", &self.actor),
            ("application", &self.application),
        ];
        let named = named.into_iter();
        let mut said: Vec<_> = named
            .filter_map(|(name, id)| Some((name, id.as_deref()?)))
            .collect();
        if self.is_nothing {
            said.push(("nothing", "1"));
        }
        said
    }

    /// Whether it is the whole store.
    #[must_use]
    pub fn is_everything(&self) -> bool {
        *self == Self::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_two_that_name_a_field_differently_nothing_is_in_both() {
        let (one, two) = (Reach::tenant("1"), Reach::tenant("2"));
        assert!(one.clone().and(two.clone()).is_nothing);
        assert_eq!(one.clone().and(one.clone()), one);
        let all = Reach::default();
        assert_eq!(all.clone().and(one.clone()), one);
        assert_eq!(one.clone().and(all.clone()), one);
        let both = one.clone().and(Reach::actor("a"));
        assert_eq!(both, Reach::actor("a").and(one.clone()));
        assert!(!both.is_nothing && !both.is_everything() && all.is_everything());
        // Nothing stays nothing, whatever is joined to it.
        let nothing = one.clone().and(two).and(one).and(all);
        assert!(nothing.is_nothing && !nothing.is_everything());
        assert_eq!(nothing.said(), [("tenant", "1"), ("nothing", "1")]);
        assert_eq!(both.said(), [("tenant", "1"), ("actor", "a")]);
    }
}
