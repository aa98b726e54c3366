//! The identity of a run: a hash of its specification.

use std::fmt;

use datadiet_core::sha256;
use serde::{Deserialize, Serialize};

use crate::RunSpec;

/// The first 16 hexadecimal digits of the SHA-256 of a specification's canonical JSON.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RunId(String);

impl RunId {
    /// The id of a specification. Equal specifications have equal ids on every machine.
    pub fn of(spec: &RunSpec) -> Self {
        // Struct fields serialise in the order of their declaration, so the text is canonical.
        let text = serde_json::to_string(spec).expect("a specification is plain data");
        Self(short_digest(&text))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The first 16 hexadecimal digits of the SHA-256 of a text.
pub fn short_digest(text: &str) -> String {
    sha256(text.as_bytes())[..16].to_owned()
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
