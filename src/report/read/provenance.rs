//! Where in history a credential is, from its JSON object.

use serde::Deserialize;
use serde::de::Error;

use super::Time;
use super::finding::word;
use crate::provenance::{CommitFacts, Names, Provenance, Reachability};
use crate::report::provenance::Counts;

#[derive(Deserialize)]
pub(super) struct ProvenanceObject {
    reachability: String,
    first_commit: Option<String>,
    author: Option<String>,
    date: Option<Time>,
    first_at_cut: bool,
    last_commit: Option<String>,
    last_author: Option<String>,
    last_date: Option<Time>,
    removed_commit: Option<String>,
    removed_author: Option<String>,
    removed_date: Option<Time>,
    in_head: bool,
    branches: Vec<String>,
    tags: Vec<String>,
    remotes: Vec<String>,
    other_refs: Vec<String>,
    submodule: Option<String>,
    counts: Counts,
}

const REACHABILITIES: [Reachability; 5] = [
    Reachability::Reachable,
    Reachability::Index,
    Reachability::Stash,
    Reachability::Reflog,
    Reachability::Dangling,
];

impl ProvenanceObject {
    pub(super) fn provenance<E: Error>(self) -> Result<Provenance, E> {
        let names = |mut listed: Vec<String>, count: u64| {
            listed.shrink_to_fit();
            Names { listed, count }
        };
        let reachability = word(
            &REACHABILITIES,
            Reachability::as_str,
            "reachability",
            &self.reachability,
        )?;
        Ok(Provenance {
            reachability,
            first: commit(self.first_commit, self.author, self.date),
            first_at_cut: self.first_at_cut,
            last: commit(self.last_commit, self.last_author, self.last_date),
            removed: commit(self.removed_commit, self.removed_author, self.removed_date),
            commits: self.counts.commits,
            objects: self.counts.objects,
            places: self.counts.places,
            in_head: self.in_head,
            branches: names(self.branches, self.counts.branches),
            tags: names(self.tags, self.counts.tags),
            remotes: names(self.remotes, self.counts.remotes),
            other_refs: names(self.other_refs, self.counts.other_refs),
            submodule: self.submodule,
        })
    }
}

fn commit(id: Option<String>, author: Option<String>, date: Option<Time>) -> Option<CommitFacts> {
    Some(CommitFacts {
        id: id?,
        author: author.unwrap_or_default(),
        // What has no date that makes sense gets none again.
        seconds: date.map_or(-1, |date| date.0 as i64),
    })
}
