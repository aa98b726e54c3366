//! What a caller may choose when importing.

/// Choices for reading and caching a data set. The default refuses everything doubtful.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct ImportOptions {
    /// Resize every image to this width and height (Lanczos, window 3). Readers of encoded images
    /// only; the others have one size by construction.
    pub resize: Option<(u32, u32)>,
    /// Accept classes without a training example.
    pub allow_empty_class: bool,
    /// Overwrite a different data set of the same name.
    pub replace: bool,
}
