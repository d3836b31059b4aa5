//! What must never be printed: keys and passwords on their way from a setting to the client that needs them.

use serde::{Deserialize, Serialize, Serializer};
use std::fmt;

/// What is shown in place of a secret.
const HIDDEN: &str = "(secret)";

/// A secret text. Neither `Debug` nor an error shows it, nor does what is written from it; only reading takes it whole.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(if self.0.is_empty() { "" } else { HIDDEN })
    }
}

impl Secret {
    /// Hides `text`.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The text itself, for the client that needs it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HIDDEN)
    }
}

/// A pair that signs requests to a service that speaks an Amazon protocol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessKey {
    /// The public half.
    pub id: String,
    /// The secret half.
    pub secret: Secret,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_not_shown() {
        let key = AccessKey { id: "AKIA1".into(), secret: Secret::new("hush") };
        assert_eq!(format!("{key:?}"), r#"AccessKey { id: "AKIA1", secret: (secret) }"#);
        assert_eq!(key.secret.reveal(), "hush");
        assert_eq!(serde_json::to_string(&key.secret).unwrap(), r#""(secret)""#);
        assert_eq!(serde_json::from_str::<Secret>(r#""hush""#).unwrap(), key.secret);
    }
}
