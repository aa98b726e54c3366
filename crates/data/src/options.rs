//! What a caller may choose when importing.

/// Choices for reading and caching a data set. The default refuses everything doubtful.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct ImportOptions {
    /// Resize every image to this width and height (Lanczos, window 3). Readers of encoded images
    /// only; the others have one size by construction.
    pub resize: Option<(u32, u32)>,
    /// Accept classes without a training example.
    pub allow_empty_class: bool,
    /// Leave out pictures that cannot be decoded, with a note, where they are an error otherwise.
    pub skip_broken: bool,
    /// Name of the column of labels in Parquet files; found by its name where there is none.
    pub label: Option<String>,
    /// Overwrite a different data set of the same name.
    pub replace: bool,
}
