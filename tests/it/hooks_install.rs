//! `straykey install`, `uninstall` and `doctor`.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::hook_kit::{Repository, STRAYKEY, isolate, key_lines, text};

const PROVED: &str = "proved, a planted key was blocked";

fn hook(repository: &Repository, name: &str) -> PathBuf {
    repository.path().join(".git/hooks").join(name)
}

fn write_hook(path: &Path, content: &str, mode: u32) {
    fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    fs::write(path, content).expect("a hook");
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("a mode");
}

fn said(output: &Output) -> String {
    text(&output.stdout) + &text(&output.stderr)
}

/// Everything in the directory of hooks, and in the index: to see that nothing was touched.
fn hooks(repository: &Repository) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found: Vec<(PathBuf, Vec<u8>)> = fs::read_dir(repository.path().join(".git/hooks"))
        .expect("hooks")
        .flatten()
        .map(|entry| (entry.path(), fs::read(entry.path()).unwrap_or_default()))
        .collect();
    found.push((
        "index".into(),
        fs::read(repository.path().join(".git/index")).unwrap_or_default(),
    ));
    found.sort();
    found
}

fn assert_guarded(repository: &Repository, seed: u64) {
    repository.write("k.env", key_lines(seed));
    repository.git(&["add", "-A"]);
    let output = repository.try_git(&["commit", "-m", "x"]);
    assert!(
        !output.status.success() && said(&output).contains("commit blocked"),
        "{}",
        said(&output)
    );
    repository.git(&["rm", "-q", "-f", "k.env"]);
}

#[test]
fn a_plain_repository() {
    let repository = Repository::new(&[]);
    let before = hooks(&repository);
    let output = repository.straykey(&["doctor"]);
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    assert!(said(&output).contains("pre-commit: NOT GUARDED, there is no hook"));
    let output = repository.straykey(&["install"]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert_eq!(
        said(&output).matches(PROVED).count(),
        3,
        "{}",
        said(&output)
    );
    assert_guarded(&repository, 51);
    let installed = hooks(&repository);
    let again = repository.straykey(&["install"]);
    assert_eq!(again.status.code(), Some(0), "{}", said(&again));
    assert_eq!(
        hooks(&repository),
        installed,
        "installing twice changes nothing"
    );
    let output = repository.straykey(&["doctor"]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    // With commits, from a subdirectory and a linked work tree.
    repository.write("sub/a.txt", "a\n");
    repository.commit_all("first");
    let mut command = Command::new(STRAYKEY);
    isolate(&mut command, &repository.path().join("sub"));
    let output = command
        .args(["install", "--stage", "commit-msg"])
        .output()
        .expect("straykey");
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert!(
        said(&output).contains("commit-msg: proved"),
        "{}",
        said(&output)
    );
    let linked = repository.outside().join("linked");
    repository.git(&["worktree", "add", "-q", linked.to_str().expect("UTF-8")]);
    let mut command = Command::new(STRAYKEY);
    isolate(&mut command, &linked);
    let output = command.arg("doctor").output().expect("straykey");
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let output = repository.straykey(&["uninstall"]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let names = |hooks: &[(PathBuf, Vec<u8>)]| {
        hooks
            .iter()
            .map(|(path, _)| path.clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(names(&hooks(&repository)), names(&before));
    assert!(said(&repository.straykey(&["uninstall"])).contains("nothing of straykey"));
}

#[test]
fn shell_hooks_run_on() {
    let repository = Repository::new(&[]);
    let remote = repository.outside().join("remote.git");
    let path = remote.to_str().expect("UTF-8");
    repository.git(&["init", "-q", "--bare", path]);
    repository.git(&["remote", "add", "origin", path]);
    let commit = "#!/bin/sh\necho ran >> ran.log\nexit 0\n";
    let push = "#!/usr/bin/env bash\nset -eu\ncat > pushed.log\necho \"$1\" >> pushed.log\n";
    write_hook(&hook(&repository, "pre-commit"), commit, 0o755);
    write_hook(&hook(&repository, "pre-push"), push, 0o700);
    let before = hooks(&repository);
    let output = repository.straykey(&["install"]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert_guarded(&repository, 52);
    repository.write("a.txt", "a\n");
    repository.git(&["add", "a.txt"]);
    repository.git(&["commit", "-q", "-m", "x"]);
    assert_eq!(
        fs::read_to_string(repository.path().join("ran.log")).expect("it ran"),
        "ran\n"
    );
    repository.git(&["push", "-q", "origin", "main"]);
    let pushed = fs::read_to_string(repository.path().join("pushed.log")).expect("it ran");
    let head = repository.git(&["rev-parse", "HEAD"]);
    let line = format!(
        "refs/heads/main {} refs/heads/main {}\norigin\n",
        head.trim(),
        "0".repeat(40)
    );
    assert_eq!(
        pushed, line,
        "what git says must reach the rest of the hook"
    );
    repository.git(&["push", "-q", "origin", "main"]);
    let pushed = fs::read_to_string(repository.path().join("pushed.log")).expect("it ran");
    assert_eq!(pushed, "origin\n");
    let mode = fs::metadata(hook(&repository, "pre-push"))
        .expect("a hook")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o700);
    repository.straykey(&["uninstall"]);
    let after = hooks(&repository);
    assert_eq!(
        after[..after.len() - 1],
        before[..before.len() - 1],
        "as it was"
    );
}

#[test]
fn other_programs_are_chained() {
    let repository = Repository::new(&[]);
    let python = "#!/usr/bin/env python3\nimport sys\nopen('ran.log', 'a').write('ran\\n')\n";
    write_hook(&hook(&repository, "pre-commit"), python, 0o755);
    write_hook(
        &repository.path().join("scripts/push"),
        "#!/bin/sh\ncat > pushed.log\n",
        0o755,
    );
    symlink("../../scripts/push", hook(&repository, "pre-push")).expect("a link");
    let output = repository.straykey(&["install"]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert!(
        said(&output).contains("which still runs afterwards"),
        "{}",
        said(&output)
    );
    let script = fs::read_to_string(repository.path().join("scripts/push")).expect("a script");
    assert_eq!(
        script, "#!/bin/sh\ncat > pushed.log\n",
        "a file of the work tree was changed"
    );
    assert_guarded(&repository, 53);
    repository.write("a.txt", "a\n");
    repository.git(&["add", "a.txt"]);
    repository.git(&["commit", "-q", "-m", "x"]);
    assert!(repository.path().join("ran.log").exists());
    let again = repository.straykey(&["install"]);
    assert_eq!(again.status.code(), Some(0), "{}", said(&again));
    repository.straykey(&["uninstall"]);
    assert_eq!(
        fs::read_to_string(hook(&repository, "pre-commit")).expect("a hook"),
        python
    );
    assert!(
        fs::symlink_metadata(hook(&repository, "pre-push"))
            .expect("a hook")
            .is_symlink()
    );
}

#[test]
fn hooks_that_are_switched_off_stay_off() {
    let repository = Repository::new(&[]);
    write_hook(
        &hook(&repository, "pre-commit"),
        "#!/bin/sh\nexit 1\n",
        0o644,
    );
    let before = hooks(&repository);
    let output = repository.straykey(&["install"]);
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    assert!(said(&output).contains("switched off"), "{}", said(&output));
    assert_eq!(hooks(&repository), before);
}

#[test]
fn hooks_of_others_are_left_alone() {
    for (file, content, line) in [
        (
            ".pre-commit-config.yaml",
            "repos: []\n",
            "hooks: [{id: straykey}]",
        ),
        (
            "lefthook.yml",
            "pre-commit: {}\n",
            "straykey hook --stage pre-push {1} {2}",
        ),
        (".husky/pre-commit", "npm test\n", ".husky/pre-push:"),
    ] {
        let repository = Repository::new(&[]);
        repository.write(file, content);
        let before = hooks(&repository);
        let output = repository.straykey(&["install"]);
        assert_eq!(output.status.code(), Some(2), "{}", said(&output));
        assert!(said(&output).contains(line), "{}", said(&output));
        assert!(said(&output).contains("NOT GUARDED"), "{}", said(&output));
        assert_eq!(hooks(&repository), before);
        assert_eq!(
            fs::read_to_string(repository.path().join(file)).expect("read"),
            content
        );
    }
    let repository = Repository::new(&[]);
    repository.git(&["config", "core.hooksPath", "elsewhere"]);
    write_hook(
        &repository.path().join("elsewhere/pre-commit"),
        "#!/bin/sh\nexit 0\n",
        0o755,
    );
    let output = repository.straykey(&["install"]);
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    assert!(
        said(&output).contains("core.hooksPath leads to"),
        "{}",
        said(&output)
    );
    let output = repository.straykey(&["doctor"]);
    assert!(
        said(&output).contains("by core.hooksPath"),
        "{}",
        said(&output)
    );
    assert!(
        said(&output).contains("somebody else's"),
        "{}",
        said(&output)
    );
}

/// A program that was deleted is no reason to let a key pass.
#[test]
fn a_hook_whose_program_is_gone_blocks() {
    let repository = Repository::new(&[]);
    repository.straykey(&["install"]);
    for name in ["pre-commit", "pre-push"] {
        let script = fs::read_to_string(hook(&repository, name)).expect("a hook");
        fs::write(
            hook(&repository, name),
            script.replace(STRAYKEY, "/no/such/program"),
        )
        .expect("written");
    }
    repository.write("a.txt", "a\n");
    repository.git(&["add", "-A"]);
    let output = repository.try_git(&["commit", "-m", "x"]);
    assert!(!output.status.success());
    assert!(
        said(&output).contains("straykey is not installed any more"),
        "{}",
        said(&output)
    );
    let output = repository.straykey(&["doctor"]);
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    assert!(said(&output).contains("NOT PROVED"), "{}", said(&output));
}

/// The program with a home of its own.
fn at_home(repository: &Repository, arguments: &[&str], path: Option<&Path>) -> Output {
    let mut command = Command::new(STRAYKEY);
    home(&mut command, repository);
    if let Some(path) = path {
        let rest = std::env::var("PATH").unwrap_or_default();
        command.env("PATH", format!("{}:{rest}", path.display()));
    }
    command.args(arguments).output().expect("straykey")
}

fn home(command: &mut Command, repository: &Repository) {
    isolate(command, repository.path());
    command.env("GIT_CONFIG_GLOBAL", repository.outside().join("gitconfig"));
    command.env("XDG_CONFIG_HOME", repository.outside().join("config"));
}

fn git_at_home(repository: &Repository, arguments: &[&str]) -> Output {
    let mut command = Command::new("git");
    home(&mut command, repository);
    command.args(arguments).output().expect("git")
}

#[test]
fn all_repositories_of_a_user() {
    let repository = Repository::new(&[]);
    write_hook(
        &hook(&repository, "pre-commit"),
        "#!/bin/sh\necho ran >> ran.log\n",
        0o755,
    );
    write_hook(
        &hook(&repository, "post-commit"),
        "#!/bin/sh\necho after >> ran.log\n",
        0o755,
    );
    let output = at_home(&repository, &["install", "--global"], None);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert_eq!(
        said(&output).matches(PROVED).count(),
        3,
        "{}",
        said(&output)
    );
    repository.write("k.env", key_lines(54));
    repository.git(&["add", "-A"]);
    let output = git_at_home(&repository, &["commit", "-m", "x"]);
    assert!(
        said(&output).contains("commit blocked"),
        "{}",
        said(&output)
    );
    repository.write("k.env", "harmless\n");
    repository.git(&["add", "-A"]);
    let output = git_at_home(&repository, &["commit", "-m", "x"]);
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(
        fs::read_to_string(repository.path().join("ran.log")).expect("it ran"),
        "ran\nafter\n"
    );
    // Cloning and fetching work with every hook in place.
    let clone = repository.outside().join("clone");
    let (from, to) = (
        repository.path().to_str().expect("UTF-8"),
        clone.to_str().expect("UTF-8"),
    );
    let output = git_at_home(&repository, &["clone", "-q", from, to]);
    assert!(output.status.success(), "{}", said(&output));
    let output = at_home(&repository, &["uninstall", "--global"], None);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let config = fs::read_to_string(repository.outside().join("gitconfig")).unwrap_or_default();
    assert!(!config.contains("hooksPath"), "{config}");
    // Somebody else's directory is not taken over.
    git_at_home(
        &repository,
        &["config", "--global", "core.hooksPath", "/somewhere"],
    );
    let output = at_home(&repository, &["install", "--global"], None);
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    assert!(said(&output).contains("/somewhere"), "{}", said(&output));
}

/// `git hook run [--to-stdin=FILE] NAME -- [ARGUMENT…]`, for hooks that the configuration names.
const STAND_IN: &str = r#"#!/bin/sh
[ "$1" = version ] && echo 'git version 2.54.0' && exit
[ "$1 $2" = 'hook run' ] || exec 'GIT' "$@"
shift 2
input=/dev/null
case $1 in --to-stdin=*) input=${1#--to-stdin=}; shift ;; esac
name=$1
shift 2
command=$('GIT' config "hook.straykey-$name.command") || exit 1
[ "$('GIT' config "hook.straykey-$name.event")" = "$name" ] || exit 1
exec sh -c "$command \"\$@\"" "$name" "$@" <"$input"
"#;

/// What would be done with a git that runs hooks from its configuration: such a git is not at
/// hand, so a stand-in says the version, and has `git hook run` do what its documentation says.
#[test]
fn hooks_in_the_configuration() {
    let repository = Repository::new(&[]);
    let tools = repository.outside().join("tools");
    let real = Command::new("sh")
        .args(["-c", "command -v git"])
        .output()
        .expect("sh");
    let script = STAND_IN.replace("GIT", text(&real.stdout).trim());
    write_hook(&tools.join("git"), &script, 0o755);
    let output = at_home(&repository, &["install", "--global"], Some(&tools));
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert_eq!(
        said(&output).matches(PROVED).count(),
        3,
        "{}",
        said(&output)
    );
    let config =
        fs::read_to_string(repository.outside().join("gitconfig")).expect("a configuration");
    assert!(
        config.contains("[hook \"straykey-pre-push\"]") && config.contains("event = pre-push"),
        "{config}"
    );
    assert!(
        config.contains("hook --stage pre-push") && !config.contains("hooksPath"),
        "{config}"
    );
    at_home(&repository, &["uninstall", "--global"], Some(&tools));
    let config =
        fs::read_to_string(repository.outside().join("gitconfig")).expect("a configuration");
    assert!(!config.contains("straykey"), "{config}");
}
