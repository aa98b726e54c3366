//! What can go wrong, each with the next thing to do.

/// An export that cannot be written, or a file that says nothing that can be taken for marks.
#[derive(Debug, thiserror::Error)]
pub enum ExchangeError {
    /// The table, a subset or the marks.
    #[error(transparent)]
    Table(#[from] datadiet_table::TableError),
    /// A file.
    #[error(transparent)]
    File(#[from] datadiet_table::FileError),
    /// Pictures or texts.
    #[error(transparent)]
    Contents(#[from] datadiet_explore::ExploreError),
    /// A question that makes no sense, or a meaning that is not certain.
    #[error("{0}")]
    Refused(String),
}

impl ExchangeError {
    /// A refusal.
    pub(crate) fn refused<T>(why: impl Into<String>) -> Result<T, Self> {
        Err(Self::Refused(why.into()))
    }
}

/// Some names for an error, the first few quoted.
pub(crate) fn some_of<S: AsRef<str>>(names: &[S]) -> String {
    const SHOWN: usize = 5;
    let shown: Vec<String> =
        names.iter().take(SHOWN).map(|name| format!("{:?}", name.as_ref())).collect();
    let more = if names.len() > SHOWN { ", …" } else { "" };
    format!("{}{more}", shown.join(", "))
}
