//! Where in history findings are, worked out of nothing but what `git log --find-object` prints, and
//! held against what a report says: first and last commit, how many, every path.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Stdio;
use std::rc::Rc;

use straykey::finding::Finding;
use straykey::location::Origin;
use straykey::provenance::{CommitFacts, Reachability};
use straykey::report::Report;

use crate::git_kit::{git_in, run};
use crate::history_equality::Places;

/// A blob's path to its id, of those that hold something.
type Held = Rc<BTreeMap<Vec<u8>, String>>;

/// Longest list of blobs that fits into an argument list; above it git prints all changes.
const MOST_BLOBS: usize = 10_000;

/// A commit that refs lead to.
struct Commit {
    id: String,
    seconds: i64,
    parents: Vec<usize>,
}

/// What the history of all refs says about a finding.
#[derive(Default)]
struct Told {
    /// First and last commit that hold it, by place in the order, and how many do.
    commits: Option<(usize, usize, u64)>,
    /// The first commit that has it at each path.
    paths: BTreeMap<Vec<u8>, usize>,
}

/// Commits that refs lead to: parents before children, the older of two that are no relations
/// first.
fn commits(folder: &Path) -> Vec<Commit> {
    let arguments = ["rev-list", "--parents", "--timestamp", "--all"];
    let text = String::from_utf8(run(git_in(folder).args(arguments))).unwrap();
    let lines: Vec<Vec<&str>> = text.lines().map(|it| it.split(' ').collect()).collect();
    let numbers: HashMap<&str, usize> = (0..).zip(&lines).map(|it| (it.1[1], it.0)).collect();
    let mut children = vec![Vec::new(); lines.len()];
    let mut waiting: Vec<usize> = lines.iter().map(|line| line.len() - 2).collect();
    let mut ready = BTreeSet::new();
    for (number, line) in lines.iter().enumerate() {
        for parent in &line[2..] {
            children[numbers[parent]].push(number);
        }
        if line.len() == 2 {
            ready.insert((line[0].parse::<i64>().unwrap(), line[1], number));
        }
    }
    let mut places = vec![0; lines.len()];
    let mut all = Vec::new();
    while let Some((seconds, id, number)) = ready.pop_first() {
        places[number] = all.len();
        all.push(Commit {
            id: id.to_owned(),
            seconds,
            parents: lines[number][2..]
                .iter()
                .map(|it| places[numbers[it]])
                .collect(),
        });
        for &child in &children[number] {
            waiting[child] -= 1;
            if waiting[child] == 0 {
                ready.insert((lines[child][0].parse().unwrap(), lines[child][1], child));
            }
        }
    }
    assert_eq!(all.len(), lines.len());
    assert!(all.iter().all(|commit| commit.seconds >= 0));
    all
}

/// What each commit changes against its first parent: path, blob before, blob now; of `blobs` only.
fn changes(
    folder: &Path,
    blobs: &HashSet<&str>,
) -> HashMap<String, Vec<(Vec<u8>, String, String)>> {
    let mut git = git_in(folder);
    git.args([
        "log",
        "--all",
        "--full-history",
        "--diff-merges=first-parent",
        "--raw",
    ]);
    git.args(["-z", "--no-renames", "--no-abbrev", "--format=commit %H"]);
    if blobs.len() <= MOST_BLOBS {
        git.args(blobs.iter().map(|blob| format!("--find-object={blob}")));
    }
    let mut child = git.stdout(Stdio::piped()).spawn().expect("git runs");
    let mut output = BufReader::with_capacity(1 << 20, child.stdout.take().unwrap());
    let mut found: HashMap<String, Vec<_>> = HashMap::new();
    let (mut commit, mut part) = (String::new(), Vec::new());
    while next(&mut output, &mut part) {
        let text = String::from_utf8_lossy(&part)
            .trim_start_matches('\n')
            .to_owned();
        if let Some(id) = text.strip_prefix("commit ") {
            commit = id.trim_end().to_owned();
        } else if let Some(line) = text.strip_prefix(':') {
            let words: Vec<&str> = line.split(' ').collect();
            assert!(next(&mut output, &mut part));
            if blobs.contains(words[2]) || blobs.contains(words[3]) {
                let [before, now] = [words[2], words[3]].map(str::to_owned);
                let list = found.entry(commit.clone()).or_default();
                list.push((part.clone(), before, now));
            }
        } else {
            assert_eq!(text, "", "git log prints something else");
        }
    }
    assert!(child.wait().unwrap().success());
    found
}

/// Reads up to the next zero byte.
fn next(output: &mut impl BufRead, part: &mut Vec<u8>) -> bool {
    part.clear();
    let more = output.read_until(0, part).expect("readable") > 0;
    if part.last() == Some(&0) {
        part.pop();
    }
    more
}

/// What `git log` says about each of the findings that stand in `places`.
fn told<'p>(folder: &Path, all: &[Commit], places: &'p Places) -> HashMap<&'p str, Told> {
    let mut of_object: HashMap<&str, Vec<&str>> = HashMap::new();
    for (finding, id) in places {
        of_object.entry(id).or_default().push(finding);
    }
    let blobs: HashSet<&str> = of_object.keys().copied().collect();
    let changes = changes(folder, &blobs);
    let mut held: Vec<Held> = Vec::with_capacity(all.len());
    let mut told: HashMap<&str, Told> = HashMap::new();
    let mut known: HashMap<*const BTreeMap<Vec<u8>, String>, Vec<&str>> = HashMap::new();
    for (number, commit) in all.iter().enumerate() {
        let parent = commit.parents.first().map(|&parent| held[parent].clone());
        let mut here = parent.unwrap_or_default();
        if let Some(changes) = changes.get(&commit.id) {
            let paths = Rc::make_mut(&mut here);
            for (path, before, now) in changes {
                if blobs.contains(before.as_str()) {
                    paths.remove(path);
                }
                if blobs.contains(now.as_str()) {
                    paths.insert(path.clone(), now.clone());
                }
            }
        }
        let findings = known.entry(Rc::as_ptr(&here)).or_insert_with(|| {
            let mut findings = Vec::new();
            for (path, blob) in here.iter() {
                for &finding in &of_object[blob.as_str()] {
                    let paths = &mut told.entry(finding).or_default().paths;
                    paths.entry(path.clone()).or_insert(number);
                    findings.push(finding);
                }
            }
            findings.sort_unstable();
            findings.dedup();
            findings
        });
        let in_message = of_object.get(commit.id.as_str()).into_iter().flatten();
        let in_message = in_message.filter(|it| findings.binary_search(it).is_err());
        let all_here: BTreeSet<&str> = findings.iter().chain(in_message).copied().collect();
        for finding in all_here {
            let commits = &mut told.entry(finding).or_default().commits;
            let first = commits.map_or(number, |it| it.0);
            *commits = Some((first, number, commits.map_or(0, |it| it.2) + 1));
        }
        held.push(here);
    }
    told
}

fn id_of(commit: Option<&CommitFacts>) -> &str {
    commit.map_or("", |commit| &commit.id)
}

/// Holds what `report` says of each finding against `git log`. `places` are the objects that each
/// stands in. Returns how many were held against it.
pub(crate) fn check(folder: &Path, story: &str, report: &Report, places: &Places) -> usize {
    let all = commits(folder);
    let told = told(folder, &all, places);
    let mut checked = 0;
    for finding in &report.findings {
        let fingerprint = finding.fingerprint.to_string();
        // What stands in names too is held by trees, which this does not look into.
        let is_name = |origin: &Origin| matches!(origin, Origin::Name { .. });
        if finding.occurrences.iter().any(|it| is_name(&it.origin)) {
            continue;
        }
        let provenance = finding.provenance.as_ref().unwrap();
        let Some(told) = told
            .get(fingerprint.as_str())
            .filter(|it| it.commits.is_some())
        else {
            // A tag's message, or what no ref leads to, whose commits git does not list.
            let first = id_of(provenance.first.as_ref());
            assert!(
                !all.iter().any(|commit| commit.id == first),
                "{story}: {fingerprint} is in no commit of a ref"
            );
            continue;
        };
        let (first, last, count) = told.commits.unwrap();
        let expected = (all[first].id.as_str(), all[last].id.as_str(), count);
        let [first, last] = [&provenance.first, &provenance.last].map(|it| id_of(it.as_ref()));
        let said = (first, last, provenance.commits);
        assert_eq!(
            provenance.reachability,
            Reachability::Reachable,
            "{story}: {fingerprint}"
        );
        assert_eq!(said, expected, "{story}: {fingerprint}");
        check_paths(&all, told, finding, story);
        checked += 1;
    }
    checked
}

fn check_paths(all: &[Commit], told: &Told, finding: &Finding, story: &str) {
    let listed: BTreeSet<(Vec<u8>, &str)> = finding
        .occurrences
        .iter()
        .filter_map(|it| match &it.origin {
            Origin::Commit { commit, path } => {
                Some((path.as_os_str().as_encoded_bytes().to_vec(), &**commit))
            }
            _ => None,
        })
        .collect();
    let expected = told
        .paths
        .iter()
        .map(|(path, &at)| (path.clone(), all[at].id.as_str()));
    let expected: BTreeSet<(Vec<u8>, &str)> = expected.collect();
    let fingerprint = finding.fingerprint;
    assert!(
        finding.provenance.as_ref().unwrap().places >= expected.len() as u64,
        "{story}"
    );
    if expected.len() < 100 {
        let lacking: Vec<_> = expected.difference(&listed).collect();
        assert!(
            lacking.is_empty(),
            "{story}: {fingerprint}: {lacking:?} of {listed:?}"
        );
    } else {
        assert!(listed.is_subset(&expected), "{story}: {fingerprint}");
    }
}
