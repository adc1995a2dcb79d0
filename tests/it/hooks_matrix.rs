//! Which git operation is stopped by which hook, with real git: every row of the table in
//! docs/hooks.md, "What each hook sees".

use std::process::Output;

use crate::hook_kit::{Repository, key_lines, text};

/// A repository with the default hooks, one commit and a branch `other` at it.
fn guarded() -> Repository {
    let repository = Repository::new(&[]);
    repository.write("start.txt", "start\n");
    repository.write("sub/inner.txt", "inner\n");
    repository.commit_all("start");
    repository.git(&["branch", "other"]);
    repository.install_hooks(&["pre-commit", "pre-merge-commit", "commit-msg", "pre-push"]);
    repository
}

/// The hook has blocked: git fails, the message names the place, no secret is in it.
fn assert_blocked(repository: &Repository, output: &Output, seed: u64, place: &str) {
    let said = text(&output.stderr) + &text(&output.stdout);
    assert!(!output.status.success(), "not blocked: {said}");
    assert!(said.contains("blocked: 1 leaked key"), "{said}");
    assert!(said.contains(place), "{place} is not named: {said}");
    assert!(said.contains("straykey: scanned "), "{said}");
    assert!(
        !said.contains(&crate::kit::keys::secret(seed)),
        "a secret is printed"
    );
    drop(repository.git(&["status", "--short"]));
}

fn assert_clean(output: &Output) {
    let said = text(&output.stderr) + &text(&output.stdout);
    assert!(output.status.success(), "blocked: {said}");
}

fn assert_clean_having_scanned(output: &Output, line: &str) {
    assert_clean(output);
    let said = text(&output.stderr);
    assert!(said.contains(line), "no `{line}`: {said}");
}

#[test]
fn the_first_commit() {
    let repository = Repository::new(&[]);
    repository.install_hooks(&["pre-commit"]);
    repository.write("a.env", key_lines(1));
    repository.git(&["add", "a.env"]);
    let output = repository.try_git(&["commit", "-m", "first"]);
    assert_blocked(&repository, &output, 1, "a.env:1");
    repository.write("a.env", "harmless\n");
    repository.git(&["add", "a.env"]);
    let output = repository.try_git(&["commit", "-m", "first"]);
    assert_clean_having_scanned(&output, "scanned 1 blob, 9 bytes");
}

#[test]
fn a_part_of_a_file_that_is_staged() {
    let repository = guarded();
    // The key is in the work tree only: it is not committed, and does not block.
    repository.write("start.txt", "start\nmore\n");
    repository.git(&["add", "start.txt"]);
    repository.write("start.txt", format!("start\nmore\n{}", key_lines(2)));
    assert_clean(&repository.try_git(&["commit", "-m", "the harmless part"]));
    // The key is in the index only: the work tree is harmless.
    repository.git(&["add", "start.txt"]);
    repository.write("start.txt", "start\nmore\n");
    let output = repository.try_git(&["commit", "-m", "the other part"]);
    assert_blocked(&repository, &output, 2, "start.txt:3");
}

#[test]
fn commit_all_include_and_only() {
    for arguments in [
        &["commit", "-a", "-m", "x"][..],
        &["commit", "-m", "x", "-i", "sub/inner.txt"],
        &["commit", "-m", "x", "sub/inner.txt"],
        &["commit", "-m", "x", "-o", "sub"],
    ] {
        let repository = guarded();
        repository.write("sub/inner.txt", key_lines(3));
        let output = repository.try_git(arguments);
        assert_blocked(&repository, &output, 3, "sub/inner.txt:1");
    }
    // `commit PATH` leaves out what is staged besides: that does not block.
    let repository = guarded();
    repository.write("other.txt", key_lines(3));
    repository.git(&["add", "other.txt"]);
    repository.write("start.txt", "changed\n");
    let output = repository.try_git(&["commit", "-m", "x", "start.txt"]);
    assert_clean_having_scanned(&output, "scanned 1 blob, 8 bytes");
    let output = repository.try_git(&["commit", "-m", "x"]);
    assert_blocked(&repository, &output, 3, "other.txt:1");
}

#[test]
fn linked_work_trees_and_subdirectories() {
    let repository = guarded();
    let linked = repository.outside().join("linked");
    let path = linked.to_str().expect("UTF-8");
    repository.git(&["worktree", "add", "-q", path, "other"]);
    std::fs::write(linked.join("a.env"), key_lines(4)).expect("written");
    repository.git(&["-C", path, "add", "a.env"]);
    let output = repository.try_git(&["-C", path, "commit", "-m", "x"]);
    assert_blocked(&repository, &output, 4, "a.env:1");
    repository.write("sub/b.env", key_lines(4));
    let output = repository.try_git(&["-C", "sub", "add", "b.env"]);
    assert_clean(&output);
    let output = repository.try_git(&["-C", "sub", "commit", "-m", "x"]);
    assert_blocked(&repository, &output, 4, "sub/b.env:1");
}

#[test]
fn renames_modes_and_links() {
    let repository = guarded();
    repository.write("old.env", key_lines(5));
    repository.commit_all("a key that got in");
    // What was there before is said and does not block: moved, made executable, edited elsewhere.
    repository.git(&["mv", "old.env", "new.env"]);
    let output = repository.try_git(&["commit", "-m", "renamed"]);
    assert_clean_having_scanned(&output, "was there before:  new.env:1");
    repository.git(&["update-index", "--chmod=+x", "new.env"]);
    let output = repository.try_git(&["commit", "-m", "executable"]);
    assert_clean_having_scanned(&output, "was there before:  new.env:1");
    repository.write("new.env", format!("# comment\n{}", key_lines(5)));
    let output = repository.try_git(&["commit", "-a", "-m", "edited"]);
    assert_clean_having_scanned(&output, "was there before:  new.env:2");
    // A second key in the same file is new.
    repository.write("new.env", format!("{}{}", key_lines(5), key_lines(6)));
    let output = repository.try_git(&["commit", "-a", "-m", "another key"]);
    assert_blocked(&repository, &output, 6, "new.env:3");
    repository.git(&["reset", "-q", "--hard"]);
    // The target of a link is content.
    let target = key_lines(7).replace('\n', " ");
    std::os::unix::fs::symlink(&target, repository.path().join("link")).expect("a link");
    repository.git(&["add", "link"]);
    let output = repository.try_git(&["commit", "-m", "a link"]);
    assert_blocked(&repository, &output, 7, "link:1");
}

#[test]
fn names_of_new_files() {
    let repository = guarded();
    let id = crate::kit::keys::access_key_id(8);
    repository.write(&format!("keys/{id}.txt"), "x\n");
    repository.git(&["add", "-A"]);
    let output = repository.try_git(&["commit", "-m", "x"]);
    assert_blocked(&repository, &output, 8, "(the name itself)");
}

#[test]
fn halves_of_a_pair_that_are_staged_one_after_the_other() {
    let repository = guarded();
    let lines = key_lines(9);
    let (id, secret) = lines.split_once('\n').expect("two lines");
    repository.write("a.env", format!("{id}\n"));
    repository.commit_all("the id alone");
    repository.write("a.env", format!("{id}\n{secret}"));
    let output = repository.try_git(&["commit", "-a", "-m", "the secret"]);
    assert_blocked(&repository, &output, 9, "a.env:1");
}

#[test]
fn intent_to_add_and_deletions() {
    let repository = guarded();
    repository.write("later.env", key_lines(10));
    repository.git(&["add", "-N", "later.env"]);
    repository.write("start.txt", "changed\n");
    repository.git(&["add", "start.txt"]);
    // Git leaves an entry without content out of the commit.
    let output = repository.try_git(&["commit", "-m", "x"]);
    assert_clean_having_scanned(&output, "scanned 1 blob, 8 bytes");
    let output = repository.try_git(&["commit", "-a", "-m", "x"]);
    assert_blocked(&repository, &output, 10, "later.env:1");
    repository.git(&["rm", "-q", "--cached", "later.env"]);
    repository.git(&["rm", "-q", "start.txt"]);
    let output = repository.try_git(&["commit", "-m", "only a deletion"]);
    assert_clean_having_scanned(
        &output,
        "scanned 0 blobs, 0 bytes: nothing with content staged",
    );
    let output = repository.try_git(&["commit", "--allow-empty", "-m", "nothing"]);
    assert_clean_having_scanned(
        &output,
        "scanned 0 blobs, 0 bytes: nothing staged, nothing scanned",
    );
}

/// Two branches that both change things, `main` checked out.
fn diverged(conflict: bool) -> Repository {
    let repository = guarded();
    repository.git(&["checkout", "-q", "other"]);
    repository.write("theirs.txt", "theirs\n");
    repository.write("start.txt", if conflict { "theirs\n" } else { "start\n" });
    repository.commit_all("theirs");
    repository.git(&["checkout", "-q", "main"]);
    repository.write("ours.txt", "ours\n");
    repository.write("start.txt", if conflict { "ours\n" } else { "start\n" });
    repository.commit_all("ours");
    repository
}

#[test]
fn a_conflicted_merge() {
    let repository = diverged(true);
    assert!(!repository.try_git(&["merge", "other"]).status.success());
    repository.write("start.txt", format!("merged\n{}", key_lines(11)));
    repository.git(&["add", "start.txt"]);
    let output = repository.try_git(&["commit", "-m", "merged"]);
    assert_blocked(&repository, &output, 11, "start.txt:2");
    repository.write("start.txt", "merged\n");
    repository.git(&["add", "start.txt"]);
    // Only what differs from both sides is new: not theirs.txt.
    let output = repository.try_git(&["commit", "-m", "merged"]);
    assert_clean_having_scanned(&output, "scanned 1 blob, 7 bytes");
}

#[test]
fn a_clean_merge() {
    let repository = diverged(false);
    let output = repository.try_git(&["merge", "--no-ff", "-m", "merged", "other"]);
    assert_clean_having_scanned(&output, "scanned 0 blobs, 0 bytes");
    // Content that neither side has (an evil merge) is stopped by pre-merge-commit.
    let repository = diverged(false);
    repository.git(&["merge", "-q", "--no-ff", "--no-commit", "other"]);
    repository.write("evil.txt", key_lines(12));
    repository.git(&["add", "evil.txt"]);
    let output = repository.try_git(&["merge", "--continue"]);
    assert_blocked(&repository, &output, 12, "evil.txt:1");
}

/// The two halves of a key come from the two sides of a merge, which is clean: only
/// pre-merge-commit runs.
#[test]
fn a_clean_merge_that_brings_the_halves_together() {
    let repository = guarded();
    let lines = key_lines(25);
    let (id, secret) = lines.split_once('\n').expect("two lines");
    let middle = "1\n2\n3\n4\n5\n6\n7\n8\n";
    repository.write("k.env", middle);
    repository.commit_all("base");
    repository.git(&["checkout", "-q", "-b", "theirs"]);
    repository.write("k.env", format!("{id}\n{middle}"));
    repository.commit_all("the id");
    repository.git(&["checkout", "-q", "main"]);
    repository.write("k.env", format!("{middle}{secret}"));
    repository.commit_all("the secret");
    let output = repository.try_git(&["merge", "--no-ff", "-m", "merged", "theirs"]);
    assert_blocked(&repository, &output, 25, "k.env:1");
}

/// `rebase --continue` and `reword`: no hook sees what is committed, or it sees no difference.
#[test]
fn what_a_rebase_commits_is_stopped_at_the_push() {
    let conflicted = || {
        let repository = with_remote();
        repository.git(&["push", "-q", "origin", "main"]);
        repository.git(&["checkout", "-q", "-b", "topic"]);
        repository.write("start.txt", "topic\n");
        repository.commit_all("topic");
        repository.git(&["checkout", "-q", "main"]);
        repository.write("start.txt", "main\n");
        repository.commit_all("main");
        repository.git(&["checkout", "-q", "topic"]);
        repository
    };
    let repository = conflicted();
    assert!(
        !repository
            .try_git(&["rebase", "-q", "main"])
            .status
            .success()
    );
    repository.write("start.txt", format!("both\n{}", key_lines(26)));
    repository.git(&["add", "start.txt"]);
    repository.git(&["rebase", "--continue"]);
    let output = repository.try_git(&["push", "origin", "topic"]);
    assert_blocked(&repository, &output, 26, "start.txt:2");
    let repository = conflicted();
    repository.write("k.env", key_lines(27));
    repository.commit_all("keyed");
    let editor = "sequence.editor=sed -i -e 1s/^pick/reword/";
    repository.git(&["-c", editor, "rebase", "-q", "-i", "HEAD~1"]);
    let output = repository.try_git(&["push", "origin", "topic"]);
    assert_blocked(&repository, &output, 27, "k.env:1");
}

#[test]
fn the_message_of_a_commit() {
    let repository = guarded();
    repository.write("start.txt", "changed\n");
    let message = format!("Title\n\n{}", key_lines(13));
    let output = repository.try_git(&["commit", "-a", "-m", &message]);
    let said = text(&output.stderr);
    assert!(!output.status.success(), "{said}");
    assert!(
        said.contains("1 leaked key in the commit message"),
        "{said}"
    );
    assert!(said.contains("commit message:3"), "{said}");
    assert!(
        !said.contains(&crate::kit::keys::secret(13)),
        "a secret is printed"
    );
}

/// A bare remote called `origin`, with `main` pushed.
fn with_remote() -> Repository {
    let repository = guarded();
    let remote = repository.outside().join("remote.git");
    let path = remote.to_str().expect("UTF-8");
    repository.git(&["init", "-q", "--bare", "-b", "main", path]);
    repository.git(&["remote", "add", "origin", path]);
    repository
}

#[test]
fn a_push_reads_every_new_commit() {
    let repository = with_remote();
    let output = repository.try_git(&["push", "origin", "main"]);
    // The first push of a root commit: two files and the message.
    assert_clean_having_scanned(&output, "scanned 3 blobs");
    repository.write("more.txt", "more\n");
    repository.commit_all("more");
    let output = repository.try_git(&["push", "origin", "main"]);
    // The second push: only what the remote has not got yet.
    assert_clean_having_scanned(&output, "scanned 2 blobs, 10 bytes");
    repository.write("gone.env", key_lines(14));
    repository.commit_all("with a key");
    repository.git(&["rm", "-q", "gone.env"]);
    repository.git(&["commit", "-q", "--no-verify", "-m", "without it"]);
    let output = repository.try_git(&["push", "origin", "main"]);
    assert_blocked(&repository, &output, 14, "gone.env:1 in ");
    assert!(text(&output.stderr).contains("push blocked"));
    // The remote has nothing of it.
    let there = repository.git(&["ls-remote", "origin", "main"]);
    assert!(
        there.starts_with(repository.git(&["rev-parse", "HEAD~2"]).trim()),
        "{there}"
    );
    // By address instead of by name.
    let remote = repository.outside().join("remote.git");
    let output = repository.try_git(&["push", remote.to_str().expect("UTF-8"), "main"]);
    assert_blocked(&repository, &output, 14, "gone.env:1 in ");
}

#[test]
fn every_ref_of_a_push_is_read() {
    let repository = with_remote();
    repository.git(&["push", "-q", "origin", "main"]);
    repository.write("harmless.txt", "x\n");
    repository.commit_all("harmless");
    repository.git(&["checkout", "-q", "-b", "second", "other"]);
    repository.write("b.env", key_lines(15));
    repository.commit_all("a key on the second branch");
    let output = repository.try_git(&["push", "origin", "main", "second"]);
    assert_blocked(&repository, &output, 15, "b.env:1");
    // Deleting is not reading: nothing is new. Then a forced push.
    repository.git(&["push", "-q", "--no-verify", "origin", "other"]);
    let output = repository.try_git(&["push", "origin", "--delete", "other"]);
    assert_clean_having_scanned(&output, "scanned 0 blobs, 0 bytes: no new commits");
    repository.git(&["checkout", "-q", "main"]);
    repository.write("c.env", key_lines(16));
    repository.git(&["add", "c.env"]);
    repository.git(&["commit", "-q", "--no-verify", "--amend", "--no-edit"]);
    let output = repository.try_git(&["push", "--force", "origin", "main"]);
    assert_blocked(&repository, &output, 16, "c.env:1");
}

#[test]
fn messages_tags_and_odd_refs_are_read_when_pushed() {
    let repository = with_remote();
    repository.git(&["push", "-q", "origin", "main"]);
    repository.commit_all(&format!("title\n\n{}", key_lines(17)));
    let output = repository.try_git(&["push", "origin", "main"]);
    assert_blocked(&repository, &output, 17, "commit message:3 in ");
    repository.git(&["reset", "-q", "--hard", "HEAD~1"]);
    repository.git(&[
        "tag",
        "-a",
        "v1",
        "-m",
        &format!("notes\n\n{}", key_lines(18)),
    ]);
    let output = repository.try_git(&["push", "origin", "v1"]);
    assert_blocked(&repository, &output, 18, "message of the tag v1:3");
    repository.write("blob.env", key_lines(19));
    let blob = repository.git(&["hash-object", "-w", "blob.env"]);
    let refspec = format!("{}:refs/odd/blob", blob.trim());
    let output = repository.try_git(&["push", "origin", &refspec]);
    assert_blocked(&repository, &output, 19, &format!("{}:1", blob.trim()));
    repository.git(&["add", "blob.env"]);
    let tree = repository.git(&["write-tree"]);
    let refspec = format!("{}:refs/odd/tree", tree.trim());
    let output = repository.try_git(&["push", "origin", &refspec]);
    assert_blocked(&repository, &output, 19, "blob.env:1");
}

/// What no hook before the commit sees is left to the push: cherry-pick, revert, rebase, am,
/// --no-verify, amend without changes, and fast-forward.
#[test]
fn what_passes_by_the_commit_hooks_is_stopped_at_the_push() {
    let cases: [&[&[&str]]; 5] = [
        &[&["cherry-pick", "keyed"]],
        &[
            &["cherry-pick", "keyed"],
            &["rm", "-q", "k.env"],
            &["commit", "-q", "--no-verify", "-m", "gone"],
            &["revert", "--no-edit", "HEAD"],
        ],
        &[
            &["checkout", "-q", "-b", "topic", "keyed"],
            &["rebase", "-q", "main"],
            &["checkout", "-q", "main"],
            &["reset", "-q", "--hard", "topic"],
        ],
        &[&["merge", "-q", "--ff-only", "ahead"]],
        &[
            &["cherry-pick", "keyed"],
            &["commit", "-q", "--amend", "-m", "amended"],
        ],
    ];
    for operations in cases {
        let repository = with_remote();
        repository.git(&["push", "-q", "origin", "main"]);
        repository.git(&["checkout", "-q", "-b", "ahead"]);
        repository.write("k.env", key_lines(20));
        repository.commit_all("keyed");
        repository.git(&["tag", "keyed"]);
        repository.git(&["checkout", "-q", "main"]);
        if operations[0][0] != "merge" {
            repository.write("main.txt", "main moves on\n");
            repository.commit_all("main moves on");
        }
        for arguments in operations {
            repository.git(arguments);
        }
        let output = repository.try_git(&["push", "origin", "main"]);
        assert_blocked(&repository, &output, 20, "k.env:1");
    }
}

#[test]
fn applying_patches() {
    let repository = with_remote();
    repository.git(&["push", "-q", "origin", "main"]);
    repository.git(&["checkout", "-q", "other"]);
    repository.write("k.env", key_lines(21));
    repository.commit_all("keyed");
    repository.git(&["format-patch", "-q", "-1", "-o", "../patches"]);
    repository.git(&["checkout", "-q", "main"]);
    let patch = std::fs::read_dir(repository.outside().join("patches")).expect("patches");
    let patch = patch.flatten().next().expect("a patch").path();
    let patch = patch.to_str().expect("UTF-8");
    repository.git(&["am", "-q", patch]);
    let output = repository.try_git(&["push", "origin", "main"]);
    assert_blocked(&repository, &output, 21, "k.env:1");
    // The hook that git runs for `am` can be installed, too.
    repository.git(&["reset", "-q", "--hard", "HEAD~1"]);
    repository.install_hooks(&["pre-applypatch"]);
    let output = repository.try_git(&["am", patch]);
    assert_blocked(&repository, &output, 21, "k.env:1");
}

#[test]
fn a_merge_that_adds_what_no_parent_has_is_stopped_at_the_push() {
    let repository = with_remote();
    repository.git(&["push", "-q", "origin", "main"]);
    repository.git(&["checkout", "-q", "other"]);
    repository.write("theirs.txt", "theirs\n");
    repository.commit_all("theirs");
    repository.git(&["checkout", "-q", "main"]);
    repository.write("ours.txt", "ours\n");
    repository.commit_all("ours");
    repository.git(&["merge", "-q", "--no-ff", "--no-commit", "other"]);
    repository.write("evil.txt", key_lines(22));
    repository.git(&["add", "-A"]);
    repository.git(&["commit", "-q", "--no-verify", "-m", "evil"]);
    let output = repository.try_git(&["push", "origin", "main"]);
    assert_blocked(&repository, &output, 22, "evil.txt:1");
}

#[test]
fn stash_runs_no_hook_and_submodules_are_said() {
    let repository = guarded();
    repository.write("start.txt", key_lines(23));
    repository.git(&["stash", "-q"]);
    let inner = Repository::new(&[]);
    inner.write("a.txt", "a\n");
    inner.commit_all("inner");
    let entry = format!("160000,{},module", inner.git(&["rev-parse", "HEAD"]).trim());
    repository.git(&["update-index", "--add", "--cacheinfo", &entry]);
    let output = repository.straykey(&["staged", "--show-skipped"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(
        text(&output.stderr).contains("module: a submodule"),
        "{}",
        text(&output.stderr)
    );
}

#[test]
fn large_files_of_lfs_are_read_where_they_are() {
    let repository = guarded();
    let content = format!("{}{}", "x".repeat(5000), key_lines(24));
    let oid = "ab".repeat(32);
    let pointer =
        format!("version https://git-lfs.github.com/spec/v1\noid sha256:{oid}\nsize 5000\n");
    repository.write("big.bin", pointer);
    repository.git(&["add", "big.bin"]);
    let output = repository.straykey(&["staged", "--show-skipped"]);
    assert!(output.status.success());
    assert!(text(&output.stderr).contains("only the pointer was scanned"));
    repository.write(&format!(".git/lfs/objects/ab/ab/{oid}"), content);
    let output = repository.straykey(&["staged"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        text(&output.stderr).contains("big.bin:1"),
        "{}",
        text(&output.stderr)
    );
}
