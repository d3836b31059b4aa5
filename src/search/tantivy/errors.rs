//! What tantivy's errors mean to a caller: wait, or rebuild.

use crate::search::SearchError;
use std::io;
use tantivy::TantivyError;
use tantivy::directory::error::OpenReadError;

/// An error that may pass: no space, no permission, a busy lock.
pub(super) fn unavailable(doing: &'static str) -> impl Fn(TantivyError) -> SearchError {
    move |error| SearchError::Unavailable(format!("could not {doing}: {error}"))
}

/// Whether the files themselves are at fault, so that waiting does not help and a rebuild does.
pub(super) fn is_damage(error: &TantivyError) -> bool {
    match error {
        TantivyError::DataCorruption(_)
        | TantivyError::IncompatibleIndex(_)
        | TantivyError::DeserializeError(_)
        | TantivyError::SchemaError(_)
        | TantivyError::InternalError(_)
        | TantivyError::OpenReadError(OpenReadError::FileDoesNotExist(_) | OpenReadError::IncompatibleIndex(_)) => true,
        TantivyError::OpenReadError(OpenReadError::IoError { io_error, .. }) | TantivyError::IoError(io_error) => is_broken(io_error),
        _ => false,
    }
}

fn is_broken(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof)
}
