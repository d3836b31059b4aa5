//! Looks into what the object store keeps.

use inkdex::demo::DemoArtist;
use inkdex::objects::Objects;
use std::io::Read;
use std::path::{Path, PathBuf};

/// An object's bytes, unpacked if they are packed.
pub fn unpacked(bytes: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    match flate2::read::MultiGzDecoder::new(bytes).read_to_end(&mut plain) {
        Ok(_) => plain,
        Err(_) => bytes.to_vec(),
    }
}

/// The files and folders below a folder whose names hold a text.
pub fn named(folder: &Path, text: &str) -> Vec<PathBuf> {
    let (mut open, mut found) = (vec![folder.to_owned()], Vec::new());
    while let Some(folder) = open.pop() {
        for path in std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()) {
            if path.file_name().is_some_and(|name| name.to_string_lossy().contains(text)) {
                found.push(path.clone());
            }
            if path.is_dir() {
                open.push(path);
            }
        }
    }
    found
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
