//! A scan of a repository finds what a scan of every object finds that git prints: whole or by
//! differences, on one thread or on several. `tests/history/equality` runs the long forms.
#![expect(clippy::print_stdout, reason = "the long tests tell their figures")]

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Cursor, Read};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use straykey::detect::Detector;
use straykey::finding::Confidence;
use straykey::location::Origin;
use straykey::report::Report;
use straykey::rules::RuleSet;
use straykey::scan::{self, Progress};
use straykey::source::{Objects, Stdin};

use crate::git_kit::git_in;
use crate::history_kit::History;
use crate::history_objects::store_of;

/// A finding's fingerprint, and an object that it is in.
type Places = BTreeSet<(String, String)>;

fn detector() -> Detector {
    Detector::new(&RuleSet::builtin().with_confidence(Confidence::Low))
}

/// What is found in each object that git prints, read as a stream by itself.
fn by_git(folder: &Path, detector: &Detector) -> Places {
    let mut places = Places::new();
    let mut git = git_in(folder);
    git.args([
        "cat-file",
        "--batch-all-objects",
        "--batch",
        "--buffer",
        "--unordered",
    ]);
    let mut child = git.stdout(Stdio::piped()).spawn().expect("git runs");
    let mut output = BufReader::with_capacity(1 << 20, child.stdout.take().expect("an output"));
    let mut header = String::new();
    while output.read_line(&mut header).expect("readable") > 0 {
        let words: Vec<&str> = header.split_whitespace().collect();
        let size: usize = words[2].parse().expect("a size");
        let mut content = vec![0; size + 1];
        output.read_exact(&mut content).expect("an object");
        content.pop();
        if words[1] != "tree" {
            let source = Stdin::new(Cursor::new(content));
            let report = scan::run(&source, detector, &Progress::default());
            assert!(report.complete());
            let id = words[0].to_owned();
            places.extend(
                report
                    .findings
                    .iter()
                    .map(|it| (it.fingerprint.to_string(), id.clone())),
            );
        }
        header.clear();
    }
    assert!(child.wait().expect("git ends").success());
    places
}

fn by_us(folder: &Path, detector: &Detector, full: bool, threads: usize) -> Report {
    let store = store_of(folder);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
    let source = Objects::new(&store).full_scan(full);
    let report = pool
        .expect("threads")
        .install(|| scan::run(&source, detector, &Progress::default()));
    assert!(report.complete(), "{:?}", report.not_scanned);
    report
}

fn places(report: &Report) -> Places {
    let mut places = Places::new();
    for finding in &report.findings {
        for occurrence in &finding.occurrences {
            let Origin::Object { id, .. } = &occurrence.origin else {
                panic!("{:?}", occurrence.origin);
            };
            places.insert((finding.fingerprint.to_string(), id.to_string()));
        }
    }
    places
}

/// Everything that a report says of its findings.
fn told(report: &Report) -> String {
    format!("{:#?}", report.findings)
}

/// Holds all ways against each other. Returns the number of findings, and of their places.
fn check(folder: &Path, story: &str, detector: &Detector) -> (usize, usize) {
    let whole = by_us(folder, detector, true, 1);
    let expected = by_git(folder, detector);
    assert!(
        places(&whole) == expected,
        "{story}: git prints other things"
    );
    for (full, threads) in [(false, 1), (false, 3), (true, 3)] {
        let report = by_us(folder, detector, full, threads);
        assert!(told(&report) == told(&whole), "{story}: {full} {threads}");
        assert_eq!(report.coverage, whole.coverage);
    }
    (whole.findings.len(), expected.len())
}

fn check_generated(seeds: std::ops::Range<u64>) {
    let detector = detector();
    let (mut findings, mut all) = (0, 0);
    for seed in seeds {
        let history = History::new(seed, 60);
        let (found, places) = check(&history.path, &history.story, &detector);
        findings += found;
        all += places;
    }
    println!("{findings} findings in {all} objects");
    assert!(findings > 20 && all > 2 * findings);
}

#[test]
fn generated_histories_give_the_same_findings_in_every_way() {
    check_generated(1000..1012);
}

#[test]
#[ignore = "minutes; tests/history/equality runs it"]
fn two_hundred_generated_histories_give_the_same_findings_in_every_way() {
    check_generated(2000..2200);
}

#[test]
#[ignore = "needs repositories; tests/history/equality runs it"]
fn real_histories_give_the_same_findings_in_every_way() {
    let detector = detector();
    let named = std::env::var_os("STRAYKEY_REPOSITORIES").expect("repositories, parted by `:`");
    let mut number = 0;
    for folder in std::env::split_paths(&named) {
        let (findings, all) = check(&folder, &folder.display().to_string(), &detector);
        println!("{}: {findings} findings in {all} objects", name(&folder));
        number += 1;
    }
    assert!(number > 0);
}

fn name(folder: &Path) -> String {
    let last: PathBuf = folder.components().rev().take(2).collect();
    last.display().to_string()
}
