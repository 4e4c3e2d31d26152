//! What Linux knows about a volume.

use std::{fs::File, io, path::Path};

use rustix::{
    fs::{FallocateFlags, fallocate, statfs},
    io::{Errno, retry_on_intr},
};

use super::VolumeKind;

/// Makes a file at least `bytes` long; `false` when the file system has no way to reserve space.
pub(super) fn reserve(file: &File, bytes: u64) -> io::Result<bool> {
    match retry_on_intr(|| fallocate(file, FallocateFlags::empty(), 0, bytes)) {
        Ok(()) => Ok(true),
        Err(Errno::OPNOTSUPP | Errno::NOSYS) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// What kind of file system holds a path.
pub(super) fn kind(path: &Path) -> io::Result<VolumeKind> {
    #[expect(
        clippy::cast_sign_loss,
        clippy::cast_possible_truncation,
        reason = "the magic numbers are 32 bits, sign-extended on some machines"
    )]
    let magic = retry_on_intr(|| statfs(path))?.f_type as u32;
    Ok(kind_of(magic))
}

/// From `linux/magic.h` and the sources of those that are not in it.
const fn kind_of(magic: u32) -> VolumeKind {
    match magic {
        // tmpfs, ramfs
        0x0102_1994 | 0x8584_58F6 => VolumeKind::Memory,
        // overlayfs, aufs
        0x794C_7630 | 0x6175_6673 => VolumeKind::Overlay,
        // nfs, smb, cifs, smb2
        0x6969 | 0x517B | 0xFF53_4D42 | 0xFE53_4D42
        // fuse (sshfs, glusterfs, virtiofs, …), 9p
        | 0x6573_5546 | 0x0102_1997
        // vboxsf, vmhgfs
        | 0x786F_4256 | 0xBACB_ACBC
        // ceph, afs (two), coda, lustre
        | 0x00C3_6400 | 0x5346_414F | 0x6B41_4653 | 0x7375_7245 | 0x0BD0_0BD0 => {
            VolumeKind::Network
        }
        _ => VolumeKind::Local,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_told_apart_by_magic_number() {
        let cases = [
            ("ext4", 0xEF53, VolumeKind::Local),
            ("xfs", 0x5846_5342, VolumeKind::Local),
            ("btrfs", 0x9123_683E, VolumeKind::Local),
            ("tmpfs", 0x0102_1994, VolumeKind::Memory),
            ("overlay", 0x794C_7630, VolumeKind::Overlay),
            ("nfs", 0x6969, VolumeKind::Network),
            ("cifs", 0xFF53_4D42, VolumeKind::Network),
            ("smb2", 0xFE53_4D42, VolumeKind::Network),
            ("fuse", 0x6573_5546, VolumeKind::Network),
        ];
        for (name, magic, expected) in cases {
            assert_eq!(kind_of(magic), expected, "{name}");
        }
    }

    #[test]
    fn a_missing_path_is_on_no_volume() {
        assert_eq!(kind(Path::new("/proc")).unwrap(), VolumeKind::Local);
        let error = kind(Path::new("/proc/no-such-thing")).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }
}
