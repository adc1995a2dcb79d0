//! The receiving side: pre-receive and update.

use std::path::PathBuf;
use std::process::Output;

use crate::hook_kit::{Repository, install_hooks, key_lines, text};

/// A clone's repository and the bare server that it pushes to, with `hook` on the server.
fn served(hook: &str, arguments: &[&str]) -> (Repository, PathBuf) {
    let repository = Repository::new(arguments);
    let server = repository.outside().join("server.git");
    let path = server.to_str().expect("UTF-8").to_owned();
    let mut init = vec!["init", "-q", "--bare", "-b", "main"];
    init.extend_from_slice(arguments);
    init.push(&path);
    repository.git(&init);
    repository.git(&["remote", "add", "origin", &path]);
    install_hooks(&server, &[hook]);
    repository.write("start.txt", "start\n");
    repository.commit_all("start");
    (repository, server)
}

fn assert_rejected(output: &Output, seed: u64, place: &str) {
    let said = text(&output.stderr);
    assert!(!output.status.success(), "not rejected: {said}");
    assert!(said.contains("push rejected: 1 leaked key"), "{said}");
    assert!(said.contains(place), "{place} is not named: {said}");
    assert!(said.contains("remote: straykey: scanned "), "{said}");
    assert!(
        !said.contains(&crate::kit::keys::secret(seed)),
        "a secret is printed"
    );
    assert!(!said.contains('\u{1b}'), "colours on the wire");
}

fn assert_accepted(output: &Output, line: &str) {
    let said = text(&output.stderr);
    assert!(output.status.success(), "rejected: {said}");
    assert!(said.contains(line), "no `{line}`: {said}");
}

#[test]
fn pre_receive_and_update_read_what_is_in_quarantine() {
    for hook in ["pre-receive", "update"] {
        for format in ["sha1", "sha256"] {
            let (repository, _) = served(hook, &["--object-format", format]);
            let output = repository.try_git(&["push", "origin", "main"]);
            assert_accepted(&output, "scanned 2 blobs, 12 bytes");
            repository.write("k.env", key_lines(31));
            repository.commit_all("keyed");
            repository.git(&["rm", "-q", "k.env"]);
            repository.git(&["commit", "-q", "-m", "gone"]);
            let output = repository.try_git(&["push", "--no-verify", "origin", "main"]);
            assert_rejected(&output, 31, "k.env:1 in ");
        }
    }
}

/// Every line counts, not only the first one.
#[test]
fn every_ref_is_read() {
    for hook in ["pre-receive", "update"] {
        let (repository, _) = served(hook, &[]);
        repository.git(&["push", "-q", "origin", "main"]);
        repository.git(&["checkout", "-q", "-b", "a"]);
        repository.write("a.txt", "harmless\n");
        repository.commit_all("harmless");
        repository.git(&["checkout", "-q", "-b", "b", "main"]);
        repository.write("k.env", key_lines(32));
        repository.commit_all("keyed");
        let output = repository.try_git(&["push", "origin", "a", "b"]);
        assert_rejected(&output, 32, "k.env:1");
        let output = repository.try_git(&["push", "origin", "main:renamed", "a"]);
        assert!(output.status.success(), "{}", text(&output.stderr));
        let output = repository.try_git(&["push", "origin", ":renamed"]);
        assert_accepted(&output, "scanned 0 blobs, 0 bytes");
    }
}

/// What the server has by another branch is not new, a forced push with a key is.
#[test]
fn known_commits_are_not_read_again() {
    let (repository, _) = served("pre-receive", &[]);
    repository.write("old.env", key_lines(33));
    repository.commit_all("keyed, before there was a hook");
    let server = repository.outside().join("server.git/hooks/pre-receive");
    std::fs::rename(&server, server.with_extension("off")).expect("moved");
    repository.git(&["push", "-q", "origin", "main"]);
    std::fs::rename(server.with_extension("off"), &server).expect("moved");
    repository.git(&["checkout", "-q", "-b", "topic"]);
    repository.write("old.env", format!("# moved\n{}", key_lines(33)));
    repository.commit_all("an edit beside the old key");
    let output = repository.try_git(&["push", "origin", "topic"]);
    assert_accepted(&output, "was there before:  old.env:2");
    repository.write("new.env", key_lines(34));
    repository.git(&["add", "new.env"]);
    repository.git(&["commit", "-q", "--amend", "--no-edit"]);
    let output = repository.try_git(&["push", "--force", "origin", "topic"]);
    assert_rejected(&output, 34, "new.env:1");
}

/// A configuration that lets everything below `fixtures` pass.
const LENIENT: &str = "[[allowlists]]\npaths = ['^fixtures/']\n";

/// Nothing that is pushed can switch the hook off: no configuration is read from it.
#[test]
fn what_is_pushed_does_not_decide() {
    for hook in ["pre-receive", "update"] {
        for name in [".straykey.toml", ".gitleaks.toml"] {
            let (repository, _) = served(hook, &[]);
            repository.git(&["push", "-q", "origin", "main"]);
            repository.write(".gitattributes", "* -diff binary filter=x\n");
            repository.write(name, format!("[extend]\nuseDefault = true\n{LENIENT}"));
            repository.write(".gitignore", "k.env\n");
            repository.write("fixtures/k.env", key_lines(35));
            repository.git(&["add", "-A", "-f"]);
            repository.git(&["commit", "-q", "-m", "all at once"]);
            let output = repository.try_git(&["push", "origin", "main"]);
            assert_rejected(&output, 35, "fixtures/k.env:1");
            let said = format!("{name} is changed by what is pushed: that counts once");
            assert!(
                text(&output.stderr).contains(&said),
                "{}",
                text(&output.stderr)
            );
        }
    }
}

/// The configuration of the default branch decides, as it was before the push.
#[test]
fn the_default_branch_decides() {
    for hook in ["pre-receive", "update"] {
        let (repository, server) = served(hook, &["--object-format", "sha256"]);
        repository.write(".straykey.toml", LENIENT);
        repository.commit_all("configured");
        repository.git(&["push", "-q", "origin", "main"]);
        repository.git(&["checkout", "-q", "-b", "topic"]);
        repository.write("fixtures/k.env", key_lines(36));
        repository.commit_all("a fixture");
        assert_accepted(
            &repository.try_git(&["push", "origin", "topic"]),
            "scanned ",
        );
        repository.write("k.env", key_lines(37));
        repository.commit_all("a key");
        assert_rejected(
            &repository.try_git(&["push", "origin", "topic"]),
            37,
            "k.env:1",
        );
        repository.git(&["reset", "-q", "--hard", "HEAD~1"]);
        // A topic that does away with the allowlist is judged by the default branch all the same,
        // and another default branch by its own configuration.
        repository.git(&["rm", "-q", ".straykey.toml"]);
        repository.write("fixtures/l.env", key_lines(38));
        repository.commit_all("another fixture");
        assert_accepted(
            &repository.try_git(&["push", "origin", "topic"]),
            "scanned ",
        );
        repository.git(&[
            "--git-dir",
            server.to_str().expect("UTF-8"),
            "symbolic-ref",
            "HEAD",
            "refs/heads/topic",
        ]);
        repository.write("fixtures/m.env", key_lines(39));
        repository.commit_all("one more");
        assert_rejected(
            &repository.try_git(&["push", "origin", "topic"]),
            39,
            "fixtures/m.env:1",
        );
    }
}

/// Comments in what is pushed count if the default branch says so; a baseline counts if it has it.
#[test]
fn comments_and_baselines_of_what_is_pushed() {
    let allowed = |seed| key_lines(seed).replace('\n', " # straykey:allow mine\n");
    let (repository, _) = served("pre-receive", &[]);
    repository.git(&["push", "-q", "origin", "main"]);
    repository.write("a.env", allowed(71));
    repository.commit_all("allowed by itself");
    assert_rejected(
        &repository.try_git(&["push", "origin", "main"]),
        71,
        "a.env:1",
    );
    repository.git(&["reset", "-q", "--hard", "HEAD~1"]);
    repository.write("b.env", key_lines(72));
    let output = repository.straykey(&["baseline", "create"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    repository.commit_all("with its baseline");
    assert_rejected(
        &repository.try_git(&["push", "origin", "main"]),
        72,
        "b.env:1",
    );
    repository.git(&["rm", "-q", "--cached", "b.env"]);
    repository.write(".gitignore", "b.env\n");
    repository.write(".straykey.toml", "inlineInPushes = true\n");
    repository.git(&["add", "-A"]);
    repository.git(&["commit", "-q", "--amend", "--no-edit"]);
    assert_accepted(
        &repository.try_git(&["push", "origin", "main"]),
        ".straykey-baseline and .straykey.toml",
    );
    repository.write("a.env", allowed(71));
    repository.git(&["add", "-f", "a.env", "b.env"]);
    repository.git(&["commit", "-q", "-m", "now they may"]);
    let output = repository.try_git(&["push", "origin", "main"]);
    assert_accepted(&output, "· 1 baselined · 1 allowed by straykey:allow");
}

/// A configuration that no push could get past is not let in; one that got in is said.
#[test]
fn configurations_that_cannot_be_used() {
    let (repository, server) = served("pre-receive", &[]);
    repository.git(&["push", "-q", "origin", "main"]);
    for (config, what) in [
        ("[[rules]]\nid = 'x'\nregex = '('\n", ".straykey.toml:3:"),
        (
            "[Extend]\npath = '../other.toml'\n",
            "cannot extend another",
        ),
    ] {
        repository.write(".straykey.toml", config);
        repository.commit_all("misconfigured");
        let output = repository.try_git(&["push", "origin", "main"]);
        let said = text(&output.stderr);
        assert!(!output.status.success() && said.contains(what), "{said}");
        assert!(
            said.contains("what is pushed to refs/heads/main has settings"),
            "{said}"
        );
        // It does no harm elsewhere.
        assert_accepted(
            &repository.try_git(&["push", "origin", "main:topic"]),
            "scanned ",
        );
        repository.git(&["push", "-q", "origin", ":topic"]);
        repository.git(&["reset", "-q", "--hard", "HEAD~1"]);
    }
    std::fs::remove_file(server.join("hooks/pre-receive")).expect("removed");
    repository.write(".straykey.toml", "nonsense\n");
    repository.commit_all("misconfigured");
    repository.git(&["push", "-q", "origin", "main"]);
    install_hooks(&server, &["pre-receive"]);
    repository.write("a.txt", "a\n");
    repository.commit_all("harmless");
    let output = repository.try_git(&["push", "origin", "main"]);
    let said = text(&output.stderr);
    assert!(
        !output.status.success() && said.contains("the default branch: .straykey.toml:1:"),
        "{said}"
    );
    // The server's own choice gets past it.
    let script = std::fs::read_to_string(server.join("hooks/pre-receive")).expect("a hook");
    std::fs::write(
        server.join("hooks/pre-receive"),
        script.replace(" hook ", " hook --no-config "),
    )
    .expect("written");
    assert_accepted(
        &repository.try_git(&["push", "origin", "main"]),
        "scanned 2 blobs",
    );
}

/// Git that says nothing, objects that cannot be read: the push is refused.
#[test]
fn the_server_fails_closed() {
    let (repository, server) = served("pre-receive", &[]);
    let path = server.to_str().expect("UTF-8");
    let output = repository.straykey(&["hook", "--stage", "pre-receive"]);
    assert_eq!(output.status.code(), Some(2), "{}", text(&output.stderr));
    // Without the variables that lead to the quarantine nothing new can be read.
    let script = std::fs::read_to_string(server.join("hooks/pre-receive")).expect("a hook");
    let script = script.replace(
        "exec ",
        "unset GIT_OBJECT_DIRECTORY GIT_ALTERNATE_OBJECT_DIRECTORIES\nexec ",
    );
    std::fs::write(server.join("hooks/pre-receive"), script).expect("written");
    let output = repository.try_git(&["push", path, "main"]);
    assert!(!output.status.success());
    assert!(
        text(&output.stderr).contains("is missing"),
        "{}",
        text(&output.stderr)
    );
}
