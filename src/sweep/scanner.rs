//! Scanning one repository: what is not known yet of its objects.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sha2::{Digest, Sha256};

use super::identity::OrganizationKey;
use super::known::{Known, run};
use super::store::{Seen, VerdictRow};
use crate::detect::Detector;
use crate::finding::{Confidence, Finding, KeyType, Occurrence, Severity};
use crate::history::Names;
use crate::location::{Origin, Position};
use crate::provenance::Provenance;
use crate::report::Report;
use crate::rules::RuleSet;
use crate::scan::{self, Progress};
use crate::source::Objects;
use crate::source::git::{
    Commit, Kind, LargeBlob, NotRead, ObjectError, ObjectId, ObjectRef, ObjectStore, Reference,
    Repository, Selection, Visit,
};

/// A credential as it goes into the store: without the secret.
#[derive(Clone, Debug)]
pub struct SweptSecret {
    /// Keyed digest.
    pub identity: String,
    /// Id of the rule.
    pub rule: Arc<str>,
    /// One line for people.
    pub title: Arc<str>,
    /// How bad.
    pub severity: Severity,
    /// How sure.
    pub confidence: Confidence,
    /// An identifier, not a secret.
    pub access_key_id: Option<String>,
    /// Kind of the ID.
    pub key_type: Option<KeyType>,
    /// The account that the ID tells.
    pub account_id: Option<String>,
    /// Whether its account issues canary tokens.
    pub canary: bool,
    /// Whether the secret was found.
    pub has_secret: bool,
    /// Whether a session token was found.
    pub has_token: bool,
    /// Where it stands in this repository.
    pub places: Vec<Place>,
    /// What AWS said, where this worker has asked.
    pub verdict: Option<VerdictRow>,
}

/// One place of a credential.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Commit in which it stands there, or blob or tag that nothing leads to, in hexadecimal.
    pub object: String,
    /// Path in the tree, or what it is called.
    pub path: String,
    /// Line, from 1.
    pub line: u64,
    /// Column, from 1.
    pub column: u64,
    /// Commit that brought the credential into the repository.
    pub commit: Option<String>,
    /// Who wrote that commit.
    pub author: Option<String>,
    /// When, in seconds since 1970.
    pub committed: Option<i64>,
    /// What leads to it.
    pub reachability: &'static str,
}

/// What is looked for, and under which version of the rules.
#[derive(Debug)]
pub struct Rules {
    /// The detector.
    pub detector: Detector,
    /// Digest of the rules and of the program's version: another one means another scan.
    pub version: String,
}

impl Rules {
    /// Looks for what `rules` say.
    #[must_use]
    pub fn new(rules: &RuleSet) -> Self {
        let mut digest = Sha256::new();
        digest.update(env!("CARGO_PKG_VERSION"));
        // Whatever is part of the rules is part of their debug form; nothing else is.
        digest.update(format!("{rules:?}"));
        let digest = data_encoding::HEXLOWER.encode(&digest.finalize()[..8]);
        Self {
            detector: Detector::new(rules),
            version: digest,
        }
    }
}

/// What a scan of one repository gave.
#[derive(Debug)]
pub struct Scanned {
    /// Findings, and what was not read.
    pub report: Report,
    /// Objects that were read whole and hold no finding.
    pub clean: Vec<ObjectId>,
}

/// Digest of refs, `HEAD` left out: two states of a repository with the same one hold the same
/// commits.
#[must_use]
pub fn refs_digest(refs: &[Reference]) -> String {
    let mut digest = Sha256::new();
    let mut named: Vec<&Reference> = refs.iter().filter(|it| it.name != "HEAD").collect();
    named.sort();
    for reference in named {
        digest.update(format!("{} {}\n", reference.target, reference.name));
    }
    data_encoding::HEXLOWER.encode(&digest.finalize()[..16])
}

/// The root commits of everything in `store`: repositories that share one are relations.
#[must_use]
pub fn families(store: &ObjectStore, progress: &Progress) -> Vec<String> {
    let roots = Roots {
        found: Mutex::default(),
        progress,
    };
    store.for_each(Selection::of(&[Kind::Commit]), &roots);
    let mut found = std::mem::take(&mut *lock(&roots.found));
    found.sort_unstable();
    found.dedup();
    found
}

struct Roots<'r> {
    found: Mutex<Vec<String>>,
    progress: &'r Progress,
}

impl Visit for Roots<'_> {
    fn object(&self, object: &ObjectRef<'_>) {
        let parents = Commit::parse(object.bytes).map(|commit| commit.parents);
        if parents.is_some_and(|parents| parents.is_empty()) {
            lock(&self.found).push(object.id().to_string());
        }
    }

    fn large(&self, _blob: &mut LargeBlob<'_>) -> Result<(), ObjectError> {
        Ok(())
    }

    // The scan itself tells what cannot be read.
    fn not_read(&self, _what: NotRead) {}

    fn stopped(&self) -> bool {
        self.progress.is_stopped()
    }
}

/// Scans the objects of `store` that are not `known`, and the names in its trees.
#[must_use]
pub fn scan(
    store: &ObjectStore,
    known: &Known,
    detector: &Detector,
    progress: &Progress,
) -> Scanned {
    let is_known = |id: &ObjectId| known.contains(id);
    let kinds = [Kind::Blob, Kind::Commit, Kind::Tag, Kind::Tree];
    let selection = Selection::of(&kinds).without(&is_known);
    let names = Names::new(store, detector);
    let (read, trees) = <(Mutex<Vec<ObjectId>>, Mutex<Vec<ObjectId>>)>::default();
    let watch = |object: &ObjectRef<'_>| match object.kind {
        Kind::Tree => {
            lock(&trees).push(object.id());
            names.tree(object);
        }
        Kind::Blob | Kind::Commit | Kind::Tag => lock(&read).push(object.id()),
    };
    let objects = Objects::new(store).selecting(selection).watched_by(&watch);
    let mut report = scan::run(&objects, detector, progress);
    let mut clean = std::mem::take(&mut *lock(&read));
    let holding = holding(&report);
    clean.retain(|id| !holding.contains(id));
    let named = names.into_findings();
    if named.is_empty() {
        clean.append(&mut lock(&trees));
    }
    // Where a name was found, all trees are looked at again: one of them may be the only one that
    // a relation has.
    add(&mut report, named);
    Scanned { report, clean }
}

/// Objects in which something was found.
fn holding(report: &Report) -> HashSet<ObjectId> {
    let occurrences = report
        .findings
        .iter()
        .flat_map(|finding| &finding.occurrences);
    occurrences
        .filter_map(|occurrence| object_id(&occurrence.origin))
        .collect()
}

fn add(report: &mut Report, more: Vec<Finding>) {
    let mut all: HashMap<_, _> = std::mem::take(&mut report.findings)
        .into_iter()
        .map(|finding| (finding.fingerprint, finding))
        .collect();
    for finding in more {
        scan::merge(&mut all, finding);
    }
    report.findings = scan::sorted(all);
}

fn object_id(origin: &Origin) -> Option<ObjectId> {
    match origin {
        Origin::Object { id, .. } => ObjectId::from_hex(id.as_bytes()),
        _ => None,
    }
}

/// `findings` as they go into the store, sorted by identity, so that two workers write those they
/// share in the same order.
#[must_use]
pub fn swept(findings: &[Finding], key: &OrganizationKey) -> Vec<SweptSecret> {
    let mut secrets: Vec<SweptSecret> = findings
        .iter()
        .map(|finding| SweptSecret {
            identity: key.identity(finding.fingerprint),
            rule: Arc::clone(&finding.rule),
            title: Arc::clone(&finding.title),
            severity: finding.severity,
            confidence: finding.confidence,
            access_key_id: finding.credential.access_key_id.clone(),
            key_type: finding.credential.key_type,
            account_id: finding.credential.account_id.clone(),
            canary: finding.credential.canary,
            has_secret: finding.credential.secret.is_some(),
            has_token: finding.credential.session_token.is_some(),
            places: places(finding),
            verdict: None,
        })
        .collect();
    secrets.sort_by(|one, other| one.identity.cmp(&other.identity));
    secrets
}

fn places(finding: &Finding) -> Vec<Place> {
    let provenance = finding.provenance.as_deref();
    let mut places: Vec<Place> = finding
        .occurrences
        .iter()
        .map(|occurrence| place(occurrence, provenance))
        .collect();
    places.sort();
    places.dedup();
    places
}

/// A place, with the commit that brought the credential into this repository and its author:
/// whom to ask.
fn place(occurrence: &Occurrence, provenance: Option<&Provenance>) -> Place {
    let start = occurrence.parts.first();
    let start = start.map_or(Position::START, |part| part.span.start);
    let object = match &occurrence.origin {
        Origin::Object { id, .. } => id.to_string(),
        other => other.commit().unwrap_or_default().to_owned(),
    };
    let first = provenance.and_then(|provenance| provenance.first.as_ref());
    Place {
        object,
        path: occurrence.origin.path().into_owned(),
        line: start.line,
        column: start.column,
        commit: first.map(|commit| commit.id.clone()),
        author: first.map(|commit| commit.author.clone()),
        committed: first.map(|commit| commit.seconds),
        reachability: provenance.map_or("unknown", |it| it.reachability.as_str()),
    }
}

/// What is to be remembered of `scanned`.
#[must_use]
pub fn seen(clean: Vec<ObjectId>, families: Vec<String>) -> Seen {
    Seen {
        ids: run(clean),
        families,
    }
}

/// Opens the repository at `path`, and nothing above it.
///
/// # Errors
/// Why there is none, in one line.
pub fn open(path: &std::path::Path) -> Result<(Repository, ObjectStore), String> {
    let repository = Repository::discover(path).map_err(|error| error.to_string())?;
    let store = ObjectStore::open(&repository).map_err(|error| error.to_string())?;
    Ok((repository, store))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
