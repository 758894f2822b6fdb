//! The whole preparation.
