//! What the findings stand in: objects, and names of files.

use std::collections::HashMap;

use aho_corasick::AhoCorasick;

use super::record::{Short, short, short_name};
use super::token::{TokenMap, Tokens};
use crate::finding::Finding;
use crate::location::Origin;
use crate::source::git::{Kind, ObjectId};

/// Something that holds a finding, as history is searched for it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Subject {
    /// A blob, a commit or a tag.
    Object(Kind, ObjectId),
    /// The name of a file or a directory, one component of a path.
    Name(Box<[u8]>),
}

/// What `origin` stands for, where it says so itself.
pub(super) fn subject(origin: &Origin) -> Option<Subject> {
    match origin {
        Origin::Object { kind, id } => Some(Subject::Object(
            Kind::from_word(kind.as_bytes())?,
            ObjectId::from_hex(id.as_bytes())?,
        )),
        Origin::Name { commit: None, path } => {
            Some(Subject::Name(path.as_os_str().as_encoded_bytes().into()))
        }
        _ => None,
    }
}

/// Number of a subject.
pub(super) type HitId = u32;

/// Every subject of some findings.
#[derive(Debug)]
pub(super) struct Hits {
    /// By number: what it is, and the findings that stand in it, as positions in the list.
    pub(super) all: Vec<(Subject, Vec<usize>)>,
    numbers: HashMap<Subject, HitId>,
    blobs: TokenMap<HitId>,
    /// A bit for the first two bytes of each blob's id: nearly every entry ends here.
    filter: Vec<u64>,
    finder: Option<AhoCorasick>,
}

impl Hits {
    /// Those of `findings`. `subject` says what an origin stands for.
    pub(super) fn new(
        findings: &[Finding],
        tokens: &Tokens,
        subject: impl Fn(&Finding, &Origin) -> Option<Subject>,
    ) -> Self {
        let mut hits = Self {
            all: Vec::new(),
            numbers: HashMap::new(),
            blobs: TokenMap::default(),
            filter: vec![0; 1 << 10],
            finder: None,
        };
        for (number, finding) in findings.iter().enumerate() {
            for occurrence in &finding.occurrences {
                if let Some(subject) = subject(finding, &occurrence.origin) {
                    hits.add(subject, number, tokens);
                }
            }
        }
        let names = hits.all.iter().filter_map(|(subject, _)| match subject {
            Subject::Name(name) => Some(name),
            Subject::Object(..) => None,
        });
        // Names are short and few; a search for them that cannot be built would find none.
        let names: Vec<_> = names.collect();
        hits.finder = (!names.is_empty())
            .then(|| AhoCorasick::new(&names).ok())
            .flatten();
        hits
    }

    fn add(&mut self, subject: Subject, finding: usize, tokens: &Tokens) {
        let next = self.all.len() as HitId;
        let number = *self.numbers.entry(subject.clone()).or_insert(next);
        if number == next {
            if let Subject::Object(Kind::Blob, id) = &subject {
                self.blobs.insert(tokens.id(id.as_bytes()), next);
                let (word, bit) = place(id.as_bytes());
                self.filter[word] |= bit;
            }
            self.all.push((subject, Vec::new()));
        }
        let findings = &mut self.all[number as usize].1;
        if findings.last() != Some(&finding) {
            findings.push(finding);
        }
    }

    /// Notes that the finding does not count in what has the number `hit`.
    pub(super) fn remove(&mut self, hit: HitId, finding: usize) {
        self.all[hit as usize].1.retain(|&it| it != finding);
    }

    /// The number of `subject`, if something was found in it.
    pub(super) fn number(&self, subject: &Subject) -> Option<HitId> {
        self.numbers.get(subject).copied()
    }

    /// The number of the blob with this raw id.
    #[inline]
    pub(super) fn blob(&self, id: &[u8], tokens: &Tokens) -> Option<HitId> {
        let (word, bit) = place(id);
        if self.filter[word] & bit == 0 {
            return None;
        }
        self.blobs.get(&tokens.id(id)).copied()
    }

    /// The short tokens of its blobs and names, which trees may have as entries.
    pub(super) fn shorts(&self, tokens: &Tokens) -> impl Iterator<Item = Short> {
        self.all.iter().filter_map(|(subject, _)| match subject {
            Subject::Object(Kind::Blob, id) => Some(short(tokens, id.as_bytes())),
            Subject::Name(name) => Some(short_name(tokens, name)),
            Subject::Object(..) => None,
        })
    }

    /// Whether something was found in `name` itself.
    pub(super) fn has_name(&self, name: &[u8]) -> bool {
        self.finder.is_some() && self.number(&Subject::Name(name.into())).is_some()
    }

    /// Whether one of the names may stand in a tree with this content.
    pub(super) fn may_name(&self, tree: &[u8]) -> bool {
        self.finder
            .as_ref()
            .is_some_and(|finder| finder.is_match(tree))
    }
}

#[inline]
fn place(id: &[u8]) -> (usize, u64) {
    let number = match id {
        [high, low, ..] => usize::from(*high) << 8 | usize::from(*low),
        _ => 0,
    };
    (number / 64, 1 << (number % 64))
}
