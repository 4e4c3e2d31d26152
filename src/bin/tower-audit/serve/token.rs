//! The token: what whoever may read has to show once.

use std::{
    fmt,
    fs::{self, File},
    io::Read,
    os::unix::fs::PermissionsExt,
    path::Path,
};

use crate::{exit::Failure, output::Output};

/// A secret of 32 characters or more. Its `Debug` does not show it.
pub(crate) struct Token(String);

impl Token {
    const MIN_BYTES: usize = 32;
    const MAX_BYTES: usize = 512;

    /// 32 bytes of the system's randomness, as 64 hexadecimal digits.
    pub(crate) fn made() -> Result<Self, Failure> {
        let mut bytes = [0; 32];
        let read = File::open("/dev/urandom").and_then(|mut random| random.read_exact(&mut bytes));
        read.map_err(|error| Failure::new("cannot make a token of /dev/urandom", error))?;
        Ok(Self(
            bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
        ))
    }

    /// The token of a file, without white space around it.
    pub(crate) fn read(path: &Path, output: &mut Output) -> Result<Self, Failure> {
        let shown = path.display();
        let cannot = |error| Failure::new(format!("cannot read the token file {shown}"), error);
        let mut text = String::new();
        let file = File::open(path).map_err(cannot)?;
        let most = u64::try_from(Self::MAX_BYTES + 2).unwrap_or(u64::MAX);
        file.take(most).read_to_string(&mut text).map_err(cannot)?;
        let text = text.trim();
        if text.len() < Self::MIN_BYTES {
            return Err(Failure::said(format!(
                "the token in {shown} is too short: openssl rand -hex 32 > {shown} makes one"
            )));
        }
        if text.len() > Self::MAX_BYTES || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(Failure::said(format!(
                "the token in {shown} is no token: {} to {} visible ASCII characters are",
                Self::MIN_BYTES,
                Self::MAX_BYTES
            )));
        }
        let mode = fs::metadata(path).map_err(cannot)?.permissions().mode();
        if mode & 0o004 != 0 {
            output.note(&format!(
                "everybody on this machine can read {shown}: chmod 600 {shown}"
            ));
        }
        Ok(Self(text.to_owned()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}
