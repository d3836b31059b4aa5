//! Pages that are small to send and dear to parse: 15 shapes in five sizes each, up to what a page may decode to, and the limit of
//! the parser that each must meet.

/// One shape.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    pub name: &'static str,
    start: &'static str,
    unit: Unit,
    sizes: [usize; 5],
    /// The limits that may cut it, by the word of the product.
    pub cut: &'static [&'static str],
}

#[derive(Debug, Clone, Copy)]
enum Unit {
    Same(&'static str),
    Numbered(fn(usize) -> String),
}

const DEEP: [usize; 5] = [16_000, 160_000, 512_000, 2_000_000, 4_900_000];
const WIDE: [usize; 5] = [2_400_000, 3_000_000, 3_600_000, 4_200_000, 4_900_000];

const fn deep(name: &'static str, unit: &'static str) -> Shape {
    Shape { name, start: "<!doctype html>", unit: Unit::Same(unit), sizes: DEEP, cut: &["too_deep"] }
}

const fn wide(name: &'static str, start: &'static str, unit: &'static str) -> Shape {
    // On a slow machine time may be over before the nodes are.
    Shape { name, start, unit: Unit::Same(unit), sizes: WIDE, cut: &["too_many_nodes", "over_time"] }
}

/// All shapes.
pub const SHAPES: [Shape; 15] = [
    deep("div", "<div>"),
    deep("list", "<ul><li>"),
    deep("table", "<table><tr><td>"),
    deep("span", "<span>"),
    deep("svg", "<svg><g>"),
    deep("math", "<math><mrow>"),
    deep("font", "<font size=1>"),
    deep("quote", "<blockquote><q>"),
    wide("breaks", "<!doctype html>", "<br>"),
    wide("comments", "<!doctype html>", "<!---->"),
    wide("stray ends", "<!doctype html><body>", "</p>"),
    wide("words", "<!doctype html>", "<i>x</i>"),
    Shape { sizes: [512_000, 1_000_000, 2_000_000, 3_500_000, 4_900_000], ..wide("multiplied", "<!doctype html>", "<b><p>") },
    wide("fostered", "<!doctype html><table>", "<hr>x"),
    Shape {
        name: "attributes",
        start: "<!doctype html><p",
        unit: Unit::Numbered(|at| format!(" a{at}=x")),
        sizes: [1_300_000, 2_000_000, 3_000_000, 4_000_000, 4_900_000],
        cut: &["over_time"],
    },
];

impl Shape {
    /// The pages, smallest first: what is not longer than their size.
    pub fn pages(&self) -> impl Iterator<Item = String> + '_ {
        self.sizes.iter().map(|size| {
            let mut page = self.start.to_owned();
            let mut at = 0;
            loop {
                let before = page.len();
                match self.unit {
                    Unit::Same(unit) => page.push_str(unit),
                    Unit::Numbered(unit) => page.push_str(&unit(at)),
                }
                if page.len() > *size {
                    page.truncate(before);
                    return page;
                }
                at += 1;
            }
        })
    }
}
