//! Why a site is neither artist nor studio: other trades, themes, collections of articles.

use crate::extract::finding::{Field, PageFindings, PageRole, Place};
use crate::extract::text::fold;

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Weight {
    all: f32,
    strong: f32,
    home: f32,
}

pub(super) fn weigh(pages: &[&PageFindings], home: &PageFindings, trade: &str) -> Weight {
    let of = |page: &PageFindings| {
        page.signals
            .other
            .iter()
            .filter(|signal| signal.trade == trade)
            .fold((0.0, 0.0), |(weight, strong), signal| (weight + signal.weight, strong + signal.strong))
    };
    let (all, strong) = pages.iter().map(|page| of(page)).fold((0.0, 0.0), |sum, part| (sum.0 + part.0, sum.1 + part.1));
    Weight { all, strong, home: of(home).0 }
}

/// Why a site is neither artist nor studio; `None` when it may be one.
pub(crate) fn negative(pages: &[PageFindings]) -> Option<String> {
    let Some(home) = pages.first() else {
        return Some("no page could be read".to_owned());
    };
    // Advice, law and shop pages speak of other trades by their nature.
    let relevant: Vec<&PageFindings> = pages
        .iter()
        .filter(|page| !matches!(page.role, PageRole::Aftercare | PageRole::Legal | PageRole::Shop | PageRole::Faq | PageRole::Booking))
        .collect();
    let relevant = if relevant.is_empty() { vec![home] } else { relevant };
    let craft: f32 = relevant.iter().map(|page| page.signals.tattoo).sum::<f32>().max(0.5);
    let headed: f32 = relevant.iter().map(|page| page.signals.tattoo_strong).sum();
    let [pmu, removal, supply, piercing, photo, beauty, theme, blog, convention] =
        ["pmu", "removal", "supply", "piercing", "photo", "beauty", "theme", "blog", "convention"]
            .map(|trade| weigh(&relevant, home, trade));
    let others = pmu.all + removal.all + piercing.all + beauty.all + supply.all + photo.all;
    // A sentence of refusal alone may be about minors or hands; another trade must fill the place.
    if pages.iter().any(|page| page.signals.denies_tattooing) && others > craft * 0.3 {
        return Some("says that body tattoos are not offered".to_owned());
    }
    if pages.iter().any(|page| page.signals.denies_tattooing) && blog.strong > 0.0 && blog.all > craft * 0.15 {
        return Some("articles".to_owned());
    }
    // Who is headed as a tattoo studio may well pierce, shave or draw eyebrows beside it.
    let titled = home.signals.offer_strong > 0.0;
    let ruled = |trade: Weight, share: f32, least: f32| {
        let share = if titled { share * 2.0 } else { share };
        trade.all > craft * share && trade.home >= least && trade.strong >= headed * 0.5
    };
    let reachable = has_contact(pages);
    let cases = [
        (ruled(pmu, 1.0, 4.0), "permanent make-up"),
        (ruled(removal, 0.5, 6.0) || removal.strong >= 2.0 && removal.strong > headed, "tattoo removal"),
        (ruled(supply, 0.6, 5.0), "tattoo supplies"),
        (ruled(piercing, 1.3, 6.0) && piercing.strong > headed, "piercing"),
        (ruled(photo, 0.8, 5.0), "photography"),
        (ruled(convention, 0.4, 4.0) && convention.strong > 0.0, "tattoo convention"),
        (ruled(beauty, 1.0, 5.0), "beauty salon"),
        (
            ruled(Weight { all: beauty.all + pmu.all, strong: beauty.strong + pmu.strong, home: beauty.home + pmu.home }, 1.1, 7.0),
            "beauty salon",
        ),
        (is_theme(pages) || theme.all >= 8.0 && theme.all > craft * 0.12 && !reachable, "theme with invented content"),
        (blog.strong > 0.0 && blog.all > 8.0 && blog.all > craft * 0.2 && !reachable, "articles"),
        (blog.all > craft * 0.45 && blog.all >= 12.0 && !reachable, "articles"),
    ];
    if let Some((_, why)) = cases.iter().find(|(holds, _)| *holds) {
        return Some((*why).to_owned());
    }
    (craft < 2.0).then(|| "nothing about tattooing".to_owned())
}

pub(super) fn has_contact(pages: &[PageFindings]) -> bool {
    pages.iter().flat_map(|page| &page.findings).any(|finding| {
        matches!(finding.field, Field::Phone) && finding.confidence > 0.5
            || finding.field == Field::Address && finding.confidence >= 0.7
            || finding.field == Field::Instagram && finding.confidence >= 0.9 && finding.place != Place::Credit
    })
}

/// Invented content: filler text on most pages, or people without a single way to reach the shop.
pub(super) fn is_theme(pages: &[PageFindings]) -> bool {
    let marked =
        pages.iter().filter(|page| page.signals.other.iter().any(|signal| signal.trade == "theme" && signal.weight >= 2.0)).count();
    // One page left over from the demo of a theme does not make a theme of a site.
    let says = |page: &PageFindings| {
        let title = fold(&page.title);
        ["html template", "template", "theme demo", "responsive html", "wordpress theme", "website template"]
            .iter()
            .any(|mark| title.contains(mark))
    };
    let says = pages.first().is_some_and(says) || pages.iter().filter(|page| says(page)).count() * 2 > pages.len();
    says || marked * 2 > pages.len() && marked >= 3 && !has_contact(pages)
}
