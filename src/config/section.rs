//! One definition per key: its type, default, range and documentation; the reader and `config/default.toml` come from it.

use crate::domain::text::in_plain_words;
use serde::de::DeserializeOwned;
use std::fmt;

/// A problem with one place of a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where: `production.toml:12 workers.max`.
    pub place: String,
    /// What is wrong.
    pub what: String,
    /// What to do.
    pub hint: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.what)?;
        if self.hint.is_empty() { Ok(()) } else { write!(f, "\n    {}", self.hint) }
    }
}

/// A key as documented.
#[derive(Debug)]
pub struct KeyDoc {
    /// Its name within the section.
    pub name: &'static str,
    /// Doc comment, one entry a line.
    pub doc: &'static [&'static str],
    /// The default as TOML.
    pub default: fn() -> toml::Value,
}

/// A section as documented and read.
#[derive(Debug)]
pub struct SectionDoc {
    /// Its name: the table's.
    pub name: &'static str,
    /// Doc comment, one entry a line.
    pub doc: &'static [&'static str],
    /// Its keys in order.
    pub keys: &'static [KeyDoc],
}

/// Reads one value, or says what is wrong with it.
pub fn read_value<T: DeserializeOwned>(value: &toml::Value) -> Result<T, String> {
    value.clone().try_into::<T>().map_err(|error| in_plain_words(error.message()))
}

/// A default as TOML, for the generated file.
pub fn default_value<T: serde::Serialize>(value: &T) -> toml::Value {
    toml::Value::try_from(value).expect("defaults are plain values, which always serialise to TOML")
}

/// Defines a section: a struct whose fields carry type, default, an optional check, and documentation.
macro_rules! section {
    (
        $(#[doc = $section_doc:expr])*
        $name:ident in $table:literal {
            $(
                $(#[doc = $doc:expr])*
                $field:ident : $type:ty = $default:expr $(, $check:expr => $must:literal)? ;
            )*
        }
    ) => {
        $(#[doc = $section_doc])*
        #[derive(Debug, Clone, PartialEq, serde::Serialize)]
        pub struct $name {
            $( $(#[doc = $doc])* pub $field: $type, )*
        }

        impl Default for $name {
            fn default() -> Self {
                Self { $( $field: $default, )* }
            }
        }

        impl $name {
            /// The section's documentation.
            pub const DOC: $crate::config::section::SectionDoc = $crate::config::section::SectionDoc {
                name: $table,
                doc: &[ $($section_doc),* ],
                keys: &[ $( $crate::config::section::KeyDoc {
                    name: stringify!($field),
                    doc: &[ $($doc),* ],
                    default: || $crate::config::section::default_value::<$type>(&$default),
                } ),* ],
            };

            /// Sets one key; answers what is wrong with the value.
            pub(crate) fn set(&mut self, key: &str, value: &toml::Value) -> Result<(), String> {
                match key {
                    $( stringify!($field) => {
                        let value: $type = $crate::config::section::read_value(value)?;
                        $( {
                            let check: fn(&$type) -> bool = $check;
                            if !check(&value) {
                                return Err(format!("{value:?} is out of range: it must be {}", $must));
                            }
                        } )?
                        self.$field = value;
                        Ok(())
                    } )*
                    _ => Err("unknown key".to_owned()),
                }
            }
        }
    };
}

pub(crate) use section;
