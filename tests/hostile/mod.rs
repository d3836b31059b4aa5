//! Everything hostile a crawler meets, in the size of an ordinary test run; `make hostile` runs the same in full and counts.

mod child;
mod costs;
mod entries;
mod guard;
mod limits;
mod rebinding;
mod robots;
mod slow;

/// S1, rule 13, 002-X4.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_url_leads_inwards_by_any_entry() {
    let tally = guard::every_vector_by_every_entry().await;
    println!("{tally}");
}

/// S2, rule 13.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_second_answer_leads_inwards() {
    println!("{}", rebinding::no_second_answer_is_believed(1_000).await);
}

/// S5, 002-X4.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_hostile_shape_is_cut_by_its_limit() {
    let costs = costs::every_shape_is_cut().await;
    assert_eq!(costs.cut, 75);
    println!("{costs}");
}

/// S3, S4, 002-X4.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_bomb_is_cut_in_little_memory() {
    println!("{}", costs::every_bomb_is_cut().await);
}

/// S4, 002-X4.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_answers_by_the_hundred_are_cut_at_their_limits() {
    println!("{}", slow::each_is_cut_at_its_limit().await);
}

/// 002-X4, S10.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_limit_of_a_visit_has_its_name() {
    assert_eq!(limits::every_limit_has_its_name().await, 15);
}

/// S10, RFC 9309.
#[test]
fn robots_files_of_the_wild_are_read_as_google_reads_them() {
    println!("{}", robots::read_as_google_reads_them());
}
