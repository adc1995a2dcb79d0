//! Detection: from bytes to findings. Pure: no I/O, no verification.

mod aws;
mod check;
pub mod generic;
mod inline;
mod prefilter;
#[cfg(test)]
mod testing;
mod view;

pub use check::{Failure, check};

use std::ops::Range;

use crate::finding::Finding;
use crate::location::Span;
use crate::rules::RuleSet;
use crate::source::Blob;

/// Finds credentials in blobs. Shared by all threads.
#[derive(Clone, Debug)]
pub struct Detector {
    aws: aws::AwsDetector,
    generic: generic::GenericDetector,
    inline: inline::Inline,
}

impl Detector {
    /// A detector for `rules`.
    #[must_use]
    pub fn new(rules: &RuleSet) -> Self {
        Self {
            aws: aws::AwsDetector::new(&rules.aws()),
            generic: generic::GenericDetector::new(rules),
            inline: inline::Inline::new(rules),
        }
    }

    /// Every credential that starts in the blob's core, one finding each, with all its places in
    /// this blob; sorted by first place.
    #[must_use]
    pub fn scan(&self, blob: &Blob<'_>) -> Vec<Finding> {
        if self.generic.allows_blob(blob) {
            return Vec::new();
        }
        let mut findings = self.aws.scan(blob);
        findings.retain_mut(|finding| self.generic.keeps(blob, finding));
        let aws = findings.len();
        findings.extend(self.generic.scan(blob));
        if aws > 0 && findings.len() > aws {
            drop_repeated(&mut findings, aws);
        }
        if !findings.is_empty() {
            self.inline.mark(blob, &mut findings);
        }
        findings
    }

    /// Whether conditions of rules and allowlists on paths or commits may leave out `finding` at some
    /// of its places: while these are not known ([`crate::location::Origin::Object`]), none is.
    #[must_use]
    pub fn depends_on_place(&self, finding: &Finding) -> bool {
        self.generic.depends_on_place(&finding.rule)
    }

    /// Ids of rules that look at paths and at no content: they find nothing in objects whose paths
    /// are not known.
    #[must_use]
    pub fn path_rules(&self) -> Vec<std::sync::Arc<str>> {
        self.generic.path_rules()
    }

    /// As [`Detector::scan`] of a whole blob; and whether anything in it was worth a close look.
    ///
    /// Where `changed` is given, the blob is a version of one in which nothing was, and these are
    /// the sorted ranges of bytes that are new, empty ones where other bytes were taken out: only
    /// there anything can be.
    #[must_use]
    pub fn scan_version(
        &self,
        blob: &Blob<'_>,
        changed: Option<&[Range<usize>]>,
    ) -> (Vec<Finding>, bool) {
        match self.notices(blob.bytes, changed) {
            true => (self.scan(blob), true),
            false => (Vec::new(), false),
        }
    }

    /// Whether anything in `bytes` is worth a close look, as [`Detector::scan_version`] tells.
    pub(crate) fn notices(&self, bytes: &[u8], changed: Option<&[Range<usize>]>) -> bool {
        self.aws.notices(bytes, changed) || self.generic.notices(bytes, changed)
    }
}

/// Rules for keys of stores that are spoken to like S3: people give these keys AWS's names.
const KEYS_OF_OTHER_STORES: [&str; 1] = ["yandex-aws-access-token"];

/// Lets each place be reported once: drops places where a rule saw what the AWS detector (the
/// first `aws` findings) reports, and findings that have no other place. Only a secret alone, which
/// AWS's detector knows by its name, gives way to a rule that knows another store's keys.
fn drop_repeated(findings: &mut Vec<Finding>, aws: usize) {
    let mut rules = findings.split_off(aws);
    let is_of_other_store = |finding: &&Finding| KEYS_OF_OTHER_STORES.contains(&&*finding.rule);
    let stores = spans(rules.iter().filter(is_of_other_store));
    let alone = |finding: &Finding| finding.credential.access_key_id.is_none();
    drop_places(
        findings.iter_mut().filter(|finding| alone(finding)),
        &stores,
    );
    drop_places(rules.iter_mut(), &spans(findings.iter()));
    findings.append(&mut rules);
    findings.retain(|finding| !finding.occurrences.is_empty());
    findings.sort_by(|one, other| {
        (&one.occurrences, one.fingerprint).cmp(&(&other.occurrences, other.fingerprint))
    });
}

/// Where all parts of `findings` stand.
fn spans<'f>(findings: impl Iterator<Item = &'f Finding>) -> Vec<Span> {
    findings
        .flat_map(|finding| &finding.occurrences)
        .flat_map(|occurrence| &occurrence.parts)
        .map(|part| part.span)
        .collect()
}

/// Drops places of `findings` that overlap with `taken`.
fn drop_places<'f>(findings: impl Iterator<Item = &'f mut Finding>, taken: &[Span]) {
    for finding in findings {
        finding.occurrences.retain(|occurrence| {
            !occurrence.parts.iter().any(|part| {
                let overlaps =
                    |span: &Span| span.start < part.span.end && part.span.start < span.end;
                taken.iter().any(overlaps)
            })
        });
    }
}
