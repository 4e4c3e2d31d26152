//! Choices for filters, and bounded counts.

/// A column whose different values can be offered as choices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Field {
    /// What was done.
    Action,
    /// The kind of action.
    Category,
    /// How it ended.
    Outcome,
    /// Who did it, by id.
    Actor,
    /// For which tenant, by id.
    Tenant,
    /// Through which application, by id.
    Application,
    /// Which service recorded it.
    Service,
}

/// The different values of a field, in ascending order of their bytes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Choices {
    /// The values.
    pub values: Vec<String>,
    /// Whether there are no others; otherwise the bound of the question was reached.
    pub is_complete: bool,
}

/// How many records match.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Count {
    /// So many were found.
    pub records: u64,
    /// Whether there are no more; otherwise the bound of the question was reached, or as much was
    /// looked at as one question may.
    pub is_exact: bool,
}
