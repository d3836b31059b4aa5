//! Addresses of languages that put no spaces between words: Japanese, Chinese, Korean; the largest part comes first.

use super::printed::expression;
use crate::extract::finding::PostalAddress;
use crate::extract::places;
use regex::Regex;
use std::sync::LazyLock;

/// "〒150-0001 東京都渋谷区神宮前1-2-3", "大阪府大阪市中央区": prefecture, then the city; Tokyo's wards are of the city of Tokyo.
static JAPAN: LazyLock<Regex> =
    LazyLock::new(|| expression(r"(?:〒?\s*(\d{3}[-－]\d{4})\s*)?(北海道|東京都|京都府|大阪府|\p{Han}{2,3}県)\s*(\p{Han}{1,4}?[市区])?"));

/// "大阪市中央区心斎橋筋1-2": a city and its ward, without the prefecture.
static JAPAN_CITY: LazyLock<Regex> = LazyLock::new(|| expression(r"(?:〒?\s*(\d{3}[-－]\d{4})\s*)?(\p{Han}{2,3})市\p{Han}{1,3}区"));

/// "서울특별시 마포구 홍익로 12", "서울 마포구": a city and its district.
static KOREA: LazyLock<Regex> =
    LazyLock::new(|| expression(r"(\p{Hangul}{2,4}?)(?:특별자치시|특별시|광역시|시)?\s+\p{Hangul}{1,4}[구군]\s"));

/// "上海市静安区", "台北市大安區".
static CHINA: LazyLock<Regex> = LazyLock::new(|| expression(r"(\p{Han}{2,3})市\s*\p{Han}{1,3}[区區]"));

/// The address in a text, if it holds one.
pub(super) fn printed(text: &str) -> Option<PostalAddress> {
    if text.is_ascii() {
        return None;
    }
    let of = |city: &str, country: &str| PostalAddress {
        city: Some(city.to_owned()),
        country: Some(country.to_owned()),
        country_inferred: !text.contains(match country {
            "JP" => "日本",
            "KR" => "대한민국",
            _ => "中国",
        }),
        ..PostalAddress::default()
    };
    if let Some(found) = JAPAN.captures(text) {
        let prefecture = &found[2];
        let own = found.get(3).map(|city| city.as_str()).filter(|city| city.ends_with('市'));
        let city = match own {
            Some(city) => city.trim_end_matches('市'),
            None if prefecture == "東京都" => "東京",
            None => "",
        };
        if !city.is_empty() {
            let postcode = found.get(1).map(|code| code.as_str().to_owned());
            return Some(PostalAddress { region: Some(prefecture.to_owned()), postcode, ..of(city, "JP") });
        }
    }
    if let Some(found) = KOREA.captures(text).filter(|found| places::country_of_city(&found[1]) == Some("KR")) {
        return Some(of(&found[1], "KR"));
    }
    let known = |found: &regex::Captures<'_>, at: usize| {
        places::country_of_city(&found[at]).or_else(|| places::country_of_city(&format!("{}市", &found[at])))
    };
    if let Some(found) = JAPAN_CITY.captures(text).filter(|found| known(found, 2) == Some("JP")) {
        return Some(PostalAddress { postcode: found.get(1).map(|code| code.as_str().to_owned()), ..of(&found[2], "JP") });
    }
    let found = CHINA.captures(text)?;
    let country = known(&found, 1).filter(|country| matches!(*country, "CN" | "TW"))?;
    Some(of(&found[1], country))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_without_spaces_are_read() {
        for (text, city, country) in [
            ("〒150-0001 東京都渋谷区神宮前1-2-3", "東京", "JP"),
            ("住所：大阪府大阪市中央区心斎橋筋2-1", "大阪", "JP"),
            ("大阪市中央区心斎橋筋2-1", "大阪", "JP"),
            ("서울특별시 마포구 홍익로 12", "서울", "KR"),
            ("서울 마포구 홍익로 12", "서울", "KR"),
            ("上海市静安区南京西路1号", "上海", "CN"),
        ] {
            let address = printed(text).unwrap_or_else(|| panic!("{text}"));
            assert_eq!((address.city.as_deref(), address.country.as_deref()), (Some(city), Some(country)), "{text}");
        }
        for text in ["タトゥースタジオ", "2024年3月", "문신 스튜디오", "12 Main Street", "都市で一番"] {
            assert_eq!(printed(text), None, "{text}");
        }
    }
}
