//! Identity keys: what makes two findings the same artist (rule 9 of the design).

use crate::domain::ids::{ArtistId, StudioId};
use crate::domain::text::{folded_name, names_agree};
use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;
use url::Url;

/// One key of the identity table.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct IdentityKey(String);

impl IdentityKey {
    /// The key of an Instagram handle.
    pub fn instagram(handle: &str) -> Option<Self> {
        normal_handle(handle).map(|handle| Self(format!("instagram:{handle}")))
    }

    /// The key of a portfolio site.
    pub fn site(url: &Url) -> Self {
        Self(format!("site:{}", canonical_site(url)))
    }

    /// The key of a name within a studio; a name without letters identifies nobody.
    pub fn member(studio: &StudioId, name: &str) -> Option<Self> {
        let name = folded_name(name);
        (!name.is_empty()).then(|| Self(format!("member:{studio}:{name}")))
    }

    /// Reads a key back from storage.
    pub fn stored(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The key as stored.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A handle as stored: NFKC, lower case, no `@`; `None` unless it has the form that Instagram allows.
pub fn normal_handle(handle: &str) -> Option<String> {
    let handle: String = handle.nfkc().flat_map(char::to_lowercase).collect();
    let handle = handle.trim().trim_start_matches('@');
    let plain = handle.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'.');
    let formed = !handle.is_empty() && handle.len() <= 30 && !handle.starts_with('.') && !handle.ends_with('.');
    (plain && formed && !handle.contains("..")).then(|| handle.to_owned())
}

/// A site as an identity: host without `www.`, port unless it is the default one, and path without a trailing slash or index file.
pub fn canonical_site(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default().trim_end_matches('.');
    let host = host.strip_prefix("www.").unwrap_or(host);
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    let path = url.path();
    let path = path.strip_suffix("index.html").or_else(|| path.strip_suffix("index.htm")).unwrap_or(path);
    let path = path.strip_suffix("index.php").unwrap_or(path);
    format!("{host}{port}{}", path.trim_end_matches('/'))
}

/// What the identity table says of a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyState {
    /// The key names this artist.
    Held(ArtistId),
    /// Several claim it: it identifies nobody until an operator decides.
    Shared,
}

/// A key as read from the table, with what its holder's row says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyReading {
    /// The key.
    pub key: IdentityKey,
    /// Its state; `None` if nobody ever claimed it.
    pub state: Option<KeyState>,
    /// The holder's name if the holder has a live row; `None` for an open key (claimed, no row yet).
    pub holder: Option<Holder>,
}

/// A live artist that a key names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// Its name as recorded.
    pub name: String,
    /// When its row was created (its first version): the oldest wins.
    pub created: i64,
}

/// Who a set of keys means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdentityDecision {
    /// The artist.
    pub id: ArtistId,
    /// Keys to point at `id`, each with the state it was read in (for the compare-and-set).
    pub claim: Vec<(IdentityKey, Option<KeyState>)>,
    /// Keys held by a live artist whose name does not agree: they turn shared, and their holder is queued again.
    pub share: Vec<(IdentityKey, ArtistId)>,
    /// Keys of another live artist of an agreeing name: the two may be one, which an operator decides.
    pub rivals: Vec<(IdentityKey, ArtistId)>,
}

/// Decides who `name` with the keys `readings` is (rule 9).
///
/// The oldest live id whose name agrees wins, else the smallest open id, else the id proposed by the first usable key.
/// Answers `None` if no key can identify anybody (none given, or all shared).
pub fn decide_identity(name: &str, readings: &[KeyReading]) -> Option<IdentityDecision> {
    let usable: Vec<&KeyReading> = readings.iter().filter(|r| r.state != Some(KeyState::Shared)).collect();
    let held = |reading: &KeyReading| match &reading.state {
        Some(KeyState::Held(id)) => Some(id.clone()),
        _ => None,
    };
    let agrees = |reading: &KeyReading| reading.holder.as_ref().is_none_or(|holder| names_agree(&holder.name, name));

    let oldest_live =
        usable.iter().filter(|r| r.holder.is_some() && agrees(r)).filter_map(|r| Some((r.holder.as_ref()?.created, held(r)?))).min();
    let smallest_open = usable.iter().filter(|r| r.holder.is_none()).filter_map(|r| held(r)).min();
    let id = match (oldest_live, smallest_open) {
        (Some((_, id)), _) => id,
        (None, Some(id)) => id,
        (None, None) => {
            let first = usable.iter().find(|r| agrees(r))?;
            ArtistId::proposed(first.key.as_str())
        }
    };
    let mut decision = IdentityDecision { id, claim: Vec::new(), share: Vec::new(), rivals: Vec::new() };
    for reading in usable {
        match (held(reading), &reading.holder) {
            (Some(holder_id), Some(_)) if !agrees(reading) => decision.share.push((reading.key.clone(), holder_id)),
            (Some(holder_id), _) if holder_id == decision.id => {}
            // A key of another live artist of the same name is left to it: merging two rows is an operator's act.
            (Some(holder_id), Some(_)) => decision.rivals.push((reading.key.clone(), holder_id)),
            (_, _) => decision.claim.push((reading.key.clone(), reading.state.clone())),
        }
    }
    Some(decision)
}

/// As [`decide_identity`] where an operator has decided: it is `id`, and keys of other live artists are left to them.
pub fn decided_identity(id: &ArtistId, readings: &[KeyReading]) -> IdentityDecision {
    let is_free = |reading: &&KeyReading| match &reading.state {
        Some(KeyState::Shared) => false,
        Some(KeyState::Held(holder)) => holder != id && reading.holder.is_none(),
        None => true,
    };
    let claim = readings.iter().filter(is_free).map(|reading| (reading.key.clone(), reading.state.clone())).collect();
    IdentityDecision { id: id.clone(), claim, share: Vec::new(), rivals: Vec::new() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn key(text: &str) -> IdentityKey {
        IdentityKey::stored(text)
    }
    fn live(text: &str, id: &str, name: &str, created: i64) -> KeyReading {
        let holder = Some(Holder { name: name.into(), created });
        KeyReading { key: key(text), state: Some(KeyState::Held(ArtistId::new(id))), holder }
    }
    fn absent(text: &str) -> KeyReading {
        KeyReading { key: key(text), state: None, holder: None }
    }

    #[test]
    fn an_unknown_artist_gets_the_id_of_the_first_key() {
        let decision = decide_identity("Ana", &[absent("instagram:ana"), absent("site:ana.example")]).unwrap();
        assert_eq!(decision.id, ArtistId::proposed("instagram:ana"));
        assert_eq!(decision.claim.len(), 2);
    }

    /// 002-R20: the same handle is the same artist.
    #[test]
    fn a_known_handle_names_its_artist() {
        let decision = decide_identity("Ana", &[live("instagram:ana", "artist-7", "Ana Lima", 1), absent("site:x")]).unwrap();
        assert_eq!(decision.id, ArtistId::new("artist-7"));
        assert_eq!(decision.claim, [(key("site:x"), None)]);
        assert!(decision.share.is_empty());
    }

    #[test]
    fn a_handle_of_somebody_else_turns_shared() {
        let decision = decide_identity("Bo", &[live("instagram:shop", "artist-7", "Ana", 1), absent("member:s:bo")]).unwrap();
        assert_eq!(decision.id, ArtistId::proposed("member:s:bo"));
        assert_eq!(decision.share, [(key("instagram:shop"), ArtistId::new("artist-7"))]);
    }

    #[test]
    fn shared_keys_identify_nobody() {
        let shared = KeyReading { key: key("instagram:shop"), state: Some(KeyState::Shared), holder: None };
        assert_eq!(decide_identity("Bo", &[shared]), None);
    }

    #[test]
    fn handles_are_normal_or_none() {
        assert_eq!(normal_handle(" @Alex.Tattoo_1 ").as_deref(), Some("alex.tattoo_1"));
        assert_eq!(normal_handle("ａlex").as_deref(), Some("alex"));
        for bad in ["", "@", "a b", ".a", "a.", "a..b", "наташа", &"x".repeat(31)] {
            assert_eq!(normal_handle(bad), None, "{bad}");
        }
    }

    #[test]
    fn sites_are_equal_across_spellings() {
        for text in ["https://www.Ana.example/", "http://ana.example", "https://ana.example/index.html", "https://ana.example./"] {
            assert_eq!(canonical_site(&Url::parse(text).unwrap()), "ana.example", "{text}");
        }
    }

    /// What one job says: a name, and the keys it came with.
    #[derive(Debug, Clone)]
    struct Claim {
        person: usize,
        name: &'static str,
        keys: Vec<IdentityKey>,
    }

    /// The identity table and the rows, as the writer keeps them.
    #[derive(Default)]
    struct World {
        keys: std::collections::BTreeMap<IdentityKey, KeyState>,
        rows: std::collections::BTreeMap<ArtistId, Holder>,
        clock: i64,
    }

    impl World {
        fn write(&mut self, claim: &Claim) -> Option<ArtistId> {
            let reading = |key: &IdentityKey| {
                let state = self.keys.get(key).cloned();
                let holder = match &state {
                    Some(KeyState::Held(id)) => self.rows.get(id).cloned(),
                    _ => None,
                };
                KeyReading { key: key.clone(), state, holder }
            };
            let readings: Vec<KeyReading> = claim.keys.iter().map(reading).collect();
            let decision = decide_identity(claim.name, &readings)?;
            for (key, state) in decision.claim {
                assert_eq!(self.keys.get(&key), state.as_ref());
                self.keys.insert(key, KeyState::Held(decision.id.clone()));
            }
            for (key, _) in decision.share {
                self.keys.insert(key, KeyState::Shared);
            }
            self.clock += 1;
            let created = self.clock;
            self.rows.entry(decision.id.clone()).or_insert(Holder { name: claim.name.to_owned(), created });
            Some(decision.id)
        }

        /// Who each claim is after so many nights in one order, by the claims that are the same one.
        fn nights(claims: &[Claim], order: &[usize]) -> Vec<Option<usize>> {
            let mut world = Self::default();
            let mut ids = vec![None; claims.len()];
            for _ in 0..3 {
                for at in order {
                    ids[*at] = world.write(&claims[*at]);
                }
            }
            let first = |id: &Option<ArtistId>| id.as_ref().and_then(|id| ids.iter().position(|other| other.as_ref() == Some(id)));
            ids.iter().map(first).collect()
        }
    }

    const PEOPLE: [&[&str]; 5] =
        [&["Ana Lima", "Ana"], &["Bo Quill", "Bo"], &["Cy Finch"], &["Dua Marsh", "Dua Marsh Ink"], &["Eve Thorn", "Thorn Eve"]];

    /// Claims of several people: each with a key of their own in all of them, some with a second site, some from a second studio
    /// (they moved), some with the handle of the shop, which is nobody's.
    fn claims() -> impl Strategy<Value = (Vec<Claim>, Vec<usize>)> {
        let claim = (0..PEOPLE.len(), any::<usize>(), 0..2_usize, any::<bool>(), any::<bool>(), any::<bool>());
        let made = |(person, named, studio, site, shop, shop_first): (usize, usize, usize, bool, bool, bool)| {
            let name = PEOPLE[person][named % PEOPLE[person].len()];
            let mut keys = vec![key(&format!("instagram:own{person}")), key(&format!("member:s{studio}:{name}"))];
            if site {
                keys.push(key(&format!("site:{person}-{studio}.example")));
            }
            if shop {
                keys.insert(if shop_first { 0 } else { keys.len() }, key("instagram:shop"));
            }
            Claim { person, name, keys }
        };
        proptest::collection::vec(claim.prop_map(made), 1..9).prop_flat_map(|claims| {
            let order: Vec<usize> = (0..claims.len()).collect();
            (Just(claims), Just(order).prop_shuffle())
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(600))]

        /// Rule 9: the order of jobs never changes who is who, and nobody is two, or two people one.
        #[test]
        fn the_order_of_jobs_never_changes_who_is_who((claims, order) in claims()) {
            let in_order: Vec<usize> = (0..claims.len()).collect();
            let first = World::nights(&claims, &in_order);
            prop_assert_eq!(&World::nights(&claims, &order), &first);
            for (at, who) in first.iter().enumerate() {
                let same = claims.iter().position(|claim| claim.person == claims[at].person);
                prop_assert_eq!(*who, same, "claim {} of {:?}", at, &claims);
            }
        }

        /// What an operator fixed is who it is, whatever the other keys say, and takes no key of anybody who lives.
        #[test]
        fn a_fixed_key_decides(states in proptest::collection::vec(0..4_u8, 1..6)) {
            let readings: Vec<KeyReading> = states.iter().enumerate().map(|(at, state)| match state {
                0 => absent(&format!("k{at}")),
                1 => KeyReading { state: Some(KeyState::Shared), ..absent(&format!("k{at}")) },
                2 => KeyReading { state: Some(KeyState::Held(ArtistId::new("open"))), ..absent(&format!("k{at}")) },
                _ => live(&format!("k{at}"), "other", "Ana", 1),
            }).collect();
            let decision = decided_identity(&ArtistId::new("fixed"), &readings);
            prop_assert_eq!(decision.id.as_str(), "fixed");
            prop_assert!(decision.share.is_empty());
            let free = states.iter().filter(|state| matches!(state, 0 | 2)).count();
            prop_assert_eq!(decision.claim.len(), free);
        }
    }

    proptest! {
        #[test]
        fn normal_handles_are_fixed_points(text in "[@A-Za-z0-9._ ]{0,35}") {
            if let Some(handle) = normal_handle(&text) {
                let again = normal_handle(&handle);
                prop_assert_eq!(again.as_deref(), Some(handle.as_str()));
            }
        }

        #[test]
        fn the_order_of_keys_among_live_holders_does_not_matter(swap: bool) {
            let mut keys = vec![live("instagram:a", "artist-1", "Ana", 5), live("site:a", "artist-2", "Ana", 3)];
            if swap { keys.reverse(); }
            prop_assert_eq!(decide_identity("Ana", &keys).unwrap().id, ArtistId::new("artist-2"));
        }
    }
}
