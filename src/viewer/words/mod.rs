//! The texts of the viewer, in each language.

/// Every text of one language.
#[derive(Debug)]
pub(super) struct Words {
    /// The language's code, as `lang` has it.
    pub(super) code: &'static str,
}
