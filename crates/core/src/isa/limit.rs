//! The most that our kernels may use: `DATADIET_MAX_ISA`.

use std::{env, str::FromStr, sync::OnceLock};

use thiserror::Error;

const VARIABLE: &str = "DATADIET_MAX_ISA";

/// Sets of instructions, each with all of those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// What the build's target has for certain.
    Scalar,
    /// AVX2, FMA and F16C.
    Avx2,
    /// AVX-512 F, BW, DQ and VL.
    Avx512,
    /// AVX512-BF16.
    Avx512Bf16,
}

/// A value of `DATADIET_MAX_ISA` that names no set of instructions.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{VARIABLE}={0} is not known; it may be scalar, avx2, avx512 or avx512-bf16, or unset")]
pub struct UnknownLevel(String);

impl FromStr for Level {
    type Err = UnknownLevel;

    fn from_str(name: &str) -> Result<Self, UnknownLevel> {
        match name {
            "scalar" => Ok(Self::Scalar),
            "avx2" => Ok(Self::Avx2),
            "avx512" => Ok(Self::Avx512),
            "avx512-bf16" => Ok(Self::Avx512Bf16),
            _ => Err(UnknownLevel(name.into())),
        }
    }
}

/// The most that `DATADIET_MAX_ISA` lets our kernels use; it is read by the first call.
///
/// # Errors
/// When its value is not known.
pub fn limit() -> Result<Level, UnknownLevel> {
    static LIMIT: OnceLock<Result<Level, UnknownLevel>> = OnceLock::new();
    LIMIT
        .get_or_init(|| match env::var_os(VARIABLE) {
            Some(name) if !name.is_empty() => name.to_string_lossy().parse(),
            _ => Ok(Level::Avx512Bf16),
        })
        .clone()
}
