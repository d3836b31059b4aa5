//! From the text of pages to evidenced facts; pure, one extractor a file.
