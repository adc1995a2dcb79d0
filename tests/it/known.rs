//! The baseline as its users meet it: made, changed, merged, looked through, and still true after
//! everything that git and people do to a repository.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

use crate::kit::keys::{Random, access_key_id, exports, secret};
use crate::kit::{self, Outcome, Tree, straykey};

fn run(tree: &Tree, arguments: &[&str]) -> Outcome {
    kit::run(straykey(tree.root()).args(arguments))
}

fn repository() -> Tree {
    let tree = Tree::new();
    tree.git("", &["init", "-q", "-b", "main"]);
    tree
}

fn commit(tree: &Tree, message: &str) {
    tree.git("", &["add", "-A"]);
    tree.git("", &["commit", "-q", "--allow-empty", "-m", message]);
}

fn entries(tree: &Tree) -> BTreeSet<String> {
    let directory = tree.path(".straykey-baseline");
    let files = std::fs::read_dir(directory).map(|files| {
        files
            .map(|file| file.unwrap().file_name().into_string().unwrap())
            .collect()
    });
    files.unwrap_or_default()
}

/// The access key IDs of the findings that block, and how many findings the baseline knows.
fn state(tree: &Tree, what: &str) -> (BTreeSet<String>, u64) {
    let ran = run(tree, &["-o", "json"]);
    let report: Value = serde_json::from_str(&ran.stdout)
        .unwrap_or_else(|error| panic!("{what}: {error}: {}", ran.stderr));
    let findings = report["findings"].as_array().unwrap();
    let blocking = findings.iter().filter(|it| it["blocks"] == true);
    let ids = blocking.map(|it| it["access_key_id"].as_str().unwrap_or("?").to_owned());
    let ids: BTreeSet<String> = ids.collect();
    assert_eq!(
        ran.code,
        Some(i32::from(!ids.is_empty())),
        "{what}: {}",
        ran.stderr
    );
    (ids, report["summary"]["baselined"].as_u64().unwrap())
}

#[test]
fn what_is_noted_does_not_block_and_what_is_new_does() {
    let tree = repository();
    tree.write("a.sh", exports(1));
    tree.write("b.sh", exports(2));
    let made = run(
        &tree,
        &[
            "baseline", "create", "--reason", "samples", "--owner", "docs",
        ],
    );
    assert_eq!(made.code, Some(0), "{}", made.stderr);
    assert_eq!(made.stdout.lines().count(), 2);
    assert!(
        made.stderr.contains("2 keys noted as known in `"),
        "{}",
        made.stderr
    );
    assert_eq!(entries(&tree).len(), 2);
    assert_eq!(state(&tree, "made"), (BTreeSet::new(), 2));
    let ran = run(&tree, &[]);
    assert!(ran.stderr.contains("No leaked keys.") && ran.stderr.contains(" · 2 baselined"));
    assert_eq!(run(&tree, &["--no-baseline"]).code, Some(1));
    // Moved, and with a new secret on the line of a known one.
    std::fs::rename(tree.path("a.sh"), tree.path("moved.sh")).unwrap();
    tree.write("b.sh", format!("{}\n\n\n{}", exports(3).trim(), exports(2)));
    assert_eq!(
        state(&tree, "moved"),
        (BTreeSet::from([access_key_id(3)]), 2)
    );
    tree.write("b.sh", exports(2).replace(&secret(2), &secret(9)));
    assert_eq!(
        state(&tree, "same id"),
        (BTreeSet::from([access_key_id(2)]), 1)
    );
    assert_eq!(run(&tree, &["baseline", "create"]).code, Some(2));
    let updated = run(&tree, &["baseline", "update"]);
    assert_eq!((updated.code, updated.stdout.lines().count()), (Some(0), 1));
    assert_eq!(state(&tree, "updated"), (BTreeSet::new(), 2));
}

#[test]
fn no_file_of_the_baseline_and_no_output_holds_a_key() {
    let tree = repository();
    tree.write("a.sh", exports(1));
    let made = run(&tree, &["baseline", "create"]);
    let mut all = made.stdout + &made.stderr + &run(&tree, &["baseline", "list"]).stdout;
    for name in entries(&tree) {
        let text = std::fs::read_to_string(tree.path(".straykey-baseline").join(&name)).unwrap();
        all.push_str(&text);
        // Nor its plain hash.
        let report = run(&tree, &["-o", "json"]).stdout;
        let report: Value = serde_json::from_str(&report).unwrap();
        let fingerprint = report["findings"][0]["fingerprint"].as_str().unwrap();
        assert!(!text.contains(&fingerprint[..8]) && !name.contains(&fingerprint[..8]));
    }
    assert!(!all.contains(&access_key_id(1)) && !all.contains(&secret(1)));
    // Two baselines of the same key have nothing in common.
    let other = repository();
    other.write("a.sh", exports(1));
    run(&other, &["baseline", "create"]);
    assert!(entries(&tree).is_disjoint(&entries(&other)));
}

#[test]
fn unused_entries_are_told_and_pruned_unless_the_history_has_the_key() {
    let tree = repository();
    tree.write("a.sh", exports(1));
    tree.write("b.sh", exports(2));
    run(&tree, &["baseline", "create"]);
    commit(&tree, "keys");
    std::fs::remove_file(tree.path("a.sh")).unwrap();
    let ran = run(&tree, &[]);
    assert!(
        ran.stderr.contains(" · 1 unused in the baseline"),
        "{}",
        ran.stderr
    );
    let part = run(&tree, &["b.sh"]);
    assert!(
        !part.stderr.contains("unused"),
        "a part does not tell: {}",
        part.stderr
    );
    let pruned = run(&tree, &["baseline", "prune"]);
    assert!(
        pruned.stderr.contains("0 unused entries removed"),
        "{}",
        pruned.stderr
    );
    let dry = run(&tree, &["baseline", "prune", "--files-only", "--dry-run"]);
    assert!(
        dry.stderr.contains("1 unused entry would be removed"),
        "{}",
        dry.stderr
    );
    assert_eq!(entries(&tree).len(), 2);
    run(&tree, &["baseline", "prune", "--files-only"]);
    assert_eq!(entries(&tree).len(), 1);
    assert_eq!(state(&tree, "pruned"), (BTreeSet::new(), 1));
    tree.write("a.sh", exports(1));
    assert_eq!(
        state(&tree, "back"),
        (BTreeSet::from([access_key_id(1)]), 1)
    );
}

#[test]
fn the_history_can_be_noted_as_well() {
    let tree = repository();
    tree.write("a.sh", exports(1));
    commit(&tree, "key");
    tree.write("a.sh", "clean\n");
    commit(&tree, "gone");
    run(&tree, &["baseline", "create"]);
    assert_eq!(entries(&tree).len(), 0);
    run(&tree, &["baseline", "update", "--history"]);
    assert_eq!(entries(&tree).len(), 1);
}

#[test]
fn an_entry_whose_time_is_over_blocks_again() {
    let tree = repository();
    tree.write("a.sh", exports(1));
    run(&tree, &["baseline", "create", "--until", "2020-01-31"]);
    let ran = run(&tree, &[]);
    assert_eq!(ran.code, Some(1));
    assert!(
        ran.stdout
            .contains("(its time in the baseline ended on 2020-01-31)"),
        "{}",
        ran.stdout
    );
    assert_eq!(
        run(&tree, &["baseline", "create", "--until", "soon"]).code,
        Some(2)
    );
}

#[test]
fn a_baseline_that_cannot_be_read_stops_the_scan() {
    let tree = repository();
    tree.write("a.sh", exports(1));
    run(&tree, &["baseline", "create"]);
    let name = entries(&tree).pop_first().unwrap();
    let file = format!(".straykey-baseline/{name}");
    let text = std::fs::read_to_string(tree.path(&file)).unwrap();
    tree.write(&file, text.replace("salt", "salz"));
    let ran = run(&tree, &[]);
    assert_eq!(ran.code, Some(2));
    let says = format!("{name}:2: unknown word `salz`");
    assert!(ran.stderr.contains(&says), "{}", ran.stderr);
    assert_eq!(run(&tree, &["--baseline", "nowhere"]).code, Some(2));
}

/// A file with keys in it, and lines between them that say nothing.
struct Files {
    random: Random,
    /// Seeds of the known keys that stand somewhere: none is ever lost.
    names: Vec<String>,
}

impl Files {
    fn noise(&mut self) -> String {
        let words = ["alpha", "beta", "gamma", "delta", "let", "return", "value"];
        let mut pick = || words[self.random.below(words.len())];
        format!("{} {} {}", pick(), pick(), pick())
    }

    fn name(&mut self) -> String {
        let number = self.random.next() % 1_000_000;
        format!("dir{}/file{number}.txt", self.random.below(3))
    }

    fn pick(&mut self) -> usize {
        self.random.below(self.names.len())
    }

    /// Inserts and removes lines of noise, and now and then parts an ID from its secret.
    fn edit(&mut self, tree: &Tree) {
        let at = self.pick();
        let path = tree.path(&self.names[at]);
        let text = std::fs::read_to_string(&path).unwrap();
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        for _ in 0..=self.random.below(6) {
            let place = self.random.below(lines.len() + 1);
            if self.random.below(3) == 0 && place < lines.len() && !is_key(&lines[place]) {
                lines.remove(place);
            } else {
                let noise = self.noise();
                lines.insert(place, noise);
            }
        }
        if self.random.below(8) == 0 {
            let place = lines.iter().position(|line| line.contains("SECRET"));
            let far: Vec<String> = (0..400).map(|_| self.noise()).collect();
            lines.splice(place.unwrap_or(0)..place.unwrap_or(0), far);
        }
        std::fs::write(path, lines.join("\n") + "\n").unwrap();
    }

    fn rename(&mut self, tree: &Tree) {
        let (at, to) = (self.pick(), self.name());
        std::fs::create_dir_all(tree.path(&to).parent().unwrap()).unwrap();
        std::fs::rename(tree.path(&self.names[at]), tree.path(&to)).unwrap();
        self.names[at] = to;
    }

    /// Moves everything of one file to the end of another.
    fn move_into(&mut self, tree: &Tree) {
        let (from, to) = (self.pick(), self.pick());
        if from == to || self.names.len() < 3 {
            return;
        }
        let read = |at: usize| std::fs::read_to_string(tree.path(&self.names[at])).unwrap();
        let joined = read(to) + "\n" + &read(from);
        std::fs::write(tree.path(&self.names[to]), joined).unwrap();
        std::fs::remove_file(tree.path(&self.names[from])).unwrap();
        self.names.remove(from);
    }

    fn copy(&mut self, tree: &Tree) {
        let (from, to) = (self.pick(), self.name());
        let text = std::fs::read(tree.path(&self.names[from])).unwrap();
        tree.write(&to, text);
        self.names.push(to);
    }

    fn change(&mut self, tree: &Tree) {
        match self.random.below(6) {
            0 => self.rename(tree),
            1 => self.move_into(tree),
            2 if self.names.len() < 8 => self.copy(tree),
            _ => self.edit(tree),
        }
    }

    /// The files as they are in the work tree now.
    fn look(&mut self, tree: &Tree) {
        let listed = tree.git("", &["ls-files", "dir0", "dir1", "dir2", "keys"]);
        let listed = String::from_utf8(listed).unwrap();
        self.names = listed.lines().map(str::to_owned).collect();
    }
}

fn is_key(line: &str) -> bool {
    line.contains("AWS_")
}

#[test]
fn it_holds_after_200_random_edits_renames_rebases_squashes_and_merges() {
    const KNOWN: u64 = 6;
    let tree = repository();
    let mut files = Files {
        random: Random::new(2026),
        names: Vec::new(),
    };
    for seed in 0..KNOWN {
        tree.write(
            format!("keys/{seed}.sh"),
            format!("# {seed}\n\n{}", exports(seed)),
        );
    }
    commit(&tree, "keys");
    tree.git("", &["checkout", "-q", "-b", "noted"]);
    assert_eq!(
        run(&tree, &["baseline", "create", "--reason", "samples"]).code,
        Some(0)
    );
    commit(&tree, "baseline");
    tree.git("", &["checkout", "-q", "main"]);
    tree.git(
        "",
        &["merge", "-q", "--no-ff", "-m", "take the baseline", "noted"],
    );
    files.look(&tree);
    let mut done = std::collections::BTreeMap::new();
    for step in 0..200_u64 {
        let kind = match files.random.below(10) {
            0..=4 => "edit",
            5 => "rename",
            6 => "rebase",
            7 => "squash",
            8 => "merge",
            _ => "amend",
        };
        *done.entry(kind).or_insert(0) += 1;
        match kind {
            "edit" => {
                files.change(&tree);
                commit(&tree, "edit");
            }
            "rename" => {
                files.rename(&tree);
                commit(&tree, "rename");
            }
            "amend" => {
                files.change(&tree);
                tree.git("", &["add", "-A"]);
                tree.git(
                    "",
                    &["commit", "-q", "--amend", "--allow-empty", "-m", "amended"],
                );
            }
            kind => branch(&tree, &mut files, kind, step),
        }
        files.look(&tree);
        let (blocking, known) = state(&tree, &format!("step {step} ({kind})"));
        assert!(
            blocking.is_empty(),
            "step {step} ({kind}): {blocking:?} block"
        );
        assert!(known >= KNOWN, "step {step} ({kind}): {known} known");
        // What is new is seen at any time, beside a known key as well.
        if step % 10 == 0 {
            let (at, seed) = (files.pick(), 1000 + step);
            let path = tree.path(&files.names[at]);
            let text = std::fs::read_to_string(&path).unwrap();
            std::fs::write(&path, format!("{}\n{text}", exports(seed))).unwrap();
            let (blocking, _) = state(&tree, &format!("step {step}, with a new key"));
            assert_eq!(
                blocking,
                BTreeSet::from([access_key_id(seed)]),
                "step {step}"
            );
            std::fs::write(&path, text).unwrap();
        }
    }
    assert_eq!(entries(&tree).len() as u64, KNOWN);
    assert_eq!(done.len(), 6, "every kind came: {done:?}");
}

/// Works on a branch and on main, and brings them together by a merge, a rebase or a squash. Where
/// both touch the same lines, the branch's side is taken, whole.
fn branch(tree: &Tree, files: &mut Files, kind: &str, step: u64) {
    let name = format!("work{step}");
    tree.git("", &["checkout", "-q", "-b", &name]);
    for _ in 0..=files.random.below(2) {
        files.edit(tree);
        commit(tree, "on the branch");
    }
    tree.git("", &["checkout", "-q", "main"]);
    // On main only something new, so that no key is lost to a conflict.
    let noise = files.noise();
    tree.write(format!("notes/{step}.txt"), noise);
    commit(tree, "on main");
    match kind {
        "merge" => drop(tree.git("", &["merge", "-q", "--no-ff", "-m", "merge", &name])),
        "rebase" => {
            tree.git("", &["rebase", "-q", "main", &name]);
            tree.git("", &["checkout", "-q", "main"]);
            tree.git("", &["merge", "-q", "--ff-only", &name]);
        }
        _ => {
            tree.git("", &["merge", "-q", "--squash", &name]);
            commit(tree, "squashed");
        }
    }
    tree.git("", &["branch", "-q", "-D", &name]);
}

/// Something that git may refuse to do.
fn git_can(tree: &Tree, arguments: &[&str]) -> bool {
    let mut command = crate::git_kit::git_in(tree.root());
    command.args(["-c", "user.name=Ada", "-c", "user.email=ada@example.com"]);
    command.args(arguments).output().unwrap().status.success()
}

/// Files of a baseline, by name.
type Set = std::collections::BTreeMap<String, String>;

fn set(tree: &Tree) -> Set {
    let read = |name: String| {
        let text = std::fs::read_to_string(tree.path(".straykey-baseline").join(&name)).unwrap();
        (name, text)
    };
    entries(tree).into_iter().map(read).collect()
}

/// Writes keys `seeds` and updates the baseline by them, with the program itself.
fn update(tree: &Tree, seeds: &BTreeSet<u64>, known: bool, reason: &str) {
    let text: String = seeds.iter().map(|&seed| exports(seed) + "\n\n").collect();
    tree.write("work/keys.sh", text);
    let verb = if known { "update" } else { "create" };
    let ran = run(tree, &["baseline", verb, "--reason", reason]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let ran = run(tree, &["baseline", "prune", "--files-only"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    std::fs::remove_file(tree.path("work/keys.sh")).unwrap();
}

#[test]
fn two_branches_that_update_it_merge_without_conflict_in_100_of_100_trials() {
    let mut random = Random::new(100);
    let tree = repository();
    commit(&tree, "nothing");
    let (mut conflicts, mut in_one_file) = (0, 0);
    for trial in 0..100 {
        tree.git("", &["checkout", "-q", "--orphan", &format!("base{trial}")]);
        tree.git("", &["rm", "-rfq", "--ignore-unmatch", "."]);
        let _ = std::fs::remove_dir_all(tree.path(".straykey-baseline"));
        let mut seeds: BTreeSet<u64> = (0..random.below(8) as u64).collect();
        if !seeds.is_empty() {
            update(&tree, &seeds, false, "at the beginning");
        }
        one_file(&tree, &seeds);
        commit(&tree, "base");
        let known = !seeds.is_empty();
        // Some keys go on both sides, some on one; both sides add some of their own and some alike.
        let gone = random.below(2) as u64;
        seeds.retain(|&seed| seed != gone);
        let mut sides = Vec::new();
        for side in 0..2_u64 {
            tree.git(
                "",
                &[
                    "checkout",
                    "-q",
                    "-b",
                    &format!("side{trial}-{side}"),
                    &format!("base{trial}"),
                ],
            );
            let mut own = seeds.clone();
            let lost = random.below(10) as u64 * 2 + side;
            own.retain(|&seed| seed != lost);
            own.extend((0..=random.below(4) as u64).map(|it| 1000 + 100 * side + it));
            own.extend((0..random.below(3) as u64).map(|it| 2000 + it));
            update(
                &tree,
                &own,
                known,
                "a sample of the documentation, which opens nothing anywhere",
            );
            one_file(&tree, &own);
            commit(&tree, "side");
            sides.push(set(&tree));
        }
        let base = set_of(&tree, &format!("base{trial}"));
        conflicts += usize::from(!joined(&tree, trial, ".straykey-baseline", &base, &sides));
        in_one_file += usize::from(!joined(&tree, trial, "one-file", &Set::new(), &[]));
    }
    assert_eq!(conflicts, 0, "of 100 trials");
    // The trials are hard: the same in one sorted file conflicts.
    assert!(
        in_one_file > 50,
        "only {in_one_file} of 100 trials conflict in one sorted file"
    );
    eprintln!("conflicts in 100 trials: {conflicts}; with one sorted file: {in_one_file}");
}

/// The same as one sorted file, for comparison.
fn one_file(tree: &Tree, seeds: &BTreeSet<u64>) {
    let mut lines: Vec<String> = seeds
        .iter()
        .map(|&seed| secret(seed).replace('/', "_"))
        .collect();
    lines.sort();
    tree.write("one-file", lines.join("\n") + "\n");
}

fn set_of(tree: &Tree, branch: &str) -> Set {
    tree.git("", &["checkout", "-q", branch]);
    set(tree)
}

/// Merges, or rebases, the two sides as far as `path` goes. Whether that works; what comes out is
/// then what both have said.
fn joined(tree: &Tree, trial: u64, path: &str, base: &Set, sides: &[Set]) -> bool {
    let names: Vec<String> = (0..2)
        .map(|side| format!("only{trial}-{side}-{}", path.len()))
        .collect();
    let root = format!("{}-root", names[0]);
    tree.git(
        "",
        &["checkout", "-q", "-f", "-B", &root, &format!("base{trial}")],
    );
    for (side, name) in names.iter().enumerate() {
        tree.git("", &["checkout", "-q", "-f", "-B", name, &root]);
        tree.git("", &["rm", "-rfq", "--ignore-unmatch", path]);
        let from = format!("side{trial}-{side}");
        if !tree.git("", &["ls-tree", &from, "--", path]).is_empty() {
            tree.git("", &["checkout", "-q", &from, "--", path]);
        }
        commit(tree, "side");
    }
    let clean = match trial % 2 {
        0 => git_can(tree, &["merge", "-q", "-m", "merge", &names[0]]),
        _ => git_can(tree, &["rebase", "-q", &names[0]]),
    };
    if !clean {
        for undo in ["merge", "rebase"] {
            git_can(tree, &[undo, "--abort"]);
        }
        return false;
    }
    if let [one, other] = sides {
        let mut expected: Set = one
            .iter()
            .chain(other)
            .map(|(name, text)| (name.clone(), text.clone()))
            .collect();
        expected.retain(|name, _| {
            !base.contains_key(name) || (one.contains_key(name) && other.contains_key(name))
        });
        assert_eq!(set(tree), expected, "trial {trial}");
    }
    true
}

#[test]
fn explain_says_what_to_do_about_a_rule_and_a_finding() {
    let tree = repository();
    tree.write("a.sh", exports(1));
    let rule = run(&tree, &["explain", "aws-access-key-pair"]);
    assert_eq!(rule.code, Some(0), "{}", rule.stderr);
    assert!(
        rule.stdout
            .contains("\nWhat to do, in this order\n  1. Deactivate it now")
    );
    let json = run(&tree, &["-o", "json"]).stdout;
    let report: Value = serde_json::from_str(&json).unwrap();
    let fingerprint = report["findings"][0]["fingerprint"]
        .as_str()
        .unwrap()
        .to_owned();
    let scanned = run(&tree, &["explain", &fingerprint[..8]]);
    assert_eq!(scanned.code, Some(0), "{}", scanned.stderr);
    let says = format!("update-access-key --access-key-id {}", access_key_id(1));
    assert!(scanned.stdout.contains(&says), "{}", scanned.stdout);
    assert!(scanned.stdout.contains("a.sh:1") && !scanned.stdout.contains(&secret(1)));
    tree.write("r.json", json);
    std::fs::remove_file(tree.path("a.sh")).unwrap();
    let from_report = run(&tree, &["explain", &fingerprint, "--report", "r.json"]);
    assert!(from_report.stdout.contains(&says), "{}", from_report.stderr);
    for wrong in ["no-such-rule", "abc", "0123456789", "AKIA"] {
        let ran = run(&tree, &["explain", wrong]);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{wrong}");
    }
}

#[test]
fn an_import_needs_something_to_import() {
    let tree = repository();
    tree.write("a.sh", exports(1));
    let ran = run(&tree, &["import"]);
    assert_eq!(ran.code, Some(2));
    assert!(
        ran.stderr.contains("there is nothing of another scanner"),
        "{}",
        ran.stderr
    );
}

#[test]
fn an_import_carries_over_what_it_can_and_lists_the_rest() {
    let tree = repository();
    tree.write("a.sh", exports(1));
    tree.write("b.sh", exports(2));
    tree.write("samples/c.sh", exports(3));
    tree.write("d.sh", format!("{} # sample-only\n", exports(4).trim()));
    commit(&tree, "keys");
    tree.write(
        ".gitleaksignore",
        "# known\na.sh:aws-access-token:1\ngone.sh:aws-access-token:7\nnonsense\n",
    );
    tree.write(".secretsignore", "samples/\n[secrets]\nab(\n");
    tree.write(".gitallowed", "^b\\.sh:[12]:\n");
    tree.git(
        "",
        &["config", "--add", "secrets.providers", "cat /etc/passwd"],
    );
    let dry = run(&tree, &["import", "--dry-run"]);
    assert_eq!(dry.code, Some(0), "{}", dry.stderr);
    assert!(!tree.path(".straykey.toml").exists() && !tree.path(".straykey-baseline").exists());
    let ran = run(&tree, &["import"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    for lost in [
        ".gitleaksignore:3: gone.sh:aws-access-token:7: straykey finds nothing there",
        ".gitleaksignore:4: nonsense: neither",
        ".secretsignore:3: ab(: not an expression",
        "git config secrets.providers cat /etc/passwd: a command",
    ] {
        assert!(
            ran.stdout.contains(&format!("not carried over: {lost}")),
            "{lost}: {}",
            ran.stdout
        );
    }
    let (blocking, known) = state(&tree, "imported");
    assert_eq!(blocking, BTreeSet::from([access_key_id(4)]));
    assert_eq!(known, 2);
    // What is there is not changed.
    assert_eq!(run(&tree, &["import"]).code, Some(2));
}

#[cfg(unix)]
#[test]
fn audit_takes_one_key_press_a_decision() {
    let tree = repository();
    for seed in 1..=4 {
        tree.write(format!("{seed}.sh"), exports(seed));
    }
    let no_terminal = run(&tree, &["baseline", "audit"]);
    assert_eq!(no_terminal.code, Some(2));
    assert!(
        no_terminal.stderr.contains("needs a terminal"),
        "{}",
        no_terminal.stderr
    );
    let screen = on_a_terminal(
        tree.root(),
        &["baseline", "audit", "--owner", "ada"],
        &["a", "9", "xn", "q"],
    );
    assert!(
        !(1..=4).any(|seed| screen.contains(&secret(seed))),
        "{screen}"
    );
    assert!(
        (1..=4).all(|seed| screen.contains(&access_key_id(seed))),
        "{screen}"
    );
    assert_eq!(
        state(&tree, "audited"),
        (BTreeSet::from([access_key_id(4)]), 3)
    );
    let list = run(&tree, &["baseline", "list"]).stdout;
    assert!(
        list.contains("ada  accepted in an audit") && list.contains("ada  not a key"),
        "{list}"
    );
    assert_eq!(list.matches("  until 20").count(), 1, "{list}");
    // Removed again, in a second look at everything.
    on_a_terminal(
        tree.root(),
        &["baseline", "audit", "--all"],
        &["r", "k", "k", "s"],
    );
    assert_eq!(state(&tree, "again").1, 2);
}

/// Runs the program on a pseudo-terminal and types `keys`, each when it is asked for; what the
/// screen showed.
#[cfg(unix)]
fn on_a_terminal(directory: &Path, arguments: &[&str], keys: &[&str]) -> String {
    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
    use std::io::{Read, Write};
    let screen = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&screen).unwrap();
    unlockpt(&screen).unwrap();
    let name = ptsname(&screen, Vec::new()).unwrap().into_string().unwrap();
    let open = || {
        std::fs::File::options()
            .read(true)
            .write(true)
            .open(&name)
            .unwrap()
    };
    let mut child = straykey(directory)
        .args(arguments)
        .stdin(open())
        .stdout(open())
        .stderr(open())
        .spawn()
        .unwrap();
    let mut screen = std::fs::File::from(screen);
    let (mut shown, mut typed) = (String::new(), 0);
    let mut buffer = [0; 4096];
    // The end of a pseudo-terminal whose other side is closed is an error.
    while let Ok(length @ 1..) = screen.read(&mut buffer) {
        shown.push_str(&String::from_utf8_lossy(&buffer[..length]));
        while typed < keys.len() && shown.matches(" ? ").count() > typed {
            screen.write_all(keys[typed].as_bytes()).unwrap();
            typed += 1;
        }
    }
    assert!(child.wait().unwrap().code().is_some());
    assert_eq!(typed, keys.len(), "{shown}");
    shown
}
