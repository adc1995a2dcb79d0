//! Which configuration decides in the hooks of a work tree.

use crate::hook_kit::{Repository, key_lines, text};

const LENIENT: &str = "[[allowlists]]\npaths = ['^fixtures/']\n";

fn staged(repository: &Repository, arguments: &[&str], code: i32, line: &str) {
    let output = repository.straykey(&[&["staged"], arguments].concat());
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{said}");
    assert!(said.contains(line), "no `{line}`: {said}");
}

#[test]
fn what_would_be_committed_decides() {
    let repository = Repository::new(&[]);
    repository.write(".straykey.toml", LENIENT);
    repository.write("fixtures/a.env", key_lines(61));
    repository.git(&["add", "fixtures"]);
    // One of the user's own, which is not tracked.
    staged(&repository, &[], 0, "scanned 1 blob");
    staged(&repository, &["--no-config"], 1, "fixtures/a.env:1");
    // Tracked: the index decides, not the work tree.
    repository.commit_all("configured");
    repository.write("fixtures/b.env", key_lines(62));
    repository.git(&["add", "fixtures"]);
    repository.write(".straykey.toml", "[[allowlists]]\npaths = ['nothing']\n");
    staged(&repository, &[], 0, "scanned 1 blob");
    repository.git(&["add", "-A"]);
    staged(&repository, &[], 1, "fixtures/b.env:1");
    staged(
        &repository,
        &[],
        1,
        ".straykey.toml is changed by this commit, and counts already",
    );
    // In a subdirectory, and with what it extends.
    repository.write("rules/more.toml", LENIENT);
    repository.write(
        ".straykey.toml",
        "[extend]\npath = 'rules/more.toml'\n[[rules]]\nid = 'x'\nregex = 'team-[0-9]{9}'\n",
    );
    repository.git(&["add", "-A"]);
    let mut command = std::process::Command::new(crate::hook_kit::STRAYKEY);
    crate::hook_kit::isolate(&mut command, &repository.path().join("rules"));
    let output = command.arg("staged").output().expect("straykey");
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
}

/// A commit that changes the rules under which it passes says so, and names what it lets through.
#[test]
fn a_change_of_the_rules_is_said() {
    let repository = Repository::new(&[]);
    repository.write("start.txt", "start\n");
    repository.commit_all("start");
    repository.install_hooks(&["pre-commit", "pre-push"]);
    repository.write(".straykey.toml", LENIENT);
    repository.write("fixtures/a.env", key_lines(63));
    repository.write("b.txt", "harmless\n");
    repository.git(&["add", "-A"]);
    let output = repository.try_git(&["commit", "-m", "an allowlist and what it allows"]);
    let said = text(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(
        said.contains(".straykey.toml is changed by this commit"),
        "{said}"
    );
    assert!(
        said.contains("let through by that change:  fixtures/a.env:1"),
        "{said}"
    );
    let remote = repository.outside().join("remote.git");
    let path = remote.to_str().expect("UTF-8");
    repository.git(&["init", "-q", "--bare", path]);
    repository.git(&["remote", "add", "origin", path]);
    let output = repository.try_git(&["push", "origin", "main"]);
    let said = text(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(
        said.contains(".straykey.toml is changed by what is pushed"),
        "{said}"
    );
    // What cannot be used blocks.
    repository.write(".straykey.toml", "no = such key\n");
    repository.git(&["add", "-A"]);
    let output = repository.try_git(&["commit", "-m", "x"]);
    let said = text(&output.stderr);
    assert!(
        !output.status.success() && said.contains(".straykey.toml:1:"),
        "{said}"
    );
}

fn pair(seed: u64, comment: &str) -> String {
    key_lines(seed).replace('\n', &format!("{comment}\n"))
}

/// Comments and the baseline count in a hook as in a scan, and are counted in its last line.
#[test]
fn comments_and_the_baseline_count() {
    let repository = Repository::new(&[]);
    repository.write("a.txt", "start\n");
    repository.commit_all("start");
    repository.write("a.env", pair(64, "  # straykey:allow a test account"));
    repository.git(&["add", "-A"]);
    staged(&repository, &[], 0, "· 1 allowed by straykey:allow");
    staged(&repository, &["--no-inline"], 1, "a.env:1");
    repository.write("a.env", pair(64, "  # gitleaks:allow"));
    repository.git(&["add", "-A"]);
    staged(
        &repository,
        &[],
        0,
        "· 1 allowed by comments of other tools",
    );
    repository.write("a.env", key_lines(64));
    repository.git(&["add", "-A"]);
    staged(
        &repository,
        &[],
        1,
        "straykey:allow aws-access-key-pair <why>",
    );
    let output = repository.straykey(&["baseline", "create", "--reason", "known"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    // Not tracked yet.
    staged(&repository, &[], 0, "· 1 baselined");
    staged(&repository, &["--no-baseline"], 1, "a.env:1");
    repository.git(&["add", "-A"]);
    let said = ".straykey-baseline is changed by this commit, and counts already";
    staged(&repository, &[], 0, said);
    staged(&repository, &[], 0, "let through by that change:  a.env:1");
    // What blocks is for the configuration to say, too, and the command line comes first.
    repository.commit_all("known");
    repository.write("b.env", key_lines(65));
    repository.write(".straykey.toml", "exclude = ['/b.env']\n");
    repository.git(&["add", "-A"]);
    staged(&repository, &[], 0, "· 1 in excluded paths");
    let id = crate::kit::keys::access_key_id(66);
    repository.write("b.env", format!("{id}\n"));
    repository.write(".straykey.toml", "failOn = 'critical'\n");
    repository.git(&["add", "-A"]);
    staged(&repository, &[], 0, "not blocking:  b.env:1");
    staged(
        &repository,
        &["--fail-on", "medium"],
        1,
        "commit blocked: 1 leaked key",
    );
}

/// The words of a blocked commit.
#[test]
fn the_message_says_what_to_do() {
    let repository = Repository::new(&[]);
    repository.write("it's a.env", key_lines(67));
    repository.git(&["add", "-A"]);
    staged(&repository, &[], 1, "git rm --cached -- 'it'\\''s a.env'");
    repository.commit_all("first");
    repository.write("b.env", key_lines(68));
    repository.git(&["add", "-A"]);
    let output = repository.straykey(&["staged"]);
    let said = text(&output.stderr);
    assert!(said.contains("git restore --staged -- b.env"), "{said}");
    let (_, command) = said.split_once("straykey explain ").expect("a command");
    let digits = command.lines().next().expect("a line");
    let output = repository.straykey(&["explain", digits]);
    assert!(output.status.success(), "{}", text(&output.stderr));
}
