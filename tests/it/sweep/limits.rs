//! The pager against a forge in bad weather, with pauses that a test can wait for.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use straykey::secret::Secret;
use straykey::sweep::forge::{Client, Forge, ForgeError, Page, Pages, Pauses, Pool, Tokens};
use straykey::sweep::metrics::{Event, Metrics};
use straykey::sweep::target::ForgeKind;

use super::api::Accepted;
use super::server::Server;
use crate::kit::Tree;

struct NoPages;

impl Pages for NoPages {
    fn known(&self, _url: &str) -> Option<Page> {
        None
    }

    fn keep(&self, _url: &str, _page: &Page) {}
}

const PAUSES: Pauses = Pauses {
    error: Duration::from_millis(10),
    limit: Duration::from_secs(2),
    longest: Duration::from_secs(5),
};

/// A stand-in with `count` repositories, one a page.
fn server(tree: &Tree, count: u64) -> Server {
    let server = Server::start(&tree.path("served"));
    server.behaviour.page.store(1, Ordering::Relaxed);
    for number in 0..count {
        server.list(&format!("acme/r{number}"), "2026-01-01T00:00:00Z");
    }
    server
}

/// How many repositories are listed, or why not, and what was waited for: seconds and reasons.
type Listed = (Result<usize, ForgeError>, Vec<(u64, String)>);

fn list(server: &Server, tokens: &[&str]) -> Listed {
    let api = format!("{}/api/v3", server.url);
    let source = match tokens {
        [] => Tokens::None,
        tokens => Tokens::Fixed(tokens.iter().map(|it| Secret::new(it.as_bytes())).collect()),
    };
    let pool = Pool::new(ForgeKind::Github, &api, source, PAUSES, Arc::default()).unwrap();
    let pauses = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&pauses);
    let metrics = Metrics::new(move |event| {
        if let Event::ForgePause { reason, seconds } = event {
            log.lock().unwrap().push((*seconds, reason.clone()));
        }
    });
    let metrics = Arc::new(metrics);
    let client = Client::new(
        ForgeKind::Github,
        Arc::new(pool),
        PAUSES,
        metrics,
        Arc::default(),
    );
    let pages = Forge::new(client, ForgeKind::Github, "acme", &api);
    let listed: Result<Vec<_>, _> = pages.pages(&NoPages).collect();
    let listed = listed.map(|pages| pages.iter().map(Vec::len).sum());
    let pauses = std::mem::take(&mut *pauses.lock().unwrap());
    (listed, pauses)
}

/// Lists two pages with `troubles` before the first one.
fn in_weather(troubles: &[(u16, &'static str)]) -> Listed {
    let tree = Tree::new();
    let server = server(&tree, 2);
    let mut coming = troubles.to_vec();
    coming.reverse();
    *server.behaviour.troubles.lock().unwrap() = coming;
    list(&server, &[])
}

const PAST: &str = "X-RateLimit-Remaining: 0\r\nX-RateLimit-Reset: 1700000000";

#[test]
fn limits_are_waited_for_as_they_say() {
    let seconds = |troubles: &[(u16, &'static str)]| {
        let (listed, pauses) = in_weather(troubles);
        assert_eq!(listed.unwrap(), 2);
        pauses
            .iter()
            .map(|(seconds, _)| *seconds)
            .collect::<Vec<_>>()
    };
    // A reset in the past: at once, but not in a rush.
    assert_eq!(seconds(&[(403, PAST), (429, PAST)]), [0, 0]);
    // A secondary limit, with a time and without.
    assert_eq!(seconds(&[(403, "Retry-After: 1")]), [1]);
    assert_eq!(seconds(&[(403, ""), (429, "")]), [2, 4]);
    // A time beyond all measure.
    assert_eq!(seconds(&[(429, "Retry-After: 999999")]), [5]);
    assert_eq!(seconds(&[(500, ""), (502, ""), (503, "")]), [0, 0, 0]);
}

#[test]
fn errors_that_do_not_pass_end_the_listing() {
    let (listed, pauses) = in_weather(&[(503, ""); 8]);
    let error = listed.unwrap_err().to_string();
    assert!(error.contains("gave up after 8 tries: HTTP 503"), "{error}");
    assert_eq!(pauses.len(), 7);
    let (listed, _) = in_weather(&[(451, "")]);
    assert!(matches!(
        listed,
        Err(ForgeError::Refused { status: 451, .. })
    ));
    let (listed, _) = in_weather(&[(302, "Location: http://127.0.0.1:9/elsewhere")]);
    assert!(
        matches!(listed, Err(ForgeError::Elsewhere { .. })),
        "{listed:?}"
    );
}

#[test]
fn a_spent_budget_is_no_reason_to_wait_where_there_is_another() {
    let tree = Tree::new();
    let server = server(&tree, 6);
    let tokens = ["one0one0one0", "two0two0two0", "three0three0"];
    let budgets = [Some(1), Some(2), None];
    for (token, budget) in tokens.iter().zip(budgets) {
        server
            .behaviour
            .door
            .accepted
            .lock()
            .unwrap()
            .push(Accepted {
                secret: (*token).to_owned(),
                until: None,
                budget,
            });
    }
    let (listed, pauses) = list(&server, &tokens);
    assert_eq!(listed.unwrap(), 6);
    assert_eq!(pauses, []);
}

#[test]
fn refused_tokens_are_replaced_until_none_is_left() {
    let tree = Tree::new();
    let server = server(&tree, 3);
    let good = "good0good0good0";
    server.behaviour.door.accept(good);
    let (listed, _) = list(&server, &["bad0bad0bad0", good, "worse0worse0"]);
    assert_eq!(listed.unwrap(), 3);
    let (listed, _) = list(&server, &["bad0bad0bad0", "worse0worse0"]);
    let error = listed.unwrap_err();
    assert!(matches!(error, ForgeError::NoTokenLeft { .. }), "{error}");
    // Without any, it is the forge that refuses.
    let (listed, _) = list(&server, &[]);
    assert!(matches!(
        listed,
        Err(ForgeError::Refused { status: 401, .. })
    ));
}

/// GitHub lists a part without saying so in the body where single sign-on was not gone through.
#[test]
fn a_part_is_not_taken_for_the_whole() {
    let tree = Tree::new();
    let server = server(&tree, 2);
    *server.behaviour.listing_header.lock().unwrap() =
        "X-GitHub-SSO: partial-results; organizations=21955855".to_owned();
    let (listed, _) = list(&server, &[]);
    let error = listed.unwrap_err().to_string();
    assert!(error.contains("single sign-on"), "{error}");
}
