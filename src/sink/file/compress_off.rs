//! Stands in for compression where its feature is off.

use std::{
    io::{self, BufRead},
    path::Path,
};

/// Whether this program can compress.
pub(super) const IS_BUILT_IN: bool = false;

pub(super) fn compress(_from: &Path, _to: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(super) fn open(_path: &Path) -> io::Result<Box<dyn BufRead>> {
    Err(io::ErrorKind::Unsupported.into())
}
