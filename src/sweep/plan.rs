//! Planning: what repositories there are, and which of them need a look. Pages go into the store
//! as they come, so that memory does not grow with the number of repositories.

use std::collections::HashSet;
use std::fs;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

use super::forge::{Forge, ForgeError};
use super::metrics::Metrics;
use super::patience::Patience;
use super::store::{Listing, Store, StoreError};
use super::target::{Repository, Target, TargetError};
use crate::source::git::Repository as GitRepository;

/// Which repositories are left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filters {
    /// Leave out archived ones.
    pub no_archived: bool,
    /// Leave out forks.
    pub no_forks: bool,
    /// Only those of this visibility.
    pub visibility: Option<String>,
    /// Leave out those larger than this, in KiB.
    pub max_size_kib: Option<u64>,
    /// Only those whose name matches this pattern (`*` and `?`).
    pub only: Option<String>,
    /// Leave out those whose last push is before this date (`2026-01-31`).
    pub pushed_since: Option<String>,
}

impl Filters {
    /// Whether `repository` is to be swept. What its forge does not tell lets it in.
    #[must_use]
    pub fn let_in(&self, repository: &Repository) -> bool {
        let visible = self.visibility.as_ref().is_none_or(|wanted| {
            repository.visibility == "unknown" || repository.visibility == *wanted
        });
        let small = match (self.max_size_kib, repository.size_kib) {
            (Some(most), Some(size)) => size <= most,
            _ => true,
        };
        // ISO 8601 sorts as text.
        let recent = match (&self.pushed_since, &repository.pushed_at) {
            (Some(since), Some(pushed)) => pushed >= since,
            _ => true,
        };
        let named = self
            .only
            .as_ref()
            .is_none_or(|pattern| matches(pattern, &repository.name));
        visible
            && small
            && recent
            && named
            && !(self.no_archived && repository.archived)
            && !(self.no_forks && repository.fork)
    }
}

/// Whether `text` as a whole, or what follows its last slash, matches `pattern`, in which `*`
/// stands for any run of characters and `?` for any one.
fn matches(pattern: &str, text: &str) -> bool {
    let last = text.rsplit('/').next().unwrap_or(text);
    let (pattern, whole, last): (Vec<char>, Vec<char>, Vec<char>) = (
        pattern.chars().collect(),
        text.chars().collect(),
        last.chars().collect(),
    );
    fits(&pattern, &whole) || fits(&pattern, &last)
}

/// Greedy with one place to return to: never more than the product of both lengths.
fn fits(pattern: &[char], text: &[char]) -> bool {
    let (mut at, mut read) = (0, 0);
    let mut back: Option<(usize, usize)> = None;
    while read < text.len() {
        match pattern.get(at) {
            Some('*') => {
                back = Some((at, read));
                at += 1;
            }
            Some(&letter) if letter == '?' || letter == text[read] => {
                at += 1;
                read += 1;
            }
            _ => {
                let Some((star, from)) = back else {
                    return false;
                };
                back = Some((star, from + 1));
                at = star + 1;
                read = from + 1;
            }
        }
    }
    pattern[at..].iter().all(|&letter| letter == '*')
}

/// Why a target could not be listed to its end.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PlanError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The forge failed.
    #[error("{target}: {source}")]
    Forge {
        /// Which target.
        target: String,
        /// Why.
        source: ForgeError,
    },
    /// A list of URLs is wrong.
    #[error("{file}, line {line}: {source}")]
    Line {
        /// Which file; `-` for standard input.
        file: String,
        /// Line, from 1.
        line: usize,
        /// Why.
        source: TargetError,
    },
    /// A URL is wrong.
    #[error(transparent)]
    Url(#[from] TargetError),
    /// Something could not be read.
    #[error("{path}: {source}")]
    Io {
        /// What.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// A folder has no repository in it.
    #[error("{0}: there is no git repository in it")]
    NoRepository(String),
}

/// Lists targets into a store.
pub struct Planner<'p> {
    /// Where to.
    pub store: &'p Store,
    /// Version of the rules.
    pub rule_set: &'p str,
    /// What is left out.
    pub filters: &'p Filters,
    /// Which forge to ask for a target.
    pub forge: &'p dyn Fn(&Target) -> Result<Forge, ForgeError>,
    /// What is counted.
    pub metrics: &'p Metrics,
    /// How long the database may be away.
    pub patience: Patience<'p>,
}

/// Repositories written at a time.
const BATCH: usize = 200;
/// Folders below this depth are not looked into.
const DEEPEST: usize = 8;

impl Planner<'_> {
    /// Lists `target` and makes jobs for what may have changed. Returns how many repositories it
    /// has, without those left out.
    ///
    /// # Errors
    /// Where it cannot be listed to its end; what was listed until then stays.
    pub fn plan(&self, target: &Target) -> Result<u64, PlanError> {
        let begin = || self.store.begin_listing(&target.to_string(), self.rule_set);
        let mut listing = self.patience.call(begin)?;
        let result = self.list(target, &mut listing);
        let reason = result.as_ref().err().map(ToString::to_string);
        let end = || self.store.end_listing(&listing, reason.as_deref());
        self.patience.call(end)?;
        result.map(|()| listing.listed())
    }

    fn list(&self, target: &Target, listing: &mut Listing) -> Result<(), PlanError> {
        match target {
            Target::Url(url) => self.add(listing, vec![Repository::of_url(url)?]),
            Target::File(path) => {
                let file = fs::File::open(path).map_err(|source| failed(path, source))?;
                self.urls(&path.display().to_string(), BufReader::new(file), listing)
            }
            Target::Stdin => self.urls("-", io::stdin().lock(), listing),
            Target::Folder(path) => self.folder(path, listing),
            Target::Forge { .. } => {
                let failed = |source| PlanError::Forge {
                    target: target.to_string(),
                    source,
                };
                let forge = (self.forge)(target).map_err(failed)?;
                for page in forge.pages(self.store) {
                    self.add(listing, page.map_err(failed)?)?;
                }
                Ok(())
            }
        }
    }

    fn add(&self, listing: &mut Listing, mut more: Vec<Repository>) -> Result<(), PlanError> {
        let all = more.len();
        more.retain(|repository| self.filters.let_in(repository));
        let left_out = (all - more.len()) as u64;
        self.patience
            .call(|| self.store.list(listing, &more, left_out))?;
        self.metrics.listed(more.len() as u64);
        Ok(())
    }

    fn urls(
        &self,
        file: &str,
        reader: impl BufRead,
        listing: &mut Listing,
    ) -> Result<(), PlanError> {
        let mut batch = Vec::new();
        for (number, line) in reader.lines().enumerate() {
            let line = line.map_err(|source| failed(Path::new(file), source))?;
            let url = line.trim();
            if url.is_empty() || url.starts_with('#') {
                continue;
            }
            batch.push(Repository::of_url(url).map_err(|source| PlanError::Line {
                file: file.to_owned(),
                line: number + 1,
                source,
            })?);
            if batch.len() == BATCH {
                self.add(listing, std::mem::take(&mut batch))?;
            }
        }
        self.add(listing, batch)
    }

    /// Lists the clones in `folder`. Symbolic links are not followed, and what is inside a clone
    /// is part of it.
    fn folder(&self, folder: &Path, listing: &mut Listing) -> Result<(), PlanError> {
        let top = fs::canonicalize(folder).map_err(|source| failed(folder, source))?;
        let mut left = vec![(top.clone(), 0)];
        let mut batch = Vec::new();
        let mut known = HashSet::new();
        while let Some((path, depth)) = left.pop() {
            if let Some(git_dir) = clone_in(&path) {
                if known.insert(git_dir.clone()) {
                    batch.push(local(&top, &path, &git_dir));
                }
            } else if depth < DEEPEST {
                let entries = fs::read_dir(&path).map_err(|source| failed(&path, source))?;
                let folders = entries
                    .flatten()
                    .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
                left.extend(folders.map(|entry| (entry.path(), depth + 1)));
            }
            if batch.len() == BATCH {
                self.add(listing, std::mem::take(&mut batch))?;
            }
        }
        self.add(listing, batch)?;
        match known.is_empty() {
            true => Err(PlanError::NoRepository(folder.display().to_string())),
            false => Ok(()),
        }
    }
}

fn failed(path: &Path, source: io::Error) -> PlanError {
    PlanError::Io {
        path: path.display().to_string(),
        source,
    }
}

/// The git directory of the clone whose top is `path`: linked work trees share theirs.
fn clone_in(path: &Path) -> Option<PathBuf> {
    let bare = path.join("HEAD").exists() && path.join("objects").is_dir();
    if !bare && !path.join(".git").exists() {
        return None;
    }
    let repository = GitRepository::discover(path).ok()?;
    fs::canonicalize(repository.common_dir()).ok()
}

fn local(top: &Path, path: &Path, git_dir: &Path) -> Repository {
    let inside = path.strip_prefix(top).unwrap_or(path);
    let name = match inside.as_os_str().is_empty() {
        true => path.file_name().unwrap_or_default().to_string_lossy(),
        false => inside.to_string_lossy(),
    };
    let owner = name.rsplit_once('/').map_or("local", |(owner, _)| owner);
    Repository {
        url: git_dir.to_string_lossy().into_owned(),
        owner: owner.to_owned(),
        name: name.clone().into_owned(),
        visibility: "unknown".to_owned(),
        ..Repository::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        for (pattern, text, fit) in [
            ("acme/*", "acme/tools", true),
            ("tools", "acme/tools", true),
            ("*-infra", "acme/team/big-infra", true),
            ("t??ls", "acme/tools", true),
            ("t?ls", "acme/tools", false),
            ("", "acme/tools", false),
            ("*", "", true),
            ("a*b*c", "aXbXbc", true),
            ("a*b*c", "aXbXb", false),
        ] {
            assert_eq!(matches(pattern, text), fit, "{pattern} {text}");
        }
        let many = format!("{}b", "a*".repeat(500));
        assert!(!matches(&many, &"a".repeat(2000)));
    }

    #[test]
    fn what_the_forge_does_not_tell_lets_in() {
        let filters = Filters {
            no_archived: true,
            no_forks: true,
            visibility: Some("public".to_owned()),
            max_size_kib: Some(10),
            only: None,
            pushed_since: Some("2026-01-31".to_owned()),
        };
        let unknown = Repository {
            visibility: "unknown".to_owned(),
            ..Repository::default()
        };
        assert!(filters.let_in(&unknown));
        let with = |change: &dyn Fn(&mut Repository)| {
            let mut changed = unknown.clone();
            change(&mut changed);
            filters.let_in(&changed)
        };
        assert!(!with(&|it| it.archived = true));
        assert!(!with(&|it| it.fork = true));
        assert!(!with(&|it| it.visibility = "private".to_owned()));
        assert!(!with(&|it| it.size_kib = Some(11)));
        assert!(!with(
            &|it| it.pushed_at = Some("2026-01-30T23:59:59Z".to_owned())
        ));
        assert!(with(
            &|it| it.pushed_at = Some("2026-01-31T00:00:00Z".to_owned())
        ));
    }
}
