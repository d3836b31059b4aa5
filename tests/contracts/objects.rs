//! The contract of the object store, on a folder and on a bucket of moto.

use futures_util::StreamExt;
use inkdex::objects::Objects;

/// Makes a test of each suite on each object store.
macro_rules! on_every_object_store {
    ($($suite:ident),+ $(,)?) => {
        mod folder {
            $(
                #[tokio::test]
                async fn $suite() {
                    let folder = tempfile::tempdir().unwrap();
                    super::$suite(&inkdex::objects::Objects::in_folder(folder.path()).unwrap()).await;
                }
            )+
        }

        #[cfg(feature = "s3")]
        mod s3 {
            $(
                #[tokio::test]
                async fn $suite() {
                    super::$suite(&super::bucket::open(&super::bucket::created()).await.unwrap()).await;
                }
            )+
        }
    };
}

on_every_object_store!(
    what_is_put_is_got,
    an_absent_object_is_none_and_deletes_well,
    keys_keep_apart,
    a_folder_goes_as_a_whole,
    folders_go_by_day_and_by_name,
    a_thousand_and_more_go_as_a_whole
);

async fn what_is_put_is_got(objects: &Objects) {
    for (key, bytes) in [("a", Vec::new()), ("pages/b", vec![0, 255, 10]), ("pages/c/d.html", vec![b'x'; 3_000_000])] {
        objects.put(key, bytes.clone()).await.unwrap();
        assert!(objects.get(key).await.unwrap() == Some(bytes), "{key}");
    }
    objects.put("a", b"new".to_vec()).await.unwrap();
    assert_eq!(objects.get("a").await.unwrap(), Some(b"new".to_vec()), "the newest counts");
}

async fn an_absent_object_is_none_and_deletes_well(objects: &Objects) {
    assert_eq!(objects.get("pages/none").await.unwrap(), None);
    objects.delete("pages/none").await.unwrap();
    objects.put("pages/some", b"x".to_vec()).await.unwrap();
    objects.delete("pages/some").await.unwrap();
    objects.delete("pages/some").await.unwrap();
    assert_eq!(objects.get("pages/some").await.unwrap(), None);
    assert_eq!(objects.delete_below("nothing").await.unwrap(), 0);
}

async fn folders_go_by_day_and_by_name(objects: &Objects) {
    assert_eq!(objects.folders("known").await.unwrap(), Vec::<String>::new());
    let keys =
        ["known/2026-08-01/a.example/1", "known/2026-08-02/a.example/2", "known/2026-08-02/b.example/3", "known/2026-09-01/b.example/4"];
    for key in keys {
        objects.put(key, b"x".to_vec()).await.unwrap();
    }
    objects.put("known-else/2026-01-01/a.example/5", b"x".to_vec()).await.unwrap();
    let mut days = objects.folders("known").await.unwrap();
    days.sort();
    assert_eq!(days, ["2026-08-01", "2026-08-02", "2026-09-01"]);
    assert_eq!(objects.keys("known").await.unwrap(), keys);
    objects.delete_in_folders_of("known", "a.example").await.unwrap();
    assert_eq!(objects.keys("known").await.unwrap(), keys[2..]);
    assert_eq!(objects.delete_days_before("known", "2026-08-02").await.unwrap(), 0);
    assert_eq!(objects.delete_days_before("known", "2026-09-01").await.unwrap(), 1);
    assert_eq!(objects.keys("known").await.unwrap(), keys[3..]);
    assert_eq!(objects.keys("known-else").await.unwrap().len(), 1, "a prefix of a name is no folder");
}

async fn keys_keep_apart(objects: &Objects) {
    let keys = ["p/A", "p/a b", "p/a%20b", "p/a+b", "p/ä", "p/a~b", "p/a#b", "p/a?b=1", "p/a/b"];
    for key in keys {
        objects.put(key, key.as_bytes().to_vec()).await.unwrap();
    }
    for key in keys {
        assert_eq!(objects.get(key).await.unwrap(), Some(key.as_bytes().to_vec()), "{key}");
    }
    assert_eq!(objects.delete_below("p").await.unwrap(), keys.len() as u64);
}

async fn a_folder_goes_as_a_whole(objects: &Objects) {
    for key in ["s/1/a", "s/1/b/c", "s/10/a", "s/2"] {
        objects.put(key, b"x".to_vec()).await.unwrap();
    }
    assert_eq!(objects.delete_below("s/1").await.unwrap(), 2);
    assert_eq!(objects.get("s/1/b/c").await.unwrap(), None);
    for key in ["s/10/a", "s/2"] {
        assert!(objects.get(key).await.unwrap().is_some(), "{key} lies beside it");
    }
}

/// More than one answer of a listing holds.
async fn a_thousand_and_more_go_as_a_whole(objects: &Objects) {
    let puts = (0..1_050).map(async |n| objects.put(&format!("many/{n}"), b"x".to_vec()).await.unwrap());
    futures_util::stream::iter(puts).buffer_unordered(16).count().await;
    assert_eq!(objects.delete_below("many").await.unwrap(), 1_050);
    assert_eq!(objects.delete_below("many").await.unwrap(), 0);
}

#[cfg(feature = "s3")]
mod bucket {
    //! Buckets on moto, and bad starts.

    use crate::support::proxy::CuttingProxy;
    use crate::support::servers;
    use inkdex::domain::secret::{AccessKey, Secret};
    use inkdex::objects::s3::S3Settings;
    use inkdex::objects::{Objects, ObjectsError};
    use std::time::Duration;

    pub async fn open(settings: &S3Settings) -> Result<Objects, ObjectsError> {
        Objects::in_bucket(settings).await
    }

    /// Settings for a bucket that does not exist yet.
    pub fn settings() -> S3Settings {
        S3Settings {
            bucket: servers::unique("objects-"),
            region: "eu-west-1".to_owned(),
            endpoint: Some(servers::s3()),
            access_key: Some(AccessKey { id: "tests".to_owned(), secret: Secret::new("tests") }),
            path_style: true,
            answer_within: Duration::from_secs(20),
        }
    }

    /// Settings for a fresh bucket.
    pub fn created() -> S3Settings {
        let settings = settings();
        crate::support::bucket::create(&servers::s3(), &settings.bucket);
        settings
    }

    async fn refusal(settings: &S3Settings) -> String {
        open(settings).await.expect_err("a bad start").to_string()
    }

    #[tokio::test]
    async fn bad_starts_say_what_to_change() {
        let absent = settings();
        let told = refusal(&absent).await;
        assert!(told.contains(&absent.bucket) && told.contains("create it, or check s3.bucket and s3.region"), "{told}");
        let open = S3Settings { endpoint: Some("http://s3.example:9000".into()), ..settings() };
        assert!(refusal(&open).await.contains("unencrypted; use https"));
        let nobody = S3Settings { endpoint: Some("http://127.0.0.1:1".into()), answer_within: Duration::from_secs(3), ..settings() };
        let told = refusal(&nobody).await;
        assert!(told.contains("check s3.endpoint"), "{told}");
    }

    #[tokio::test]
    async fn an_outage_is_an_error_and_passes() {
        let proxy = CuttingProxy::to_url(&servers::s3()).await;
        let through =
            S3Settings { endpoint: Some(format!("http://{}", proxy.address())), answer_within: Duration::from_secs(3), ..created() };
        let objects = open(&through).await.unwrap();
        objects.put("a", b"x".to_vec()).await.unwrap();
        proxy.cut().await;
        assert!(objects.get("a").await.is_err());
        proxy.restore().await;
        assert_eq!(objects.get("a").await.unwrap(), Some(b"x".to_vec()));
    }
}
