//! Without the feature `toml` there is no configuration file, and whoever names one is told.

use std::path::Path;

use super::{Entry, StartError, wrong};
use crate::audit::builder::AuditBuilder;

pub(super) fn apply(
    _builder: AuditBuilder,
    setting: &'static str,
    path: &Path,
) -> Result<(AuditBuilder, Vec<Entry>), StartError> {
    let reason = format!(
        "{}: this program was built without configuration files: turn on the feature `toml` of tower-audit",
        path.display()
    );
    Err(wrong(setting, reason))
}
