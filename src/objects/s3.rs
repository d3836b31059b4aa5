//! Objects in a bucket of S3, or of whatever speaks its protocol, checked at the start.

use super::{Objects, ObjectsError};
use crate::domain::secret::AccessKey;
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::path::Path;
use object_store::{ClientOptions, Error, ObjectStore, ObjectStoreExt, PutPayload, RetryConfig};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use url::{Host, Url};

/// How long a connection may take to be made.
const CONNECT: Duration = Duration::from_secs(3);
/// How often a failed request is repeated before its caller hears of it.
const RETRIES: usize = 2;

/// What the environment may say about a key or a role; nothing else is taken from there.
const FROM_ENVIRONMENT: [&str; 8] = [
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_ROLE_ARN",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
];

/// Where the bucket is.
#[derive(Debug, Clone)]
pub struct S3Settings {
    /// The bucket's name.
    pub bucket: String,
    /// The region, as `eu-west-1`.
    pub region: String,
    /// The endpoint; without one, the region's own. `http` is allowed on loopback only.
    pub endpoint: Option<String>,
    /// What signs the requests; without one, the machine's role or environment.
    pub access_key: Option<AccessKey>,
    /// Whether the bucket is named in the path and not in the host, as other services than Amazon's mostly want it.
    pub path_style: bool,
    /// How long one request may take.
    pub answer_within: Duration,
}

impl Objects {
    /// Objects in a bucket that exists and can be written, read and listed: it is tried out with one small object.
    ///
    /// # Errors
    /// [`ObjectsError::Bucket`] with what to change.
    pub async fn in_bucket(settings: &S3Settings) -> Result<Self, ObjectsError> {
        let refuse = |why: String| ObjectsError::Bucket { bucket: settings.bucket.clone(), why };
        let allow_http = allows_http(settings.endpoint.as_deref()).map_err(refuse)?;
        let options = ClientOptions::new().with_allow_http(allow_http).with_connect_timeout(CONNECT).with_timeout(settings.answer_within);
        let retry = RetryConfig { max_retries: RETRIES, retry_timeout: settings.answer_within, ..RetryConfig::default() };
        // The client options come first: allowing http is kept among them.
        let mut builder = AmazonS3Builder::new()
            .with_client_options(options)
            .with_retry(retry)
            .with_bucket_name(&settings.bucket)
            .with_region(&settings.region)
            .with_virtual_hosted_style_request(!settings.path_style);
        if let Some(endpoint) = &settings.endpoint {
            builder = builder.with_endpoint(endpoint);
        }
        builder = match &settings.access_key {
            Some(key) => builder.with_access_key_id(&key.id).with_secret_access_key(key.secret.reveal()),
            None => with_environment(builder),
        };
        let bucket = builder.build().map_err(|error| refuse(error.to_string()))?;
        try_out(&bucket).await.map_err(|error| refuse(sentence(&error, settings)))?;
        Ok(Self { inner: Arc::new(bucket) })
    }
}

fn with_environment(builder: AmazonS3Builder) -> AmazonS3Builder {
    FROM_ENVIRONMENT.into_iter().fold(builder, |builder, name| {
        let key = name.to_ascii_lowercase().parse::<AmazonS3ConfigKey>();
        match (key, std::env::var(name)) {
            (Ok(key), Ok(value)) => builder.with_config(key, value),
            _ => builder,
        }
    })
}

/// Writes, reads, lists and deletes one small object.
async fn try_out(bucket: &dyn ObjectStore) -> Result<(), Error> {
    let folder = Path::from("start-checks");
    let path = Path::from(format!("start-checks/{}", uuid::Uuid::new_v4()));
    bucket.put(&path, PutPayload::from_static(b"inkdex asks whether it may")).await?;
    bucket.get(&path).await?.bytes().await?;
    bucket.list_with_delimiter(Some(&folder)).await?;
    bucket.delete(&path).await
}

/// Whether requests may go unencrypted: only to this machine.
fn allows_http(endpoint: Option<&str>) -> Result<bool, String> {
    let Some(endpoint) = endpoint else { return Ok(false) };
    let url = Url::parse(endpoint).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    let Some(url) = url else {
        return Err(format!("s3.endpoint is `{endpoint}`; set it to a URL, as `https://minio.example`, or leave it empty"));
    };
    let loopback = match url.host() {
        Some(Host::Ipv4(address)) => IpAddr::V4(address).is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    };
    match (url.scheme(), loopback) {
        ("https", _) => Ok(false),
        (_, true) => Ok(true),
        (_, false) => Err(format!("s3.endpoint {endpoint} would send pages and reports unencrypted; use https")),
    }
}

/// What a failed try-out means, and what to change.
fn sentence(error: &Error, settings: &S3Settings) -> String {
    let place = settings.endpoint.clone().unwrap_or_else(|| format!("Amazon S3 in region {}", settings.region));
    let told = crate::domain::text::clean_line(&error.to_string(), 400);
    let says = |word: &str| told.contains(word);
    if says("NoSuchBucket") || matches!(error, Error::NotFound { .. }) {
        format!("there is none at {place}; create it, or check s3.bucket and s3.region")
    } else if says("InvalidAccessKeyId") || says("SignatureDoesNotMatch") || says("InvalidToken") {
        format!("{place} does not accept the access key; check s3.access_key_id and s3.secret_access_key ({told})")
    } else if says("AuthorizationHeaderMalformed") || says("PermanentRedirect") || says("IllegalLocationConstraint") {
        format!("it is not in region {}; check s3.region ({told})", settings.region)
    } else if says("AccessDenied") || matches!(error, Error::PermissionDenied { .. } | Error::Unauthenticated { .. }) {
        format!("the access key may not read, write, list and delete in it; grant it as deploy/iam-policy.json says ({told})")
    } else {
        format!("no usable answer from {place}; check s3.endpoint, s3.region and the network ({told})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unencrypted_requests_stay_on_this_machine() {
        assert_eq!(allows_http(None), Ok(false));
        for loopback in ["http://127.0.0.1:9000", "http://127.8.8.8", "http://[::1]:1", "http://localhost:4566"] {
            assert_eq!(allows_http(Some(loopback)), Ok(true), "{loopback}");
        }
        assert_eq!(allows_http(Some("https://minio.example")), Ok(false));
        for wrong in ["http://minio:9000", "http://10.0.0.1", "http://localhost.example", "minio:9000", "ftp://127.0.0.1", ""] {
            assert!(allows_http(Some(wrong)).is_err(), "{wrong}");
        }
    }

    #[test]
    fn every_name_of_the_environment_is_known_to_the_client() {
        for name in FROM_ENVIRONMENT {
            assert!(name.to_ascii_lowercase().parse::<AmazonS3ConfigKey>().is_ok(), "{name}");
        }
    }
}
