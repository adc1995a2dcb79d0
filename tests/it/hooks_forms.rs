//! Repositories of every form: the right answer, or a clear error with exit code 2.

use std::process::{Command, Output};

use crate::hook_kit::{Repository, STRAYKEY, isolate, key_lines, text};

fn staged(repository: &Repository) -> Output {
    repository.straykey(&["staged"])
}

fn assert_finds(repository: &Repository, place: &str) {
    let output = staged(repository);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains(place), "{said}");
}

fn assert_scans(repository: &Repository, line: &str) {
    let output = staged(repository);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains(line), "no `{line}`: {said}");
}

fn assert_fails(output: &Output, what: &str) {
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains(what), "no `{what}`: {said}");
}

/// Some files in folders, committed.
fn populate(repository: &Repository) {
    for number in 0..40 {
        repository.write(
            &format!("d{}/file-{number}.txt", number % 5),
            format!("{number}\n"),
        );
    }
    repository.commit_all("first");
}

/// One harmless and one keyed file are staged.
fn check(repository: &Repository) {
    repository.write("d1/file-1.txt", "other\n");
    repository.git(&["add", "--sparse", "d1/file-1.txt"]);
    assert_scans(repository, "scanned 1 blob, 6 bytes");
    repository.write("d1/k.env", key_lines(41));
    repository.git(&["add", "--sparse", "d1/k.env"]);
    assert_finds(repository, "d1/k.env:1");
}

#[test]
fn hashes_and_ref_storages() {
    for arguments in [
        &["--object-format=sha256"][..],
        &["--ref-format=reftable"],
        &["--ref-format=reftable", "--object-format=sha256"],
    ] {
        let repository = Repository::new(arguments);
        repository.write("k.env", key_lines(42));
        repository.git(&["add", "-A"]);
        assert_finds(&repository, "k.env:1");
        repository.git(&["rm", "-q", "--cached", "k.env"]);
        std::fs::remove_file(repository.path().join("k.env")).expect("removed");
        populate(&repository);
        check(&repository);
        repository.git(&["pack-refs", "--all"]);
        repository.git(&["gc", "-q"]);
        assert_finds(&repository, "d1/k.env:1");
        repository.git(&["checkout", "-q", "--detach"]);
        assert_finds(&repository, "d1/k.env:1");
    }
}

#[test]
fn index_forms() {
    for settings in [
        &[("index.version", "4")][..],
        &[
            ("core.splitIndex", "true"),
            ("splitIndex.maxPercentChange", "100"),
        ],
        &[("core.fsmonitor", "true"), ("core.untrackedCache", "true")],
        &[("index.skipHash", "true"), ("feature.manyFiles", "true")],
    ] {
        let repository = Repository::new(&[]);
        for (name, value) in settings {
            repository.git(&["config", name, value]);
        }
        populate(&repository);
        repository.git(&["update-index", "--force-write-index"]);
        repository.git(&["status"]);
        check(&repository);
        // The daemon of fsmonitor, if there is one.
        drop(repository.try_git(&["fsmonitor--daemon", "stop"]));
    }
}

#[test]
fn sparse_checkouts() {
    let repository = Repository::new(&[]);
    populate(&repository);
    repository.git(&["sparse-checkout", "set", "--cone", "--sparse-index", "d1"]);
    check(&repository);
}

#[test]
fn an_index_that_only_git_knows_is_left_to_git() {
    let repository = Repository::new(&[]);
    populate(&repository);
    // An extension that must be understood: our reader gives up, git does too.
    let path = repository.path().join(".git/index");
    let mut bytes = std::fs::read(&path).expect("an index");
    let end = bytes.len() - 20;
    bytes.splice(end..end, *b"zzzz\0\0\0\0");
    std::fs::write(&path, &bytes).expect("written");
    assert_fails(&staged(&repository), "git diff-index");
    std::fs::write(&path, b"DIRC garbage").expect("written");
    assert_fails(&staged(&repository), "git diff-index");
}

#[test]
fn partial_and_shallow_clones() {
    let source = Repository::new(&[]);
    populate(&source);
    source.write("d1/k.env", key_lines(43));
    source.commit_all("second, with a key");
    source.git(&["config", "uploadpack.allowFilter", "true"]);
    source.git(&["config", "uploadpack.allowAnySHA1InWant", "true"]);
    let address = format!("file://{}", source.path().display());
    for arguments in [
        &["--filter=blob:none"][..],
        &["--filter=tree:0"],
        &["--depth=1"],
        &["--filter=blob:none", "--sparse"],
    ] {
        let clone = Repository::new(&[]);
        std::fs::remove_dir_all(clone.path()).expect("removed");
        let path = clone.path().to_str().expect("UTF-8").to_owned();
        let mut command = crate::hook_kit::git_command(clone.outside());
        let cloned = command
            .args(["clone", "-q"])
            .args(arguments)
            .args([&address, &path])
            .output();
        assert!(cloned.expect("git").status.success());
        clone.write("start.txt", "x\n");
        clone.git(&["add", "--sparse", "start.txt"]);
        assert_scans(&clone, "scanned 1 blob, 2 bytes");
        // The version before is fetched if it has to be.
        clone.write("d1/k.env", format!("#\n{}", key_lines(43)));
        clone.git(&["add", "--sparse", "d1/k.env"]);
        assert_scans(&clone, "was there before:  d1/k.env:2");
        check_new_key(&clone);
        // Pushing from a shallow clone: its first commit has parents that are not here.
        let remote = clone.outside().join("remote.git");
        clone.git(&["init", "-q", "--bare", remote.to_str().expect("UTF-8")]);
        clone.git(&["commit", "-q", "-m", "keyed"]);
        clone.install_hooks(&["pre-push"]);
        let output = clone.try_git(&["push", "origin", "HEAD:refs/heads/topic"]);
        let said = text(&output.stderr);
        assert!(
            !output.status.success() && said.contains("d1/new.env:1 in "),
            "{said}"
        );
    }
}

fn check_new_key(repository: &Repository) {
    repository.write("d1/new.env", key_lines(44));
    repository.git(&["add", "--sparse", "d1/new.env"]);
    assert_finds(repository, "d1/new.env:1");
}

#[test]
fn outside_of_a_repository_and_bare() {
    let repository = Repository::new(&[]);
    let mut command = Command::new(STRAYKEY);
    isolate(&mut command, repository.outside());
    let output = command
        .arg("staged")
        .env("GIT_CEILING_DIRECTORIES", "/")
        .output();
    assert_fails(&output.expect("straykey"), "not a git repository");
    let bare = repository.outside().join("bare.git");
    repository.git(&["init", "-q", "--bare", bare.to_str().expect("UTF-8")]);
    let mut command = Command::new(STRAYKEY);
    isolate(&mut command, &bare);
    let output = command.arg("staged").output().expect("straykey");
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains("nothing staged, nothing scanned"), "{said}");
}

/// The file of a loose object.
fn loose(repository: &Repository, revision: &str) -> std::path::PathBuf {
    let id = repository.git(&["rev-parse", revision]);
    let (start, rest) = id.trim().split_at(2);
    repository
        .path()
        .join(".git/objects")
        .join(start)
        .join(rest)
}

fn damage(path: &std::path::Path) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o644)).expect("writable");
    let mut bytes = std::fs::read(path).expect("an object");
    let middle = bytes.len() / 2;
    bytes.truncate(middle);
    std::fs::write(path, bytes).expect("written");
}

#[test]
fn missing_and_damaged_objects() {
    let fresh = || {
        let repository = Repository::new(&[]);
        populate(&repository);
        repository.write("d1/file-1.txt", "a staged blob that will be gone\n");
        repository.git(&["add", "-A"]);
        repository
    };
    let repository = fresh();
    damage(&loose(&repository, ":d1/file-1.txt"));
    assert_fails(&staged(&repository), "d1/file-1.txt: blob");
    std::fs::remove_file(loose(&repository, ":d1/file-1.txt")).expect("removed");
    assert_fails(&staged(&repository), "is missing");
    for revision in ["HEAD", "HEAD^{tree}", "HEAD:d1"] {
        let repository = fresh();
        let path = loose(&repository, revision);
        damage(&path);
        assert_fails(&staged(&repository), "error: ");
        std::fs::remove_file(path).expect("removed");
        assert_fails(&staged(&repository), "error: ");
    }
    // The version before cannot be read: nothing is excused.
    let repository = Repository::new(&[]);
    repository.write("k.env", key_lines(45));
    repository.commit_all("keyed");
    repository.write("k.env", format!("#\n{}", key_lines(45)));
    repository.git(&["add", "-A"]);
    assert_scans(&repository, "was there before");
    std::fs::remove_file(loose(&repository, "HEAD:k.env")).expect("removed");
    assert_finds(&repository, "k.env:2");
    // A push of what cannot be read.
    let repository = fresh();
    repository.git(&["commit", "-q", "-m", "x"]);
    let id = repository.git(&["rev-parse", "HEAD"]);
    std::fs::remove_file(loose(&repository, "HEAD:d1/file-1.txt")).expect("removed");
    let line = format!(
        "refs/heads/main {0} refs/heads/main {1}\n",
        id.trim(),
        "0".repeat(40)
    );
    std::fs::write(repository.outside().join("input"), line).expect("written");
    let mut command = Command::new(STRAYKEY);
    isolate(&mut command, repository.path());
    let input = std::fs::File::open(repository.outside().join("input")).expect("input");
    let output = command
        .args(["hook", "--stage", "pre-push", "origin", "x"])
        .stdin(input)
        .output();
    assert_fails(&output.expect("straykey"), "is missing");
}

/// A named pipe in place of a branch never answers: time is up, and that blocks.
#[test]
fn time_is_up() {
    let repository = Repository::new(&[]);
    populate(&repository);
    let branch = repository.path().join(".git/refs/heads/main");
    std::fs::remove_file(&branch).expect("removed");
    let made = Command::new("mkfifo")
        .arg(&branch)
        .status()
        .expect("mkfifo");
    assert!(made.success());
    let started = std::time::Instant::now();
    let output = repository.straykey(&["staged", "--timeout", "0.2"]);
    assert_fails(&output, "time is up");
    assert!(started.elapsed().as_secs() < 10);
}

/// Programs that are not there, options that do not exist: no hook passes by a mistake.
#[test]
fn wrong_calls_block() {
    let repository = Repository::new(&[]);
    populate(&repository);
    for arguments in [
        &["staged", "--no-such-option"][..],
        &["hook", "--stage", "no-such-stage"],
        &["hook", "--stage", "commit-msg"],
        &["hook", "--stage", "commit-msg", "no-such-file"],
        &["hook", "--stage", "update", "refs/heads/a"],
        &["hook", "no-such-file.txt"],
        &["hook", "--verify"],
        &["hook", "--fail-on", "live"],
        &["staged", "--fail-on", "live"],
    ] {
        let output = repository.straykey(arguments);
        assert_eq!(
            output.status.code(),
            Some(2),
            "{arguments:?}: {}",
            text(&output.stderr)
        );
    }
    std::fs::write(
        repository.path().join("input"),
        "this is not what git says\n",
    )
    .expect("written");
    let input = std::fs::File::open(repository.path().join("input")).expect("input");
    let mut command = Command::new(STRAYKEY);
    isolate(&mut command, repository.path());
    let output = command
        .args(["hook", "--stage", "pre-push", "origin", "x"])
        .stdin(input)
        .output();
    assert_fails(&output.expect("straykey"), "standard input");
}

/// A file that is called like an option is none, and nothing passes for want of git.
#[test]
fn names_are_not_options_and_no_git_is_no_reason() {
    let repository = Repository::new(&[]);
    repository.write("-h.txt", "x\n");
    repository.write("k.env", key_lines(49));
    repository.commit_all("keyed");
    let output = repository.straykey(&["hook", "-h.txt", "k.env"]);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("`-h.txt` is called like an option"), "{said}");
    repository.git(&["mv", "--", "-h.txt", "-x.txt"]);
    let output = repository.straykey(&["hook", "-x.txt", "k.env"]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    repository.write("--fail-on=critical", "x\n");
    let output = repository.straykey(&["hook", "--fail-on=critical", "k.env"]);
    assert_fails(&output, "is called like an option");
    // With standard input that says nothing the current branch is pushed; without git we do not
    // know which commits are new.
    let mut command = Command::new(STRAYKEY);
    isolate(&mut command, repository.path());
    let output = command
        .args(["hook", "--stage", "pre-push", "origin", "x"])
        .stdin(std::process::Stdio::null())
        .env("PATH", "/no/such/directory")
        .output();
    assert_fails(&output.expect("straykey"), "cannot be started");
}

/// Names that are not staged are read as files: `pre-commit run --all-files` is a real scan.
#[test]
fn named_files_that_are_not_staged() {
    let repository = Repository::new(&[]);
    populate(&repository);
    repository.write("old.env", key_lines(46));
    repository.commit_all("keyed");
    let output = repository.straykey(&["hook", "d1/file-1.txt"]);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains("scanned 1 blob, 2 bytes"), "{said}");
    let output = repository.straykey(&["hook", "d1/file-1.txt", "old.env"]);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("1 leaked key in the named files"), "{said}");
    // A staged name is read from the index, not from the work tree.
    repository.write("d1/file-1.txt", "staged\n");
    repository.git(&["add", "-A"]);
    repository.write("d1/file-1.txt", key_lines(47));
    let output = repository.straykey(&["hook", "d1/file-1.txt"]);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains("scanned 1 blob, 7 bytes"), "{said}");
}

/// Reports for programs come with the message for people.
#[test]
fn reports_of_a_hook() {
    let repository = Repository::new(&[]);
    repository.write("k.env", key_lines(48));
    repository.git(&["add", "-A"]);
    let output = repository.straykey(&["staged", "-o", "json"]);
    assert_eq!(output.status.code(), Some(1));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(report["findings"][0]["occurrences"][0]["path"], "k.env");
    assert!(!text(&output.stdout).contains(&crate::kit::keys::secret(48)));
    let output = repository.straykey(&["staged", "--color", "always"]);
    assert!(
        text(&output.stderr).contains("\u{1b}["),
        "{}",
        text(&output.stderr)
    );
    let output = repository.straykey(&["protect", "--fail-on", "critical", "--block-known"]);
    assert_eq!(output.status.code(), Some(1));
}
