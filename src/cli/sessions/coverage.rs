//! What the sources of studios named, as lines of a session's report.

use inkdex::jobs::discovery_report::DiscoveryReport;

/// Cells named one by one at most.
const CELLS_SHOWN: usize = 5;

/// A name and a value for each line.
pub fn rows(report: &DiscoveryReport) -> Vec<Vec<String>> {
    let mut rows: Vec<Vec<String>> = Vec::new();
    let mut row = |name: &str, value: String| rows.push(vec![name.to_owned(), value]);
    let named: Vec<String> = report.named.iter().map(|(source, studios)| format!("{source} {studios}")).collect();
    row("studios named", format!("{}, which are {} studios", named.join(", "), report.studios));
    let shared: Vec<String> = report.shared.iter().map(|(sources, studios)| format!("{sources} {studios}")).collect();
    if !shared.is_empty() {
        row("named by both", shared.join(", "));
    }
    for (source, count) in &report.unusable {
        row("entries of no use", format!("{source} {count}"));
    }
    for (source, calls) in &report.calls {
        row("calls", format!("{source} {calls}"));
    }
    for area in &report.areas {
        let mut text = format!("{}: {} studios in {} cells", area.source, area.studios, area.cells);
        if area.open > 0 {
            let why = area.stopped.as_deref().unwrap_or("not asked yet");
            text.push_str(&format!("; {} cells wait for the next run: {why}", area.open));
        }
        row(&format!("area {}", area.area), text);
        for (what, cells) in [("still full", &area.still_full), ("given up", &area.failed)] {
            for cell in cells.iter().take(CELLS_SHOWN) {
                row("", format!("{what}: {cell}"));
            }
            if cells.len() > CELLS_SHOWN {
                row("", format!("{what}: {} more", cells.len() - CELLS_SHOWN));
            }
        }
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;
    use inkdex::discover::AreaCoverage;

    #[test]
    fn what_is_missing_is_told() {
        let area = AreaCoverage {
            source: "google_places".to_owned(),
            area: "london".to_owned(),
            studios: 812,
            cells: 41,
            open: 3,
            still_full: (0..7).map(|n| format!("cell {n}")).collect(),
            failed: vec!["cell 9: nonsense".to_owned()],
            unusable: 2,
            stopped: Some("the budget of 100 calls a run is used up".to_owned()),
        };
        let counts = |pairs: &[(&str, u64)]| pairs.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect();
        let report = DiscoveryReport {
            named: counts(&[("file:a.yaml", 3), ("google_places", 812)]),
            studios: 813,
            shared: counts(&[("file:a.yaml + google_places", 2)]),
            unusable: counts(&[("google_places", 2)]),
            calls: counts(&[("google_places", 100)]),
            areas: vec![area],
        };
        let lines: Vec<String> = rows(&report).into_iter().map(|row| row.join("|")).collect();
        assert_eq!(
            lines,
            [
                "studios named|file:a.yaml 3, google_places 812, which are 813 studios",
                "named by both|file:a.yaml + google_places 2",
                "entries of no use|google_places 2",
                "calls|google_places 100",
                "area london|google_places: 812 studios in 41 cells; 3 cells wait for the next run: the budget of 100 calls a run is used up",
                "|still full: cell 0",
                "|still full: cell 1",
                "|still full: cell 2",
                "|still full: cell 3",
                "|still full: cell 4",
                "|still full: 2 more",
                "|given up: cell 9: nonsense",
            ]
        );
    }
}
