//! Dead letters over the admin API (002-C7, 002-X5, 002-X6).

use crate::support::http::TestWeb;
use inkdex::domain::ids::{SessionId, StudioId};
use inkdex::domain::job::{NewJob, Task, Usage};
use inkdex::domain::outcome::{Category, Failure, Outcome};
use inkdex::jobs::Ports;
use inkdex::jobs::courier::{self, Begun};
use inkdex::queue::Receipt;

/// Makes a job and lets its first attempt end in `category`, as the Dispatcher would. Answers the job's id.
async fn dead_letter(ports: &Ports, session: &str, studio: &str, category: Category) -> String {
    let task = Task::FindArtists { studio_id: StudioId::new(studio) };
    let job = NewJob::new(&SessionId::new(session), "find_artists", task, Some(format!("{studio}.example")));
    courier::create(ports, std::slice::from_ref(&job)).await.unwrap();
    let message = ports.store.job(&job.id).await.unwrap().unwrap().message();
    let Begun::Run { attempt, .. } = courier::begin(ports, &message).await.unwrap() else { panic!("the job is due") };
    let reason = Failure::new(category, "parse_over_budget", "parse", "<b>too deep</b> at https://needle.example/");
    let receipt = Receipt("none".to_owned());
    courier::settle(ports, &attempt, Outcome::Dead { reason }, Usage { requests: 2, ..Usage::default() }, &receipt).await.unwrap();
    job.id.to_string()
}

#[test]
fn dead_letters_are_listed_by_session_and_category() {
    let web = TestWeb::start();
    let ids: Vec<String> = web.run(async {
        let mut ids = Vec::new();
        for number in 0..7 {
            let category = if number % 3 == 0 { Category::Blocked } else { Category::Data };
            let session = if number < 4 { "night-1" } else { "night-2" };
            ids.push(dead_letter(&web.ports, session, &format!("studio-{number}"), category).await);
        }
        ids
    });
    let listed = |query: &str| -> Vec<String> {
        let page = web.get(&format!("/admin/v1/dead-letters?{query}")).json();
        page["dead_letters"].as_array().expect("a list").iter().map(|letter| letter["job_id"].as_str().expect("an id").to_owned()).collect()
    };
    let mut newest_first = ids.clone();
    newest_first.reverse();
    assert_eq!(listed(""), newest_first);
    assert_eq!(listed("session=night-2"), newest_first[..3]);
    assert_eq!(listed("category=blocked"), [ids[6].clone(), ids[3].clone(), ids[0].clone()]);
    assert_eq!(listed("category=blocked&session=night-1"), [ids[3].clone(), ids[0].clone()]);
    let mut paged = Vec::new();
    let mut next = String::new();
    loop {
        let page = web.get(&format!("/admin/v1/dead-letters?limit=3{next}")).json();
        paged.extend(
            page["dead_letters"].as_array().expect("a list").iter().map(|letter| letter["job_id"].as_str().expect("an id").to_owned()),
        );
        let Some(token) = page["next_page_token"].as_str() else { break };
        next = format!("&page_token={token}");
    }
    assert_eq!(paged, newest_first);
    for query in ["category=sad", "page_token=x", "limit=501", "colour=red", "kind=sad"] {
        assert_eq!(web.get(&format!("/admin/v1/dead-letters?{query}")).status, 400, "{query}");
    }
}

/// 002-X5: a letter is shown with its reason, its stage and every attempt.
#[test]
fn a_dead_letter_is_shown_with_its_attempts() {
    let web = TestWeb::start();
    let id = web.run(dead_letter(&web.ports, "night", "needle", Category::Data));
    let shown = web.get(&format!("/admin/v1/dead-letters/{id}")).json();
    let death = &shown["job"]["death"];
    assert_eq!((&death["category"], &death["code"], &death["stage"]), (&"data".into(), &"parse_over_budget".into(), &"parse".into()));
    assert_eq!(death["message"], "<b>too deep</b> at https://needle.example/");
    assert_eq!(shown["job"]["task"]["studio_id"], "needle");
    assert_eq!(shown["attempts"].as_array().map(Vec::len), Some(1));
    let attempt = &shown["attempts"][0];
    assert_eq!((&attempt["number"], &attempt["requests"], &attempt["outcome"]["outcome"]), (&1.into(), &2.into(), &"dead".into()));
    assert_eq!(web.get("/admin/v1/dead-letters/nothing").json()["code"], "unknown_job");
}

/// 002-C7, 002-X6: requeueing is audited, and the second time it is refused and changes nothing.
#[test]
fn a_dead_letter_is_requeued_once() {
    let web = TestWeb::start();
    let id = web.run(dead_letter(&web.ports, "night", "needle", Category::Data));
    let target = format!("/admin/v1/dead-letters/{id}:requeue");
    let requeued = web.post(&target, r#"{"reason":"parser fixed\nby us"}"#);
    assert_eq!((requeued.status, &requeued.json()["generation"]), (200, &2.into()), "{}", requeued.body);
    let job = web.get(&format!("/admin/v1/dead-letters/{id}")).json()["job"].clone();
    assert_eq!((&job["state"], &job["generation"], &job["attempts"]), (&"SENT".into(), &2.into(), &0.into()));
    let again = web.post(&target, "");
    assert_eq!((again.status, again.json()["code"].as_str()), (409, Some("not_a_dead_letter")));
    let audit = web.get("/admin/v1/audit").json();
    let entries: Vec<(&str, &str, &str)> = audit["entries"]
        .as_array()
        .expect("entries")
        .iter()
        .map(|entry| (entry["verb"].as_str().unwrap(), entry["effect"].as_str().unwrap(), entry["reason"].as_str().unwrap_or_default()))
        .collect();
    assert_eq!(entries, [("dead_letter.requeue", "refused: not dead", ""), ("dead_letter.requeue", "generation 2", "parser fixed by us")]);
    assert_eq!(audit["entries"][0]["actor"], "api");
    assert_eq!(web.get("/admin/v1/audit?limit=1").json()["entries"].as_array().map(Vec::len), Some(1));
}

/// 002-C7: a discarded letter is in no list and cannot be requeued.
#[test]
fn a_dead_letter_is_discarded() {
    let web = TestWeb::start();
    let id = web.run(dead_letter(&web.ports, "night", "needle", Category::Poison));
    let target = format!("/admin/v1/dead-letters/{id}");
    assert_eq!(web.post(&format!("{target}:discard"), "{}").json()["discarded"], true);
    assert_eq!(web.get("/admin/v1/dead-letters").json()["dead_letters"].as_array().map(Vec::len), Some(0));
    assert_eq!(web.get(&target).json()["job"]["state"], "CANCELLED");
    assert_eq!(web.post(&format!("{target}:requeue"), "{}").status, 409);
    assert_eq!(web.post(&format!("{target}:discard"), "{}").status, 409);
    assert_eq!(web.post("/admin/v1/dead-letters/nothing:discard", "{}").status, 404);
}
