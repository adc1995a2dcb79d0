//! The baseline: credentials that are known, and do not block again until their time is over.
//!
//! It is a directory, `.straykey-baseline/`, with one small file a credential (see [`Entry`]).
//! Two branches that both change it touch the same file only if they say different things of the
//! same credential, so that they merge without conflict whatever git makes of it and wherever it
//! is merged. In one sorted file, two branches that add an entry at the same place conflict.
//!
//! An entry knows values, not places: the access key ID and the secret, as keyed hashes. A finding
//! is known if each of its values is. So a moved credential stays known, one that is paired
//! otherwise after an edit does too, and a new secret beside a known ID is new.

mod entry;
mod store;

use std::collections::{BTreeSet, HashMap};

pub use entry::{Entry, Note};
pub use store::{BaselineError, DIRECTORY};

use crate::date::Date;
use crate::finding::{Finding, Fingerprint};
use crate::standing::{Known, Standing};
use entry::{Salt, Tag};

/// What is known. Empty by default.
#[derive(Clone, Debug, Default)]
pub struct Baseline {
    /// Sorted by name.
    entries: Vec<Entry>,
    /// For each salt in use: the entries by the tags of their credentials and of their values.
    index: HashMap<Salt, HashMap<Tag, Vec<usize>>>,
}

/// What a baseline says of findings.
#[derive(Debug, Default)]
pub struct Judgement {
    /// In the order of the findings.
    pub standings: Vec<Standing>,
    /// Entries that stand for none of them.
    pub unused: Vec<Entry>,
}

impl Baseline {
    fn new(mut entries: Vec<Entry>) -> Self {
        entries.sort_by(|one, other| one.name().cmp(other.name()));
        let mut index: HashMap<Salt, HashMap<Tag, Vec<usize>>> = HashMap::new();
        for (number, entry) in entries.iter().enumerate() {
            let tags: BTreeSet<Tag> = entry.tags().collect();
            let of_salt = index.entry(entry.salt()).or_default();
            for tag in tags {
                of_salt.entry(tag).or_default().push(number);
            }
        }
        Self { entries, index }
    }

    /// The same with `more`.
    #[must_use]
    pub fn with_entries(&self, more: &[Entry]) -> Self {
        Self::new([&self.entries, more].concat())
    }

    /// The entries, sorted by name.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// What the baseline says of each of `findings` on the day `today`.
    #[must_use]
    pub fn judge(&self, findings: &[Finding], today: Date) -> Judgement {
        let mut used = BTreeSet::new();
        let standings = findings
            .iter()
            .map(|finding| self.standing(finding, today, &mut used))
            .collect();
        let unused = |(number, _): &(usize, &Entry)| !used.contains(number);
        let unused = self.entries.iter().enumerate().filter(unused);
        Judgement {
            standings,
            unused: unused.map(|(_, entry)| entry.clone()).collect(),
        }
    }

    /// Entries made for `finding` itself decide, the strictest of them; without one, each of its
    /// values needs an entry whose time is not over.
    fn standing(&self, finding: &Finding, today: Date, used: &mut BTreeSet<usize>) -> Standing {
        if self.entries.is_empty() {
            return Standing::New;
        }
        let values: Vec<Vec<usize>> = values(finding).iter().map(|it| self.with(*it)).collect();
        used.extend(values.iter().flatten());
        let own: Vec<usize> = self.with(finding.fingerprint);
        used.extend(&own);
        let until = |number: &usize| self.entries[*number].until().unwrap_or(Date::MAX);
        let deciding: Option<Vec<usize>> = match own.iter().copied().min_by_key(until) {
            Some(strictest) => Some(vec![strictest]),
            None => values
                .iter()
                .map(|it| it.iter().copied().max_by_key(until))
                .collect(),
        };
        let strictest = deciding.and_then(|it| it.into_iter().min_by_key(until));
        match strictest {
            None => Standing::New,
            Some(number) if until(&number) < today => Standing::Expired(self.known(number)),
            Some(number) => Standing::Baselined(self.known(number)),
        }
    }

    /// The entries that hold `value`.
    fn with(&self, value: Fingerprint) -> Vec<usize> {
        let found = self
            .index
            .iter()
            .filter_map(|(salt, tags)| tags.get(&salt.tag(value)));
        found.flatten().copied().collect()
    }

    /// The entries that were made for `finding` itself.
    pub fn entries_of(&self, finding: &Finding) -> impl Iterator<Item = &Entry> {
        let own = self.with(finding.fingerprint).into_iter();
        let entries = own.map(|number| &self.entries[number]);
        let fingerprint = finding.fingerprint;
        entries.filter(move |entry| entry.is_for(fingerprint))
    }

    fn known(&self, number: usize) -> Known {
        self.entries[number].known()
    }

    /// Entries for those of `findings` that the baseline does not hold yet, all with `note`. They
    /// use the salt of the entries there are, or a new one.
    ///
    /// # Errors
    /// If the system has no randomness to give.
    pub fn entries_for<'f>(
        &self,
        findings: impl IntoIterator<Item = &'f Finding>,
        note: &Note,
    ) -> Result<Vec<Entry>, BaselineError> {
        // The salt of most entries; the smaller of two, so that everybody takes the same.
        let common = |salt: &&Salt| (self.index[*salt].len(), std::cmp::Reverse(**salt));
        let salt = match self.index.keys().max_by_key(common) {
            Some(salt) => *salt,
            None => Salt::random()?,
        };
        let new = findings
            .into_iter()
            .filter(|finding| self.with(finding.fingerprint).is_empty())
            .map(|finding| {
                Entry::new(
                    salt,
                    &finding.rule,
                    finding.fingerprint,
                    &values(finding),
                    note,
                )
            });
        Ok(new.collect())
    }
}

/// What a finding is known by: the access key ID and the secret, each as if it stood alone. A
/// finding of another provider has one value, its secret.
fn values(finding: &Finding) -> Vec<Fingerprint> {
    let credential = &finding.credential;
    let secret = credential
        .secret
        .as_ref()
        .map(crate::secret::Secret::expose);
    match (&credential.access_key_id, secret) {
        (Some(id), Some(secret)) => vec![
            Fingerprint::of_aws(id.as_bytes(), b""),
            Fingerprint::of_aws(b"", secret),
        ],
        _ => vec![finding.fingerprint],
    }
}

#[cfg(test)]
mod tests;
