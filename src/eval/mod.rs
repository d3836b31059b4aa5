//! Scores extraction against labelled sites, by the rules of the corpus.
