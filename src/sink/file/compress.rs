//! Rotated files in zstd.

use std::{
    fs::File,
    io::{self, BufRead, BufReader},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use super::FileSinkBuilder;

/// Whether this program can compress.
pub(super) const IS_BUILT_IN: bool = true;

/// zstd's own default: about as fast as the disk, a tenth of the size.
const LEVEL: i32 = zstd::DEFAULT_COMPRESSION_LEVEL;

impl FileSinkBuilder {
    /// Compresses files with zstd once they are rotated. Default: they stay as they are.
    ///
    /// Needs the feature `zstd`. It is done on the thread that delivers, and holds this sink up
    /// for about a second for each gigabyte.
    #[must_use]
    pub fn compress_zstd(mut self) -> Self {
        self.rotation.compress = true;
        self
    }
}

/// Writes a compressed and synced copy.
pub(super) fn compress(from: &Path, to: &Path) -> io::Result<()> {
    let mut from = File::open(from)?;
    let mut options = File::options();
    let to = options.write(true).create_new(true).mode(0o600).open(to)?;
    let mut encoder = zstd::Encoder::new(to, LEVEL)?;
    // A copy that was damaged says so when it is read.
    encoder.include_checksum(true)?;
    io::copy(&mut from, &mut encoder)?;
    encoder.finish()?.sync_data()
}

/// Reads a compressed file.
pub(super) fn open(path: &Path) -> io::Result<Box<dyn BufRead>> {
    let decoder = zstd::Decoder::new(File::open(path)?)?;
    Ok(Box::new(BufReader::new(decoder)))
}
