//! The places of a finding as a report lists them.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use super::attribution::Attribution;
use super::graph::CommitNumber;
use super::hits::{HitId, Subject, subject};
use super::path_of;
use crate::finding::{Finding, Occurrence};
use crate::location::Origin;
use crate::provenance::Reachability;
use crate::source::git::{Kind, ObjectId, ObjectStore, Part, Tag, header};

/// Places of a finding that are listed; more are counted.
const MOST_PLACES: usize = 100;

/// A place, ordered as they are listed: better held first, then as they came in.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    class: usize,
    rank: u32,
    pub(super) origin: Origin,
    hit: HitId,
    /// Whether no comment allows it there.
    open: bool,
}

impl Place {
    fn new(class: usize, rank: u32, origin: Origin) -> Self {
        Self {
            class,
            rank,
            origin,
            hit: HitId::MAX,
            open: true,
        }
    }
}

/// The places of `finding`, one for each path and message, each as it was first; at most
/// [`MOST_PLACES`] of them, and how many there are.
pub(super) fn placed(
    attribution: &Attribution<'_>,
    store: &ObjectStore,
    finding: &Finding,
) -> (Vec<Occurrence>, u64) {
    let (mut places, lost) = places(attribution, finding);
    if places.is_empty() {
        return (
            finding.occurrences.clone(),
            finding.occurrences.len() as u64,
        );
    }
    let count = places.len() as u64;
    if places.len() > MOST_PLACES {
        // What no comment allows decides, so it is listed.
        places.sort_by(|one, other| (!one.open, one).cmp(&(!other.open, other)));
        places.truncate(MOST_PLACES);
    }
    places.sort();
    let listed = places.into_iter().flat_map(|place| {
        let hit = place.hit;
        let label = Label::of(&attribution.hits.all[hit as usize].0, store);
        let same = move |it: &&Occurrence| number(attribution, it) == Some(hit);
        let moved = move |it: &Occurrence| Occurrence {
            origin: label.of_part(&place.origin, it),
            allow: it.allow.clone().filter(|_| !place.open && !lost),
            ..it.clone()
        };
        finding.occurrences.iter().filter(same).map(moved)
    });
    (listed.collect(), count)
}

/// All places of `finding`; and whether it stands somewhere without a comment that allows it where
/// nothing leads to.
fn places(attribution: &Attribution<'_>, finding: &Finding) -> (Vec<Place>, bool) {
    // By hit: whether a comment is lacking.
    let mut hits: BTreeMap<HitId, bool> = BTreeMap::new();
    for occurrence in &finding.occurrences {
        if let Some(hit) = number(attribution, occurrence) {
            *hits.entry(hit).or_default() |= occurrence.allow.is_none();
        }
    }
    let mut by_path: BTreeMap<Vec<u8>, Place> = BTreeMap::new();
    let mut messages: Vec<Place> = Vec::new();
    let mut lost = false;
    for (hit, open) in hits {
        let place = |place: Place| Place { hit, open, ..place };
        match &attribution.hits.all[hit as usize].0 {
            Subject::Object(Kind::Commit, id) => messages.push(place(message(attribution, id))),
            Subject::Object(Kind::Tag, id) => messages.push(place(tag(id))),
            subject => {
                let paths = paths(attribution, hit, matches!(subject, Subject::Name(_)));
                lost |= open && paths.is_empty();
                for (path, found) in paths {
                    if !attribution.is_excluded(finding, hit, &path) {
                        join(&mut by_path, path, place(found));
                    }
                }
            }
        }
    }
    messages.extend(by_path.into_values());
    (messages, lost)
}

/// Adds a place to those by path, of which the first is kept. A version of the path without the
/// comment counts, whichever is listed.
fn join(by_path: &mut BTreeMap<Vec<u8>, Place>, path: Vec<u8>, mut place: Place) {
    match by_path.entry(path) {
        Entry::Vacant(entry) => drop(entry.insert(place)),
        Entry::Occupied(mut entry) => {
            let known = entry.get_mut();
            let open = known.open || place.open;
            if place < *known {
                std::mem::swap(known, &mut place);
            }
            known.open = open;
        }
    }
}

pub(super) fn number(attribution: &Attribution<'_>, occurrence: &Occurrence) -> Option<HitId> {
    attribution.hits.number(&subject(&occurrence.origin)?)
}

/// The paths at which a hit stands.
pub(super) fn paths(
    attribution: &Attribution<'_>,
    hit: HitId,
    is_name: bool,
) -> Vec<(Vec<u8>, Place)> {
    let graph = &attribution.graph;
    let in_commits = attribution.places.of_hit.get(&hit).into_iter().flatten();
    let mut found: Vec<(Vec<u8>, Place)> = in_commits
        .map(|&(path, commit)| {
            let bytes = attribution.places.path(graph, path);
            let id: Box<str> = graph.commits[commit as usize].id.to_string().into();
            let path = path_of(&bytes);
            let origin = match is_name {
                true => Origin::Name {
                    commit: Some(id),
                    path,
                },
                false => Origin::Commit { commit: id, path },
            };
            (bytes, place(attribution, commit, origin))
        })
        .collect();
    for path in attribution.staged.get(&hit).into_iter().flatten() {
        let origin = Origin::Index(path_of(path));
        let place = Place::new(Reachability::Index as usize, 0, origin);
        found.push((path.clone(), place));
    }
    found
}

fn place(attribution: &Attribution<'_>, commit: CommitNumber, origin: Origin) -> Place {
    let class = attribution.classes[commit as usize] as usize;
    Place::new(class, attribution.ranks[commit as usize], origin)
}

fn message(attribution: &Attribution<'_>, id: &ObjectId) -> Place {
    let origin = Origin::Message {
        commit: Some(id.to_string().into()),
        name: Part::Message.name(None).into(),
    };
    match attribution.graph.commit(id) {
        Some(commit) => place(attribution, commit, origin),
        None => last(origin),
    }
}

fn tag(id: &ObjectId) -> Place {
    last(Origin::Message {
        commit: Some(id.to_string().into()),
        name: Part::Message.name(Some("")).into(),
    })
}

/// Tells the parts of a commit or a tag apart.
struct Label {
    content: Vec<u8>,
    tag: Option<String>,
}

impl Label {
    fn of(subject: &Subject, store: &ObjectStore) -> Self {
        let mut content = Vec::new();
        if let Subject::Object(Kind::Commit | Kind::Tag, id) = subject
            && store.find(id, &mut content).is_err()
        {
            // It was read a moment ago. Without it everything is called its message.
            content.clear();
        }
        let tag = match subject {
            Subject::Object(Kind::Tag, _) => {
                let name = Tag::parse(&content).map(|tag| tag.name).unwrap_or_default();
                Some(String::from_utf8_lossy(name).into_owned())
            }
            _ => None,
        };
        Self { content, tag }
    }

    /// `origin`, that of a commit or a tag as a whole, for the part in which `occurrence` stands.
    fn of_part(&self, origin: &Origin, occurrence: &Occurrence) -> Origin {
        let Origin::Message { commit, .. } = origin else {
            return origin.clone();
        };
        let line = occurrence.parts.first().map_or(1, |it| it.span.start.line);
        let part = header::part_at(&self.content, line);
        Origin::Message {
            commit: commit.clone(),
            name: part.name(self.tag.as_deref()).into(),
        }
    }
}

/// A place that no commit leads to.
fn last(origin: Origin) -> Place {
    Place::new(usize::MAX, 0, origin)
}
