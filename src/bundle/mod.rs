//! The single-file weights format: write, read, verify.

/// Why a bundle was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BundleError {
    /// Not a bundle at all.
    #[error("not a mixed-feelings bundle: {0}")]
    NotABundle(String),
}

impl BundleError {
    /// See [`crate::Error::code`].
    pub fn code(&self) -> &'static str {
        match self {
            BundleError::NotABundle(_) => "not-a-bundle",
        }
    }
}
