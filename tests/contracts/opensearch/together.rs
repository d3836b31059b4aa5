//! Callers that write at the same time share requests, and each gets its own answers.

use super::{own, put, total};
use crate::support::fault_proxy::{Fault, FaultProxy};
use crate::support::opensearch::open;
use futures_util::FutureExt;
use futures_util::future::join_all;
use inkdex::domain::ids::ArtistId;
use inkdex::search::{ItemAnswer, SearchError, SearchIndex};

const CALLERS: usize = 64;

fn id(number: usize) -> String {
    format!("artist-{number:04}")
}

/// 002-R31: whatever company an operation has, its caller is told what became of it and of nothing else.
#[tokio::test(flavor = "multi_thread")]
async fn callers_share_requests_and_get_their_own_answers() {
    let (own, _index) = own().await;
    let proxy = FaultProxy::before(&own.settings.url, &[Fault::None]);
    let index = open(own.by(&proxy.url)).await.expect("the index can be used");
    index.apply(vec![put(&id(3), 9, "Newer")], None).await.expect("a batch");
    let before = proxy.bulk_sizes().len();
    let calls = (0..CALLERS).map(|number| index.apply(vec![put(&id(number), 5, "Ana Reyes")], None));
    for (number, answers) in join_all(calls).await.into_iter().enumerate() {
        let expected = if number == 3 { ItemAnswer::Stale { held: 9 } } else { ItemAnswer::Applied };
        assert_eq!(answers.expect("an answer"), [(ArtistId::new(id(number)), expected)]);
    }
    let sizes = proxy.bulk_sizes().split_off(before);
    assert_eq!(sizes.iter().sum::<usize>(), CALLERS, "{sizes:?}");
    assert!(sizes.len() <= CALLERS / 4, "hardly any of them shared a request: {sizes:?}");
    assert_eq!(total(&index).await, CALLERS as u64, "what was answered is searchable");
}

/// Several callers may speak of one artist: the newest stands, and whoever was older is told so.
#[tokio::test(flavor = "multi_thread")]
async fn of_several_versions_the_newest_stands() {
    let (own, index) = own().await;
    let calls = (1..=32).map(|version| index.apply(vec![put("artist-0001", version, "Ana Reyes")], None));
    for (version, answers) in (1..).zip(join_all(calls).await) {
        match &answers.expect("an answer")[..] {
            [(_, ItemAnswer::Applied)] => {}
            [(_, ItemAnswer::Stale { held })] => assert!(*held > version, "version {version} was told of {held}"),
            other => panic!("version {version}: {other:?}"),
        }
    }
    let scanned = own.open().await.expect("the index can be used").scan(None, 2).await.expect("a scan");
    assert_eq!(scanned.iter().map(|entry| entry.version).collect::<Vec<_>>(), [32]);
}

/// A caller that leaves while it waits takes nobody with it, and an outage is told to all.
#[tokio::test(flavor = "multi_thread")]
async fn who_leaves_takes_nobody_along_and_an_outage_is_told_to_all() {
    let (own, _index) = own().await;
    let proxy = FaultProxy::before(&own.settings.url, &[Fault::None]);
    let index = open(own.by(&proxy.url)).await.expect("the index can be used");
    let left = index.apply(vec![put(&id(1), 1, "Ana Reyes")], None).now_or_never();
    assert!(left.is_none(), "it was answered before it could leave");
    index.apply(vec![put(&id(2), 1, "Ben Okafor")], None).await.expect("an answer");
    assert_eq!(proxy.bulk_sizes(), [2], "who left was gathered already");
    proxy.plan(&[Fault::Status(503)]);
    let calls = (0..CALLERS).map(|number| index.apply(vec![put(&id(number), 2, "Ana Reyes")], None));
    for answers in join_all(calls).await {
        assert!(matches!(answers, Err(SearchError::Unavailable(_))), "{answers:?}");
    }
}
