//! Recall: every form in which AWS keys are written, each with ten thousand random keys.
//!
//! `cargo test --test it recall -- --nocapture` prints the table.

use rayon::prelude::*;
use straykey::detect::Detector;
use straykey::location::Origin;
use straykey::rules::RuleSet;
use straykey::source::Blob;

use crate::kit::keys::Random;
use crate::recall_forms::{FORMS, Form};

/// Random keys a form.
const KEYS: u64 = 10_000;
/// Share of them that must be found whole, with the right partner.
const FLOOR: f64 = 0.999;

/// What a text was made from.
struct Key {
    id: String,
    secret: String,
    token: Option<String>,
}

#[test]
fn every_form_is_found_whole_and_rightly_paired() {
    let detector = Detector::new(&RuleSet::builtin());
    let mut table: Vec<(f64, &str)> = FORMS
        .par_iter()
        .map(|form| (recall(&detector, form), form.name))
        .collect();
    table.sort_by(|one, other| one.0.total_cmp(&other.0));
    for (recall, name) in &table {
        println!("{recall:.5} {name}");
    }
    let short: Vec<_> = table.iter().filter(|(recall, _)| *recall < FLOOR).collect();
    assert!(short.is_empty(), "below {FLOOR}: {short:?}");
}

/// The share of the keys of `form` that are found whole.
fn recall(detector: &Detector, form: &Form) -> f64 {
    let found: usize = (0..KEYS / form.pairs as u64)
        .into_par_iter()
        .map(|seed| found_whole(detector, form, seed))
        .sum();
    found as f64 / (KEYS / form.pairs as u64 * form.pairs as u64) as f64
}

/// How many of the keys of one text are found whole.
fn found_whole(detector: &Detector, form: &Form, seed: u64) -> usize {
    let mut random = Random::new(seed ^ ((form.name.len() as u64) << 32));
    let keys: Vec<Key> = (0..form.pairs)
        .map(|_| Key {
            id: random.key_id(if form.temporary() { "ASIA" } else { "AKIA" }),
            secret: random.secret(),
            token: form.temporary().then(|| random.token()),
        })
        .collect();
    let text = form.write(
        keys.iter()
            .map(|key| (key.id.as_str(), key.secret.as_str(), key.token.as_deref())),
        &mut random,
    );
    let findings = detector.scan(&Blob::whole(&Origin::Stdin, &text));
    let whole = |key: &&Key| {
        findings.iter().any(|finding| {
            let credential = &finding.credential;
            credential.access_key_id.as_deref() == Some(&key.id)
                && credential
                    .secret
                    .as_ref()
                    .is_some_and(|secret| secret.expose() == key.secret.as_bytes())
                && credential
                    .session_token
                    .as_ref()
                    .map(|token| token.expose())
                    == key.token.as_deref().map(str::as_bytes)
        })
    };
    keys.iter().filter(whole).count()
}
