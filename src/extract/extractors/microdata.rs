//! Microdata: `itemprop` values of postal addresses, names and contacts.

use super::super::finding::{Field, Place, PostalAddress};
use super::super::places;
use super::contact_text::{is_phone, normal_email};
use super::{At, PageView, Sink};

pub(super) fn read(view: &PageView<'_>, sink: &mut Sink<'_>) {
    let mut address = PostalAddress::default();
    for item in view.outline.items.iter().take(400) {
        let Some(prop) = &item.prop else { continue };
        let element = view.outline.element(item.element);
        let text = item
            .value
            .clone()
            .unwrap_or_else(|| view.outline.blocks_of(&element.blocks).iter().map(|block| block.line()).collect::<Vec<_>>().join(" "));
        if text.is_empty() || text.chars().count() > 200 {
            continue;
        }
        let at = At::new(Place::Microdata, 0.85);
        match prop.as_str() {
            "streetAddress" => address.street = Some(text),
            "postalCode" => address.postcode = Some(text),
            "addressLocality" => address.city = Some(text),
            "addressRegion" => address.region = Some(text),
            "addressCountry" => address.country = places::country_by_name(&text).map(str::to_owned),
            "telephone" if is_phone(&text) => sink.text(Field::Phone, &text, at),
            "email" => {
                if let Some(email) = normal_email(text.trim_start_matches("mailto:")) {
                    sink.text(Field::Email, &email, at);
                }
            }
            _ => {}
        }
    }
    if address.city.is_some() || address.country.is_some() {
        sink.address(address, At::new(Place::Microdata, 0.85));
    }
}
