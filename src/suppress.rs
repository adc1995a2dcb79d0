//! Which findings count: the one place where the baseline, comments beside the keys and excluded
//! paths take effect, for scans, hooks and histories alike.
//!
//! Nothing is taken out of a report. A finding that does not count says why, every format can show
//! it, and the summary counts it.

use std::path::{Component, Path, PathBuf};

use ignore::gitignore::{Gitignore, GitignoreBuilder};

use crate::baseline::Baseline;
use crate::date::Date;
use crate::finding::{Finding, Occurrence};
use crate::location::Origin;
use crate::report::Report;
use crate::standing::Standing;

/// What makes findings not count.
#[derive(Clone, Debug, Default)]
pub struct Suppressions {
    /// What is known.
    pub baseline: Baseline,
    /// Whether comments in the scanned text count.
    pub inline: bool,
    /// Paths in which nothing counts.
    pub excluded: Excluded,
}

impl Suppressions {
    /// Settles the standing of every finding of `report`, as of `today`. `whole`: the report is
    /// about everything that the baseline is for, so that it can tell which entries are unused.
    pub fn settle(&self, report: &mut Report, today: Date, whole: bool) {
        let judgement = self.baseline.judge(&report.findings, today);
        for (finding, known) in report.findings.iter_mut().zip(judgement.standings) {
            finding.standing = self.local(finding).unwrap_or(known);
        }
        if whole {
            report.unused_entries = judgement.unused.iter().map(|entry| entry.known()).collect();
        }
    }

    /// What comments and paths say, if they say something of each place.
    fn local(&self, finding: &Finding) -> Option<Standing> {
        // A history lists the first of very many places: the rest may be anywhere.
        let listed = finding.occurrences.len() as u64;
        let all_listed = finding
            .provenance
            .as_ref()
            .is_none_or(|it| it.places <= listed);
        let mut standing = None;
        for occurrence in &finding.occurrences {
            let here = self.at(occurrence, all_listed)?;
            // A comment says more than a path.
            if standing.is_none() || here != Standing::Excluded {
                standing = standing
                    .filter(|it| *it != Standing::Excluded)
                    .or(Some(here));
            }
        }
        standing
    }

    fn at(&self, occurrence: &Occurrence, all_listed: bool) -> Option<Standing> {
        if all_listed && self.excluded.holds(&occurrence.origin) {
            return Some(Standing::Excluded);
        }
        let allow = occurrence.allow.as_ref().filter(|_| self.inline)?;
        Some(Standing::Allowed(allow.clone()))
    }
}

/// Paths in which nothing counts: patterns as in a `.gitignore` at the top of the repository.
#[derive(Clone, Debug)]
pub struct Excluded {
    patterns: Gitignore,
    /// The top, absolute; empty where it is not known.
    top: PathBuf,
}

impl Default for Excluded {
    fn default() -> Self {
        Self {
            patterns: Gitignore::empty(),
            top: PathBuf::new(),
        }
    }
}

impl Excluded {
    /// The paths below `top`, the absolute path of a repository's top, that `patterns` match.
    ///
    /// # Errors
    /// The pattern that is none, and why.
    pub fn new(top: &Path, patterns: &[String]) -> Result<Self, String> {
        let mut builder = GitignoreBuilder::new("");
        for pattern in patterns {
            let added = builder.add_line(None, pattern);
            added.map_err(|error| format!("`{pattern}`: {error}"))?;
        }
        Ok(Self {
            patterns: builder.build().map_err(|error| error.to_string())?,
            top: top.to_path_buf(),
        })
    }

    /// Whether nothing counts at `origin`.
    fn holds(&self, origin: &Origin) -> bool {
        if self.patterns.is_empty() {
            return false;
        }
        match origin {
            Origin::File(path) => self.has_file(path),
            Origin::Index(path) | Origin::Commit { path, .. } | Origin::Name { path, .. } => {
                self.has(path)
            }
            _ => false,
        }
    }

    /// Whether `path`, from the top of the tree, is one of them.
    #[must_use]
    pub fn has(&self, path: &Path) -> bool {
        !path.has_root()
            && self
                .patterns
                .matched_path_or_any_parents(path, false)
                .is_ignore()
    }

    fn has_file(&self, path: &Path) -> bool {
        let Ok(path) = std::path::absolute(path) else {
            return false;
        };
        // Without `..`, which would lead out of an excluded directory.
        if path.components().any(|it| it == Component::ParentDir) {
            let Ok(path) = path.canonicalize() else {
                return false;
            };
            return self.below_top(&path);
        }
        self.below_top(&path)
    }

    fn below_top(&self, path: &Path) -> bool {
        let inner = path.strip_prefix(&self.top);
        inner.is_ok_and(|inner| self.has(inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn excluded(patterns: &[&str]) -> Excluded {
        let patterns: Vec<String> = patterns.iter().map(|&it| it.to_owned()).collect();
        Excluded::new(Path::new("/top"), &patterns).unwrap()
    }

    #[test]
    fn patterns_are_those_of_gitignore() {
        let paths = excluded(&["/docs/", "*.sample", "!real.sample"]);
        let has = |path: &str| paths.has(Path::new(path));
        assert!(has("docs/a/b") && has("x/y.sample"));
        assert!(!has("x/docs/a") && !has("real.sample") && !has("docs2/a"));
        assert!(!Excluded::default().has(Path::new("docs/a")));
        assert!(Excluded::new(Path::new("/"), &["[z-a]".to_owned()]).is_err());
    }

    #[test]
    fn files_are_told_by_their_place_below_the_top() {
        let paths = excluded(&["/docs/"]);
        let holds = |path: &str| paths.holds(&Origin::File(path.into()));
        assert!(holds("/top/docs/a"));
        assert!(!holds("/top/docs/../a") && !holds("/docs/a") && !holds("/other/docs/a"));
        assert!(!paths.holds(&Origin::Stdin));
    }
}
