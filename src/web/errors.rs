//! What the web answers when it cannot do what was asked: one table of codes, rendered as RFC 9457 problem details.

use crate::domain::ErrorClass;
use crate::domain::correction::BadValue;
use crate::jobs::PortError;
use crate::jobs::absences::AcceptError;
use crate::jobs::control::ControlError;
use crate::jobs::correct_artist::CorrectError;
use crate::jobs::letters::LetterError;
use crate::jobs::removal_requests::RequestError;
use crate::jobs::remove_artist::RemoveError;
use crate::jobs::tell_apart::TellApartError;
use crate::search::SearchError;
use crate::search::request::{BadRequest, Problem};
use crate::store::StoreError;
use actix_web::http::{StatusCode, header};
use actix_web::{HttpResponse, ResponseError};
use serde::Serialize;
use std::fmt;
use tracing::{error, warn};
use utoipa::ToSchema;

/// The media type of every error of the API.
pub const PROBLEM_JSON: &str = "application/problem+json";

/// Seconds after which to ask again while a part of ours is out.
const RETRY_AFTER_S: u32 = 5;

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident => $status:ident, $code:literal, $title:literal, $retryable:literal;)*) => {
        /// Every kind of error the web answers with.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Code {
            $($(#[$doc])* $name,)*
        }

        impl Code {
            /// All codes.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The HTTP status.
            pub fn status(self) -> StatusCode {
                match self { $(Self::$name => StatusCode::$status),* }
            }

            /// The code as programs read it.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $code),* }
            }

            /// What it means, the same for each occurrence.
            pub fn title(self) -> &'static str {
                match self { $(Self::$name => $title),* }
            }

            /// Whether the same request may succeed later.
            pub fn is_retryable(self) -> bool {
                match self { $(Self::$name => $retryable),* }
            }
        }
    };
}

codes! {
    /// At least one parameter is wrong; all that are wrong are listed.
    InvalidParameters => BAD_REQUEST, "invalid_parameters", "Parameters of the request cannot be used", false;
    /// The body is no JSON of the form asked for.
    InvalidBody => BAD_REQUEST, "invalid_body", "The body of the request cannot be used", false;
    /// The admin API is for this machine only.
    Forbidden => FORBIDDEN, "forbidden", "The admin API answers to this machine only", false;
    /// No such address.
    UnknownRoute => NOT_FOUND, "unknown_route", "There is nothing at this address", false;
    /// No such artist, or none any more.
    UnknownArtist => NOT_FOUND, "unknown_artist", "There is no such artist", false;
    /// No such session.
    UnknownSession => NOT_FOUND, "unknown_session", "There is no such session", false;
    /// No such request to be removed or corrected.
    UnknownRequest => NOT_FOUND, "unknown_request", "There is no such request", false;
    /// No such job.
    UnknownJob => NOT_FOUND, "unknown_job", "There is no such job", false;
    /// The address exists, but not with this method.
    MethodNotAllowed => METHOD_NOT_ALLOWED, "method_not_allowed", "The address does not take this method", false;
    /// The body did not arrive in time.
    BodyTooSlow => REQUEST_TIMEOUT, "body_too_slow", "The body of the request did not arrive in time", true;
    /// The request to be removed or corrected is not where it could go on like this.
    RequestState => CONFLICT, "request_state", "The request cannot go on like this", false;
    /// What is said of a field belongs to somebody else, or there is nothing to say.
    NotCorrected => CONFLICT, "not_corrected", "The field was not corrected", false;
    /// There is no such source or conflict, or nothing that could be told apart.
    NotToldApart => CONFLICT, "not_told_apart", "The artists were not told apart", false;
    /// The job is no dead letter, or none any more.
    NotADeadLetter => CONFLICT, "not_a_dead_letter", "The job is not a dead letter", false;
    /// Two sessions at once would ask the same sites twice.
    SessionRuns => CONFLICT, "session_runs", "A session is running already", false;
    /// Nothing of the session is held back, or a later night has replaced it.
    NothingHeld => CONFLICT, "nothing_held", "The session has no absences to accept", false;
    /// The body is larger than allowed.
    BodyTooLarge => PAYLOAD_TOO_LARGE, "body_too_large", "The body of the request is too large", false;
    /// The body is not said to be JSON.
    NotJson => UNSUPPORTED_MEDIA_TYPE, "not_json", "The body of the request is not JSON", false;
    /// A fault of ours.
    Internal => INTERNAL_SERVER_ERROR, "internal", "A fault of the service", false;
    /// A part of the service is out for now.
    Unavailable => SERVICE_UNAVAILABLE, "unavailable", "A part of the service is not available", true;
    /// Strangers have too much written.
    TooManyRequests => TOO_MANY_REQUESTS, "too_many_requests", "Too many requests came within the hour", true;
    /// The process is alive but not ready.
    NotReady => SERVICE_UNAVAILABLE, "not_ready", "The service is not ready", true;
}

/// An error as RFC 9457 has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ProblemDetails {
    /// Where the code is explained.
    #[schema(example = "/errors#invalid_parameters")]
    pub r#type: String,
    /// What the code means.
    pub title: String,
    /// The HTTP status.
    #[schema(example = 400)]
    pub status: u16,
    /// What happened here and what to do about it.
    pub detail: String,
    /// The code, for programs.
    #[schema(example = "invalid_parameters")]
    pub code: String,
    /// Whether the same request may succeed later.
    pub retryable: bool,
    /// Every parameter that is wrong.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<ParameterProblem>,
}

/// What is wrong with a parameter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ParameterProblem {
    /// The parameter by name.
    #[schema(example = "limit")]
    pub parameter: String,
    /// What is wrong with it and what to write instead.
    pub message: String,
}

impl From<Problem> for ParameterProblem {
    fn from(problem: Problem) -> Self {
        Self { parameter: problem.parameter, message: problem.message }
    }
}

/// An error on its way out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebError {
    /// Which.
    pub code: Code,
    /// What happened and what to do.
    pub detail: String,
    /// Parameters that are wrong.
    pub problems: Vec<ParameterProblem>,
    /// Methods the address takes, for [`Code::MethodNotAllowed`].
    pub allow: Option<String>,
    /// When to ask again, if it is known, seconds.
    pub retry_after_s: Option<u32>,
}

impl WebError {
    /// An error of a code.
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into(), problems: Vec::new(), allow: None, retry_after_s: None }
    }

    /// Wrong parameters, all of them.
    pub fn parameters(problems: Vec<ParameterProblem>) -> Self {
        let texts: Vec<String> = problems.iter().map(|problem| format!("{}: {}", problem.parameter, problem.message)).collect();
        Self { problems, ..Self::new(Code::InvalidParameters, texts.join("; ")) }
    }

    /// The problem details.
    pub fn details(&self) -> ProblemDetails {
        ProblemDetails {
            r#type: format!("/errors#{}", self.code.as_str()),
            title: self.code.title().to_owned(),
            status: self.code.status().as_u16(),
            detail: self.detail.clone(),
            code: self.code.as_str().to_owned(),
            retryable: self.code.is_retryable(),
            problems: self.problems.clone(),
        }
    }

    /// An outage is told as one; what a caller cannot mend is logged here and not shown.
    fn of_part(part: &str, class: ErrorClass, error: &dyn fmt::Display) -> Self {
        match class {
            ErrorClass::Transient => {
                warn!(part, %error, "a request was refused, {part} is out: {error}");
                Self::new(Code::Unavailable, format!("{part} does not answer right now; try again in {RETRY_AFTER_S} seconds"))
            }
            ErrorClass::Permanent => {
                error!(part, %error, "a request failed by a fault of ours in {part}: {error}");
                Self::new(Code::Internal, format!("{part} could not answer; the log of the service says why"))
            }
        }
    }
}

impl fmt::Display for WebError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code.as_str(), self.detail)
    }
}

impl std::error::Error for WebError {}

impl ResponseError for WebError {
    fn status_code(&self) -> StatusCode {
        self.code.status()
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.code.status());
        response.insert_header((header::CACHE_CONTROL, "no-store"));
        if self.code.is_retryable() {
            response.insert_header((header::RETRY_AFTER, self.retry_after_s.unwrap_or(RETRY_AFTER_S).to_string()));
        }
        if let Some(allow) = &self.allow {
            response.insert_header((header::ALLOW, allow.as_str()));
        }
        // Set before the body: `json` keeps a content type that is there.
        response.insert_header((header::CONTENT_TYPE, PROBLEM_JSON)).json(self.details())
    }
}

impl From<BadRequest> for WebError {
    fn from(error: BadRequest) -> Self {
        Self::parameters(error.problems.into_iter().map(ParameterProblem::from).collect())
    }
}

impl From<StoreError> for WebError {
    fn from(error: StoreError) -> Self {
        Self::of_part("the store", error.class(), &error)
    }
}

impl From<SearchError> for WebError {
    fn from(error: SearchError) -> Self {
        match error {
            SearchError::BadToken => {
                Self::parameters(vec![ParameterProblem { parameter: "page_token".to_owned(), message: error.to_string() }])
            }
            _ => Self::of_part("the search index", error.class(), &error),
        }
    }
}

impl From<PortError> for WebError {
    fn from(error: PortError) -> Self {
        match error {
            PortError::Store(error) => error.into(),
            PortError::Search(error) => error.into(),
            PortError::Queue(error) => Self::of_part("the queue", error.class(), &error),
            PortError::Feed(error) => Self::of_part("the change feed", error.class(), &error),
            PortError::Objects(error) => Self::of_part("the object store", ErrorClass::Transient, &error),
        }
    }
}

impl From<AcceptError> for WebError {
    fn from(error: AcceptError) -> Self {
        match error {
            AcceptError::Unknown(_) => Self::new(Code::UnknownSession, error.to_string()),
            AcceptError::NotHeld(_) | AcceptError::Replaced { .. } => Self::new(Code::NothingHeld, error.to_string()),
            AcceptError::Port(error) => error.into(),
        }
    }
}

impl From<LetterError> for WebError {
    fn from(error: LetterError) -> Self {
        match error {
            LetterError::Unknown(_) => Self::new(Code::UnknownJob, error.to_string()),
            LetterError::NotDead { .. } => Self::new(Code::NotADeadLetter, error.to_string()),
            LetterError::Port(error) => error.into(),
        }
    }
}

impl From<RemoveError> for WebError {
    fn from(error: RemoveError) -> Self {
        match error {
            RemoveError::Unknown(_) => Self::new(Code::UnknownArtist, error.to_string()),
            RemoveError::Port(error) => error.into(),
        }
    }
}

impl From<RequestError> for WebError {
    fn from(error: RequestError) -> Self {
        match error {
            RequestError::Unknown => Self::new(Code::UnknownRequest, "there is no such request; a receipt is 32 letters and digits"),
            RequestError::NoArtist(_) => Self::new(Code::UnknownArtist, error.to_string()),
            RequestError::NotNow(_) | RequestError::Shared => Self::new(Code::RequestState, error.to_string()),
            RequestError::Correction(error) => error.into(),
            RequestError::Port(error) => error.into(),
        }
    }
}

impl From<CorrectError> for WebError {
    fn from(error: CorrectError) -> Self {
        match error {
            CorrectError::Unknown(_) => Self::new(Code::UnknownArtist, error.to_string()),
            CorrectError::Bad(bad) => {
                let parameter = if matches!(bad, BadValue::Field(_)) { "field" } else { "value" };
                Self::parameters(vec![ParameterProblem { parameter: parameter.to_owned(), message: bad.to_string() }])
            }
            CorrectError::Port(error) => error.into(),
            CorrectError::Taken { .. }
            | CorrectError::Shared(_)
            | CorrectError::NothingKnown(_)
            | CorrectError::NothingSaid(_)
            | CorrectError::Invalid(_) => Self::new(Code::NotCorrected, error.to_string()),
        }
    }
}

impl From<TellApartError> for WebError {
    fn from(error: TellApartError) -> Self {
        match error {
            TellApartError::Record(error) => error.into(),
            error => Self::new(Code::NotToldApart, error.to_string()),
        }
    }
}

impl From<ControlError> for WebError {
    fn from(error: ControlError) -> Self {
        warn!(%error, "a command reached nobody");
        Self::new(Code::Unavailable, error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn codes_are_distinct_and_fit_their_status() {
        let names: BTreeSet<&str> = Code::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(names.len(), Code::ALL.len());
        for code in Code::ALL {
            let status = code.status();
            assert!(status.is_client_error() || status.is_server_error(), "{code:?}");
            let may_pass = matches!(status, StatusCode::SERVICE_UNAVAILABLE | StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS);
            assert_eq!(code.is_retryable(), may_pass, "{code:?}");
        }
    }

    /// 002-X9: RFC 9457. What an internal fault says stays in the log.
    #[test]
    fn faults_of_ours_are_not_shown() {
        let error: WebError = StoreError::Corrupt { what: "artists/ana@needle.example".to_owned(), why: "x".to_owned() }.into();
        assert_eq!(error.code, Code::Internal);
        assert!(!error.detail.contains("ana@"), "{}", error.detail);
        let error: WebError = SearchError::Unavailable("disk full at /var/lib".to_owned()).into();
        assert_eq!((error.code, error.detail.contains("/var")), (Code::Unavailable, false));
    }
}
