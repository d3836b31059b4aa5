//! The states of requests under every order of steps, and what names somebody.

use super::*;
use crate::domain::identity::normal_handle;
use proptest::prelude::*;

const START: Timestamp = Timestamp(1_795_305_600_000_000);

fn receipt(bits: u128) -> ReceiptToken {
    ReceiptToken::of_random(bits)
}

fn request(with_correction: bool) -> RemovalRequest {
    let correction = with_correction.then(|| AskedCorrection { field: Field::Bio, value: "Other words.".to_owned() });
    let new = NewRequest { about: About::handle("ana").unwrap(), contact: "ana@post.example".to_owned(), correction };
    RemovalRequest::received(&receipt(7), new, START)
}

#[derive(Debug, Clone, Copy)]
enum Step {
    Check,
    Prove,
    ApproveByProof,
    ApproveByOperator,
    Refuse,
    Finish,
    Expire,
    Wait(u32),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        Just(Step::Check),
        Just(Step::Prove),
        Just(Step::ApproveByProof),
        Just(Step::ApproveByOperator),
        Just(Step::Refuse),
        Just(Step::Finish),
        Just(Step::Expire),
        (0..40_u32 * 86_400).prop_map(Step::Wait),
    ];
    proptest::collection::vec(step, 0..24)
}

proptest! {
    /// 006-6: whatever is tried in whatever order, nothing is done that was not approved, nothing approved by proof that was
    /// not proven, nothing ended moves again, and what is ended holds nothing personal.
    #[test]
    fn requests_only_go_where_they_may(steps in steps(), with_correction: bool) {
        let (mut at, mut now) = (request(with_correction), START);
        let mut way = vec![at.state];
        for step in steps {
            let id = ArtistId::new("artist-1");
            let next = match step {
                Step::Wait(seconds) => {
                    now = now.plus(Duration::from_secs(seconds.into()));
                    continue;
                }
                Step::Check => at.checked(now),
                Step::Prove => at.proven(now),
                Step::ApproveByProof => at.approved(id, ApprovedBy::Proof, now),
                Step::ApproveByOperator => at.approved(id, ApprovedBy::Operator, now),
                Step::Refuse => at.refused(Some("no".to_owned()), now),
                Step::Finish => at.done(now),
                Step::Expire => at.expired(now),
            };
            let Ok(next) = next else { continue };
            prop_assert!(!at.state.is_ended(), "{:?} after {:?}", next.state, at.state);
            prop_assert_eq!(next.rev, at.rev + 1);
            if next.state != at.state {
                way.push(next.state);
            }
            at = next;
        }
        let position = |state| way.iter().position(|met| *met == state);
        prop_assert!(way.iter().enumerate().all(|(n, state)| position(*state) == Some(n)), "a state twice: {way:?}");
        if let Some(done) = position(RequestState::Done) {
            prop_assert_eq!(way.get(done - 1), Some(&RequestState::Approved));
        }
        if at.approved_by == Some(ApprovedBy::Proof) {
            prop_assert!(position(RequestState::Proven).is_some(), "{way:?}");
        }
        prop_assert_eq!(at.approved_by.is_some(), position(RequestState::Approved).is_some());
        if at.state == RequestState::Expired {
            prop_assert!(position(RequestState::Approved).is_none(), "{way:?}");
            prop_assert!(now.since(START) >= EXPIRES_AFTER);
        }
        let personal = (at.about.is_some(), at.contact.is_some(), at.correction.is_some());
        let open = !at.state.is_ended();
        prop_assert_eq!(personal, (open, open, open && with_correction));
        if !open {
            let stored = serde_json::to_string(&at).unwrap();
            prop_assert!(!stored.contains("ana") && !stored.contains("Other words"), "{stored}");
        }
    }

    /// Whatever a stranger types names somebody in normal form or nobody, and what is stored reads back.
    #[test]
    fn what_names_somebody_is_in_normal_form(text in "\\PC{0,60}") {
        for about in [About::artist(&text), About::handle(&text), About::site(&text)].into_iter().flatten() {
            let stored = serde_json::to_string(&about).unwrap();
            prop_assert_eq!(&serde_json::from_str::<About>(&stored).unwrap(), &about);
            if let About::Handle(handle) = &about {
                let again = normal_handle(handle);
                prop_assert_eq!(again.as_ref(), Some(handle));
            }
        }
    }
}

#[test]
fn a_proof_is_looked_for_once_a_minute_and_not_for_ever() {
    let mut at = request(false);
    let mut now = START;
    at = at.checked(now).unwrap();
    assert_eq!(at.checked(now), Err(NotNow::TooSoon(now.plus(CHECK_EVERY))));
    for _ in 1..CHECKS_MAX {
        now = now.plus(CHECK_EVERY);
        at = at.checked(now).unwrap();
    }
    assert_eq!(at.checked(now.plus(CHECK_EVERY)), Err(NotNow::TooOften));
    assert!(matches!(request(false).checked(START.plus(EXPIRES_AFTER)), Err(NotNow::State { .. })));
}

#[test]
fn people_are_named_in_several_spellings() {
    let handle = |text: &str| About::handle(text).map(|about| about.shown());
    for text in ["ana.ink", "@Ana.Ink", " https://www.instagram.com/ana.ink/?hl=de ", "instagram.com/ana.ink"] {
        assert_eq!(handle(text), Ok("@ana.ink".to_owned()), "{text}");
    }
    let site = |text: &str| About::site(text).map(|about| about.shown());
    for text in ["ana.example", "https://ana.example/", "https://ana.example/?utm=1#top"] {
        assert_eq!(site(text), Ok("https://ana.example/".to_owned()), "{text}");
    }
    let artist = |text: &str| About::artist(text).map(|about| about.shown());
    for text in ["artist-1f0c", "https://inkdex.example/artists/artist-1f0c?x=1", "/artists/artist-1f0c"] {
        assert_eq!(artist(text), Ok("artist-1f0c".to_owned()), "{text}");
    }
    for nobody in ["", "ana ink", "<script>", &"x".repeat(40)] {
        assert_eq!(handle(nobody), Err(NobodyNamed::Handle), "{nobody}");
        assert_eq!(artist(nobody), Err(NobodyNamed::Artist), "{nobody}");
    }
    for nobody in ["", "ftp://ana.example", "https://me:word@ana.example", "http://127.0.0.1/", "https://localhost/", "javascript:x"] {
        assert_eq!(site(nobody), Err(NobodyNamed::Site), "{nobody}");
    }
}

/// What is logged of a request says nothing about a person, and its id says nothing about its receipt.
#[test]
fn nothing_personal_is_printed() {
    let new = NewRequest { about: About::site("ana.example").unwrap(), contact: "ana@post.example".to_owned(), correction: None };
    let printed = format!("{:?} {:?} {:?}", request(true), new.about, receipt(3));
    assert!(!printed.contains("ana") && !printed.contains("Other") && !printed.contains(receipt(3).reveal()), "{printed}");
    let (id, other) = (RequestId::of(&receipt(3)), RequestId::of(&receipt(4)));
    assert!(id != other && !id.as_str().contains(receipt(3).reveal()));
    assert_ne!(id.proof_token(), other.proof_token());
    assert_eq!(ReceiptToken::parse(receipt(3).reveal()), Some(receipt(3)));
    for bad in ["", "xyz", &receipt(3).reveal().to_uppercase().replace('0', "G"), "../../etc/passwd"] {
        assert_eq!(ReceiptToken::parse(bad), None, "{bad}");
    }
}
