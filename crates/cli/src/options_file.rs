//! Options from a TOML file, laid under those of the command line.

use std::path::Path;

use anyhow::{Context, Result, bail};
use serde::Serialize;
use serde::de::DeserializeOwned;
use toml::Table;

/// Reads options from a TOML file. They must serialise to what they were read from, whole, but for
/// options that were not given: that is how unknown keys are found.
///
/// # Errors
/// When the file cannot be read, a value has the wrong type, or a key is unknown.
pub fn read<T: DeserializeOwned + Serialize>(path: &Path) -> Result<T> {
    let text = std::fs::read_to_string(path).with_context(|| {
        format!("cannot read {} (options come as --data NAME …)", path.display())
    })?;
    parse(&text).with_context(|| format!("in {}", path.display()))
}

/// As [`read`], from text.
///
/// # Errors
/// As [`read`].
pub fn parse<T: DeserializeOwned + Serialize>(text: &str) -> Result<T> {
    let options: T = toml::from_str(text)?;
    let given: Table = toml::from_str(text)?;
    let known = Table::try_from(&options)?;
    match unknown_key(&given, &known) {
        Some(key) => bail!("unknown key `{key}`; the keys are the long names of the options"),
        None => Ok(options),
    }
}

/// The first key of `given` that reading did not keep.
fn unknown_key(given: &Table, known: &Table) -> Option<String> {
    let is_empty = |value: &toml::Value| value.as_array().is_some_and(Vec::is_empty);
    for (key, value) in given.iter().filter(|(_, value)| !is_empty(value)) {
        match (known.get(key), value) {
            (None, _) => return Some(key.clone()),
            (Some(toml::Value::Table(known)), toml::Value::Table(given)) => {
                if let Some(inner) = unknown_key(given, known) {
                    return Some(format!("{key}.{inner}"));
                }
            }
            _ => {}
        }
    }
    None
}

/// `below`, with those options of `above` that were given instead.
///
/// # Errors
/// When the options cannot be written as TOML.
pub fn laid_over<T: DeserializeOwned + Serialize>(below: &T, above: &T) -> Result<T> {
    // Options that were not given are left out, so laying one over the other merges them.
    let mut merged = Table::try_from(below)?;
    merged.extend(Table::try_from(above)?);
    Ok(merged.try_into()?)
}
