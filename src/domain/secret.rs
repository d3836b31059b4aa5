//! What must never be printed: keys and passwords on their way from a setting to the client that needs them.

use std::fmt;

/// A secret text. Neither `Debug` nor an error shows it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Hides `text`.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself, for the client that needs it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
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
    }
}
