use super::*;
use crate::date::Date;
use crate::finding::{Confidence, Credential, Severity};
use crate::secret::Secret;

const TODAY: Date = Date {
    year: 2026,
    month: 11,
    day: 24,
};

fn finding(id: &str, secret: &str) -> Finding {
    let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    Finding {
        fingerprint: Fingerprint::of_aws(id.as_bytes(), secret.as_bytes()),
        rule: "aws-access-key-pair".into(),
        title: "a pair".into(),
        severity: Severity::Critical,
        confidence: Confidence::High,
        credential: Credential {
            access_key_id: given(id),
            secret: given(secret).map(|it| Secret::new(it.as_bytes())),
            ..Credential::default()
        },
        occurrences: Vec::new(),
        verdict: Default::default(),
        provenance: None,
        standing: Standing::New,
    }
}

fn note(reason: &str, until: &str) -> Note {
    Note {
        reason: Some(reason.to_owned()),
        owner: None,
        until: until.parse().ok(),
    }
}

fn baseline(findings: &[Finding], note: &Note) -> Baseline {
    Baseline::new(Baseline::default().entries_for(findings, note).unwrap())
}

fn standing(baseline: &Baseline, finding: &Finding) -> Standing {
    baseline
        .judge(std::slice::from_ref(finding), TODAY)
        .standings
        .remove(0)
}

#[test]
fn a_credential_is_known_by_its_values() {
    let known = [finding("A", "s"), finding("B", "t")];
    let baseline = baseline(&known, &note("samples", ""));
    for (id, secret, is_known) in [
        ("A", "s", true),
        // A part of it, and another pairing of known values.
        ("A", "", true),
        ("", "s", true),
        ("A", "t", true),
        // A new secret of a known key, a new key.
        ("A", "u", false),
        ("C", "s", false),
        ("C", "", false),
        ("", "u", false),
    ] {
        let standing = standing(&baseline, &finding(id, secret));
        assert_eq!(
            standing.suppresses(),
            is_known,
            "{id} {secret}: {standing:?}"
        );
    }
}

#[test]
fn an_entry_counts_up_to_its_last_day() {
    for (until, suppresses) in [("2026-11-23", false), ("2026-11-24", true), ("", true)] {
        let baseline = baseline(&[finding("A", "s")], &note("x", until));
        let standing = standing(&baseline, &finding("A", "s"));
        assert_eq!(standing.suppresses(), suppresses, "{until}: {standing:?}");
        assert!(matches!(
            standing,
            Standing::Expired(_) | Standing::Baselined(_)
        ));
    }
}

#[test]
fn of_two_entries_for_one_credential_the_stricter_counts() {
    let one = baseline(&[finding("A", "s")], &note("x", "2026-01-01"));
    let other = baseline(&[finding("A", "s")], &note("x", ""));
    let both = Baseline::new([one.entries, other.entries].concat());
    assert_eq!(both.entries().len(), 2, "each has its own salt");
    assert!(!standing(&both, &finding("A", "s")).suppresses());
}

#[test]
fn unused_entries_are_told() {
    let baseline = baseline(&[finding("A", "s"), finding("B", "t")], &note("x", ""));
    let unused = |findings: &[Finding]| baseline.judge(findings, TODAY).unused.len();
    assert_eq!(unused(&[finding("A", "s")]), 1);
    assert_eq!(unused(&[finding("A", ""), finding("", "t")]), 0);
    assert_eq!(unused(&[]), 2);
}

#[test]
fn further_entries_take_the_same_salt_and_what_is_known_gets_none() {
    let first = baseline(&[finding("A", "s")], &Note::default());
    let more = first.entries_for(&[finding("A", "s"), finding("B", "t")], &Note::default());
    let more = more.unwrap();
    assert_eq!(more.len(), 1);
    assert_eq!(more[0].salt(), first.entries[0].salt());
    // Two people who do the same write the same.
    assert_eq!(
        more,
        first
            .entries_for(&[finding("B", "t")], &Note::default())
            .unwrap()
    );
}

#[test]
fn a_file_holds_what_the_entry_says_and_nothing_of_the_credential() {
    let reason = "keys of the demo — they open nothing. ".repeat(20);
    let note = Note {
        reason: Some(reason.trim().to_owned()),
        owner: Some("x".repeat(300)),
        until: "2027-01-31".parse().ok(),
    };
    let entries = Baseline::default()
        .entries_for(&[finding("AKIDAKID", "secretsecret")], &note)
        .unwrap();
    let text = entries[0].to_text();
    assert_eq!(
        Entry::parse(entries[0].name(), &text),
        Ok(entries[0].clone())
    );
    assert!(
        !text.contains("AKID") && !text.contains("secret") && text.contains("until 2027-01-31")
    );
    for line in text.lines() {
        assert!(
            line.starts_with(entries[0].short()) && line.len() < 64,
            "{line}"
        );
        assert!(!line.ends_with(' '), "{line:?}");
    }
    let windows = text.replace('\n', "\r\n");
    assert_eq!(
        Entry::parse(entries[0].name(), &windows),
        Ok(entries[0].clone())
    );
}

#[test]
fn what_is_said_becomes_one_line() {
    let note = note("two\nlines\t \u{1b}[31m", "");
    let entries = Baseline::default()
        .entries_for(&[finding("A", "")], &note)
        .unwrap();
    assert_eq!(entries[0].note().reason.as_deref(), Some("two lines [31m"));
}

#[test]
fn what_is_no_entry_is_refused_with_its_place() {
    let entry = &baseline(&[finding("A", "s")], &note("x", "2027-01-01")).entries[0].clone();
    let (name, text) = (entry.name().to_owned(), entry.to_text());
    let short = entry.short();
    let error = |name: &str, text: String| {
        let files = [(name.to_owned(), text.into_bytes())];
        Baseline::from_files(std::path::Path::new("b"), files)
            .unwrap_err()
            .to_string()
    };
    for (text, expected) in [
        (String::new(), ":1: there is no salt"),
        (text.replace("value", "vlaue"), ":3: unknown word `vlaue`"),
        (
            text.replace("2027-01-01", "2027-02-30"),
            ":6: `2027-02-30` is not a day",
        ),
        (
            text.replace("salt ", "salt 0"),
            ":2: expected 32 hexadecimal digits",
        ),
        (
            text.replace(short, "00000000"),
            ":1: the line does not begin",
        ),
        (format!("<<<<<<< HEAD\n{text}"), ":1: a merge conflict"),
        (
            format!("{short} salt {}\n", "0".repeat(32)),
            ":1: there is no value",
        ),
    ] {
        let message = error(&name, text);
        assert!(
            message.starts_with(&format!("b/{name}{expected}")),
            "{message}"
        );
    }
    assert!(error("notes.txt", text.clone()).contains("32 hexadecimal digits"));
    let files = [
        ("README.md".to_owned(), vec![]),
        (".gitattributes".to_owned(), vec![]),
    ];
    assert!(Baseline::from_files(std::path::Path::new("b"), files).is_ok());
}

#[test]
fn it_is_read_as_it_was_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(DIRECTORY);
    let made = baseline(&[finding("A", "s"), finding("B", "")], &note("x", ""));
    Baseline::write(&path, made.entries()).unwrap();
    assert_eq!(Baseline::load(&path).unwrap().entries(), made.entries());
    Baseline::remove(&path, &made.entries()[..1]).unwrap();
    assert_eq!(
        Baseline::load(&path).unwrap().entries(),
        &made.entries()[1..]
    );
    std::fs::create_dir(path.join("folder")).unwrap();
    assert!(Baseline::load(&path).is_err());
    assert!(Baseline::load(&folder.path().join("none")).is_err());
}
