//! The keys that are there now, and where: what the entries of other scanners are held against.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};
use sha1::{Digest, Sha1};
use straykey::detect::Detector;
use straykey::finding::{Finding, Occurrence};
use straykey::location::Origin;
use straykey::rules::RuleSet;
use straykey::scan::{self, Progress};
use straykey::source::{Blob, Files};

/// Keys found in the files, and in versions of files that were asked for.
pub(super) struct Keys {
    top: PathBuf,
    detector: Detector,
    found: Vec<Finding>,
    /// Numbers of the keys in a version of a file, by commit (none: as it is now) and path.
    by_file: HashMap<(Option<String>, String), Vec<usize>>,
}

impl Keys {
    /// Scans the files below `top` by `rules`.
    pub(super) fn find(rules: &RuleSet, top: &Path) -> Result<Self> {
        let detector = Detector::new(rules);
        let progress = Progress::default();
        let files = Files::new(vec![top.to_path_buf()]);
        let report = scan::run(&files, &detector, &progress);
        if let Some(unread) = report.not_scanned.iter().find(|it| it.incomplete) {
            bail!(
                "{}: {}; nothing has been imported",
                unread.path,
                unread.reason
            );
        }
        let mut keys = Self {
            top: top.to_path_buf(),
            detector,
            found: Vec::new(),
            by_file: HashMap::new(),
        };
        for finding in report.findings {
            let mut paths: Vec<String> = finding
                .occurrences
                .iter()
                .filter_map(|occurrence| keys.path_of(occurrence))
                .collect();
            paths.dedup();
            let number = keys.found.len();
            for path in paths {
                keys.by_file.entry((None, path)).or_default().push(number);
            }
            keys.found.push(finding);
        }
        Ok(keys)
    }

    /// The finding number `key`.
    pub(super) fn finding(&self, key: usize) -> &Finding {
        &self.found[key]
    }

    /// All keys.
    pub(super) fn all(&self) -> impl Iterator<Item = (usize, &Finding)> {
        self.found.iter().enumerate()
    }

    /// The keys in the file `path`, in the version of `commit` or as it is now.
    pub(super) fn in_file(&mut self, commit: Option<&str>, path: &str) -> Vec<usize> {
        let path = self.inner(path);
        let place = (commit.map(str::to_owned), path);
        if let (Some(commit), None) = (commit, self.by_file.get(&place)) {
            let found = self.in_commit(commit, &place.1);
            self.by_file.insert(place.clone(), found);
        }
        self.by_file.get(&place).cloned().unwrap_or_default()
    }

    /// The keys with a part on line `line` of the file `path`.
    pub(super) fn at(&mut self, commit: Option<&str>, path: &str, line: u64) -> Vec<usize> {
        let mut found = self.in_file(commit, path);
        let path = self.inner(path);
        found.retain(|&key| {
            let mut here = self.found[key].occurrences.iter().filter(|occurrence| {
                let same = self.path_of(occurrence).as_ref() == Some(&path);
                same && occurrence.origin.commit() == commit
            });
            here.any(|occurrence| {
                let parts = &mut occurrence.parts.iter();
                parts.any(|part| (part.span.start.line..=part.span.end.line).contains(&line))
            })
        });
        found
    }

    /// The path from the top, as other scanners write it.
    pub(super) fn path_of(&self, occurrence: &Occurrence) -> Option<String> {
        match &occurrence.origin {
            Origin::File(path) => Some(self.inner(&path.to_string_lossy())),
            Origin::Commit { path, .. } => Some(path.to_string_lossy().into_owned()),
            _ => None,
        }
    }

    fn inner(&self, path: &str) -> String {
        let inner = Path::new(path).strip_prefix(&self.top);
        let inner = inner.map_or(path, |it| it.to_str().unwrap_or(path));
        inner.trim_start_matches("./").replace('\\', "/")
    }

    /// Line `number` of the file `path`, as it is now.
    pub(super) fn line(&self, path: &str, number: u64) -> Vec<u8> {
        let content = std::fs::read(self.top.join(path)).unwrap_or_default();
        let mut lines = content.split(|&byte| byte == b'\n').zip(1..);
        let found = lines.find(|(_, at)| *at == number);
        found.map_or_else(Vec::new, |(line, _)| line.to_vec())
    }

    /// Finds the keys of `path` in `commit`, which is asked of git.
    fn in_commit(&mut self, commit: &str, path: &str) -> Vec<usize> {
        if !commit.bytes().all(|byte| byte.is_ascii_hexdigit()) || commit.len() < 7 {
            return Vec::new();
        }
        let output = Command::new("git")
            .arg("-C")
            .arg(&self.top)
            .args(["cat-file", "blob", &format!("{commit}:{path}")])
            .output();
        let Some(output) = output.ok().filter(|output| output.status.success()) else {
            return Vec::new();
        };
        let origin = Origin::Commit {
            commit: commit.into(),
            path: path.into(),
        };
        let found = self.detector.scan(&Blob::whole(&origin, &output.stdout));
        let mut numbers = Vec::new();
        for mut finding in found {
            let known = self
                .found
                .iter()
                .position(|it| it.fingerprint == finding.fingerprint);
            match known {
                Some(known) => {
                    self.found[known]
                        .occurrences
                        .append(&mut finding.occurrences);
                    numbers.push(known);
                }
                None => {
                    numbers.push(self.found.len());
                    self.found.push(finding);
                }
            }
        }
        numbers
    }
}

/// The values of a key: its access key ID and its secret.
pub(super) fn values(finding: &Finding) -> impl Iterator<Item = &[u8]> {
    let credential = &finding.credential;
    let id = credential.access_key_id.iter().map(String::as_bytes);
    let secret = credential
        .secret
        .iter()
        .map(straykey::secret::Secret::expose);
    id.chain(secret)
}

/// SHA-1 in hexadecimal, as detect-secrets keeps values.
pub(super) fn sha1(value: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(&Sha1::digest(value))
}
