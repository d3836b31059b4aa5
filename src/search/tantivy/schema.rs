//! The fields of the tantivy index, and a document of ours as one of tantivy's.

use crate::domain::artist::hex;
use crate::search::document::DOCUMENT_FORM;
use crate::search::plan::completeness_permille;
use crate::search::{IndexDocument, IndexOperation};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use tantivy::TantivyDocument;
use tantivy::schema::{
    FAST, Field, INDEXED, IndexRecordOption, NumericOptions, STORED, Schema, SchemaBuilder, TextFieldIndexing, TextOptions,
};

/// Raised when the same documents are written in another way into the same fields.
const WRITING_FORM: u32 = 1;

/// Names of the fields that are read by column.
pub(super) mod column {
    pub const ID: &str = "id";
    pub const VERSION: &str = "version";
    pub const DELETED: &str = "deleted";
    pub const COMPLETENESS: &str = "completeness";
    pub const STYLE: &str = "style";
    pub const COUNTRY: &str = "country";
    pub const CITY_KEY: &str = "city_key";
    pub const LAT: &str = "lat";
    pub const LON: &str = "lon";
}

/// Handles of the fields.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fields {
    /// The artist id, one term.
    pub id: Field,
    /// The row's version.
    pub version: Field,
    /// Whether it is a tombstone, which has an id and a version and nothing else.
    pub deleted: Field,
    /// Tokens of the name.
    pub name: Field,
    /// The tokens of the name joined, one term.
    pub whole_name: Field,
    /// Tokens of the text.
    pub text: Field,
    /// Slugs, a term each.
    pub style: Field,
    /// One term.
    pub country: Field,
    /// One term.
    pub city_key: Field,
    /// One term.
    pub instagram: Field,
    /// Degrees north.
    pub lat: Field,
    /// Degrees east.
    pub lon: Field,
    /// In thousandths.
    pub completeness: Field,
    /// The [`IndexDocument`] as JSON: what a hit shows.
    pub source: Field,
}

fn indexed_text(tokenizer: &str) -> TextOptions {
    // Ranks come from tiers, so neither frequencies, positions nor lengths are kept.
    let indexing = TextFieldIndexing::default().set_tokenizer(tokenizer).set_index_option(IndexRecordOption::Basic).set_fieldnorms(false);
    TextOptions::default().set_indexing_options(indexing)
}

/// A field of one term.
pub(super) fn keyword() -> TextOptions {
    indexed_text("raw")
}

/// The schema and its fields.
pub(super) fn schema() -> (Schema, Fields) {
    let mut builder = SchemaBuilder::new();
    let number: NumericOptions = FAST.into();
    let keyword = keyword();
    let fields = Fields {
        id: builder.add_text_field(column::ID, keyword.clone() | FAST),
        version: builder.add_i64_field(column::VERSION, number.clone()),
        deleted: builder.add_bool_field(column::DELETED, FAST | INDEXED),
        name: builder.add_text_field("name", indexed_text("whitespace")),
        whole_name: builder.add_text_field("whole_name", keyword.clone()),
        text: builder.add_text_field("text", indexed_text("whitespace")),
        style: builder.add_text_field(column::STYLE, keyword.clone() | FAST),
        country: builder.add_text_field(column::COUNTRY, keyword.clone() | FAST),
        city_key: builder.add_text_field(column::CITY_KEY, keyword.clone() | FAST),
        instagram: builder.add_text_field("instagram", keyword),
        lat: builder.add_f64_field(column::LAT, number.clone()),
        lon: builder.add_f64_field(column::LON, number.clone()),
        completeness: builder.add_u64_field(column::COMPLETENESS, number),
        source: builder.add_bytes_field("source", STORED),
    };
    (builder.build(), fields)
}

/// A hash of everything that decides what the index holds of a row: an index of another one has to be rebuilt.
pub(super) fn schema_hash(schema: &Schema) -> Result<String, serde_json::Error> {
    let form = serde_json::json!([serde_json::to_value(schema)?, DOCUMENT_FORM, WRITING_FORM]);
    Ok(hex(&Sha256::digest(form.to_string().as_bytes())))
}

impl Fields {
    /// An operation as a document of tantivy.
    pub fn written(&self, operation: &IndexOperation) -> Result<TantivyDocument, serde_json::Error> {
        let mut written = TantivyDocument::new();
        written.add_text(self.id, operation.artist_id.as_str());
        written.add_i64(self.version, operation.version);
        written.add_bool(self.deleted, operation.document.is_none());
        if let Some(document) = &operation.document {
            self.add_contents(&mut written, document)?;
        }
        Ok(written)
    }

    fn add_contents(&self, written: &mut TantivyDocument, document: &IndexDocument) -> Result<(), serde_json::Error> {
        let name = document.name_tokens.join(" ");
        written.add_text(self.name, &name);
        written.add_text(self.whole_name, &name);
        written.add_text(self.text, document.text_tokens.join(" "));
        // A style named twice would be counted twice by its facet.
        for style in document.styles.iter().collect::<BTreeSet<_>>() {
            written.add_text(self.style, style);
        }
        let keywords = [(self.country, &document.country), (self.city_key, &document.city_key), (self.instagram, &document.instagram)];
        for (field, value) in keywords {
            if let Some(value) = value {
                written.add_text(field, value);
            }
        }
        if let Some(coordinates) = document.coordinates {
            written.add_f64(self.lat, coordinates.lat);
            written.add_f64(self.lon, coordinates.lon);
        }
        written.add_u64(self.completeness, completeness_permille(document.completeness));
        written.add_bytes(self.source, &serde_json::to_vec(document)?);
        Ok(())
    }
}
