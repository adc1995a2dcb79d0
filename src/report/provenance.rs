//! Where in history a credential is, as formats give it.

use serde::{Deserialize, Serialize};

use super::clock;
use super::view::View;
use crate::finding::Finding;
use crate::provenance::{CommitFacts, Names, Provenance, Reachability};

/// Digits of a commit that people are shown.
const SHORT: usize = 12;
/// Refs that people are shown before they are only counted.
const NAMED: usize = 3;
/// The last second of the year 9999: later dates are nonsense that somebody wrote into a commit.
const LATEST: i64 = 253_402_300_799;

/// For programs: the field `provenance` of a finding.
#[derive(Serialize)]
pub(super) struct ProvenanceObject {
    reachability: &'static str,
    pub(super) first_commit: Option<String>,
    pub(super) author: Option<String>,
    pub(super) date: Option<String>,
    pub(super) first_at_cut: bool,
    pub(super) last_commit: Option<String>,
    pub(super) last_author: Option<String>,
    pub(super) last_date: Option<String>,
    pub(super) removed_commit: Option<String>,
    pub(super) removed_author: Option<String>,
    pub(super) removed_date: Option<String>,
    pub(super) in_head: bool,
    branches: Vec<String>,
    tags: Vec<String>,
    remotes: Vec<String>,
    other_refs: Vec<String>,
    submodule: Option<String>,
    counts: Counts,
}

/// How many there are of what is listed in part, or not at all.
#[derive(Deserialize, Serialize)]
pub(super) struct Counts {
    pub(super) commits: u64,
    pub(super) objects: u64,
    pub(super) places: u64,
    pub(super) branches: u64,
    pub(super) tags: u64,
    pub(super) remotes: u64,
    pub(super) other_refs: u64,
}

impl View<'_> {
    /// Where in history `finding` is, for programs.
    pub(super) fn provenance_object(&self, finding: &Finding) -> Option<ProvenanceObject> {
        let known = finding.provenance.as_deref()?;
        let id = |commit: &Option<CommitFacts>| commit.as_ref().map(|it| self.clean_str(&it.id));
        let author = |commit: &Option<CommitFacts>| {
            let commit = commit.as_ref()?;
            Some(self.clean_str(&commit.author))
        };
        let names = |names: &Names| names.listed.iter().map(|it| self.clean_str(it)).collect();
        Some(ProvenanceObject {
            reachability: known.reachability.as_str(),
            first_commit: id(&known.first),
            author: author(&known.first),
            date: known.first.as_ref().and_then(rfc3339),
            first_at_cut: known.first_at_cut,
            last_commit: id(&known.last),
            last_author: author(&known.last),
            last_date: known.last.as_ref().and_then(rfc3339),
            removed_commit: id(&known.removed),
            removed_author: author(&known.removed),
            removed_date: known.removed.as_ref().and_then(rfc3339),
            in_head: known.in_head,
            branches: names(&known.branches),
            tags: names(&known.tags),
            remotes: names(&known.remotes),
            other_refs: names(&known.other_refs),
            submodule: known.submodule.as_deref().map(|it| self.clean_str(it)),
            counts: Counts {
                commits: known.commits,
                objects: known.objects,
                places: known.places,
                branches: known.branches.count,
                tags: known.tags.count,
                remotes: known.remotes.count,
                other_refs: known.other_refs.count,
            },
        })
    }

    /// Where in history `finding` is, for people: one line an aspect. Not yet safe for a terminal.
    pub(super) fn provenance_lines(&self, finding: &Finding) -> Vec<String> {
        let Some(known) = finding.provenance.as_deref() else {
            return Vec::new();
        };
        let mut lines = vec![self.held(known)];
        if let Some(first) = &known.first {
            let mut line = format!("came in with {}", self.commit(first));
            if known.first_at_cut {
                line.push_str(" or earlier: the history is cut there");
            }
            lines.push(line);
        }
        lines.extend(
            known
                .removed
                .iter()
                .map(|commit| format!("taken out with {}", self.commit(commit))),
        );
        lines
    }

    fn held(&self, known: &Provenance) -> String {
        let mut parts = vec![
            match known.reachability {
                Reachability::Reachable if known.in_head => "still in HEAD",
                Reachability::Reachable => "in the history",
                Reachability::Index => "staged, not committed",
                Reachability::Stash => "only in the stash",
                Reachability::Reflog => "only in the reflog",
                Reachability::Dangling => "dangling: no ref leads to it",
            }
            .to_owned(),
        ];
        for (names, thing) in [
            (&known.branches, "branch"),
            (&known.tags, "tag"),
            (&known.remotes, "remote"),
            (&known.other_refs, "ref"),
        ] {
            if names.count > 0 {
                parts.push(format!("{thing} {}", self.some_of(names)));
            }
        }
        parts.extend(
            known
                .submodule
                .iter()
                .map(|name| format!("submodule {}", self.clean_str(name))),
        );
        parts.join(" · ")
    }

    fn some_of(&self, names: &Names) -> String {
        let listed = names.listed.iter().take(NAMED);
        let shown: Vec<String> = listed.map(|name| self.clean_str(name)).collect();
        let more = names.count.saturating_sub(shown.len() as u64);
        match more {
            0 => shown.join(", "),
            _ => format!("{} and {more} more", shown.join(", ")),
        }
    }

    fn commit(&self, commit: &CommitFacts) -> String {
        let id: String = commit.id.chars().take(SHORT).collect();
        let author = self.clean_str(&commit.author);
        let date = rfc3339(commit).map_or(String::new(), |date| format!("{}, ", &date[..10]));
        format!("{id} ({date}{author})")
    }
}

fn rfc3339(commit: &CommitFacts) -> Option<String> {
    let sane = Some(commit.seconds).filter(|seconds| *seconds <= LATEST);
    sane.and_then(|seconds| u64::try_from(seconds).ok())
        .map(clock::rfc3339)
}
