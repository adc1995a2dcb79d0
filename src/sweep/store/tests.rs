//! The queue and the results, on both databases. Those on PostgreSQL need a server at
//! STRAYKEY_TEST_POSTGRES (tests/sweep/run starts one).

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use super::*;
use crate::source::NotScanned;
use crate::sweep::forge::{Page, Pages};
use crate::sweep::target::Repository;

/// A store that is gone with the value.
struct Scratch {
    url: String,
    _folder: tempfile::TempDir,
}

impl Scratch {
    fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}/state.db", folder.path().display());
        Self {
            url,
            _folder: folder,
        }
    }

    /// A database of its own on the server.
    fn postgres() -> Self {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let server = std::env::var("STRAYKEY_TEST_POSTGRES")
            .expect("tests/sweep/run sets STRAYKEY_TEST_POSTGRES");
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("unit_{}_{number}", std::process::id());
        let made = std::process::Command::new("psql")
            .arg(format!("{server}/postgres"))
            .args(["-q", "-c", &format!("CREATE DATABASE {name}")])
            .status();
        assert!(made.unwrap().success());
        let folder = tempfile::tempdir().unwrap();
        Self {
            url: format!("{server}/{name}"),
            _folder: folder,
        }
    }

    fn open(&self) -> Store {
        Store::open(&self.url).unwrap()
    }
}

const LEASE: Duration = Duration::from_secs(100);
const NO_LEASE: Duration = Duration::ZERO;

fn repository(name: &str, pushed_at: Option<&str>) -> Repository {
    Repository {
        url: format!("https://git.example.com/{name}"),
        name: name.to_owned(),
        owner: "acme".to_owned(),
        visibility: "private".to_owned(),
        pushed_at: pushed_at.map(str::to_owned),
        ..Repository::default()
    }
}

fn list(store: &Store, rule_set: &str, repositories: &[Repository]) {
    let mut listing = store.begin_listing("github:acme", rule_set).unwrap();
    store.list(&mut listing, repositories, 0).unwrap();
    store.end_listing(&listing, None).unwrap();
}

fn result(refs_digest: &str, ids: Vec<u8>) -> ScanResult {
    ScanResult {
        rule_set: "rules 1".to_owned(),
        engine: "test".to_owned(),
        refs_digest: refs_digest.to_owned(),
        refs: Vec::new(),
        started: 1,
        objects: 3,
        bytes: 30,
        known_objects: 0,
        not_scanned: Vec::new(),
        secrets: Vec::new(),
        seen: Seen {
            ids,
            families: vec!["root".to_owned()],
        },
    }
}

fn expire() {
    // Leases are counted in whole seconds.
    thread::sleep(Duration::from_millis(1100));
}

fn a_late_worker_writes_nothing(scratch: &Scratch) {
    let (one, other) = (scratch.open(), scratch.open());
    list(&one, "rules 1", &[repository("a", None)]);
    let late = one.take("late", NO_LEASE, 5).unwrap().unwrap();
    assert!(
        other.take("quick", LEASE, 5).unwrap().is_none(),
        "the lease holds to its end"
    );
    expire();
    let quick = other.take("quick", LEASE, 5).unwrap().unwrap();
    assert_eq!((late.attempt, quick.attempt), (1, 2));
    assert!(!one.renew(&late, LEASE).unwrap());
    assert!(!one.complete(&late, &result("late", vec![1; 20])).unwrap());
    assert!(!one.fail(&late, "late").unwrap());
    assert!(!one.retry_later(&late, "late", LEASE, true).unwrap() && !one.put_back(&late).unwrap());
    assert!(other.renew(&quick, LEASE).unwrap());
    assert!(
        other
            .complete(&quick, &result("quick", vec![2; 20]))
            .unwrap()
    );
    assert!(
        !other
            .complete(&quick, &result("twice", Vec::new()))
            .unwrap()
    );
    let last = one
        .last_scan(quick.repository_id, "rules 1")
        .unwrap()
        .unwrap();
    assert_eq!(last.refs_digest, "quick");
    let seen = one.seen(quick.repository_id, "rules 1", &[]).unwrap();
    assert_eq!(seen, [vec![2; 20]]);
    assert_eq!(
        one.jobs().unwrap(),
        Jobs {
            done: 1,
            ..Jobs::default()
        }
    );
}

fn what_dies_each_time_is_given_up(scratch: &Scratch) {
    let store = scratch.open();
    list(&store, "rules 1", &[repository("poison", None)]);
    for attempt in 1..=2 {
        let job = store.take("victim", NO_LEASE, 2).unwrap().unwrap();
        assert_eq!(job.attempt, attempt);
        expire();
    }
    assert!(store.take("victim", NO_LEASE, 2).unwrap().is_none());
    let mut rows = Vec::new();
    store
        .coverage(|row| -> Result<()> {
            rows.push(row);
            Ok(())
        })
        .unwrap();
    assert_eq!(rows[0].state, "failed");
    assert!(rows[0].reason.as_ref().unwrap().contains("died or hung"));
    list(&scratch.open(), "rules 1", &[repository("poison", None)]);
    let again = store.take("victim", LEASE, 2).unwrap().unwrap();
    assert_eq!(again.attempt, 1, "the next listing tries again");
    assert!(store.put_back(&again).unwrap());
    assert_eq!(store.take("victim", LEASE, 2).unwrap().unwrap().attempt, 1);
}

fn only_what_may_have_changed_is_done_again(scratch: &Scratch) {
    let store = scratch.open();
    let work = |digest: &str| {
        let mut names = Vec::new();
        while let Some(job) = store.take("w", LEASE, 5).unwrap() {
            assert!(store.complete(&job, &result(digest, Vec::new())).unwrap());
            names.push(job.repository.name);
        }
        names
    };
    let (old, new) = (repository("a", Some("1")), repository("b", Some("1")));
    list(&store, "rules 1", &[old.clone(), new]);
    assert_eq!(work("1").len(), 2);
    let new = repository("b", Some("2"));
    list(&store, "rules 1", &[old.clone(), new.clone()]);
    assert_eq!(work("2"), ["b"]);
    list(&store, "rules 2", &[old.clone(), new]);
    assert_eq!(work("2").len(), 2, "other rules mean another scan");
    list(&store, "rules 2", &[old]);
    let totals = store.totals().unwrap();
    assert_eq!((totals.repositories, totals.gone), (1, 1));
}

fn relations_share_what_was_seen(scratch: &Scratch) {
    let store = scratch.open();
    list(
        &store,
        "rules 1",
        &[repository("a", None), repository("b", None)],
    );
    let first = store.take("w", LEASE, 5).unwrap().unwrap();
    let second = store.take("w", LEASE, 5).unwrap().unwrap();
    store.complete(&first, &result("1", vec![7; 20])).unwrap();
    let seen = |families: &[&str], rule_set: &str| {
        let families: Vec<String> = families.iter().map(|&it| it.to_owned()).collect();
        store
            .seen(second.repository_id, rule_set, &families)
            .unwrap()
            .len()
    };
    assert_eq!(seen(&["root", "other"], "rules 1"), 1);
    assert_eq!(seen(&["other"], "rules 1"), 0);
    assert_eq!(seen(&["root"], "rules 2"), 0);
    let mut partly = result("2", Vec::new());
    partly.not_scanned.push(NotScanned {
        path: "object 1\0".to_owned(),
        reason: "damaged".to_owned(),
        incomplete: true,
    });
    store.complete(&second, &partly).unwrap();
    assert!(
        !store
            .last_scan(second.repository_id, "rules 1")
            .unwrap()
            .unwrap()
            .complete
    );
    assert_eq!(store.totals().unwrap().incomplete, 1);
}

fn decisions_and_verdicts_stay(scratch: &Scratch) {
    let store = scratch.open();
    for table in ["verdict", "triage"] {
        let columns = match table {
            "verdict" => "(secret_id, at, status) VALUES (1, 1, 'live')",
            _ => "(secret_id, at, who, state, note) VALUES (1, 1, 'ada', 'open', '')",
        };
        let secret = "INSERT INTO secret (id, identity, identity_version, rule, title, severity,
            confidence, canary, has_secret, has_token, first_seen, last_seen)
            VALUES (1, 'abc', 1, 'r', 't', 'high', 'high', 0, 1, 0, 1, 1)
            ON CONFLICT (id) DO NOTHING";
        let run = |text: String| {
            let query = sqlx::query(AssertSqlSafe(text));
            store.wait(query.execute(&store.pool))
        };
        run(secret.to_owned()).unwrap();
        run(format!("INSERT INTO {table} {columns}")).unwrap();
        assert!(
            run(format!("UPDATE {table} SET at = 2")).is_err(),
            "{table}"
        );
        assert!(run(format!("DELETE FROM {table}")).is_err(), "{table}");
    }
    assert_eq!(
        store
            .triage("ab", TriageState::Rotated, "ada", "done")
            .unwrap(),
        1
    );
    assert_eq!(
        store.triage("b", TriageState::Rotated, "ada", "").unwrap(),
        0
    );
}

fn one_worker_asks_and_another_where_it_died(scratch: &Scratch) {
    let store = scratch.open();
    list(
        &store,
        "rules 1",
        &[repository("a", None), repository("b", None)],
    );
    store.take("one", LEASE, 5).unwrap().unwrap();
    store.take("two", LEASE, 5).unwrap().unwrap();
    assert!(store.claim_verification("abc", "one").unwrap());
    assert!(!store.claim_verification("abc", "two").unwrap());
    assert!(store.claim_verification("abc", "one").unwrap(), "again");
    // It dies, and its job goes to another one.
    store.abandon("one").unwrap();
    let job = store.take("three", LEASE, 5).unwrap().unwrap();
    assert!(job.abandoned && job.attempt == 2);
    assert!(store.claim_verification("abc", "two").unwrap());
    assert!(!store.claim_verification("abc", "three").unwrap());
}

fn what_is_handed_back_comes_first_and_costs_no_attempt(scratch: &Scratch) {
    let store = scratch.open();
    list(
        &store,
        "rules 1",
        &[repository("a", None), repository("b", None)],
    );
    let first = store.take("one", LEASE, 5).unwrap().unwrap();
    store.abandon("one").unwrap();
    let again = store.take("two", LEASE, 5).unwrap().unwrap();
    assert_eq!(again.repository_id, first.repository_id);
    assert!(store.hand_back(&again).unwrap());
    assert!(!store.renew(&first, LEASE).unwrap());
    let alone = store.take("two", LEASE, 5).unwrap().unwrap();
    assert_eq!(
        (alone.repository_id, alone.attempt),
        (first.repository_id, 2)
    );
    assert!(alone.abandoned && alone.lease > again.lease);
    assert!(!store.hand_back(&again).unwrap());
}

/// In a container each process has the number of the one before it.
fn who_has_this_process_s_number_is_gone(scratch: &Scratch) {
    use crate::sweep::lease::{abandon_dead, unique_name};
    let store = scratch.open();
    list(
        &store,
        "rules 1",
        &[repository("a", None), repository("b", None)],
    );
    store.take(&unique_name(0), LEASE, 5).unwrap().unwrap();
    store.take("elsewhere/1/2/3", LEASE, 5).unwrap().unwrap();
    abandon_dead(&store).unwrap();
    let job = store.take("new", LEASE, 5).unwrap().unwrap();
    assert!(job.abandoned);
    assert!(store.take("new", LEASE, 5).unwrap().is_none());
}

fn who_gives_up_does_not_call_back(scratch: &Scratch) {
    let store = scratch.open();
    let both = [repository("a", None), repository("b", None)];
    list(&store, "rules 1", &both);
    let job = store.take("one", LEASE, 5).unwrap().unwrap();
    store.fail(&job, "for a reason").unwrap();
    list(&store, "rules 1", &both);
    assert_eq!(store.jobs().unwrap().failed, 1);
    // Another process does, the next day.
    list(&scratch.open(), "rules 1", &both);
    assert_eq!(store.jobs().unwrap().ready, 2);
}

macro_rules! on_both {
    ($($name:ident),*) => {$(
        mod $name {
            #[test]
            fn sqlite() {
                super::$name(&super::Scratch::sqlite());
            }

            #[test]
            #[ignore = "needs a PostgreSQL server: tests/sweep/run"]
            fn postgres() {
                super::$name(&super::Scratch::postgres());
            }
        }
    )*};
}

fn a_store_of_the_first_version_is_added_to(scratch: &Scratch) {
    let store = scratch.open();
    for text in ["DROP TABLE page", "UPDATE schema_version SET version = 1"] {
        store.wait(sqlx::query(text).execute(&store.pool)).unwrap();
    }
    drop(store);
    let store = scratch.open();
    let page = Page {
        etag: Some("W/\"1\"".to_owned()),
        next: Some("https://forge.example.com/2".to_owned()),
        repositories: vec![repository("a", Some("2026-01-01T00:00:00Z"))],
    };
    let url = "https://forge.example.com/1";
    assert_eq!(store.known(url), None);
    store.keep(url, &page);
    assert_eq!(store.known(url), Some(page));
}

on_both!(
    a_late_worker_writes_nothing,
    what_dies_each_time_is_given_up,
    only_what_may_have_changed_is_done_again,
    relations_share_what_was_seen,
    decisions_and_verdicts_stay,
    one_worker_asks_and_another_where_it_died,
    what_is_handed_back_comes_first_and_costs_no_attempt,
    who_gives_up_does_not_call_back,
    a_store_of_the_first_version_is_added_to,
    who_has_this_process_s_number_is_gone
);

#[test]
fn other_urls_and_later_stores_are_refused() {
    let url = "mysql://user:password@host/db";
    let said = Store::open(url).unwrap_err().to_string();
    assert!(
        said.contains("mysql") && !said.contains("password"),
        "{said}"
    );
    let scratch = Scratch::sqlite();
    let store = scratch.open();
    store
        .wait(sqlx::query("UPDATE schema_version SET version = 99").execute(&store.pool))
        .unwrap();
    drop(store);
    assert!(matches!(
        Store::open(&scratch.url),
        Err(StoreError::Newer { found: 99 })
    ));
}
