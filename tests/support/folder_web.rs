//! A made-up web as files that a test may edit between two nights.

use super::world::World;
use inkdex::demo::{DemoWeb, FolderServer, FolderSite};
use std::path::{Path, PathBuf};

/// A web served from a folder per host.
pub struct FolderWeb {
    folder: tempfile::TempDir,
    _server: FolderServer,
}

impl FolderWeb {
    /// Writes the sites of the world's web into files, and has the application of that world read those.
    pub async fn instead_of(world: &mut World) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let web: &DemoWeb = &world.web;
        let mut sites = Vec::new();
        for site in web.sites() {
            let root = folder.path().join(&site.host);
            for path in site.paths() {
                let file = file_of(&root, path);
                std::fs::create_dir_all(file.parent().unwrap()).unwrap();
                std::fs::write(file, &web.respond(&site.host, path).body).unwrap();
            }
            sites.push(FolderSite::open(site.host.clone(), root, "index.html"));
        }
        let server = FolderServer::start(sites).await.unwrap();
        for host in &mut world.config.fetch.hosts {
            host.port = server.addr.port();
        }
        Self { folder, _server: server }
    }

    fn root(&self, host: &str) -> PathBuf {
        self.folder.path().join(host)
    }

    /// Puts a file on a site.
    pub fn put(&self, host: &str, path: &str, text: &str) {
        let file = self.root(host).join(path.trim_start_matches('/'));
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, text).unwrap();
    }

    /// The first page of a site.
    pub fn home(&self, host: &str) -> String {
        std::fs::read_to_string(self.root(host).join("index.html")).unwrap()
    }

    /// Changes the first page of a site.
    pub fn edit_home(&self, host: &str, edit: impl Fn(&str) -> String) {
        let before = self.home(host);
        let after = edit(&before);
        assert_ne!(before, after, "the first page of {host} was edited");
        std::fs::write(self.root(host).join("index.html"), after).unwrap();
    }

    /// Replaces a text on every page of a site. Answers on how many it stood.
    pub fn replace(&self, host: &str, text: &str, with: &str) -> usize {
        let mut open = vec![self.root(host)];
        let mut edited = 0;
        while let Some(folder) = open.pop() {
            for entry in std::fs::read_dir(folder).unwrap().flatten() {
                let path = entry.path();
                if path.is_dir() {
                    open.push(path);
                } else if let Ok(page) = std::fs::read_to_string(&path)
                    && page.contains(text)
                {
                    std::fs::write(&path, page.replace(text, with)).unwrap();
                    edited += 1;
                }
            }
        }
        edited
    }

    /// Takes a whole site off the web: whatever is asked there answers 404.
    pub fn take_down(&self, host: &str) {
        std::fs::remove_dir_all(self.root(host)).unwrap();
    }
}

fn file_of(root: &Path, path: &str) -> PathBuf {
    let path = path.trim_start_matches('/');
    if path.is_empty() || path.ends_with('/') {
        return root.join(path).join("index.html");
    }
    let file = root.join(path);
    if file.extension().is_some() { file } else { file.with_file_name(format!("{}.html", file.file_name().unwrap().to_string_lossy())) }
}
