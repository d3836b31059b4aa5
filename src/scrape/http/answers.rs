//! What a status, a `Retry-After` and a failed connection mean, as typed errors.

use crate::domain::clock::Timestamp;
use crate::scrape::guard::shown;
use crate::scrape::{FetchError, Limit};
use reqwest::StatusCode;
use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};
use std::error::Error;
use std::time::Duration;
use url::Url;

/// The error of a status that brings no page and is no redirect.
pub fn status_error(url: &Url, status: StatusCode, headers: &HeaderMap, now: Timestamp) -> FetchError {
    let (code, url) = (status.as_u16(), shown(url));
    match code {
        404 | 410 => FetchError::Gone { url, status: code },
        429 | 503 => FetchError::SlowDown { url, status: code, retry_after: retry_after(headers, now) },
        401 | 403 | 451 => FetchError::Blocked { url, status: code },
        500..=599 => FetchError::Server { url, status: code },
        _ => FetchError::BadResponse { url, why: format!("status {code}") },
    }
}

/// How long the site asks us to stay away: seconds, or a date, which is read against the site's own clock if it tells it.
pub fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit()) {
        return Some(Duration::from_secs(value.parse().unwrap_or(u64::from(u32::MAX))));
    }
    let until = http_date(value)?;
    let theirs = headers.get(DATE).and_then(|date| http_date(date.to_str().ok()?.trim())).unwrap_or(now);
    Some(until.since(theirs))
}

/// A date in one of the three forms of RFC 9110, section 5.6.7.
fn http_date(text: &str) -> Option<Timestamp> {
    use jiff::civil::DateTime;
    let civil = ["%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"]
        .iter()
        .find_map(|form| DateTime::strptime(form, text).ok())?;
    let zoned = civil.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
    Some(Timestamp(zoned.timestamp().as_microsecond()))
}

/// The error of a request that brought no response, or broke while its body came.
pub fn transport_error(url: &Url, error: &reqwest::Error) -> FetchError {
    let host = url.host_str().unwrap_or_default().to_owned();
    let mut why = String::new();
    let mut cause: Option<&(dyn Error + 'static)> = error.source();
    while let Some(at) = cause {
        if let Some(ours) = at.downcast_ref::<FetchError>() {
            return ours.clone();
        }
        why = at.to_string();
        if let Some(io) = at.downcast_ref::<std::io::Error>().map(innermost) {
            match io.kind() {
                // The TLS layer reports what it does not accept as invalid data.
                std::io::ErrorKind::InvalidData if error.is_connect() => return FetchError::Tls { host, why: why_of(io) },
                std::io::ErrorKind::TimedOut if error.is_connect() => {
                    return FetchError::OverLimit { url: shown(url), limit: Limit::Connect };
                }
                std::io::ErrorKind::InvalidInput | std::io::ErrorKind::InvalidData => {
                    return FetchError::BadResponse { url: shown(url), why: why_of(io) };
                }
                _ => {}
            }
        }
        // The HTTP library's own errors can only be told apart by their text; tests hold it to that text.
        if why.contains("message head is too large") {
            return FetchError::OverLimit { url: shown(url), limit: Limit::HeaderBytes };
        }
        if why.contains("invalid HTTP") || why.contains("invalid URI") || why.contains("invalid content-length") {
            return FetchError::BadResponse { url: shown(url), why: crate::domain::text::clean_line(&why, 200) };
        }
        cause = at.source();
    }
    if error.is_timeout() {
        let limit = if error.is_connect() { Limit::Connect } else { Limit::Idle };
        return FetchError::OverLimit { url: shown(url), limit };
    }
    if why.is_empty() {
        why = if error.is_connect() { "no connection".to_owned() } else { "the connection broke".to_owned() };
    }
    FetchError::Connection { host, why: crate::domain::text::clean_line(&why, 200) }
}

/// The error inside of I/O errors that wrap each other: `source` steps over those.
fn innermost(error: &std::io::Error) -> &std::io::Error {
    let mut at = error;
    while let Some(inner) = at.get_ref().and_then(|inner| inner.downcast_ref::<std::io::Error>()) {
        at = inner;
    }
    at
}

fn why_of(error: &std::io::Error) -> String {
    let text = error.get_ref().map_or_else(|| error.to_string(), ToString::to_string);
    crate::domain::text::clean_line(&text, 200)
}

#[cfg(test)]
mod tests {
    use super::*;
    use reqwest::header::HeaderValue;

    /// 2026-03-01T12:00:00Z.
    const NOW: Timestamp = Timestamp(1_772_366_400_000_000);

    fn asked(value: &str, date: Option<&str>) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, HeaderValue::from_str(value).unwrap());
        if let Some(date) = date {
            headers.insert(DATE, HeaderValue::from_str(date).unwrap());
        }
        retry_after(&headers, NOW)
    }

    #[test]
    fn retry_after_is_read_in_all_its_forms() {
        for (value, seconds) in [
            ("0", Some(0)),
            ("120", Some(120)),
            (" 7 ", Some(7)),
            ("99999999999999999999999", Some(u64::from(u32::MAX))),
            ("Sun, 01 Mar 2026 12:01:30 GMT", Some(90)),
            ("Sunday, 01-Mar-26 12:01:30 GMT", Some(90)),
            ("Sun Mar  1 12:01:30 2026", Some(90)),
            ("Sun, 01 Mar 2026 11:00:00 GMT", Some(0)),
            ("soon", None),
            ("-1", None),
            ("1.5", None),
            ("", None),
        ] {
            assert_eq!(asked(value, None), seconds.map(Duration::from_secs), "{value}");
        }
        let skewed = asked("Sun, 01 Mar 2026 09:00:30 GMT", Some("Sun, 01 Mar 2026 09:00:00 GMT"));
        assert_eq!(skewed, Some(Duration::from_secs(30)), "a site whose clock is wrong is read against its own date");
    }

    #[test]
    fn each_status_has_its_type() {
        let url = Url::parse("https://studio.example/x?token=secret").unwrap();
        for (status, code) in [
            (400, "bad_response"),
            (401, "blocked"),
            (403, "blocked"),
            (404, "gone"),
            (405, "bad_response"),
            (410, "gone"),
            (418, "bad_response"),
            (429, "slow_down"),
            (451, "blocked"),
            (500, "server_error"),
            (502, "server_error"),
            (503, "slow_down"),
            (504, "server_error"),
            (304, "bad_response"),
        ] {
            let error = status_error(&url, StatusCode::from_u16(status).unwrap(), &HeaderMap::new(), NOW);
            assert_eq!(error.code(), code, "{status}");
            assert!(!error.to_string().contains("secret"), "{error}");
        }
    }
}
