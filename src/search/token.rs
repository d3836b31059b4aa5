//! Public page tokens: where a page ended, bound to its query and signed, so that paging needs no state on our side.

use crate::domain::ids::ArtistId;
use crate::search::plan::RANK_FORMULA;
use crate::search::{PageMark, SearchError, SearchQuery};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use std::fmt;

/// What the signature says it is for, so that no other signature of the same key is a page token.
const PURPOSE: &[u8] = b"inkdex page token 1";
const RANK_BYTES: usize = 8;
const HASH_BYTES: usize = 16;
const SIGNATURE_BYTES: usize = 32;
/// Longer than any token of ours: ids have at most 512 bytes.
const TOKEN_MAX_CHARS: usize = 1024;

/// Makes and checks page tokens with one key.
///
/// A token is base64url of `rank, hash of the query, id, signature`. It is not secret and says nothing that the page does
/// not show; it is signed so that only marks that we gave out lead into the index.
#[derive(Clone)]
pub struct PageTokens {
    key: [u8; 32],
}

impl fmt::Debug for PageTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PageTokens")
    }
}

impl PageTokens {
    /// Tokens signed with `key`; all instances that serve the same people must have the same one.
    pub fn new(key: [u8; 32]) -> Self {
        Self { key }
    }

    /// The token of the page of `query` after `mark`.
    pub fn issue(&self, query: &SearchQuery, mark: &PageMark) -> String {
        let mut bytes = mark.rank.to_be_bytes().to_vec();
        bytes.extend(query_hash(query));
        bytes.extend(mark.artist_id.as_str().as_bytes());
        let signature = self.signer(&bytes).finalize().into_bytes();
        bytes.extend(signature);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// The mark of a token, if it was issued by this key for this query, whatever the limit and the page before.
    ///
    /// # Errors
    /// [`SearchError::BadToken`] for anything else.
    pub fn read(&self, token: &str, query: &SearchQuery) -> Result<PageMark, SearchError> {
        self.verified(token, query).ok_or(SearchError::BadToken)
    }

    fn verified(&self, token: &str, query: &SearchQuery) -> Option<PageMark> {
        if token.len() > TOKEN_MAX_CHARS {
            return None;
        }
        let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
        let (signed, signature) = bytes.split_at_checked(bytes.len().checked_sub(SIGNATURE_BYTES)?)?;
        // In constant time, so that a signature cannot be found byte by byte.
        self.signer(signed).verify_slice(signature).ok()?;
        let (rank, rest) = signed.split_first_chunk::<RANK_BYTES>()?;
        let (hash, artist_id) = rest.split_first_chunk::<HASH_BYTES>()?;
        if *hash != query_hash(query) {
            return None;
        }
        let artist_id = ArtistId::new(std::str::from_utf8(artist_id).ok()?);
        Some(PageMark { rank: i64::from_be_bytes(*rank), artist_id })
    }

    fn signer(&self, bytes: &[u8]) -> Hmac<Sha256> {
        let mut signer = Hmac::<Sha256>::new_from_slice(&self.key).expect("HMAC takes keys of any length");
        signer.update(PURPOSE);
        signer.update(bytes);
        signer
    }
}

/// A hash of what is asked: the same for every page and page size, another after a change of the formula of ranks.
fn query_hash(query: &SearchQuery) -> [u8; HASH_BYTES] {
    let asked = SearchQuery { after: None, limit: 0, ..query.clone() };
    let text = serde_json::to_string(&(RANK_FORMULA, asked)).expect("a query is plain data, which always has a JSON form");
    let digest: [u8; 32] = Sha256::digest(text).into();
    let mut hash = [0; HASH_BYTES];
    hash.copy_from_slice(&digest[..HASH_BYTES]);
    hash
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::place::Coordinates;
    use crate::search::Near;
    use proptest::prelude::*;

    fn tokens() -> PageTokens {
        PageTokens::new([7; 32])
    }

    fn query() -> SearchQuery {
        SearchQuery {
            tokens: vec!["ana".to_owned()],
            styles: vec!["fine-line".to_owned()],
            near: Some(Near { centre: Coordinates { lat: 51.5, lon: -0.1 }, radius_km: 25.0 }),
            limit: 20,
            ..SearchQuery::default()
        }
    }

    fn mark() -> PageMark {
        PageMark { rank: 8_750_000, artist_id: ArtistId::new("artist-17") }
    }

    fn is_refused(answer: Result<PageMark, SearchError>) -> bool {
        matches!(answer, Err(SearchError::BadToken))
    }

    #[test]
    fn a_token_belongs_to_its_query_and_key() {
        let token = tokens().issue(&query(), &mark());
        assert_eq!(tokens().read(&token, &query()).ok(), Some(mark()));
        for other in [
            SearchQuery { tokens: vec!["anna".to_owned()], ..query() },
            SearchQuery { styles: Vec::new(), ..query() },
            SearchQuery { country: Some("GB".to_owned()), ..query() },
            SearchQuery { city_key: Some("LONDON".to_owned()), ..query() },
            SearchQuery { near: None, ..query() },
            SearchQuery { instagram: Some("ana".to_owned()), ..query() },
        ] {
            assert!(is_refused(tokens().read(&token, &other)), "{other:?}");
        }
        assert!(is_refused(PageTokens::new([8; 32]).read(&token, &query())));
    }

    /// A token goes on to work on the next page and when somebody asks for longer pages.
    #[test]
    fn the_limit_and_the_page_before_are_not_part_of_the_query() {
        let token = tokens().issue(&query(), &mark());
        let later = SearchQuery { limit: 50, after: Some(mark()), ..query() };
        assert_eq!(tokens().read(&token, &later).ok(), Some(mark()));
    }

    #[test]
    fn what_is_no_token_is_refused() {
        for text in ["", "a", "AAAA", "not base64!", &"A".repeat(43), &"A".repeat(100), &"A".repeat(5000)] {
            assert!(is_refused(tokens().read(text, &query())), "{text}");
        }
    }

    proptest! {
        #[test]
        fn tokens_round_trip(rank in any::<i64>(), id in ".{0,60}", words in prop::collection::vec(".{0,8}", 0..4)) {
            let query = SearchQuery { tokens: words, ..query() };
            let mark = PageMark { rank, artist_id: ArtistId::new(id) };
            prop_assert_eq!(tokens().read(&tokens().issue(&query, &mark), &query).ok(), Some(mark));
        }

        #[test]
        fn any_bit_flip_is_refused(rank in any::<i64>(), id in "[a-z0-9-]{1,40}", at in any::<prop::sample::Index>(), bit in 0_u8..8) {
            let token = tokens().issue(&query(), &PageMark { rank, artist_id: ArtistId::new(id) });
            let mut bytes = token.clone().into_bytes();
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
            if let Ok(flipped) = String::from_utf8(bytes) {
                prop_assert!(is_refused(tokens().read(&flipped, &query())));
            }
            let mut bytes = URL_SAFE_NO_PAD.decode(&token).expect("our own base64");
            let at = at % bytes.len();
            bytes[at] ^= 1 << bit;
            prop_assert!(is_refused(tokens().read(&URL_SAFE_NO_PAD.encode(bytes), &query())));
        }
    }
}
