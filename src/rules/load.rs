//! From rule files to a [`RuleSet`]: `[extend]`, merging, and what can only be checked once all
//! rules are known.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::file::{self, FileRule, RuleFile};
use super::gitleaks::WITHOUT_COUNTERPART;
use super::pattern::{Allowlist, LONGEST_VALUE, Pattern, Search};
use super::value::Text;
use super::{DetectorKind, Rule, RuleError, RuleHandle, RuleSet, regex};
use crate::finding::{Confidence, Severity};

/// Longest rule file, in bytes.
const FILE_LIMIT: u64 = 16 << 20;
/// How many files may extend one another.
const DEPTH_LIMIT: usize = 8;

/// The keys of a rule that say how it is called and judged, and not what it finds.
const DESCRIBING: [&str; 10] = [
    "id",
    "description",
    "severity",
    "confidence",
    "tags",
    "source",
    "aliases",
    "test",
    "allowlist",
    "allowlists",
];

/// An allowlist and the rules it is for.
#[derive(Clone, Debug, PartialEq)]
pub struct TargetedAllowlist {
    /// Ids of the rules; all rules if there is none.
    pub rules: Vec<Arc<str>>,
    /// What is not a finding.
    pub allowlist: Allowlist,
}

impl RuleSet {
    /// The rules of the files `paths`, each of which extends the ones before it. The built-in
    /// rules belong to them where a file says `useDefault = true`, or is called `.straykey.toml`
    /// and does not say otherwise.
    ///
    /// # Errors
    ///
    /// A file that cannot be read, is not TOML, holds an unknown key or a value that cannot be
    /// used, names a rule that does not exist, or extends itself.
    pub fn load(paths: &[PathBuf]) -> Result<Self, RuleError> {
        let mut set = None;
        for path in paths {
            set = Some(load_file(path, &mut Vec::new(), set)?);
        }
        let set = match set {
            Some(set) => set,
            None => Self::empty()?,
        };
        set.check_required(paths.last().map(PathBuf::as_path))?;
        Ok(set)
    }

    /// The rules that the text of one file gives. `name` stands for the file in errors. The text
    /// may come from anywhere (a commit): nothing on disk is read for it.
    ///
    /// # Errors
    ///
    /// As [`RuleSet::load`].
    pub fn from_text(name: &str, text: &str) -> Result<Self, RuleError> {
        Self::from_text_in(None, name, text)
    }

    /// As [`RuleSet::from_text`]; files that it extends lie in `folder`, if there is one.
    ///
    /// # Errors
    ///
    /// As [`RuleSet::load`].
    pub fn from_text_in(folder: Option<&Path>, name: &str, text: &str) -> Result<Self, RuleError> {
        let set = build(
            Text {
                file: name,
                text,
                builtin: false,
            },
            folder,
            &mut Vec::new(),
            None,
        )?;
        set.check_required(Some(Path::new(name)))?;
        Ok(set)
    }

    fn check_required(&self, path: Option<&Path>) -> Result<(), RuleError> {
        for rule in &self.rules {
            for required in rule.required() {
                if self.rule(required).is_none() {
                    return Err(RuleError::Form {
                        file: path.unwrap_or(Path::new("")).display().to_string(),
                        message: format!(
                            "rule {} requires {required}, which is no rule",
                            rule.id()
                        ),
                    });
                }
            }
        }
        Ok(())
    }
}

fn load_file(
    path: &Path,
    chain: &mut Vec<PathBuf>,
    base: Option<RuleSet>,
) -> Result<RuleSet, RuleError> {
    let name = path.display().to_string();
    let unreadable = |error: std::io::Error| RuleError::Form {
        file: name.clone(),
        message: error.to_string(),
    };
    let length = std::fs::metadata(path).map_err(unreadable)?.len();
    if length > FILE_LIMIT {
        return Err(RuleError::Form {
            file: name,
            message: format!("longer than {FILE_LIMIT} bytes"),
        });
    }
    let text = std::fs::read_to_string(path).map_err(unreadable)?;
    chain.push(path.canonicalize().map_err(unreadable)?);
    let folder = path.parent().unwrap_or(Path::new("."));
    let set = build(
        Text {
            file: &name,
            text: &text,
            builtin: false,
        },
        Some(folder),
        chain,
        base,
    );
    chain.pop();
    set
}

fn build(
    text: Text<'_>,
    folder: Option<&Path>,
    chain: &mut Vec<PathBuf>,
    base: Option<RuleSet>,
) -> Result<RuleSet, RuleError> {
    let file = file::read(text)?;
    // Our own file adds to the built-in rules; any other replaces them, as gitleaks has it.
    let own = Path::new(text.file).file_name() == Some(".straykey.toml".as_ref());
    let use_default = file.extend.use_default.unwrap_or(own && base.is_none());
    let mut set = match (&file.extend.path, use_default) {
        (Some((path, at)), _) => {
            let Some(folder) = folder else {
                let message = "the file is not read from disk, and cannot extend another";
                return Err(text.error(*at, "path", message));
            };
            let path = extended(text, folder, path, *at, chain)?;
            load_file(&path, chain, base)?
        }
        (None, true) => RuleSet::builtin(),
        (None, false) => match base {
            Some(base) => base,
            None => RuleSet::empty()?,
        },
    };
    set.extend_with(text, file)?;
    Ok(set)
}

/// The file that `[extend] path` names: beside the file that says so, or else in the working
/// directory, where gitleaks looks.
fn extended(
    text: Text<'_>,
    folder: &Path,
    path: &str,
    at: usize,
    chain: &[PathBuf],
) -> Result<PathBuf, RuleError> {
    let beside = folder.join(path);
    let path = if beside.exists() {
        beside
    } else {
        PathBuf::from(path)
    };
    let real = path
        .canonicalize()
        .map_err(|error| text.error(at, "path", format!("{}: {error}", path.display())))?;
    if chain.contains(&real) {
        return Err(text.error(at, "path", "the file extends itself"));
    }
    if chain.len() >= DEPTH_LIMIT {
        let message = format!("more than {DEPTH_LIMIT} files extend one another");
        return Err(text.error(at, "path", message));
    }
    Ok(path)
}

impl RuleSet {
    /// Positions of the rules that `id` names, by id or by alias.
    fn named(&self, id: &str) -> Vec<usize> {
        // A rule that took the place of another of that name stands after it.
        if let Some(at) = self.rules.iter().rposition(|rule| rule.id() == id) {
            return vec![at];
        }
        (0..self.rules.len())
            .filter(|&at| self.rules[at].has_alias(id))
            .collect()
    }

    /// Takes rules out; those of the AWS detector stay known, but off.
    fn turn_off(&mut self, found: &[usize]) {
        let mut at = 0;
        self.rules.retain_mut(|rule| {
            let off = found.contains(&at);
            at += 1;
            if off {
                rule.switch(false);
            }
            !off || !rule.is_pattern()
        });
    }

    fn extend_with(&mut self, text: Text<'_>, file: RuleFile) -> Result<(), RuleError> {
        for (id, at) in &file.extend.disabled_rules {
            let found = self.named(id);
            if found.is_empty() && !WITHOUT_COUNTERPART.contains(&id.as_str()) {
                return Err(text.error(*at, "disabledRules", format!("no rule {id}")));
            }
            self.turn_off(&found);
        }
        for rule in file.rules {
            self.add(text, rule)?;
        }
        for (id, severity, at) in file.severities {
            let found = self.named(&id);
            if found.is_empty() {
                return Err(text.error(at, "severities", format!("no rule {id}")));
            }
            for at in found {
                self.rules[at].set_severity(severity);
            }
        }
        self.settings.extend(file.settings);
        for entry in file.allowlists {
            let mut rules = Vec::new();
            for (id, at) in &entry.target_rules {
                let found = self.named(id);
                if found.is_empty() && !WITHOUT_COUNTERPART.contains(&id.as_str()) {
                    return Err(text.error(*at, "targetRules", format!("no rule {id}")));
                }
                rules.extend(found.into_iter().map(|at| self.rules[at].id().into()));
            }
            if rules.is_empty() && !entry.target_rules.is_empty() {
                continue;
            }
            self.allowlists.push(TargetedAllowlist {
                rules,
                allowlist: entry.allowlist,
            });
        }
        Ok(())
    }

    /// Adds a rule of a file, or changes the ones that it names.
    fn add(&mut self, text: Text<'_>, rule: FileRule) -> Result<(), RuleError> {
        let found = self.named(&rule.id);
        let new = rule.regex.is_some() || (rule.path.is_some() && found.is_empty());
        if found.is_empty() && !new && WITHOUT_COUNTERPART.contains(&&*rule.id) {
            return Ok(());
        }
        let same_id = found.len() == 1 && self.rules[found[0]].id() == &*rule.id;
        let pattern = found
            .first()
            .and_then(|&at| self.rules[at].pattern().cloned());
        match (new, same_id, pattern) {
            // Another expression under the name of rules that are ours: it takes their place.
            (true, false, _) | (true, true, None) => {
                self.turn_off(&found);
                self.rules
                    .push(RuleHandle::own(new_rule(text, rule, None)?));
            }
            (true, true, Some(pattern)) => {
                let merged = merge(text, self.rules[found[0]].rule(), &pattern, &rule)?;
                self.rules[found[0]] = RuleHandle::own(merged);
            }
            (false, _, _) if found.is_empty() => {
                let message = format!("rule {} has neither regex nor path", rule.id);
                return Err(text.error(rule.at, "regex", message));
            }
            (false, _, _) => self.change(text, &found, &rule)?,
        }
        Ok(())
    }

    fn change(
        &mut self,
        text: Text<'_>,
        found: &[usize],
        rule: &FileRule,
    ) -> Result<(), RuleError> {
        let ids: Vec<Arc<str>> = found.iter().map(|&at| self.rules[at].id().into()).collect();
        for &at in found {
            if let Some(pattern) = self.rules[at].pattern().cloned() {
                let merged = merge(text, self.rules[at].rule(), &pattern, rule)?;
                self.rules[at] = RuleHandle::own(merged);
                continue;
            }
            let mut keys = rule.keys.iter();
            if let Some((key, place)) =
                keys.find(|(key, _)| !DESCRIBING.contains(&&*key.to_lowercase()))
            {
                let message = format!("cannot be changed for {}, which code finds", rule.id);
                return Err(text.error(*place, key, message));
            }
            let mut changed = self.rules[at].rule().clone();
            describe(&mut changed, rule);
            self.rules[at].replace(changed);
            let listed = rule.allowlists.iter().map(|allowlist| TargetedAllowlist {
                rules: ids.clone(),
                allowlist: allowlist.clone(),
            });
            self.allowlists.extend(listed);
        }
        Ok(())
    }
}

/// A rule of its own. One of the library says where its keywords are worth looking for.
pub(super) fn new_rule(
    text: Text<'_>,
    rule: FileRule,
    library: Option<Search>,
) -> Result<Rule, RuleError> {
    let builtin = library.is_some();
    check_groups(text, &rule)?;
    check_near_keyword(text, &rule)?;
    let severity = rule.severity.unwrap_or(Severity::High);
    let description = rule.description.unwrap_or_else(|| rule.id.to_string());
    let confidence = rule.confidence.unwrap_or(Confidence::Medium);
    Ok(Rule {
        id: rule.id,
        description: description.into(),
        detector: DetectorKind::Pattern,
        severity,
        confidence,
        source: rule.source.unwrap_or_default(),
        aliases: rule.aliases,
        test: Arc::new(rule.test),
        pattern: Some(Arc::new(Pattern {
            regex: rule.regex.map(|regex| regex.text),
            path: rule.path.map(|path| path.text),
            secret_group: rule.secret_group.map_or(0, |(group, _)| group),
            entropy: rule.entropy.filter(|&entropy| entropy > 0.0),
            near_keyword: rule.near_keyword.is_some_and(|(near, _)| near),
            keywords: rule.keywords,
            tags: rule.tags,
            allowlists: rule.allowlists,
            required: rule
                .required
                .into_iter()
                .map(|(required, _)| required)
                .collect(),
            skip_report: rule.skip_report,
            checksum: rule.checksum,
            structure: rule.structure,
            refuse_placeholders: rule.placeholders.unwrap_or(builtin),
            builtin,
            search: library.unwrap_or_default(),
        })),
    })
}

/// `rule` laid over a rule of the same name, as gitleaks does it: what is given replaces,
/// allowlists, keywords and tags are added.
fn merge(
    text: Text<'_>,
    known: &Rule,
    pattern: &Pattern,
    rule: &FileRule,
) -> Result<Rule, RuleError> {
    let mut merged = known.clone();
    let mut changed = pattern.clone();
    describe(&mut merged, rule);
    if let Some(regex) = &rule.regex {
        check_group(text, rule, regex.groups)?;
        // Examples of the other expression say nothing of this one.
        merged.test = Arc::new(rule.test.clone());
        changed.regex = Some(regex.text.clone());
        changed.builtin = false;
        changed.search = Search::Everywhere;
        changed.refuse_placeholders = false;
        changed.structure = None;
        changed.checksum = None;
        changed.near_keyword = false;
    }
    if let Some((near, _)) = rule.near_keyword {
        check_near_keyword(text, rule)?;
        changed.near_keyword = near;
    }
    if let Some(path) = &rule.path {
        changed.path = Some(path.text.clone());
    }
    if let Some((group, _)) = rule.secret_group.filter(|(group, _)| *group > 0) {
        changed.secret_group = group;
    }
    changed.entropy = rule
        .entropy
        .filter(|&entropy| entropy > 0.0)
        .or(changed.entropy);
    changed.checksum = rule.checksum.or(changed.checksum);
    changed.structure = rule.structure.or(changed.structure);
    changed.refuse_placeholders = rule.placeholders.unwrap_or(changed.refuse_placeholders);
    changed.skip_report |= rule.skip_report;
    if !rule.keywords.is_empty() {
        changed.search = Search::Everywhere;
    }
    changed.keywords.extend(rule.keywords.iter().cloned());
    changed.tags.extend(rule.tags.iter().cloned());
    changed.allowlists.extend(rule.allowlists.iter().cloned());
    changed
        .required
        .extend(rule.required.iter().map(|(required, _)| required.clone()));
    merged.pattern = Some(Arc::new(changed));
    Ok(merged)
}

/// Whether a value near a keyword has a keyword, and a length to look for.
pub(super) fn check_near_keyword(text: Text<'_>, rule: &FileRule) -> Result<(), RuleError> {
    let at = match rule.near_keyword {
        // The library's own are checked when its index is made.
        Some((true, at)) if !text.builtin => at,
        _ => return Ok(()),
    };
    let parsed = rule
        .regex
        .as_ref()
        .and_then(|it| regex::parse(&it.text).ok());
    let longest = parsed.and_then(|it| it.properties().maximum_len());
    if rule.keywords.is_empty() || longest.is_none_or(|longest| longest > LONGEST_VALUE) {
        let message =
            format!("needs keywords, and a regex that matches at most {LONGEST_VALUE} bytes");
        return Err(text.error(at, "nearKeyword", message));
    }
    Ok(())
}

/// Lays what `rule` says about a rule over `known`: how it is called and judged, not what it finds.
fn describe(known: &mut Rule, rule: &FileRule) {
    if let Some(description) = &rule.description {
        known.description = description.as_str().into();
    }
    if let Some(source) = &rule.source {
        known.source.clone_from(source);
    }
    known.severity = rule.severity.unwrap_or(known.severity);
    known.confidence = rule.confidence.unwrap_or(known.confidence);
    known.aliases.extend(rule.aliases.iter().cloned());
    let test = Arc::make_mut(&mut known.test);
    test.matching.extend(rule.test.matching.iter().cloned());
    test.not_matching
        .extend(rule.test.not_matching.iter().cloned());
}

/// Whether the group of the secret is one of the expression's.
pub(super) fn check_groups(text: Text<'_>, rule: &FileRule) -> Result<(), RuleError> {
    let groups = rule.regex.as_ref().map_or(0, |regex| regex.groups);
    check_group(text, rule, groups)
}

fn check_group(text: Text<'_>, rule: &FileRule, groups: usize) -> Result<(), RuleError> {
    match rule.secret_group {
        Some((group, at)) if group > groups => {
            Err(text.error(at, "secretGroup", format!("the regex has {groups} groups")))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
