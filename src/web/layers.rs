//! What wraps every request: security headers on each answer, HEAD as GET, and a panic as an error instead of a dead line.

use crate::web::errors::{Code, WebError};
use actix_web::Error;
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::error::InternalError;
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use actix_web::http::{Method, header::CACHE_CONTROL};
use actix_web::middleware::Next;
use futures_util::FutureExt;
use std::panic::AssertUnwindSafe;
use tracing::error;

/// Nothing inline, nothing from elsewhere, in nobody's frame.
pub const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; \
     form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

const SECURITY_HEADERS: [(HeaderName, HeaderValue); 4] = [
    (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(CONTENT_SECURITY_POLICY)),
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin")),
];

/// The outermost layer.
///
/// # Errors
/// What the handler answers with; the error carries the headers as well.
pub async fn around(mut request: ServiceRequest, next: Next<impl MessageBody>) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let is_admin = request.path().starts_with("/admin/");
    if request.method() == Method::HEAD {
        // The encoder knows from the connection that no body is to be sent.
        request.head_mut().method = Method::GET;
    }
    let path = request.path().to_owned();
    let answer = match AssertUnwindSafe(next.call(request)).catch_unwind().await {
        Ok(answer) => answer,
        Err(_) => {
            error!(path, severity = "critical", "a handler panicked at {path}");
            Err(WebError::new(Code::Internal, "the service failed at this request; its log says where").into())
        }
    };
    match answer {
        Ok(mut response) => {
            add_headers(response.headers_mut(), is_admin);
            Ok(response)
        }
        Err(error) => {
            let mut response = error.as_response_error().error_response();
            add_headers(response.headers_mut(), is_admin);
            Err(InternalError::from_response(error, response).into())
        }
    }
}

fn add_headers(headers: &mut HeaderMap, is_admin: bool) {
    for (name, value) in SECURITY_HEADERS {
        headers.insert(name, value);
    }
    if is_admin {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    } else if !headers.contains_key(CACHE_CONTROL) {
        // A removed person must be gone from caches as soon as from here.
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::http::StatusCode;
    use actix_web::middleware::from_fn;
    use actix_web::test::{TestRequest, init_service, try_call_service};
    use actix_web::{App, HttpResponse, web};

    async fn panics() -> HttpResponse {
        panic!("a fault of a test")
    }

    /// A fault of a handler is that request's failure: it is answered, with all headers, and the next one is served.
    #[actix_web::test]
    async fn a_panic_is_answered() {
        let app = App::new().route("/panics", web::get().to(panics)).route("/works", web::get().to(HttpResponse::Ok));
        let service = init_service(app.wrap(from_fn(around))).await;
        for _ in 0..2 {
            let failed = try_call_service(&service, TestRequest::get().uri("/panics").to_request()).await;
            let response = failed.map(ServiceResponse::into_parts).expect_err("an error").error_response();
            assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
            assert_eq!(response.headers().get(header::CONTENT_TYPE).unwrap(), crate::web::errors::PROBLEM_JSON);
            assert_eq!(response.headers().get(header::CONTENT_SECURITY_POLICY).unwrap(), CONTENT_SECURITY_POLICY);
        }
        let works = try_call_service(&service, TestRequest::get().uri("/works").to_request()).await;
        assert!(works.is_ok_and(|response| response.status().is_success()));
    }
}
