//! Bodies of requests: small and in time; JSON of exactly the fields that are known, or what a form sends.

use crate::web::errors::{Code, WebError};
use crate::web::pages::PageError;
use crate::web::state::Web;
use actix_web::dev::Payload;
use actix_web::http::header;
use actix_web::web::{BytesMut, Data};
use actix_web::{FromRequest, HttpRequest};
use futures_util::StreamExt;
use serde::de::DeserializeOwned;
use std::pin::Pin;
use std::time::Duration;

/// Longest body, bytes.
pub const BODY_MAX_BYTES: usize = 64 * 1024;

/// A JSON body, or the default where there is none.
#[derive(Debug)]
pub struct JsonBody<T>(pub T);

impl<T: DeserializeOwned + Default + 'static> FromRequest for JsonBody<T> {
    type Error = WebError;
    type Future = Pin<Box<dyn Future<Output = Result<Self, WebError>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let deadline = deadline(request);
        let is_json = is_of_type(request, "application/json");
        let payload = payload.take();
        Box::pin(async move {
            let bytes = in_time(deadline, payload).await?;
            if bytes.is_empty() {
                return Ok(Self(T::default()));
            }
            // A form of another site can send text and forms without asking first, but not JSON.
            if !is_json {
                return Err(WebError::new(Code::NotJson, "send the body as JSON, with `Content-Type: application/json`"));
            }
            serde_json::from_slice(&bytes)
                .map(Self)
                .map_err(|error| WebError::new(Code::InvalidBody, format!("the body cannot be used: {error}")))
        })
    }
}

/// The pairs of a form, as a browser sends them.
#[derive(Debug)]
pub struct FormBody(pub Vec<(String, String)>);

/// Fields of a form at most: ours have fewer.
const FIELDS_MAX: usize = 32;

impl FromRequest for FormBody {
    type Error = PageError;
    type Future = Pin<Box<dyn Future<Output = Result<Self, PageError>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let deadline = deadline(request);
        let is_form = is_of_type(request, "application/x-www-form-urlencoded");
        let payload = payload.take();
        Box::pin(async move {
            if !is_form {
                return Err(WebError::new(Code::InvalidBody, "this address takes what its form sends; programs use the API").into());
            }
            let bytes = in_time(deadline, payload).await?;
            let pairs: Vec<(String, String)> = url::form_urlencoded::parse(&bytes).into_owned().take(FIELDS_MAX + 1).collect();
            if pairs.len() > FIELDS_MAX {
                return Err(WebError::new(Code::InvalidBody, "the form has more fields than it was made with").into());
            }
            Ok(Self(pairs))
        })
    }
}

fn deadline(request: &HttpRequest) -> Duration {
    request.app_data::<Data<Web>>().map(|web| web.state.body_deadline).unwrap_or_default()
}

fn is_of_type(request: &HttpRequest, essence: &str) -> bool {
    let content_type = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    content_type.split(';').next().is_some_and(|first| first.trim().eq_ignore_ascii_case(essence))
}

async fn in_time(deadline: Duration, payload: Payload) -> Result<BytesMut, WebError> {
    let Ok(read) = tokio::time::timeout(deadline, read(payload)).await else {
        let detail = format!("the body did not arrive within {} ms; send it at once", deadline.as_millis());
        return Err(WebError::new(Code::BodyTooSlow, detail));
    };
    read
}

async fn read(mut payload: Payload) -> Result<BytesMut, WebError> {
    let mut bytes = BytesMut::new();
    while let Some(piece) = payload.next().await {
        let piece = piece.map_err(|error| WebError::new(Code::InvalidBody, format!("the body broke off: {error}")))?;
        if bytes.len() + piece.len() > BODY_MAX_BYTES {
            return Err(WebError::new(Code::BodyTooLarge, format!("the body has more than {BODY_MAX_BYTES} bytes")));
        }
        bytes.extend_from_slice(&piece);
    }
    Ok(bytes)
}
