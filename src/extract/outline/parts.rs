//! Parts of a page that a script puts into it: the header or footer that every page of a plain site shares lies in a file of its
//! own, and is read like a page.

use regex::Regex;
use scraper::node::Element;
use std::sync::LazyLock;

/// Most parts of a page.
const MAX_PARTS: usize = 4;
/// How much of a script is looked at, bytes.
const MAX_CODE: usize = 20_000;

/// `fetch("footer.html")`, `$("#footer").load('parts/footer.html')`, `includeHTML("footer.html")`.
static ASKED: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r#"(?i)(?:fetch|load|get|include\w*|inject\w*)\s*\(\s*["'`]([\w./-]{1,80}\.html?)["'`]"#)
        .expect("the expression is a constant of this file")
});

/// The parts that a script asks for, by its own words or, if it lies elsewhere, by its name: `js/footer-include.js` puts in a footer.
pub(super) fn of_script(source: &str, code: &str) -> Vec<String> {
    let mut end = code.len().min(MAX_CODE);
    while !code.is_char_boundary(end) {
        end -= 1;
    }
    let mut parts: Vec<String> = ASKED.captures_iter(&code[..end]).map(|found| found[1].to_owned()).collect();
    parts.extend(by_name(source));
    parts
}

/// The part that an element says stands in it.
pub(super) fn of_element(element: &Element) -> Option<String> {
    let names = ["w3-include-html", "data-include", "data-include-html", "include-html"];
    let part = names.iter().find_map(|name| element.attr(name))?;
    (part.len() <= 80 && (part.ends_with(".html") || part.ends_with(".htm"))).then(|| part.to_owned())
}

/// Keeps the first few parts of a page, each once.
pub(super) fn add(kept: &mut Vec<String>, parts: impl IntoIterator<Item = String>) {
    for part in parts {
        if kept.len() < MAX_PARTS && !kept.contains(&part) {
            kept.push(part);
        }
    }
}

fn by_name(source: &str) -> Option<String> {
    let source = source.split(['?', '#']).next()?;
    if source.contains("//") {
        return None;
    }
    let (folder, file) = source.rsplit_once('/').map_or(("", source), |(folder, file)| (folder, file));
    let stem = file.strip_suffix(".js")?.to_lowercase();
    let words: Vec<&str> = stem.split(['-', '_', '.']).collect();
    let puts_in = words.iter().any(|word| ["include", "includes", "load", "loader", "inject", "partial"].contains(word));
    let part = words.iter().find(|word| ["header", "footer"].contains(word)).filter(|_| puts_in)?;
    // Scripts of a folder of scripts put in what lies beside the pages.
    let folder = if ["js", "scripts", "assets/js"].contains(&folder.trim_start_matches(['.', '/'])) { "" } else { folder };
    Some(if folder.is_empty() { format!("{part}.html") } else { format!("{folder}/{part}.html") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_told_by_what_a_script_asks_for() {
        for (source, code, parts) in [
            ("", "fetch('footer.html').then(r => r.text())", vec!["footer.html"]),
            ("", "$('#head').load(\"parts/head.html\"); $('#foot').load(`parts/foot.htm`)", vec!["parts/head.html", "parts/foot.htm"]),
            ("", "fetch('/api/posts.json'); load(name + '.html')", vec![]),
            ("footer-include.js", "", vec!["footer.html"]),
            ("/js/load_header.js?v=2", "", vec!["header.html"]),
            ("about/include-footer.js", "", vec!["about/footer.html"]),
            ("https://cdn.example/footer-include.js", "", vec![]),
            ("main.js", "", vec![]),
            ("footer.js", "", vec![]),
        ] {
            assert_eq!(of_script(source, code), parts, "{source} {code}");
        }
        let mut kept = vec!["a.html".to_owned()];
        add(&mut kept, (0..20).map(|at| format!("{}.html", char::from(b'a' + at % 10))));
        assert_eq!(kept, ["a.html", "b.html", "c.html", "d.html"]);
    }
}
