//! Areas divided into cells: everything is found, and whoever dies or runs out of budget goes on where it stood.

use super::{Bench, all_different, asking, begun, crowded, london, settings};
use crate::support::studio_apis::{Fate, Known};
use crate::support::wait::{LONG, until};
use inkdex::discover::grid::{Area, Budget, GridSettings};
use inkdex::discover::{Discovered, StudioSource};
use inkdex::domain::grid::Rectangle;
use inkdex::domain::ids::SessionId;
use std::collections::BTreeSet;
use std::time::Duration;

fn ids(discovered: &Discovered) -> BTreeSet<String> {
    discovered.studios.iter().map(|studio| studio.place_id.clone().unwrap()).collect()
}

fn all(world: &[Known]) -> BTreeSet<String> {
    world.iter().map(Known::place_id).collect()
}

/// 002-R3: a search says at most 60; a thousand studios, most in one square kilometre, are found all the same, each once.
#[tokio::test]
async fn a_thousand_crowded_studios_are_found_under_a_ceiling_of_sixty() {
    let world = crowded(11);
    let bench = Bench::over(world.clone());
    let found = bench.places().studios(&asking("daily-1")).await.unwrap();
    assert_eq!(found.studios.len(), 1_000);
    assert_eq!(ids(&found), all(&world));
    let coverage = &found.areas[0];
    assert_eq!((coverage.studios, coverage.open, coverage.still_full.len(), coverage.failed.len()), (1_000, 0, 0, 0));
    let calls = bench.apis.calls();
    assert_eq!(found.calls, calls.len() as u64);
    assert!(all_different(&begun(&calls)), "no cell is asked twice");
    assert_eq!(coverage.cells, begun(&calls).len() as u64);
    println!("{} calls in {} cells for 1000 studios", calls.len(), coverage.cells);
}

/// Where more stand in one spot than fit into an answer, the cell at the floor is reported.
#[tokio::test]
async fn more_in_one_spot_than_fits_is_told() {
    let mut world = crowded(12);
    world.truncate(50);
    world.extend((1_000..1_100).map(|number| Known::new(number, &format!("Booth {number}"), (51.4, 0.1))));
    let bench = Bench::over(world);
    let found = bench.places().studios(&asking("daily-1")).await.unwrap();
    assert_eq!(found.areas[0].still_full.len(), 1, "{:?}", found.areas);
    assert_eq!(found.studios.len(), 110);
}

/// A run that dies in the middle of a grid goes on there: what was answered is neither lost nor asked again.
#[tokio::test]
async fn a_death_in_mid_grid_costs_one_cell() {
    let world = crowded(13);
    let bench = Bench::over(world.clone());
    bench.apis.plan(|number, _| if number == 40 { Fate::Hang } else { Fate::Answered });
    let source = bench.places();
    let dying = tokio::spawn(async move { source.studios(&asking("daily-1")).await });
    until("a call hangs", LONG, async || (bench.apis.calls().len() == 41).then_some(())).await;
    dying.abort();
    assert!(dying.await.unwrap_err().is_cancelled());
    let before = bench.apis.calls();
    let interrupted = format!("{:?}", before[40].cell);
    let finished: BTreeSet<String> = begun(&before).into_iter().filter(|cell| *cell != interrupted).collect();
    assert!(finished.len() > 10, "{} cells were finished", finished.len());

    bench.apis.answer_all();
    // Another process: only what was stored is known.
    let found = bench.places().studios(&asking("daily-1")).await.unwrap();
    assert_eq!(ids(&found), all(&world));
    let after = begun(&bench.apis.calls()[41..]);
    assert!(after.contains(&interrupted), "the interrupted cell is asked again");
    assert!(all_different(&after) && after.iter().all(|cell| !finished.contains(cell)), "no finished cell is");
    // Asked once more in the same run, it answers without a call.
    let calls = bench.apis.calls().len();
    assert_eq!(ids(&bench.places().studios(&asking("daily-1")).await.unwrap()), all(&world));
    assert_eq!(bench.apis.calls().len(), calls);
}

/// A run whose session failed handed nothing over: the next one names what it was told, without asking again.
#[tokio::test]
async fn what_a_failed_session_was_told_is_not_lost() {
    let world = crowded(14);
    let bench = Bench::over(world.clone());
    bench.places().studios(&asking("daily-1")).await.unwrap();
    let calls = bench.apis.calls().len();
    let found = bench.places().studios(&asking("daily-2")).await.unwrap();
    assert_eq!((ids(&found), bench.apis.calls().len()), (all(&world), calls));
    bench.places().taken(&SessionId::new("daily-2")).await.unwrap();
    // Once it is handed over nothing of it is kept, and the next run asks anew.
    for run in ["daily-1", "daily-2"] {
        assert_eq!(bench.ports.objects.delete_below(&format!("discovery/{run}")).await.unwrap(), 0);
    }
    let found = bench.places().studios(&asking("daily-3")).await.unwrap();
    assert_eq!(ids(&found), all(&world));
    assert!(bench.apis.calls().len() >= 2 * calls);
}

/// What was told and lost before it was handed over, as its time was past, is asked for again.
#[tokio::test]
async fn what_was_dropped_before_it_was_handed_over_is_asked_again() {
    let world = crowded(15);
    let bench = Bench::over(world.clone());
    bench.places().studios(&asking("daily-1")).await.unwrap();
    assert!(bench.ports.objects.delete_below("discovery/daily-1").await.unwrap() > 10);
    let found = bench.places().studios(&asking("daily-2")).await.unwrap();
    assert_eq!(ids(&found), all(&world));
}

/// A budget that is used up is told, and the next run goes on with the cells that are left.
#[tokio::test]
async fn a_spent_budget_is_told_and_the_next_run_goes_on() {
    let world = crowded(16);
    let bench = Bench::over(world.clone());
    let budget = Budget { per_run: 50, per_day: 10_000 };
    let (mut union, mut runs) = (BTreeSet::new(), 0);
    loop {
        runs += 1;
        let run = format!("daily-{runs}");
        let before = bench.apis.calls().len();
        let source = bench.places_with(GridSettings { budget, ..settings() });
        let found = source.studios(&asking(&run)).await.unwrap();
        let calls = bench.apis.calls().len() - before;
        assert!(calls <= 50 && found.calls == calls as u64, "{calls} calls");
        union.extend(ids(&found));
        source.taken(&SessionId::new(&run)).await.unwrap();
        let coverage = &found.areas[0];
        match &coverage.stopped {
            Some(why) => {
                assert_eq!(calls, 50);
                assert!(why.contains("budget of 50 calls a run is used up") && coverage.open > 0, "{why}");
                assert!(runs < 50, "the grid never ends");
            }
            None => break,
        }
    }
    assert!(runs >= 3, "the budget was used up {runs} times");
    assert_eq!(union, all(&world));
    // A cell whose pages were cut off by the budget is begun again, one a run at most.
    let begun = begun(&bench.apis.calls());
    let cells: BTreeSet<&String> = begun.iter().collect();
    assert!(begun.len() - cells.len() < runs, "{} cells were begun {} times in {runs} runs", cells.len(), begun.len());
}

/// The budget of a day holds over runs and processes, and ends with the day.
#[tokio::test]
async fn the_budget_of_a_day_holds_over_runs() {
    let world = crowded(17);
    let bench = Bench::over(world);
    let budget = Budget { per_run: 1_000, per_day: 30 };
    let with = || bench.places_with(GridSettings { budget, ..settings() });
    let told = |found: &Discovered| found.areas[0].stopped.clone().unwrap_or_default();
    let first = with().studios(&asking("daily-1")).await.unwrap();
    assert!(told(&first).contains("budget of 30 calls a day is used up for 2026-11-22"), "{first:?}");
    let second = with().studios(&asking("by-hand-1")).await.unwrap();
    assert_eq!((bench.apis.calls().len(), second.calls), (30, 0));
    assert!(told(&second).contains("calls a day"));
    // A clock that is set back begins no new day.
    bench.clock.jump_to(super::NOON.minus(Duration::from_secs(24 * 3_600)));
    with().studios(&asking("by-hand-2")).await.unwrap();
    assert_eq!(bench.apis.calls().len(), 30);
    bench.clock.jump_to(super::NOON.plus(Duration::from_secs(12 * 3_600)));
    with().studios(&asking("daily-2")).await.unwrap();
    assert_eq!(bench.apis.calls().len(), 60);
}

/// Areas may overlap: what both hold is named once. Another area or question is another grid.
#[tokio::test]
async fn areas_share_what_lies_in_both() {
    let world = crowded(18);
    let bench = Bench::over(world.clone());
    let west = Area { name: "west".to_owned(), rectangle: Rectangle::new(51.28, -0.51, 51.69, -0.05).unwrap() };
    let source = bench.grid(bench.search_with(crate::support::studio_apis::KEY), vec![london(), west.clone()], settings());
    let found = source.studios(&asking("daily-1")).await.unwrap();
    assert_eq!((found.studios.len(), ids(&found)), (1_000, all(&world)));
    let in_west = world.iter().filter(|known| known.at.1 <= -0.05).count() as u64;
    assert_eq!(
        found.areas.iter().map(|area| (area.area.as_str(), area.studios)).collect::<Vec<_>>(),
        [("london", 1_000), ("west", in_west)]
    );
    source.taken(&SessionId::new("daily-1")).await.unwrap();
    let smaller = Area { rectangle: Rectangle::new(51.5, -0.2, 51.6, -0.1).unwrap(), ..west };
    let found = bench
        .grid(bench.search_with(crate::support::studio_apis::KEY), vec![smaller], settings())
        .studios(&asking("daily-1"))
        .await
        .unwrap();
    let there = world.iter().filter(|known| (51.5..=51.6).contains(&known.at.0) && (-0.2..=-0.1).contains(&known.at.1)).count();
    assert_eq!(found.studios.len(), there);
}

/// OpenStreetMap: nodes, ways and relations; an answer as long as allowed, or cut off by time, is divided.
#[tokio::test]
async fn openstreetmap_is_divided_where_it_is_cut_off() {
    let world = crowded(19);
    let expected: BTreeSet<String> = world.iter().map(|known| format!("osm:{}/{}", known.osm.unwrap(), known.number)).collect();
    for (elements_max, in_time) in [(2_000, usize::MAX), (150, usize::MAX), (2_000, 120)] {
        let bench = Bench::over(world.clone());
        bench.apis.time_out_after(in_time);
        let found = bench.overpass(elements_max).studios(&asking("daily-1")).await.unwrap();
        assert_eq!(ids(&found), expected, "{elements_max} {in_time}");
        assert_eq!((found.areas[0].still_full.len(), found.areas[0].open), (0, 0));
        assert_eq!(bench.apis.calls().len() > 1, elements_max == 150 || in_time == 120);
        assert!(found.studios.iter().all(|studio| studio.place.city.as_deref() == Some("London")));
    }
}
