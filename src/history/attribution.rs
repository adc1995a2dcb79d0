//! Tells of findings where in history they are.
//!
//! Everything comes from what one walk over commits and trees has noted (`record`) and from the trees that
//! lead to a finding (`graph`), whatever the number of findings.

use std::collections::HashMap;

use super::conditions::Excluded;
use super::graph::{CommitNumber, Graph, TreeNumber};
use super::hits::{HitId, Hits, Subject};
use super::holding::{Facts, Holding, classes, fold};
use super::occurrences::placed;
use super::order::in_order;
use super::places::Places;
use super::record::Record;
use super::tips::{Label, Tip, Tips};
use super::token::Tokens;
use crate::finding::Finding;
use crate::location::Origin;
use crate::provenance::{CommitFacts, Names, Provenance, Reachability};
use crate::source::git::{Commit, Kind, NotRead, ObjectId, ObjectStore, Repository, Tag};

/// Findings that are worked on together: what is known of a commit takes a bit for each.
const BATCH: usize = 2048;
/// Refs of a kind that a finding lists; more are counted.
const MOST_REFS: usize = 100;

/// Where the findings are, as far as that is known.
pub(super) struct Attribution<'a> {
    pub(super) graph: Graph,
    pub(super) hits: Hits,
    pub(super) order: Vec<CommitNumber>,
    /// The place of each commit in the order.
    pub(super) ranks: Vec<u32>,
    pub(super) classes: Vec<Reachability>,
    pub(super) places: Places,
    pub(super) staged: HashMap<HitId, Vec<Vec<u8>>>,
    /// Places that conditions of rules exclude.
    pub(super) excluded: Excluded,
    tips: Vec<Resolved>,
    store: &'a ObjectStore,
    commits: HashMap<CommitNumber, CommitFacts>,
}

/// A tip, followed.
struct Resolved {
    tip: Tip,
    commit: Option<CommitNumber>,
    tree: Option<TreeNumber>,
    /// Tags on the way, or the blob it is.
    hits: Vec<HitId>,
}

/// What is gathered about a finding.
#[derive(Clone, Default)]
struct Known {
    /// By class: what its commits say.
    facts: [Facts; 5],
    /// The best class of what is held without a commit.
    direct: Option<Reachability>,
    in_head: bool,
    branches: Names,
    tags: Names,
    remotes: Names,
    other_refs: Names,
}

impl<'a> Attribution<'a> {
    /// Reads what is needed to place `findings`, unless `record` says it already. `subject` says what their
    /// origins stand for.
    pub(super) fn read(
        findings: &[Finding],
        repository: &Repository,
        store: &'a ObjectStore,
        record: Option<Record>,
        subject: impl Fn(&Finding, &Origin) -> Option<Subject>,
        not_read: &mut Vec<NotRead>,
        stopped: &(dyn Fn() -> bool + Sync),
    ) -> Self {
        let (record, hits) = match record.filter(Record::is_complete) {
            Some(record) => {
                let hits = Hits::new(findings, record.tokens(), subject);
                (record, hits)
            }
            None => {
                let tokens = Tokens::new();
                let hits = Hits::new(findings, &tokens, subject);
                let is_found = |name: &[u8]| hits.has_name(name);
                let record = Record::read(store, tokens, &is_found, not_read, stopped);
                (record, hits)
            }
        };
        let graph = Graph::read(store, &hits, record, stopped);
        let order = in_order(&graph);
        let mut tips = Tips::read(repository);
        not_read.append(&mut tips.problems);
        let mut attribution = Self {
            ranks: ranks(&order, graph.commits.len()),
            staged: staged(&hits, tips.staged),
            tips: Vec::new(),
            classes: Vec::new(),
            places: Places::new(),
            excluded: Excluded::new(),
            commits: HashMap::new(),
            graph,
            hits,
            order,
            store,
        };
        let resolve = |tip| attribution.resolve(tip);
        attribution.tips = tips.all.into_iter().map(resolve).collect();
        let held = attribution.tips.iter();
        let held = held.filter_map(|it| Some((it.commit?, it.tip.class)));
        attribution.classes = classes(&attribution.graph, &attribution.order, held);
        attribution.find_places();
        attribution
    }

    /// Follows a tip through tags.
    fn resolve(&self, tip: Tip) -> Resolved {
        let mut resolved = Resolved {
            commit: None,
            tree: None,
            hits: Vec::new(),
            tip,
        };
        let mut id = resolved.tip.id;
        let mut content = Vec::new();
        // Tags of tags of tags: nobody has more, and nothing may go on for ever.
        for _ in 0..16 {
            resolved.commit = self.graph.commit(&id);
            resolved.tree = self.graph.tree(&id);
            if resolved.commit.is_some() || resolved.tree.is_some() {
                break;
            }
            let Ok(Some(kind)) = self.store.find(&id, &mut content) else {
                break;
            };
            let hit = self.hits.number(&Subject::Object(kind, id));
            resolved.hits.extend(hit);
            match Tag::parse(&content).filter(|_| kind == Kind::Tag) {
                Some(tag) => id = tag.target,
                None => break,
            }
        }
        resolved
    }

    /// Finds the paths, those of better held commits first.
    fn find_places(&mut self) {
        let leads = fold(&self.graph, false, |_| true, |a, b| a || b);
        let best_first = [
            Reachability::Reachable,
            Reachability::Index,
            Reachability::Stash,
            Reachability::Reflog,
            Reachability::Dangling,
        ];
        for class in best_first {
            for &commit in &self.order {
                if self.classes[commit as usize] != class {
                    continue;
                }
                if let Some(root) = self.graph.root(commit) {
                    self.places.visit(&self.graph, &leads, root, commit);
                }
            }
        }
    }

    /// Whether conditions of rules say that `finding` does not count at a path of `hit`.
    pub(super) fn is_excluded(&self, finding: &Finding, hit: HitId, path: &[u8]) -> bool {
        let key = || (finding.fingerprint, hit, path.to_vec());
        !self.excluded.is_empty() && self.excluded.contains(&key())
    }

    /// Writes into `findings`, those it was made for, where they are; with `places`, objects are
    /// replaced by the paths at which they stand.
    pub(super) fn write(&mut self, findings: &mut [Finding], branches: &[String], places: bool) {
        for from in (0..findings.len()).step_by(BATCH) {
            let size = BATCH.min(findings.len() - from);
            let known = self.gather(from, size, branches);
            for (finding, known) in findings[from..from + size].iter_mut().zip(known) {
                let objects = self.objects(finding);
                let mut provenance = self.provenance(known);
                provenance.objects = objects;
                provenance.places = finding.occurrences.len() as u64;
                if places {
                    (finding.occurrences, provenance.places) = placed(self, self.store, finding);
                }
                finding.provenance = Some(Box::new(provenance));
            }
        }
    }

    fn gather(&self, from: usize, size: usize, branches: &[String]) -> Vec<Known> {
        let mut known = vec![Known::default(); size];
        let holding = Holding::new(&self.graph, &self.order, &self.hits, from, size);
        holding.facts(
            &self.graph,
            &self.order,
            &self.classes,
            |finding, class, facts| known[finding].facts[class as usize].join(facts),
        );
        for tip in &self.tips {
            self.gather_tip(tip, &holding, branches, &mut known);
        }
        for &hit in self.staged.keys() {
            for finding in holding.in_hit(hit) {
                known[finding].held(Reachability::Index);
            }
        }
        known
    }

    fn gather_tip(
        &self,
        tip: &Resolved,
        holding: &Holding,
        branches: &[String],
        known: &mut [Known],
    ) {
        let mut held: Vec<usize> = Vec::new();
        for &hit in &tip.hits {
            held.extend(holding.in_hit(hit));
        }
        if let Some(tree) = tip.tree {
            held.extend(holding.in_tree(tree));
        }
        for &finding in &held {
            known[finding].held(tip.tip.class);
        }
        if let Some(commit) = tip.commit {
            held.extend(holding.in_history(commit));
            if tip.tip.label == Label::Head {
                for finding in holding.in_commit(commit) {
                    known[finding].in_head = true;
                }
            }
        }
        held.sort_unstable();
        held.dedup();
        let is_asked_for = match &tip.tip.label {
            Label::Branch(name) => branches.contains(name),
            _ => false,
        };
        for finding in held {
            known[finding].named(&tip.tip.label, is_asked_for);
        }
    }

    fn provenance(&mut self, known: Known) -> Provenance {
        let by_commit = (0..5).find(|&class| known.facts[class].held.is_some());
        let class = match (by_commit, known.direct) {
            (Some(class), Some(direct)) if direct as usize <= class => direct,
            (Some(class), _) => CLASSES[class],
            (None, direct) => direct.unwrap_or(Reachability::Dangling),
        };
        let facts = by_commit.map_or(Facts::default(), |class| known.facts[class]);
        let at = |place: usize| self.order[place];
        let first = facts.held.map(|held| at(held.0));
        let last = facts.held.map(|held| at(held.1));
        let removed = facts.removed.map(at).filter(|_| !known.in_head);
        let is_cut = |commit: CommitNumber| self.graph.commits[commit as usize].is_cut;
        Provenance {
            reachability: class,
            first_at_cut: first.is_some_and(is_cut),
            first: first.map(|commit| self.facts_of(commit)),
            last: last.map(|commit| self.facts_of(commit)),
            removed: removed.map(|commit| self.facts_of(commit)),
            commits: facts.held.map_or(0, |held| held.2),
            objects: 0,
            places: 0,
            in_head: known.in_head,
            branches: known.branches,
            tags: known.tags,
            remotes: known.remotes,
            other_refs: known.other_refs,
            submodule: None,
        }
    }

    fn facts_of(&mut self, number: CommitNumber) -> CommitFacts {
        let (graph, store) = (&self.graph, self.store);
        let facts = self.commits.entry(number);
        facts
            .or_insert_with(|| facts_of(store, graph.commits[number as usize].id))
            .clone()
    }

    fn objects(&self, finding: &Finding) -> u64 {
        let mut origins: Vec<&Origin> = finding.occurrences.iter().map(|it| &it.origin).collect();
        origins.sort_unstable();
        origins.dedup();
        origins.len() as u64
    }
}

const CLASSES: [Reachability; 5] = [
    Reachability::Reachable,
    Reachability::Index,
    Reachability::Stash,
    Reachability::Reflog,
    Reachability::Dangling,
];

impl Known {
    fn held(&mut self, class: Reachability) {
        self.direct = Some(self.direct.map_or(class, |known| known.min(class)));
    }

    fn named(&mut self, label: &Label, is_asked_for: bool) {
        let (names, name) = match label {
            Label::Head | Label::Past => return,
            Label::Branch(name) => (&mut self.branches, name),
            Label::Tag(name) => (&mut self.tags, name),
            Label::Remote(name) => (&mut self.remotes, name),
            Label::Other(name) => (&mut self.other_refs, name),
        };
        names.count += 1;
        if names.listed.len() < MOST_REFS || is_asked_for {
            names.listed.push(name.clone());
        }
    }
}

fn ranks(order: &[CommitNumber], count: usize) -> Vec<u32> {
    let mut ranks = vec![u32::MAX; count];
    for (rank, &commit) in order.iter().enumerate() {
        ranks[commit as usize] = rank as u32;
    }
    ranks
}

fn staged(hits: &Hits, staged: Vec<(Vec<u8>, ObjectId)>) -> HashMap<HitId, Vec<Vec<u8>>> {
    let mut found: HashMap<HitId, Vec<Vec<u8>>> = HashMap::new();
    for (path, id) in staged {
        if let Some(hit) = hits.number(&Subject::Object(Kind::Blob, id)) {
            found.entry(hit).or_default().push(path);
        }
    }
    found
}

fn facts_of(store: &ObjectStore, id: ObjectId) -> CommitFacts {
    let mut content = Vec::new();
    // It was read a moment ago; if it cannot be read now, its id is what there is to tell.
    let read = store.find(&id, &mut content);
    let commit = Commit::parse(&content).filter(|_| read.is_ok());
    let author = commit.map(|commit| commit.author).unwrap_or_default();
    CommitFacts {
        id: id.to_string(),
        author: String::from_utf8_lossy(author.person).into_owned(),
        seconds: author.seconds,
    }
}
