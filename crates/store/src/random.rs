//! Random names, by the system's generator: two machines never take the same.

use std::path::Path;

use datadiet_core::hex;

use crate::StoreError;

/// Sixteen hexadecimal digits.
pub(crate) fn token() -> Result<String, StoreError> {
    let mut bytes = [0; 8];
    let filled =
        getrandom::fill(&mut bytes).map_err(|error| std::io::Error::other(error.to_string()));
    filled.map_err(StoreError::io("read", Path::new("the system's random numbers")))?;
    Ok(hex(&bytes))
}
