//! A scan of a repository finds what a scan of every object finds that git prints: whole or by
//! differences, on one thread or on several. `tests/history/equality` runs the long forms.
#![expect(clippy::print_stdout, reason = "the long tests tell their figures")]

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Cursor, Read};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Mutex;

use straykey::detect::Detector;
use straykey::finding::Confidence;
use straykey::history;
use straykey::location::Origin;
use straykey::report::Report;
use straykey::rules::RuleSet;
use straykey::scan::{self, Progress};
use straykey::source::git::Repository;
use straykey::source::{Objects, Stdin};

use crate::git_kit::git_in;
use crate::history_kit::History;
use crate::history_log;
use crate::history_objects::store_of;

/// A finding's fingerprint, and an object that it is in.
pub(crate) type Places = BTreeSet<(String, String)>;

fn detector() -> Detector {
    Detector::new(&RuleSet::builtin().with_confidence(Confidence::Low))
}

/// An object as git prints it: its id and its content.
type Printed = (String, Vec<u8>);

/// Threads that scan what git prints.
const SCANNERS: usize = 2;

/// What is found in each object that git prints, read as a stream by itself.
fn by_git(folder: &Path, detector: &Detector) -> Places {
    let (sender, receiver) = std::sync::mpsc::sync_channel::<Printed>(64);
    let receiver = Mutex::new(receiver);
    let next = || receiver.lock().unwrap().recv().ok();
    let scan_all = || {
        let mut places = Places::new();
        while let Some((id, content)) = next() {
            let source = Stdin::new(Cursor::new(content));
            let report = scan::run(&source, detector, &Progress::default());
            assert!(report.complete());
            let found = report.findings.iter();
            places.extend(found.map(|it| (it.fingerprint.to_string(), id.clone())));
        }
        places
    };
    std::thread::scope(|scope| {
        let scanners: Vec<_> = (0..SCANNERS).map(|_| scope.spawn(scan_all)).collect();
        printed(folder, |object| sender.send(object).expect("a scanner"));
        drop(sender);
        let places = scanners.into_iter().map(|it| it.join().expect("scanned"));
        places.flatten().collect()
    })
}

/// Hands over all objects that git prints, without trees.
fn printed(folder: &Path, mut each: impl FnMut(Printed)) {
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
            each((words[0].to_owned(), content));
        }
        header.clear();
    }
    assert!(child.wait().expect("git ends").success());
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

/// What ways held against each other have in common.
#[derive(Default)]
struct Counts {
    objects: u64,
    findings: usize,
    places: usize,
    /// Findings whose commits and paths are those of `git log`.
    placed: usize,
}

/// Holds all ways against each other, and what is said of each finding against `git log`.
fn check(folder: &Path, story: &str, detector: &Detector) -> Counts {
    let whole = by_us(folder, detector, true, 1);
    let expected = by_git(folder, detector);
    let found = places(&whole);
    let differing: Vec<_> = found.symmetric_difference(&expected).take(10).collect();
    assert!(
        differing.is_empty(),
        "{story}: git prints other things: {differing:?}"
    );
    for (full, threads) in [(false, 1), (false, 3), (true, 3)] {
        let report = by_us(folder, detector, full, threads);
        assert!(told(&report) == told(&whole), "{story}: {full} {threads}");
        assert_eq!(report.coverage, whole.coverage);
    }
    Counts {
        objects: whole.coverage.files,
        findings: whole.findings.len(),
        places: expected.len(),
        placed: check_attribution(folder, story, detector, &expected),
    }
}

impl std::fmt::Display for Counts {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            objects,
            findings,
            places,
            placed,
        } = self;
        write!(
            formatter,
            "{objects} objects without trees, {findings} findings in {places} of them, {placed} held against git log; nothing differs"
        )
    }
}

fn check_attribution(folder: &Path, story: &str, detector: &Detector, places: &Places) -> usize {
    let repository = Repository::discover(folder).expect("a repository");
    let store = store_of(folder);
    let progress = Progress::default();
    let (mut report, record) = history::scan(&repository, &store, false, detector, &progress);
    history::attribute(
        &mut report,
        Some(record),
        &repository,
        &store,
        detector,
        &progress,
        &[],
    );
    history_log::check(folder, story, &report, places)
}

fn check_generated(seeds: std::ops::Range<u64>) {
    let detector = detector();
    let mut all = Counts::default();
    for seed in seeds {
        let history = History::new(seed, 60);
        let counts = check(&history.path, &history.story, &detector);
        all.objects += counts.objects;
        all.findings += counts.findings;
        all.places += counts.places;
        all.placed += counts.placed;
    }
    println!("{all}");
    assert!(all.findings > 20 && all.places > 2 * all.findings);
    assert!(all.placed * 2 > all.findings);
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
        let counts = check(&folder, &folder.display().to_string(), &detector);
        println!("{}: {counts}", name(&folder));
        number += 1;
    }
    assert!(number > 0);
}

fn name(folder: &Path) -> String {
    let parts: Vec<_> = folder.components().collect();
    let last: PathBuf = parts[parts.len().saturating_sub(2)..].iter().collect();
    last.display().to_string()
}
