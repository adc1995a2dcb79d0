//! Where in history a key is, held against what git says, over random histories with merges,
//! moves, removals, skewed clocks and deleted branches.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::process::Stdio;

use straykey::detect::Detector;
use straykey::finding::Finding;
use straykey::history;
use straykey::provenance::{CommitFacts, Provenance, Reachability};
use straykey::rules::RuleSet;
use straykey::scan::Progress;
use straykey::source::git::{ObjectStore, Repository};

use crate::git_kit::GitKit;
use crate::kit::keys::{self, Random};

const BRANCHES: [&str; 4] = ["main", "one", "two", "three"];
const PATHS: [&str; 6] = ["a", "b/c", "b/d", "e/f/g", "e/h", "i"];
const KEYS: usize = 5;

/// A repository with a random history of a seed.
fn grow(seed: u64) -> GitKit {
    let mut random = Random::new(seed);
    let format = ["sha1", "sha1", "sha256"][random.below(3)];
    let kit = GitKit::init(&["--object-format", format]);
    // What a deleted branch held is to be dangling.
    kit.git(&["config", "core.logAllRefUpdates", "false"]);
    let mut made: Vec<&str> = Vec::new();
    let mut stream = Vec::new();
    for serial in 0..10 + random.below(40) {
        let branch = BRANCHES[random.below(BRANCHES.len())];
        commit(&mut stream, seed, serial, branch, &made, &mut random);
        if !made.contains(&branch) {
            made.push(branch);
        }
    }
    import(&kit, &stream);
    kit.git(&["symbolic-ref", "HEAD", &format!("refs/heads/{}", made[0])]);
    for branch in made.iter().skip(1).filter(|_| random.below(3) == 0) {
        kit.git(&["update-ref", "-d", &format!("refs/heads/{branch}")]);
    }
    if random.below(2) == 0 {
        kit.git(&["tag", "-a", "v1", "-m", &keys::exports(seed * 100), made[0]]);
    }
    if random.below(2) == 0 {
        kit.git(&["repack", "-q", "-a", "-d", "--cruft"]);
    }
    kit
}

fn commit(
    stream: &mut Vec<u8>,
    seed: u64,
    serial: usize,
    branch: &str,
    made: &[&str],
    random: &mut Random,
) {
    let key = |random: &mut Random| keys::exports(seed * 100 + random.below(KEYS) as u64);
    // Clocks are wrong now and then.
    let date = 1_600_000_000 + serial * 100 - random.below(4) * 150;
    let message = match random.below(15) {
        0 => key(random),
        _ => format!("commit {serial}\n"),
    };
    let length = message.len();
    write!(stream, "commit refs/heads/{branch}\nmark :{}\ncommitter Ada <ada@example.com> {date} +0000\ndata {length}\n{message}\n", serial + 1).unwrap();
    let others: Vec<&&str> = made.iter().filter(|it| **it != branch).collect();
    if made.contains(&branch) {
        if !others.is_empty() && random.below(3) == 0 {
            let other = others[random.below(others.len())];
            writeln!(stream, "merge refs/heads/{other}").unwrap();
        }
    } else if !others.is_empty() && random.below(4) > 0 {
        let other = others[random.below(others.len())];
        writeln!(stream, "from refs/heads/{other}").unwrap();
    }
    for _ in 0..random.below(3) {
        let path = PATHS[random.below(PATHS.len())];
        if random.below(3) == 0 {
            writeln!(stream, "D {path}").unwrap();
            continue;
        }
        let mut content = format!("{}\n", random.below(4));
        for _ in 0..random.below(3) {
            content.push_str(&key(random));
        }
        write!(
            stream,
            "M 100644 inline {path}\ndata {}\n{content}\n",
            content.len()
        )
        .unwrap();
    }
}

/// Makes what `stream` says.
pub(crate) fn import(kit: &GitKit, stream: &[u8]) {
    let mut command = kit.command();
    let mut child = command
        .args(["fast-import", "--quiet", "--force"])
        .stdin(Stdio::piped())
        .spawn()
        .expect("git runs");
    child.stdin.take().unwrap().write_all(stream).unwrap();
    assert!(child.wait().unwrap().success());
}

/// A commit as git tells of it.
struct Told {
    parents: Vec<String>,
    seconds: i64,
    /// Paths and the message, with the keys in them.
    held: BTreeMap<String, BTreeSet<u64>>,
}

/// Everything git says of a repository.
struct Oracle {
    commits: BTreeMap<String, Told>,
    reachable: BTreeSet<String>,
    order: Vec<String>,
}

impl Oracle {
    fn new(kit: &GitKit, seed: u64) -> Self {
        let all = kit.line(&["cat-file", "--batch-all-objects", "--batch-check"]);
        let commits: Vec<&str> = all
            .lines()
            .filter_map(|line| line.split_once(" commit ").map(|words| words.0))
            .collect();
        let mut blobs = BTreeMap::new();
        let commits: BTreeMap<String, Told> = commits
            .into_iter()
            .map(|id| (id.to_owned(), told(kit, id, seed, &mut blobs)))
            .collect();
        let reachable = kit.line(&["rev-list", "--all"]);
        let order = in_order(&commits);
        Self {
            reachable: reachable.lines().map(str::to_owned).collect(),
            commits,
            order,
        }
    }

    fn holds(&self, id: &str, key: u64) -> bool {
        self.commits[id]
            .held
            .values()
            .any(|keys| keys.contains(&key))
    }

    fn history(&self, tip: &str) -> BTreeSet<&str> {
        let mut seen = BTreeSet::new();
        let mut waiting = vec![tip];
        while let Some(id) = waiting.pop() {
            let (id, told) = self.commits.get_key_value(id).unwrap();
            if seen.insert(id.as_str()) {
                waiting.extend(told.parents.iter().map(String::as_str));
            }
        }
        seen
    }
}

fn told(kit: &GitKit, id: &str, seed: u64, blobs: &mut BTreeMap<String, BTreeSet<u64>>) -> Told {
    let keys_in = |text: &str| -> BTreeSet<u64> {
        let keys = (0..KEYS as u64).map(|number| seed * 100 + number);
        keys.filter(|&key| text.contains(&keys::access_key_id(key)))
            .collect()
    };
    let shown = kit.line(&["log", "--no-walk", "--format=%ct %P%n%B", id]);
    let (first, message) = shown.split_once('\n').unwrap_or((&shown, ""));
    let mut words = first.split_whitespace();
    let seconds = words.next().unwrap().parse().unwrap();
    let mut held = BTreeMap::from([("commit message".to_owned(), keys_in(message))]);
    let tree = kit.line(&["ls-tree", "-r", id]);
    for line in tree.lines() {
        let (about, path) = line.split_once('\t').unwrap();
        let blob = about.split(' ').nth(2).unwrap().to_owned();
        let keys = blobs
            .entry(blob)
            .or_insert_with_key(|blob| keys_in(&kit.line(&["cat-file", "blob", blob])));
        held.insert(path.to_owned(), keys.clone());
    }
    held.retain(|_, keys| !keys.is_empty());
    Told {
        parents: words.map(str::to_owned).collect(),
        seconds,
        held,
    }
}

/// Parents first, then by date: of all commits whose parents have come, the oldest.
fn in_order(commits: &BTreeMap<String, Told>) -> Vec<String> {
    let mut order: Vec<String> = Vec::new();
    while order.len() < commits.len() {
        let is_ready = |(id, told): &(&String, &Told)| {
            !order.contains(id) && told.parents.iter().all(|parent| order.contains(parent))
        };
        let ready = commits.iter().filter(is_ready);
        let next = ready.min_by_key(|(id, told)| (told.seconds, (*id).clone()));
        order.push(next.unwrap().0.clone());
    }
    order
}

fn id_of(commit: &Option<CommitFacts>) -> Option<&str> {
    commit.as_ref().map(|commit| commit.id.as_str())
}

/// Holds one finding against the oracle.
fn check(kit: &GitKit, oracle: &Oracle, seed: u64, key: u64, finding: &Finding) {
    let story = format!("seed {seed}, key {key}, {}", kit.path().display());
    let known: &Provenance = finding.provenance.as_ref().unwrap();
    let holding = |reachable: bool| -> Vec<&String> {
        let of_class = |id: &&String| oracle.reachable.contains(*id) == reachable;
        let holds = |id: &&String| oracle.holds(id, key);
        oracle.order.iter().filter(of_class).filter(holds).collect()
    };
    let (class, commits) = match (holding(true), holding(false)) {
        (reachable, _) if !reachable.is_empty() => (Reachability::Reachable, reachable),
        (_, dangling) => (Reachability::Dangling, dangling),
    };
    let tagged = key == seed * 100 && !kit.line(&["tag"]).is_empty();
    if !tagged {
        assert_eq!(known.reachability, class, "{story}");
    }
    if known.reachability != class || commits.is_empty() {
        return;
    }
    assert_eq!(known.commits, commits.len() as u64, "{story}");
    assert_eq!(id_of(&known.first), Some(commits[0].as_str()), "{story}");
    assert_eq!(
        id_of(&known.last),
        commits.last().map(|it| it.as_str()),
        "{story}"
    );
    let head = kit.line(&["rev-parse", "HEAD"]);
    assert_eq!(known.in_head, oracle.holds(&head, key), "{story}");
    check_removal(oracle, key, known, class, &story);
    check_branches(kit, oracle, key, known, tagged, &story);
    check_places(oracle, key, finding, tagged, &story);
    if class == Reachability::Reachable {
        check_with_git(kit, oracle, key, known, &story);
    }
}

fn check_removal(oracle: &Oracle, key: u64, known: &Provenance, class: Reachability, story: &str) {
    let removes = |id: &&String| {
        let parents = &oracle.commits[*id].parents;
        !oracle.holds(id, key) && parents.iter().any(|parent| oracle.holds(parent, key))
    };
    let is_reachable = class == Reachability::Reachable;
    let of_class = |id: &&String| oracle.reachable.contains(*id) == is_reachable;
    let removed = oracle.order.iter().filter(of_class).rfind(removes);
    let expected = removed.filter(|_| !known.in_head).map(String::as_str);
    assert_eq!(id_of(&known.removed), expected, "{story}");
}

fn check_branches(
    kit: &GitKit,
    oracle: &Oracle,
    key: u64,
    known: &Provenance,
    tagged: bool,
    story: &str,
) {
    for (kind, names) in [("heads", &known.branches), ("tags", &known.tags)] {
        let listed = kit.line(&[
            "for-each-ref",
            "--format=%(refname:lstrip=2)",
            &format!("refs/{kind}"),
        ]);
        let holds = |name: &&str| {
            let tip = kit.line(&["rev-parse", &format!("refs/{kind}/{name}^{{commit}}")]);
            let history = oracle.history(&tip);
            history.iter().any(|id| oracle.holds(id, key)) || (tagged && kind == "tags")
        };
        let expected: Vec<&str> = listed.lines().filter(holds).collect();
        assert_eq!(names.listed, expected, "{story}");
    }
}

fn check_places(oracle: &Oracle, key: u64, finding: &Finding, tagged: bool, story: &str) {
    let mut expected = BTreeSet::new();
    for (id, told) in &oracle.commits {
        for (path, _) in told.held.iter().filter(|(_, keys)| keys.contains(&key)) {
            // Each message is a place of its own.
            let which = if path == "commit message" { id } else { "" };
            expected.insert((path.clone(), which.to_owned()));
        }
    }
    if tagged {
        expected.insert(("message of the tag v1".to_owned(), String::new()));
    }
    let listed: BTreeSet<(String, String)> = finding
        .occurrences
        .iter()
        .map(|it| {
            let path = it.origin.path().into_owned();
            let id = it.origin.commit().unwrap_or_default().to_owned();
            let which = if path == "commit message" {
                id
            } else {
                String::new()
            };
            (path, which)
        })
        .collect();
    assert_eq!(listed, expected, "{story}");
    for occurrence in &finding.occurrences {
        let path = occurrence.origin.path();
        if let Some(told) = oracle.commits.get(occurrence.origin.commit().unwrap()) {
            assert!(told.held[&*path].contains(&key), "{story}: {path}");
        }
    }
}

/// `git log -S` lists the commits that change how often a text stands in a path.
fn check_with_git(kit: &GitKit, oracle: &Oracle, key: u64, known: &Provenance, story: &str) {
    let search = format!("-S{}", keys::access_key_id(key));
    let listed = kit.line(&[
        "log",
        "--all",
        "-m",
        "--full-history",
        "--format=%H",
        &search,
    ]);
    let changes: BTreeSet<&str> = listed.lines().collect();
    for commit in [id_of(&known.first), id_of(&known.removed)] {
        let Some(id) = commit else { continue };
        let held = oracle.commits[id].held.iter();
        let mut of_key = held.filter(|(_, keys)| keys.contains(&key));
        let in_message = of_key.all(|(path, _)| path == "commit message");
        let by_message = oracle.commits[id].parents.iter().any(|parent| {
            let held = &oracle.commits[parent].held;
            held.get("commit message")
                .is_some_and(|keys| keys.contains(&key))
        });
        assert!(
            changes.contains(id) || in_message || by_message,
            "{story}: {id} {changes:?}"
        );
    }
}

fn compare(seed: u64) {
    let kit = grow(seed);
    let repository = Repository::discover(kit.path()).unwrap();
    let store = ObjectStore::open(&repository).unwrap();
    let detector = Detector::new(&RuleSet::builtin());
    let progress = Progress::default();
    let (mut report, record) = history::scan(&repository, &store, false, &detector, &progress);
    history::attribute(
        &mut report,
        Some(record),
        &repository,
        &store,
        &detector,
        &progress,
        &[],
    );
    assert_eq!(report.not_scanned, [], "seed {seed}");
    let oracle = Oracle::new(&kit, seed);
    for number in 0..KEYS as u64 {
        let key = seed * 100 + number;
        let id = keys::access_key_id(key);
        let found = report
            .findings
            .iter()
            .find(|it| it.credential.access_key_id.as_ref() == Some(&id));
        let held = oracle
            .commits
            .keys()
            .any(|commit| oracle.holds(commit, key));
        assert!(found.is_some() || !held, "seed {seed}, key {key}");
        if let Some(finding) = found {
            check(&kit, &oracle, seed, key, finding);
        }
    }
}

/// STRAYKEY_HISTORIES sets how many histories are made.
#[test]
fn attribution_says_what_git_says() {
    let count = std::env::var("STRAYKEY_HISTORIES").map_or(12, |it| it.parse().unwrap());
    for seed in 1..=count {
        compare(seed);
    }
}
