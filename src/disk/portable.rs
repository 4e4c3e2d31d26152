//! What any Unix knows about a volume: nothing beyond POSIX.

use std::{fs::File, io, path::Path};

use super::VolumeKind;

/// Never reserves; the caller writes zeros instead.
pub(super) fn reserve(_file: &File, _bytes: u64) -> io::Result<bool> {
    Ok(false)
}

/// Takes every volume that exists for a local one.
pub(super) fn kind(path: &Path) -> io::Result<VolumeKind> {
    path.metadata().map(|_| VolumeKind::Local)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_path_is_on_no_volume() {
        assert_eq!(kind(Path::new("/")).unwrap(), VolumeKind::Local);
        let error = kind(Path::new("/no-such-thing")).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn space_is_left_to_the_caller() {
        assert!(!reserve(&tempfile::tempfile().unwrap(), 1).unwrap());
    }
}
