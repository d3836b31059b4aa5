//! An area divided into cells until no cell's answer is full: sources of studios cut their answers off at a ceiling.
//!
//! The grid is a plain value that is stored after each cell, so that a run that dies goes on where it stood.

use crate::domain::ids::SessionId;
use crate::domain::place::Coordinates;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// Metres of a degree of latitude.
const METRES_PER_DEGREE: f64 = 111_195.0;

/// A rectangle of the earth's surface, degrees, WGS 84; never across the date line.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Rectangle {
    /// Its southern edge.
    pub south: f64,
    /// Its western edge.
    pub west: f64,
    /// Its northern edge.
    pub north: f64,
    /// Its eastern edge.
    pub east: f64,
}

impl fmt::Display for Rectangle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.5},{:.5} to {:.5},{:.5}", self.south, self.west, self.north, self.east)
    }
}

impl Rectangle {
    /// A rectangle, if its edges are on the earth and in order.
    pub fn new(south: f64, west: f64, north: f64, east: f64) -> Option<Self> {
        let on_earth = Coordinates::new(south, west).is_some() && Coordinates::new(north, east).is_some();
        (on_earth && south < north && west < east).then_some(Self { south, west, north, east })
    }

    /// A quarter: 0 south-west, 1 south-east, 2 north-west, 3 north-east. Quarters share their inner edges.
    fn quarter(&self, number: u8) -> Self {
        let (middle_lat, middle_lon) = (f64::midpoint(self.south, self.north), f64::midpoint(self.west, self.east));
        let (south, north) = if number & 2 == 0 { (self.south, middle_lat) } else { (middle_lat, self.north) };
        let (west, east) = if number & 1 == 0 { (self.west, middle_lon) } else { (middle_lon, self.east) };
        Self { south, west, north, east }
    }

    /// The shorter side in metres, measured where the rectangle is narrowest.
    pub fn shorter_side_m(&self) -> f64 {
        let narrowest = self.south.abs().max(self.north.abs()).to_radians().cos().max(0.0);
        let (height, width) = (self.north - self.south, (self.east - self.west) * narrowest);
        height.min(width) * METRES_PER_DEGREE
    }

    /// Whether a point lies in it or on its edge.
    pub fn contains(&self, point: Coordinates) -> bool {
        (self.south..=self.north).contains(&point.lat) && (self.west..=self.east).contains(&point.lon)
    }
}

/// The path of a cell: `r` for the whole area, then a digit for each quarter taken of a quarter.
const ROOT: &str = "r";

/// The rectangle of a cell.
pub fn rectangle_of(area: &Rectangle, path: &str) -> Rectangle {
    let digits = path.bytes().filter(u8::is_ascii_digit);
    digits.fold(*area, |rectangle, digit| rectangle.quarter(digit - b'0'))
}

/// What an answered cell's answer was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Extent {
    /// All there is.
    Whole,
    /// Full, so its quarters are asked.
    Split,
    /// Full, and too small to be divided further.
    StillFull,
}

/// Where a cell stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "is")]
pub enum Cell {
    /// To be asked.
    Open {
        /// Useless answers so far.
        tries: u32,
    },
    /// Answered.
    Answered {
        /// In which run: where what it named is kept until it was taken.
        run: SessionId,
        /// How many it named.
        studios: usize,
        /// Whether that was all.
        extent: Extent,
        /// Whether what it named stands in studios' rows.
        taken: bool,
    },
    /// Given up in this grid.
    Failed {
        /// Why.
        why: String,
    },
}

/// The cells of one area at one source, by path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grid {
    /// What is asked in which area, as a hash: another question begins another grid.
    pub question: String,
    /// The run that worked on it last.
    pub run: SessionId,
    cells: BTreeMap<String, Cell>,
}

impl Grid {
    /// A grid of one cell, the whole area.
    pub fn new(question: impl Into<String>, run: SessionId) -> Self {
        let cells = [(ROOT.to_owned(), Cell::Open { tries: 0 })].into();
        Self { question: question.into(), run, cells }
    }

    /// All cells by path.
    pub fn cells(&self) -> &BTreeMap<String, Cell> {
        &self.cells
    }

    /// The cell to ask next with its useless answers so far: what failed waits until the others were asked, large cells first.
    pub fn next_open(&self) -> Option<(u32, &str)> {
        let open = self.cells.iter().filter_map(|(path, cell)| match cell {
            Cell::Open { tries } => Some((*tries, path.as_str())),
            _ => None,
        });
        open.min_by_key(|(tries, path)| (*tries, path.len(), *path))
    }

    /// Records an answer; a full one is divided unless the quarters would be narrower than `floor_m` metres.
    pub fn answered(&mut self, area: &Rectangle, path: &str, studios: usize, full: bool, floor_m: f64) {
        let extent = match full {
            false => Extent::Whole,
            true if rectangle_of(area, path).shorter_side_m() / 2.0 < floor_m => Extent::StillFull,
            true => Extent::Split,
        };
        if extent == Extent::Split {
            for quarter in 0..4 {
                self.cells.entry(format!("{path}{quarter}")).or_insert(Cell::Open { tries: 0 });
            }
        }
        let answered = Cell::Answered { run: self.run.clone(), studios, extent, taken: false };
        self.cells.insert(path.to_owned(), answered);
    }

    /// Records a useless answer. Answers whether the cell is given up after it.
    pub fn useless(&mut self, path: &str, why: &str, tries_max: u32) -> bool {
        let tries = match self.cells.get(path) {
            Some(Cell::Open { tries }) => tries + 1,
            _ => return false,
        };
        let given_up = tries >= tries_max;
        let cell = if given_up { Cell::Failed { why: why.to_owned() } } else { Cell::Open { tries } };
        self.cells.insert(path.to_owned(), cell);
        given_up
    }

    /// Cells whose answers do not stand in studios' rows yet, each with the run that asked it.
    pub fn untaken(&self) -> Vec<(String, SessionId)> {
        let untaken = self.cells.iter().filter_map(|(path, cell)| match cell {
            Cell::Answered { run, taken: false, .. } => Some((path.clone(), run.clone())),
            _ => None,
        });
        untaken.collect()
    }

    /// What a cell named is gone before it was taken: the cell is asked again, unless its quarters cover it.
    pub fn lost(&mut self, path: &str) {
        let Some(Cell::Answered { extent, taken, .. }) = self.cells.get_mut(path) else { return };
        match extent {
            Extent::Split => *taken = true,
            Extent::Whole | Extent::StillFull => {
                self.cells.insert(path.to_owned(), Cell::Open { tries: 0 });
            }
        }
    }

    /// All that was named stands in studios' rows.
    pub fn take(&mut self) {
        for cell in self.cells.values_mut() {
            if let Cell::Answered { taken, .. } = cell {
                *taken = true;
            }
        }
    }

    /// Whether there is nothing left to ask or to take.
    pub fn is_over(&self) -> bool {
        self.cells.values().all(|cell| matches!(cell, Cell::Answered { taken: true, .. } | Cell::Failed { .. }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const CEILING: usize = 60;

    fn area() -> Rectangle {
        Rectangle::new(51.2, -0.6, 51.7, 0.4).unwrap()
    }

    fn run() -> SessionId {
        SessionId::new("daily-1")
    }

    /// A source that knows `points` and answers at most [`CEILING`] of them.
    fn ask(points: &[Coordinates], rectangle: &Rectangle) -> (Vec<usize>, bool) {
        let inside: Vec<usize> = (0..points.len()).filter(|n| rectangle.contains(points[*n])).take(CEILING).collect();
        let full = inside.len() == CEILING;
        (inside, full)
    }

    /// Asks until nothing is open. Answers what was found, how often was asked, and the grid.
    fn walk(points: &[Coordinates], floor_m: f64) -> (std::collections::BTreeSet<usize>, usize, Grid) {
        let mut grid = Grid::new("q", run());
        let (mut found, mut asked) = (std::collections::BTreeSet::new(), 0);
        while let Some((_, path)) = grid.next_open() {
            let path = path.to_owned();
            let (inside, full) = ask(points, &rectangle_of(&area(), &path));
            asked += 1;
            grid.answered(&area(), &path, inside.len(), full, floor_m);
            found.extend(inside);
        }
        (found, asked, grid)
    }

    fn still_full(grid: &Grid) -> usize {
        grid.cells().values().filter(|cell| matches!(cell, Cell::Answered { extent: Extent::StillFull, .. })).count()
    }

    #[test]
    fn sides_are_measured_where_they_are_shortest() {
        let side = area().shorter_side_m();
        assert!((55_500.0..55_700.0).contains(&side), "half a degree of latitude: {side}");
        let high = Rectangle::new(59.0, 0.0, 60.0, 1.0).unwrap().shorter_side_m();
        assert!((55_500.0..55_700.0).contains(&high), "a degree of longitude at 60°: {high}");
        for wrong in [(1.0, 0.0, 1.0, 2.0), (0.0, 2.0, 1.0, 1.0), (-91.0, 0.0, 0.0, 1.0), (0.0, 0.0, 1.0, 181.0), (f64::NAN, 0.0, 1.0, 1.0)]
        {
            assert_eq!(Rectangle::new(wrong.0, wrong.1, wrong.2, wrong.3), None, "{wrong:?}");
        }
    }

    #[test]
    fn more_in_one_spot_than_fits_is_reported_at_the_floor() {
        let spot = Coordinates::new(51.5, -0.1).unwrap();
        let (found, _, grid) = walk(&vec![spot; 200], 500.0);
        assert_eq!((found.len(), still_full(&grid)), (CEILING, 1));
        let floor = grid.cells().iter().find(|(_, cell)| matches!(cell, Cell::Answered { extent: Extent::StillFull, .. })).unwrap().0;
        let side = rectangle_of(&area(), floor).shorter_side_m();
        assert!((500.0..1_000.0).contains(&side), "{side} m: one more division would go below 500 m");
    }

    #[test]
    fn what_failed_is_asked_after_the_others_and_given_up_at_last() {
        let mut grid = Grid::new("q", run());
        grid.answered(&area(), "r", 60, true, 1.0);
        assert_eq!(grid.next_open(), Some((0, "r0")));
        assert!(!grid.useless("r0", "nonsense", 3));
        for path in ["r1", "r2", "r3"] {
            assert_eq!(grid.next_open(), Some((0, path)));
            grid.answered(&area(), path, 1, false, 1.0);
        }
        assert_eq!(grid.next_open(), Some((1, "r0")));
        assert!(!grid.useless("r0", "nonsense", 3));
        assert!(grid.useless("r0", "nonsense", 3));
        assert_eq!(grid.next_open(), None);
        assert!(!grid.is_over(), "what was named is not taken yet");
        assert_eq!(grid.untaken().len(), 4);
        grid.take();
        assert!(grid.is_over() && grid.untaken().is_empty());
    }

    #[test]
    fn what_was_lost_before_it_was_taken_is_asked_again() {
        let mut grid = Grid::new("q", run());
        grid.answered(&area(), "r", 60, true, 1.0);
        for path in ["r0", "r1", "r2", "r3"] {
            grid.answered(&area(), path, 1, false, 1.0);
        }
        grid.lost("r");
        grid.lost("r2");
        assert_eq!(grid.next_open(), Some((0, "r2")), "its quarters cover the whole");
        assert_eq!(grid.untaken().into_iter().map(|(path, _)| path).collect::<Vec<_>>(), ["r0", "r1", "r3"]);
    }

    proptest! {
        /// Whatever lies where, every point is found unless a cell at the floor stayed full, and no cell is asked twice.
        #[test]
        fn division_finds_everything(
            spots in prop::collection::vec((51.2..51.7_f64, -0.6..0.4_f64, 1_usize..120), 1..12),
            spread in 0.0001..0.05_f64,
            seed: u64,
        ) {
            let chance = crate::domain::chance::Chance::seeded(seed);
            let fraction = || chance.up_to(std::time::Duration::from_secs(1)).as_secs_f64() * 2.0 - 1.0;
            let mut points = Vec::new();
            for (lat, lon, count) in spots {
                for _ in 0..count {
                    let (lat, lon) = (lat + fraction() * spread, lon + fraction() * spread);
                    points.push(Coordinates::new(lat.clamp(51.2, 51.7), lon.clamp(-0.6, 0.4)).unwrap());
                }
            }
            let (found, asked, grid) = walk(&points, 50.0);
            prop_assert_eq!(asked, grid.cells().len());
            if still_full(&grid) == 0 {
                prop_assert_eq!(found.len(), points.len());
            }
            let stored = serde_json::to_string(&grid).unwrap();
            prop_assert_eq!(serde_json::from_str::<Grid>(&stored).unwrap(), grid);
        }
    }
}
