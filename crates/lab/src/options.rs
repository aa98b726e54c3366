//! Options in TOML: unknown keys are refused, and options given elsewhere are laid over them.

use std::path::Path;

use datadiet_core::nearest;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use toml::Table;

use crate::LabError;
use crate::on::OnOptions;
use crate::refuse::bail;

/// Reads options from a TOML file, and beside them where they are carried out: the table `[on]`. Options must
/// serialise to what they were read from, whole: that is how unknown keys are found.
///
/// # Errors
/// When the file cannot be read, a value has the wrong type, or a key is unknown.
pub fn read<T: DeserializeOwned + Serialize>(path: &Path) -> Result<(T, OnOptions), LabError> {
    let mut given = table_of(path)?;
    let on = OnOptions::taken_from(&mut given).map_err(in_file(path))?;
    Ok((of_table(given).map_err(in_file(path))?, on))
}

/// A TOML file.
pub(crate) fn table_of(path: &Path) -> Result<Table, LabError> {
    match std::fs::read_to_string(path) {
        Ok(text) => toml::from_str(&text).map_err(LabError::from).map_err(in_file(path)),
        Err(error) => {
            bail!("cannot read {}: {error} (options come as --data NAME …)", path.display())
        }
    }
}

/// An error in a file.
pub(crate) fn in_file(path: &Path) -> impl Fn(LabError) -> LabError {
    move |error| LabError::Plan(format!("in {}: {error}", path.display()))
}

/// Options from a table, no key of which may be unknown.
pub(crate) fn of_table<T: DeserializeOwned + Serialize>(given: Table) -> Result<T, LabError> {
    of_table_at(given, "")
}

/// The same of a table within others, such as `on.`.
pub(crate) fn of_table_at<T: DeserializeOwned + Serialize>(
    given: Table,
    path: &str,
) -> Result<T, LabError> {
    let options: T = given.clone().try_into()?;
    check_keys(&given, &plain(&options), path)?;
    Ok(options)
}

/// Refuses keys of `given` that reading did not keep, with the most similar of those that it knows.
fn check_keys(given: &Table, known: &Value, path: &str) -> Result<(), LabError> {
    let Value::Object(known) = known else { return Ok(()) };
    for (key, value) in given {
        match (known.get(key), value) {
            (Some(known), toml::Value::Table(given)) => {
                check_keys(given, known, &format!("{path}{key}."))?;
            }
            (Some(_), _) => {}
            (None, _) => match nearest(key, known.keys().map(String::as_str)) {
                Some(nearest) => bail!("unknown key `{path}{key}`; did you mean `{nearest}`?"),
                None => bail!("unknown key `{path}{key}`; see --help for what there is"),
            },
        }
    }
    Ok(())
}

fn plain(options: &impl Serialize) -> Value {
    serde_json::to_value(options).expect("options are plain data")
}

/// Changes a value by its path: `key=value`.
///
/// # Errors
/// When it is none, or the path leads through something that is no table.
pub(crate) fn set(options: &mut Table, change: &str) -> Result<(), LabError> {
    let Some((key, value)) = change.split_once('=') else {
        bail!("give KEY=VALUE, such as training.epochs=2");
    };
    let mut parts: Vec<&str> = key.trim().split('.').collect();
    let last = parts.pop().unwrap_or_default();
    let mut inner = options;
    for part in parts {
        let entry = inner.entry(part).or_insert_with(|| Table::new().into());
        let toml::Value::Table(next) = entry else { bail!("{part} is not a table") };
        inner = next;
    }
    inner.insert(last.to_owned(), value_of(value.trim()));
    Ok(())
}

/// As TOML, or else as text: `--set training.data=cifar10` needs no quotes.
fn value_of(text: &str) -> toml::Value {
    let as_toml = toml::from_str::<Table>(&format!("value = {text}")).ok();
    as_toml.and_then(|mut table| table.remove("value")).unwrap_or_else(|| text.into())
}

/// `below`, with those options of `above` that were given instead.
///
/// # Errors
/// When they cannot be brought together.
pub fn laid_over<T: DeserializeOwned + Serialize>(below: &T, above: &T) -> Result<T, LabError> {
    // TOML leaves options out that were not given, so laying one over the other merges them.
    let mut merged = Table::try_from(below)?;
    let is_given = |value: &toml::Value| value.as_array().is_none_or(|list| !list.is_empty());
    merged.extend(Table::try_from(above)?.into_iter().filter(|(_, value)| is_given(value)));
    Ok(merged.try_into()?)
}

/// Without what was not given, however deep, so that what was asked compares equal although options
/// were added since.
pub(crate) fn given(value: Value) -> Value {
    let is_given =
        |value: &Value| !value.is_null() && value.as_array().is_none_or(|list| !list.is_empty());
    match value {
        Value::Object(fields) => {
            let fields = fields.into_iter().map(|(name, value)| (name, given(value)));
            Value::Object(fields.filter(|(_, value)| is_given(value)).collect())
        }
        other => other,
    }
}
