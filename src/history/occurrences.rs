//! The places of a finding as a report lists them.

use std::collections::BTreeMap;

use super::attribution::Attribution;
use super::graph::CommitNumber;
use super::hits::{HitId, Subject, subject};
use super::path_of;
use crate::finding::{Finding, Occurrence};
use crate::location::Origin;
use crate::provenance::Reachability;
use crate::source::git::{Kind, ObjectId, ObjectStore, Tag};

/// Places of a finding that are listed; more are counted.
const MOST_PLACES: usize = 100;

/// A place, ordered as they are listed: better held first, then as they came in.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    class: usize,
    rank: u32,
    origin: Origin,
}

/// The places of `finding`, one for each path and message, each as it was first; at most
/// [`MOST_PLACES`] of them, and how many there are.
pub(super) fn placed(
    attribution: &Attribution<'_>,
    store: &ObjectStore,
    finding: &Finding,
) -> (Vec<Occurrence>, u64) {
    let mut chosen: BTreeMap<Vec<u8>, (Place, HitId)> = BTreeMap::new();
    let mut others: Vec<(Place, HitId)> = Vec::new();
    let mut hits: Vec<HitId> = finding
        .occurrences
        .iter()
        .filter_map(|it| attribution.hits.number(&subject(&it.origin)?))
        .collect();
    hits.sort_unstable();
    hits.dedup();
    for hit in hits {
        match &attribution.hits.all[hit as usize].0 {
            Subject::Object(Kind::Commit, id) => others.push((message(attribution, id), hit)),
            Subject::Object(Kind::Tag, id) => others.push((tag(store, id), hit)),
            subject => {
                let is_name = matches!(subject, Subject::Name(_));
                for (path, place) in paths(attribution, hit, is_name) {
                    let known = chosen.get(&path).is_some_and(|known| known.0 <= place);
                    if !known {
                        chosen.insert(path, (place, hit));
                    }
                }
            }
        }
    }
    others.extend(chosen.into_values());
    others.sort();
    if others.is_empty() {
        return (
            finding.occurrences.clone(),
            finding.occurrences.len() as u64,
        );
    }
    // A version without the comment counts, whichever is listed.
    let allowed = finding.occurrences.iter().all(|it| it.allow.is_some());
    let count = others.len() as u64;
    others.truncate(MOST_PLACES);
    let listed = others.into_iter().flat_map(|(place, hit)| {
        let same = move |it: &&Occurrence| {
            subject(&it.origin).and_then(|it| attribution.hits.number(&it)) == Some(hit)
        };
        let moved = move |it: &Occurrence| Occurrence {
            origin: place.origin.clone(),
            allow: it.allow.clone().filter(|_| allowed),
            ..it.clone()
        };
        finding.occurrences.iter().filter(same).map(moved)
    });
    (listed.collect(), count)
}

/// The paths at which a hit stands.
fn paths(attribution: &Attribution<'_>, hit: HitId, is_name: bool) -> Vec<(Vec<u8>, Place)> {
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
        let class = Reachability::Index as usize;
        let place = Place {
            class,
            rank: 0,
            origin,
        };
        found.push((path.clone(), place));
    }
    found
}

fn place(attribution: &Attribution<'_>, commit: CommitNumber, origin: Origin) -> Place {
    Place {
        class: attribution.classes[commit as usize] as usize,
        rank: attribution.ranks[commit as usize],
        origin,
    }
}

fn message(attribution: &Attribution<'_>, id: &ObjectId) -> Place {
    let origin = Origin::Message {
        commit: Some(id.to_string().into()),
        name: "commit message".into(),
    };
    match attribution.graph.commit(id) {
        Some(commit) => place(attribution, commit, origin),
        None => last(origin),
    }
}

fn tag(store: &ObjectStore, id: &ObjectId) -> Place {
    let mut content = Vec::new();
    let read = store.find(id, &mut content);
    let tag = Tag::parse(&content).filter(|_| matches!(read, Ok(Some(Kind::Tag))));
    let name = tag.map_or_else(String::new, |tag| {
        String::from_utf8_lossy(tag.name).into_owned()
    });
    last(Origin::Message {
        commit: Some(id.to_string().into()),
        name: format!("message of the tag {name}").into(),
    })
}

/// A place that no commit leads to.
fn last(origin: Origin) -> Place {
    Place {
        class: usize::MAX,
        rank: 0,
        origin,
    }
}
