//! The second to fifth sets of examples: written after the rules by people who had not seen them,
//! from the providers' documentation (`tests/examples/README.md`). What the rules' own examples cannot show
//! is whether the rules know more than the examples they were written with.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::Arc;

use serde::Deserialize;
use straykey::detect::Detector;
use straykey::finding::Confidence;
use straykey::location::Origin;
use straykey::rules::RuleSet;
use straykey::rules::examples::expand;
use straykey::source::Blob;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    rules: Vec<Examples>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Examples {
    id: String,
    r#match: Vec<String>,
    #[serde(default)]
    or: Vec<Or>,
    no_match: Vec<String>,
}

/// A matching example whose secret another rule reports, and why that is as good.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Or {
    example: String,
    rule: String,
    reason: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Families {
    families: Vec<Family>,
}

/// Rules of which each tells the same of a secret, whichever reports it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Family {
    rules: Vec<String>,
    reason: String,
}

/// The other rules of the family of each rule that has one.
fn kin() -> BTreeMap<String, Vec<String>> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/examples/families.toml");
    let families: Families = toml::from_str(&fs::read_to_string(file).unwrap()).unwrap();
    let mut kin = BTreeMap::new();
    for family in families.families {
        assert!(!family.reason.is_empty(), "{:?}: no reason", family.rules);
        for id in &family.rules {
            let others = family.rules.iter().filter(|&other| other != id);
            let known = kin.insert(id.clone(), others.cloned().collect());
            assert!(known.is_none(), "{id} is in two families");
        }
    }
    kin
}

/// The examples of a set, by the order of its files' names.
fn read(set: &str) -> Vec<Examples> {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/examples");
    let folder = examples.join(set);
    let entries = fs::read_dir(folder).unwrap();
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|it| it == "toml"));
    paths.sort();
    let file = |path| toml::from_str::<File>(&fs::read_to_string(path).unwrap()).unwrap();
    paths.iter().flat_map(|path| file(path).rules).collect()
}

/// How many examples there were, and those that did not come out as wanted.
#[derive(Default)]
struct Outcome {
    examples: usize,
    failed: Vec<String>,
}

impl Outcome {
    fn add(&mut self, id: &str, example: &str, found: &[Arc<str>], as_wanted: bool) {
        self.examples += 1;
        if !as_wanted {
            let found = found.join(", ");
            self.failed
                .push(format!("{id}: {example} [found: {found}]"));
        }
    }

    /// Prints what failed, and returns its share in percent.
    #[expect(clippy::print_stdout, reason = "read with --nocapture")]
    fn show(&self, title: &str) -> f64 {
        self.failed.iter().for_each(|it| println!("{title}: {it}"));
        let (failed, examples) = (self.failed.len(), self.examples);
        let share = 100.0 * failed as f64 / examples as f64;
        println!("{title}: {failed} of {examples}, {share:.2} %");
        share
    }
}

#[test]
fn the_second_set_is_found_and_what_only_looks_like_it_is_not() {
    check("second", 400);
}

#[test]
fn the_third_set_is_found_and_what_only_looks_like_it_is_not() {
    check("third", 150);
}

#[test]
fn the_fourth_set_is_found_and_what_only_looks_like_it_is_not() {
    check("fourth", 400);
}

#[test]
fn the_fifth_set_is_found_and_what_only_looks_like_it_is_not() {
    check("fifth", 150);
}

/// Runs the examples of a set, which must be about so many rules.
fn check(set: &str, least: usize) {
    let rules = RuleSet::builtin().with_confidence(Confidence::Low);
    let detector = Detector::new(&rules);
    let scan = |example: &str| -> Vec<Arc<str>> {
        let text = expand(example);
        let found = detector.scan(&Blob::whole(&Origin::Stdin, text.as_bytes()));
        found.into_iter().map(|finding| finding.rule).collect()
    };
    let has = |found: &[Arc<str>], id: &str| found.iter().any(|rule| &**rule == id);
    let (mut missed, mut wrong) = (Outcome::default(), Outcome::default());
    let mut by_kin = Outcome::default();
    let kin = kin();
    let known = |id: &String| assert!(rules.rule(id).is_some(), "there is no rule {id}");
    kin.keys().for_each(known);
    let mut ids = BTreeSet::new();
    for examples in read(set) {
        let id = &examples.id;
        known(id);
        let others = kin.get(id).map_or(&[][..], Vec::as_slice);
        assert!(ids.insert(id.clone()), "{id} stands twice");
        for example in &examples.r#match {
            let found = scan(example);
            let own = has(&found, id);
            let other = others.iter().any(|other| has(&found, other));
            missed.add(id, example, &found, own || other);
            by_kin.add(id, example, &found, own || !other);
        }
        for or in &examples.or {
            known(&or.rule);
            assert!(!or.reason.is_empty(), "{id}: no reason");
            let found = scan(&or.example);
            let one = has(&found, id) || has(&found, &or.rule);
            missed.add(id, &or.example, &found, one);
        }
        for example in &examples.no_match {
            let found = scan(example);
            wrong.add(id, example, &found, !has(&found, id));
        }
    }
    by_kin.show(&format!("{set}: found under a rule of the family"));
    let missed = missed.show(&format!("{set}: not found"));
    let wrong = wrong.show(&format!("{set}: wrongly found"));
    assert!(ids.len() >= least, "only {} rules", ids.len());
    assert!(missed <= 1.0 && wrong <= 1.0, "more than 1 %");
}
