//! Absences and the run gate (rule 11): who is missed, what that may retire, and when a person must decide.

use crate::domain::facts::Source;
use crate::domain::fields::Field;
use crate::domain::ids::ArtistId;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Counted misses at every source after which an artist is retired.
pub const MISSES_TO_RETIRE: u32 = 3;

/// Counted 404 or 410 answers of an artist's page after which it is gone.
pub const GONE_TO_RETIRE: u32 = 2;

/// What a source said about an artist in the nights so far.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sighting {
    /// About whom.
    pub artist_id: ArtistId,
    /// Where.
    pub source: Source,
    /// Counted nights in a row in which the source did not name the artist.
    pub misses: u32,
    /// Counted nights in a row in which the artist's page answered 404 or 410.
    pub gone: u32,
    /// Whether the source has a live page of the artist's own.
    pub own_page: bool,
}

/// An absence that a session proposes; it counts only once the gate let it pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Absence {
    /// A studio whose list pages were all read no longer names the artist.
    NotListed,
    /// The artist's page answered 404 or 410.
    PageGone,
    /// The page on which a field's value stood was read, and says nothing of it any more.
    FieldMissed(Field),
}

impl Sighting {
    /// Whether the source has no more to say about the artist.
    pub fn is_over(&self) -> bool {
        self.misses >= MISSES_TO_RETIRE || self.gone >= GONE_TO_RETIRE
    }
}

/// Whether the sightings of an artist, at all its sources, retire it.
pub fn retires(sightings: &[Sighting]) -> bool {
    if sightings.is_empty() {
        return false;
    }
    let missed_everywhere = sightings.iter().all(Sighting::is_over);
    let page_gone = sightings.iter().any(|sighting| sighting.gone >= GONE_TO_RETIRE);
    // Who was named elsewhere tonight was written from there; to retire them now would only be undone tomorrow.
    let named = sightings.iter().any(|sighting| sighting.gone == 0 && sighting.misses == 0);
    missed_everywhere || (page_gone && !named)
}

/// How many live artists have each field.
pub type Coverage = BTreeMap<String, u64>;

/// Why the gate holds a session's absences back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HeldBy {
    /// More than 5% and more than 10 of the live artists would retire.
    Retirements {
        /// How many would.
        retirements: u64,
        /// Of how many.
        live: u64,
    },
    /// A field that was known for many artists is known for less than half of them.
    Coverage {
        /// Which field.
        field: String,
        /// Artists that had it at the last session.
        before: u64,
        /// Artists that have it now.
        now: u64,
    },
}

/// The run gate: `None` lets the absences pass.
pub fn gate(retirements: u64, live: u64, before: &Coverage, now: &Coverage) -> Option<HeldBy> {
    if retirements > 10 && retirements * 20 > live {
        return Some(HeldBy::Retirements { retirements, live });
    }
    before.iter().find_map(|(field, had)| {
        let has = now.get(field).copied().unwrap_or(0);
        // A field that a handful of artists had says nothing by halving.
        (*had >= 10 && has * 2 < *had).then(|| HeldBy::Coverage { field: field.clone(), before: *had, now: has })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sighting(misses: u32, gone: u32, own_page: bool) -> Sighting {
        let source = Source::OwnSite(format!("{misses}{gone}{own_page}"));
        Sighting { artist_id: ArtistId::new("a"), source, misses, gone, own_page }
    }

    #[test]
    fn three_misses_at_every_source_retire() {
        assert!(!retires(&[sighting(2, 0, false)]));
        assert!(retires(&[sighting(3, 0, false)]));
        assert!(!retires(&[sighting(3, 0, false), sighting(0, 0, false)]));
        assert!(!retires(&[]));
    }

    #[test]
    fn a_page_gone_twice_retires_unless_another_source_names_them() {
        assert!(!retires(&[sighting(0, 1, true)]));
        assert!(retires(&[sighting(0, 2, true)]));
        assert!(!retires(&[sighting(0, 2, true), sighting(0, 0, true)]));
        assert!(!retires(&[sighting(0, 9, true), sighting(0, 0, false)]), "the studio still names them");
        assert!(retires(&[sighting(0, 2, true), sighting(1, 0, false)]));
    }

    #[test]
    fn the_gate_holds_mass_retirement_and_lost_fields() {
        let none = Coverage::new();
        assert_eq!(gate(10, 20, &none, &none), None);
        assert_eq!(gate(11, 1000, &none, &none), None);
        assert!(matches!(gate(11, 100, &none, &none), Some(HeldBy::Retirements { .. })));
        let before = Coverage::from([("city".to_owned(), 100)]);
        assert_eq!(gate(0, 100, &before, &Coverage::from([("city".to_owned(), 50)])), None);
        assert!(matches!(gate(0, 100, &before, &Coverage::from([("city".to_owned(), 49)])), Some(HeldBy::Coverage { .. })));
    }
}
