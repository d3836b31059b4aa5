//! What OpenSearch's answers mean to a caller: wait, or change something.

use crate::search::SearchError;
use crate::search::opensearch::client::Answer;

/// The error of an answer to `doing` that is not what was asked for.
pub(super) fn refused(url: &str, doing: &str, answer: &Answer) -> SearchError {
    of_status(url, doing, answer.status, answer.kind(), &answer.reason())
}

/// The error of a status, of a whole answer or of one item.
pub(super) fn of_status(url: &str, doing: &str, status: u16, kind: &str, reason: &str) -> SearchError {
    match status {
        401 => SearchError::Refused(format!(
            "OpenSearch at {url} does not accept who we say we are (401); set opensearch.user and opensearch.password to a user it knows"
        )),
        // Blocked for now: a full disk, or an operator at work.
        403 if kind == "cluster_block_exception" => SearchError::Unavailable(format!(
            "OpenSearch at {url} is blocked and could not {doing} ({reason}); free disk space or lift the block"
        )),
        403 => SearchError::Refused(format!(
            "OpenSearch at {url} does not let our user {doing} (403: {reason}); give opensearch.user all rights on indexes and the template of our prefix"
        )),
        404 => SearchError::Refused(format!(
            "OpenSearch at {url} could not {doing} (404: {reason}); the index is gone: start inkdex again, which makes it anew and fills it"
        )),
        408 | 429 | 500..=599 => SearchError::Unavailable(format!("OpenSearch at {url} could not {doing} ({status}: {reason})")),
        _ => SearchError::Refused(format!("OpenSearch at {url} could not {doing} ({status}: {reason})")),
    }
}

/// Whether a status says that the same may be taken a little later.
pub(super) fn is_busy(status: u16) -> bool {
    matches!(status, 408 | 429 | 502 | 503 | 504)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_say_wait_or_change() {
        let error = |status, kind| of_status("http://search.example", "write", status, kind, "why");
        for status in [408, 429, 500, 502, 503, 504] {
            assert!(matches!(error(status, ""), SearchError::Unavailable(_)), "{status}");
        }
        for status in [400, 401, 403, 404, 413] {
            assert!(matches!(error(status, ""), SearchError::Refused(_)), "{status}");
        }
        assert!(matches!(error(403, "cluster_block_exception"), SearchError::Unavailable(_)));
        assert!(error(401, "").to_string().contains("opensearch.user"));
        assert!(error(403, "security_exception").to_string().contains("opensearch.user"));
    }
}
