//! Profiles by their addresses: which links lead to a person's or a shop's profile, and which only look like it.

use super::super::text::{clean, fold};
use crate::domain::identity;
use std::collections::HashMap;
use unicode_normalization::UnicodeNormalization;
use url::Url;

/// What a link to a known network leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Profile {
    /// An Instagram handle in normal form.
    Instagram(String),
    /// A profile elsewhere, as an address without tracking parameters.
    Social(String),
    /// A phone number out of a messenger link, digits with `+`.
    Phone(String),
    /// A share button, a post, a message link: nobody's profile.
    Nothing,
}

/// First path segments of Instagram that are no handles.
const NOT_HANDLES: &[&str] = &[
    "p",
    "reel",
    "reels",
    "explore",
    "tv",
    "stories",
    "accounts",
    "direct",
    "share",
    "about",
    "developer",
    "developers",
    "legal",
    "privacy",
    "terms",
    "web",
    "s",
    "directory",
    "lite",
    "oauth",
    "api",
    "popular",
    "challenge",
    "emails",
    "session",
    "embed.js",
    "your_handle",
    "yourhandle",
    "youraccount",
    "yourusername",
    "username",
    "instagram",
    "handle",
];

/// Profiles of those who make sites and templates: what a template came with.
const BUILDERS: &[&str] = &[
    "wix",
    "shopify",
    "squarespace",
    "wordpress",
    "wordpressdotcom",
    "elementor",
    "elegantthemes",
    "divi",
    "weebly",
    "webflow",
    "godaddy",
    "jimdo",
    "jimdo_de",
    "tilda",
    "tildacc",
    "tildapublishing",
    "webnode",
    "ionos",
    "strato",
    "framer",
    "carrd",
    "themeforest",
    "envato",
    "bootstrapmade",
    "colorlib",
    "templatemo",
    "html5up",
    "w3layouts",
    "canva",
    "netlify",
    "vercel",
    "github",
    "google",
    "instagram",
    "facebook",
    "meta",
    "twitter",
    "linktree",
    "linktr.ee",
    "bigcartel",
    "themewagon",
    "untree.co",
    "jekyllrb",
    "gohugoio",
    "gatsbyjs",
    "nextjs",
    "vercelhq",
    "reactjs",
    "astrodotbuild",
    "tailwindcss",
    "getbootstrap",
    "bootstrap",
    "htmlcodex",
];

/// A handle as a page prints it, in the form in which it is stored ([`identity::normal_handle`]), without what stands behind it in
/// a sentence; `None` when it cannot be one, or is a word of Instagram's own or a line to be filled in.
#[must_use]
pub fn normal_handle(text: &str) -> Option<String> {
    let text: String = clean(text, 80).nfkc().collect();
    let handle = identity::normal_handle(text.trim_end().trim_end_matches(['/', '.', ',', ')']))?;
    let says_something = handle.chars().any(|letter| letter.is_ascii_alphanumeric());
    (says_something && !NOT_HANDLES.contains(&handle.as_str())).then_some(handle)
}

fn decoded(segment: &str) -> String {
    let mut bytes = Vec::with_capacity(segment.len());
    let mut rest = segment.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let hex = tail.get(..2).and_then(|pair| std::str::from_utf8(pair).ok()).and_then(|pair| u8::from_str_radix(pair, 16).ok());
        match (first, hex) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            _ => {
                bytes.push(first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A path segment or query with percent escapes resolved.
pub(crate) fn percent_decoded(text: &str) -> String {
    decoded(&text.replace('+', " "))
}

fn digits_of(text: &str) -> Option<String> {
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    ((7..=15).contains(&digits.len())).then(|| format!("+{digits}"))
}

fn social(url: &Url, segments: &[String], keep: usize) -> Profile {
    let host = url.host_str().unwrap_or_default();
    let path: Vec<&str> = segments.iter().take(keep).map(String::as_str).collect();
    let of_builder = path.len() == 1 && BUILDERS.contains(&fold(path[0]).trim_start_matches('@'));
    if of_builder || path.iter().any(|part| part.contains("example") || fold(part).contains("yourpage")) {
        return Profile::Nothing;
    }
    let tail = if segments.len() > keep {
        ""
    } else if url.path().ends_with('/') {
        "/"
    } else {
        ""
    };
    Profile::Social(format!("https://{host}/{}{tail}", path.join("/")))
}

/// Where a link through somebody's counter of clicks leads: `google.com/url?q=…`, `l.facebook.com/l.php?u=…`.
fn forwarded(url: &Url) -> Option<Url> {
    let host = url.host_str()?.trim_start_matches("www.");
    let counted = host.starts_with("google.") && url.path() == "/url" || host == "l.facebook.com" || host == "lm.facebook.com";
    let (_, target) = url.query_pairs().filter(|_| counted).find(|(name, _)| matches!(name.as_ref(), "q" | "url" | "u"))?;
    let target = Url::parse(&target).ok().filter(|target| matches!(target.scheme(), "http" | "https"))?;
    let again = target.host_str().is_some_and(|to| to.trim_start_matches("www.") == host);
    (!again).then_some(target)
}

/// Reads a link; `None` when its host is no network known here.
#[must_use]
pub fn profile_of(url: &Url) -> Option<Profile> {
    if url.scheme() == "whatsapp" {
        return Some(url.query().and_then(digits_of).map_or(Profile::Nothing, Profile::Phone));
    }
    if let Some(target) = forwarded(url) {
        return profile_of(&target);
    }
    let host = url.host_str()?.to_lowercase();
    let host =
        ["www.", "m.", "mobile.", "web.", "de-de.", "es-es.", "fr-fr.", "it-it.", "pt-br.", "nl-nl.", "pl-pl.", "en-gb.", "l.", "lm."]
            .iter()
            .fold(host.as_str(), |host, prefix| host.strip_prefix(prefix).unwrap_or(host))
            .to_owned();
    let segments: Vec<String> = url.path_segments()?.filter(|part| !part.is_empty()).map(decoded).collect();
    let first = segments.first().map(|part| part.trim().to_lowercase()).unwrap_or_default();
    let query: HashMap<String, String> = url.query_pairs().map(|(key, value)| (key.into_owned(), value.into_owned())).collect();
    let at_handle = || first.starts_with('@');
    Some(match host.as_str() {
        "instagram.com" | "instagr.am" | "instagram.pl" => {
            if let Some(target) = query.get("u").and_then(|target| Url::parse(target).ok()) {
                return if target.host_str() == url.host_str() { Some(Profile::Nothing) } else { profile_of(&target) };
            }
            let named = match first.as_str() {
                "_u" | "stories" => segments.get(1).and_then(|part| normal_handle(part)),
                "invites" => query.get("username").and_then(|name| normal_handle(name)),
                _ => normal_handle(&first),
            };
            named.filter(|handle| !BUILDERS.contains(&handle.as_str())).map_or(Profile::Nothing, Profile::Instagram)
        }
        "ig.me" if first == "m" => segments.get(1).and_then(|part| normal_handle(part)).map_or(Profile::Nothing, Profile::Instagram),
        "facebook.com" | "fb.com" | "fb.me" => match first.as_str() {
            "" | "sharer" | "sharer.php" | "share.php" | "dialog" | "plugins" | "tr" | "login" | "login.php" | "hashtag" | "policies"
            | "help" | "privacy" | "legal" | "photo" | "photo.php" | "events" | "watch" | "story.php" | "permalink.php" | "messages"
            | "yourpage" | "v2.0" => Profile::Nothing,
            "profile.php" => {
                query.get("id").map_or(Profile::Nothing, |id| Profile::Social(format!("https://www.facebook.com/profile.php?id={id}")))
            }
            "pages" | "people" | "pg" | "p" | "groups" | "share" => social(url, &segments, 3),
            _ => social(url, &segments, 1),
        },
        "tiktok.com" if at_handle() => social(url, &segments, 1),
        "youtube.com" => match first.as_str() {
            "channel" | "c" | "user" => social(url, &segments, 2),
            _ if at_handle() => social(url, &segments, 1),
            "" | "watch" | "embed" | "playlist" | "shorts" | "results" | "live" | "feed" => Profile::Nothing,
            _ => social(url, &segments, 1),
        },
        "twitter.com" | "x.com" => match first.as_str() {
            "" | "intent" | "share" | "home" | "search" | "hashtag" | "i" | "login" => Profile::Nothing,
            _ => social(url, &segments, 1),
        },
        "threads.net" | "threads.com" if at_handle() => social(url, &segments, 1),
        "vk.com" | "vk.ru" => match first.as_str() {
            "" | "share.php" | "im" | "away.php" | "widget" => Profile::Nothing,
            _ => social(url, &segments, 1),
        },
        "t.me" | "telegram.me" => match first.as_str() {
            "" | "share" | "joinchat" | "s" => Profile::Nothing,
            _ if first.starts_with('+') => digits_of(&first).map_or(Profile::Nothing, Profile::Phone),
            _ => social(url, &segments, 1),
        },
        "pinterest.com" | "pinterest.co.uk" | "pinterest.de" | "pinterest.fr" | "pinterest.es" | "pinterest.it" | "pinterest.ca" => {
            match first.as_str() {
                "" | "pin" | "search" | "ideas" => Profile::Nothing,
                _ => social(url, &segments, 1),
            }
        }
        "behance.net" | "linktr.ee" | "patreon.com" | "twitch.tv" | "vimeo.com" | "soundcloud.com" | "bsky.app" | "deviantart.com"
        | "artstation.com" | "ko-fi.com" | "flickr.com" | "tattoodo.com" | "snapchat.com" => match first.as_str() {
            "" | "search" | "video" | "tattoos" | "styles" => Profile::Nothing,
            "profile" | "add" | "artists" | "people" | "photos" | "shops" | "a" => social(url, &segments, 2),
            _ => social(url, &segments, 1),
        },
        "linkedin.com" => match first.as_str() {
            "in" | "company" => social(url, &segments, 2),
            _ => Profile::Nothing,
        },
        "wa.me" => digits_of(&first).map_or(Profile::Nothing, Profile::Phone),
        "whatsapp.com" | "api.whatsapp.com" => {
            query.get("phone").and_then(|phone| digits_of(phone)).map_or(Profile::Nothing, Profile::Phone)
        }
        "m.me" | "ig.me" | "messenger.com" | "viber.click" => Profile::Nothing,
        _ if host.ends_with(".tumblr.com") => Profile::Social(format!("https://{host}/")),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(link: &str) -> Option<Profile> {
        profile_of(&Url::parse(link).expect(link))
    }

    #[test]
    fn instagram_profiles_are_told_from_posts() {
        let mila = Some(Profile::Instagram("mila.ink".into()));
        assert_eq!(read("https://www.instagram.com/Mila.Ink/?igsh=abc&utm_source=qr"), mila);
        assert_eq!(read("https://instagram.com/@mila.ink"), mila);
        assert_eq!(read("https://instagram.com/_u/mila.ink"), mila);
        assert_eq!(read("https://ig.me/m/mila.ink"), mila);
        for link in [
            "https://www.instagram.com/p/Cx12345/",
            "https://instagram.com/reel/abc",
            "https://instagram.com/explore/tags/tattoo",
            "https://instagram.com/",
        ] {
            assert_eq!(read(link), Some(Profile::Nothing), "{link}");
        }
        assert_eq!(read("https://instagram.com.example/mila"), None);
    }

    #[test]
    fn links_through_counters_and_of_builders() {
        let mila = Some(Profile::Instagram("mila.ink".into()));
        assert_eq!(read("https://www.google.com/url?q=https%3A%2F%2Fwww.instagram.com%2Fmila.ink%2F&sa=D"), mila);
        assert_eq!(read("https://l.facebook.com/l.php?u=https%3A%2F%2Finstagram.com%2Fmila.ink&h=1"), mila);
        assert_eq!(read("https://www.google.com/url?q=https%3A%2F%2Fwww.google.com%2Furl%3Fq%3Dx"), None);
        assert_eq!(read("https://www.facebook.com/wix"), Some(Profile::Nothing));
        assert_eq!(read("https://www.instagram.com/wix/"), Some(Profile::Nothing));
    }

    #[test]
    fn messenger_links_carry_phones_or_nothing() {
        assert_eq!(read("https://wa.me/+4915112345678?text=Hi"), Some(Profile::Phone("+4915112345678".into())));
        assert_eq!(read("https://api.whatsapp.com/send?phone=34%20600%20111%20222"), Some(Profile::Phone("+34600111222".into())));
        assert_eq!(read("https://wa.me/message/ABCDEF12345"), Some(Profile::Nothing));
    }

    #[test]
    fn other_networks_keep_their_path() {
        let social = |link: &str| Some(Profile::Social(link.to_owned()));
        assert_eq!(read("https://www.facebook.com/profile.php?id=123&ref=x"), social("https://www.facebook.com/profile.php?id=123"));
        assert_eq!(read("https://www.facebook.com/milaink?ref=page"), social("https://www.facebook.com/milaink"));
        assert_eq!(read("https://www.facebook.com/sharer.php?u=x"), Some(Profile::Nothing));
        assert_eq!(read("https://www.tiktok.com/@mila.ink?lang=de"), social("https://www.tiktok.com/@mila.ink"));
        assert_eq!(read("https://vk.com/id12345"), social("https://vk.com/id12345"));
    }

    /// Instagram's form: 1 to 30 letters, digits, `_` and `.`, no dot at an end and no two in a row.
    #[test]
    fn handles_have_the_form_of_their_keys() {
        let thirty = "m".repeat(30);
        for (printed, handle) in [
            ("@Mila.Ink", Some("mila.ink")),
            ("mila.ink).", Some("mila.ink")),
            ("＠ｍｉｌａ_ink/", Some("mila_ink")),
            ("x", Some("x")),
            ("mila..ink", None),
            (".mila", None),
            ("mila-ink", None),
            ("__", None),
            ("reels", None),
            ("", None),
            (thirty.as_str(), Some(thirty.as_str())),
            (&format!("{thirty}m"), None),
        ] {
            assert_eq!(normal_handle(printed).as_deref(), handle, "{printed}");
        }
    }

    proptest! {
        #[test]
        fn normal_handles_are_stable(text in "\\PC{0,40}") {
            if let Some(handle) = normal_handle(&text) {
                prop_assert_eq!(normal_handle(&handle), Some(handle.clone()));
                prop_assert!(!handle.starts_with('@') && handle == handle.to_lowercase());
                prop_assert_eq!(identity::normal_handle(&text).unwrap_or_else(|| handle.clone()), handle.clone());
                prop_assert!(identity::IdentityKey::instagram(&handle).is_some(), "what is shown has a key");
            }
        }
    }
}
