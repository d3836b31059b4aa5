//! E-mail addresses: what is one, and what only fills a form.

use super::expression;
use crate::extract::text::clean;
use regex::Regex;
use std::sync::LazyLock;

pub(super) static EMAIL: LazyLock<Regex> =
    LazyLock::new(|| expression(r"(?i)[a-z0-9][a-z0-9._%+-]{0,63}@[a-z0-9][a-z0-9.-]{0,190}\.[a-z]{2,24}\b"));

/// "name [at] studio [dot] com", "name(arobase)studio.fr", "name arroba gmail punto com": the sign and the dots spelt out, in
/// brackets or, where both are, without.
pub(super) static SPOKEN_EMAIL: LazyLock<Regex> = LazyLock::new(|| {
    const AT: &str = "at|@|arroba|arobase|arobas|chiocciola|malpa|małpa|zavinac|zavináč|apenstaartje|собака|affe";
    const DOT: &str = r"dot|punto|punkt|point|ponto|kropka|tecka|tečka|punt|точка|крапка|\.";
    expression(&format!(
        r"(?i)(?:^|[^\w.@])([a-z0-9][a-z0-9._-]{{1,40}})(?:\s*[\[\(\{{<]\s*(?:{AT})\s*[\]\)\}}>]\s*([a-z0-9-]{{2,40}}(?:\.[a-z0-9-]{{2,40}})?)\s*(?:[\[\(\{{<]\s*(?:{DOT})\s*[\]\)\}}>]|\.)\s*|\s+(?:{AT})\s+([a-z0-9-]{{2,40}})\s+(?:{DOT})\s+)([a-z]{{2,10}})(?:(?:\.|\s*[\[\(\{{<]\s*(?:{DOT})\s*[\]\)\}}>]\s*|\s+(?:{DOT})\s+)([a-z]{{2}}))?\b"
    ))
});

/// An address as it is stored: lower case, plausible, no placeholder.
pub(crate) fn normal_email(text: &str) -> Option<String> {
    let text = clean(text, 200).to_lowercase();
    let text = text.trim().trim_matches(['<', '>', '"', '\'', '.', ',', ';']);
    let found = EMAIL.find(text)?;
    if found.start() != 0 || found.end() != text.len() {
        return None;
    }
    let (name, host) = text.split_once('@')?;
    let ending = host.rsplit('.').next().unwrap_or_default();
    let picture = ["png", "jpg", "jpeg", "webp", "gif", "svg", "js", "css"].contains(&ending);
    let placeholder_host = [
        "example",
        "ejemplo",
        "exemplo",
        "exemple",
        "beispiel",
        "esempio",
        "yourdomain",
        "your-domain",
        "domain.com",
        "mysite",
        "yoursite",
        "yourwebsite",
        "sentry",
        "wixpress",
        "tudominio",
        "seudominio",
        "email.com",
        "site.com",
        "test.com",
        "correo.com",
        "mail.example",
        "company.com",
        "website.com",
        "voorbeeld",
        "przyklad",
        "tuemail",
        "yourstudio",
        "yourcompany",
        "sitename",
        "mydomain",
        "dominio.com",
        "untitledui",
        "misitio.com",
        "meusite.com",
        "monsite.com",
        "miosito.com",
        "mojastrona.pl",
        "meinedomain.de",
        "mustermann",
        "musterfirma",
        "template",
    ]
    .iter()
    .any(|mark| {
        // A whole host counts as itself or as a parent; a word counts anywhere.
        if mark.contains('.') { host == *mark || host.ends_with(&format!(".{mark}")) } else { host.contains(mark) }
    }) && !host.ends_with(".example");
    let placeholder_name = [
        "your",
        "you",
        "name",
        "youremail",
        "your.email",
        "your-email",
        "yourname",
        "tu",
        "tucorreo",
        "tuemail",
        "user",
        "username",
        "nombre",
        "seuemail",
        "email",
        "mail",
        "john.doe",
        "jane.doe",
        "johndoe",
        "jane",
        "voornaam",
        "vorname",
        "votre",
        "nome",
        "ivan",
        "name.surname",
        "test",
        "firstname",
        "abc",
        "xyz",
    ]
    .contains(&name);
    let invented_host =
        ["email.com", "mail.com", "tattoo.com", "gmail.com", "company.com", "domain.com", "ejemplo.com", "correo.com"].contains(&host);
    let reserved = host == "tattoo.com"
        || ending == "test"
        || ending == "invalid"
        || (host == "example.com" || host == "example.org" || host == "example.net");
    let refused = picture || placeholder_host || reserved || (placeholder_name && invented_host);
    (!refused).then(|| text.to_owned())
}
