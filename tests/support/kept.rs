//! Looks into what the object store keeps.

use inkdex::demo::DemoArtist;
use inkdex::objects::Objects;
use std::io::Read;

/// An object's bytes, unpacked if they are packed.
pub fn unpacked(bytes: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    match flate2::read::MultiGzDecoder::new(bytes).read_to_end(&mut plain) {
        Ok(_) => plain,
        Err(_) => bytes.to_vec(),
    }
}

/// The objects below `prefixes` that name an artist.
pub async fn naming(objects: &Objects, prefixes: &[&str], artist: &DemoArtist) -> Vec<String> {
    let mut found = Vec::new();
    for prefix in prefixes {
        for key in objects.keys(prefix).await.unwrap() {
            let bytes = objects.get(&key).await.unwrap().unwrap_or_default();
            let text = String::from_utf8_lossy(&unpacked(&bytes)).into_owned();
            let handle = artist.instagram.as_ref().is_some_and(|handle| text.contains(&format!("instagram.com/{handle}")));
            if text.contains(&artist.name) || handle {
                found.push(key);
            }
        }
    }
    found
}
