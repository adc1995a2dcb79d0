//! A rule as the engine runs it: what is expensive is done when its first keyword is met.

use std::sync::{Arc, OnceLock};

use regex_automata::meta::Regex;
use regex_automata::util::captures::Captures;
use regex_automata::{Anchored, Input};
use std::ops::Range;

use super::nearby::{is_name, next_beginning, stands_alone, window};
use super::shape::{Head, always_contains, heads, rare_byte};
use crate::location::Origin;
use crate::rules::pattern::{Allowlist, Pattern, Target};
use crate::rules::{Rule, RuleHandle, regex};

/// How far from its keyword a match may reach whose expression sets no bound, in bytes: less
/// than half a window's margin.
const REACH: usize = 12 * 1024;

/// One rule.
#[derive(Debug)]
pub(super) struct Compiled {
    pub(super) handle: RuleHandle,
    /// Allowlists of its file that name it.
    more: Vec<Allowlist>,
    pattern: OnceLock<Arc<Pattern>>,
    matcher: OnceLock<Option<Matcher>>,
    path: OnceLock<Option<Regex>>,
    filters: OnceLock<Vec<Filter>>,
}

/// Its expression, and where to look.
#[derive(Debug)]
pub(super) struct Matcher {
    pub(super) regex: Regex,
    /// Number of the group that is the secret; 0 for the first that is not empty.
    group: usize,
    pub(super) plan: Plan,
    /// How it begins, for versions of a text.
    pub(super) beginning: OnceLock<Option<Regex>>,
}

/// Where the matches of a rule can be.
#[derive(Debug)]
pub(super) enum Plan {
    /// At a known distance before a keyword; for each keyword, the ways to begin.
    Anchored(Vec<Vec<Anchor>>, usize),
    /// Within so many bytes of a keyword; and a byte that is in every match.
    Near(usize, Option<u8>),
    /// By itself, not far from a keyword.
    Nearby,
    /// Anywhere.
    Anywhere,
}

/// A way to begin, and where in it the keyword stands.
#[derive(Clone, Debug)]
pub(super) struct Anchor {
    pub(super) offset: usize,
    pub(super) head: Head,
}

impl Compiled {
    pub(super) fn new(handle: &RuleHandle, more: Vec<Allowlist>) -> Self {
        Self {
            handle: handle.clone(),
            more,
            pattern: OnceLock::new(),
            matcher: OnceLock::new(),
            path: OnceLock::new(),
            filters: OnceLock::new(),
        }
    }

    pub(super) fn rule(&self) -> &Rule {
        self.handle.rule()
    }

    pub(super) fn pattern(&self) -> &Pattern {
        self.pattern
            .get_or_init(|| self.handle.pattern().cloned().unwrap_or_default())
    }

    /// The compiled expression; none where the rule goes by the path alone.
    pub(super) fn matcher(&self) -> Option<&Matcher> {
        self.matcher
            .get_or_init(|| {
                let expression = self.pattern().regex.as_ref()?;
                let regex = regex::compile(expression).ok()?;
                let plan = plan(expression, self.pattern());
                Some(Matcher {
                    regex,
                    group: self.pattern().secret_group,
                    plan,
                    beginning: OnceLock::new(),
                })
            })
            .as_ref()
    }

    /// Whether the rule is for files of this path, as far as that can be told.
    pub(super) fn is_for(&self, path: PathOf<'_>) -> bool {
        let Some(expression) = &self.pattern().path else {
            return true;
        };
        let path = match path {
            PathOf::File(path) | PathOf::Name(path) => path,
            PathOf::Unknown => return true,
            PathOf::Message => return false,
        };
        let compiled = self.path.get_or_init(|| regex::compile(expression).ok());
        compiled.as_ref().is_some_and(|regex| regex.is_match(path))
    }

    pub(super) fn filters(&self) -> &[Filter] {
        let all = || self.pattern().allowlists.iter().chain(&self.more);
        self.filters
            .get_or_init(|| all().map(Filter::new).collect())
    }
}

fn plan(expression: &str, pattern: &Pattern) -> Plan {
    let Ok(hir) = regex::parse(expression) else {
        return Plan::Anywhere;
    };
    let keywords: Vec<Vec<u8>> = pattern
        .keywords
        .iter()
        .map(|keyword| keyword.clone().into_bytes())
        .collect();
    let short = keywords
        .iter()
        .any(|keyword| keyword.len() < super::grams::SHORTEST);
    if pattern.near_keyword && !short {
        return Plan::Nearby;
    }
    let longest = match hir.properties().maximum_len() {
        Some(longest) => longest,
        None if pattern.builtin => REACH,
        None => return Plan::Anywhere,
    };
    if keywords.is_empty() || short {
        return Plan::Anywhere;
    }
    if let Some(anchors) = heads(&hir).and_then(|heads| anchors(&heads, &keywords)) {
        return Plan::Anchored(anchors, longest);
    }
    match always_contains(&hir, &keywords) {
        true => Plan::Near(longest, rare_byte(&hir, &keywords)),
        false => Plan::Anywhere,
    }
}

/// For each keyword its anchors, if each way to begin holds one.
fn anchors(heads: &[Head], keywords: &[Vec<u8>]) -> Option<Vec<Vec<Anchor>>> {
    let mut anchors = vec![Vec::new(); keywords.len()];
    for head in heads {
        let (keyword, offset) = head.first_of(keywords)?;
        anchors[keyword].push(Anchor {
            offset,
            head: head.clone(),
        });
    }
    Some(anchors)
}

impl Matcher {
    /// The groups of the first match in `range` of `text`, which sees what stands round it.
    pub(super) fn captures(
        &self,
        text: &[u8],
        range: Range<usize>,
        anchored: bool,
    ) -> Option<Captures> {
        let mode = if anchored {
            Anchored::Yes
        } else {
            Anchored::No
        };
        let input = Input::new(text).range(range).anchored(mode);
        if !anchored && !self.regex.is_match(input.clone().earliest(true)) {
            return None;
        }
        let mut captures = self.regex.create_captures();
        self.regex.search_captures(&input, &mut captures);
        captures.is_match().then_some(captures)
    }

    /// Where the secret of a match stands, of which `whole` is a finding's part: nowhere if the
    /// group that it must be took no part.
    pub(super) fn secret(&self, captures: &Captures, whole: &Range<usize>) -> Range<usize> {
        let group = |number: usize| captures.get_group(number).map(|span| span.range());
        let secret = match self.group {
            0 => (1..captures.group_len())
                .filter_map(group)
                .find(|range| !range.is_empty()),
            number => Some(group(number).unwrap_or(whole.start..whole.start)),
        };
        secret.unwrap_or(whole.clone())
    }
}

impl Matcher {
    /// What stands by itself near the keyword at `name`, from `start` on.
    pub(super) fn values(&self, text: &[u8], name: &Range<usize>, start: usize) -> Vec<Captures> {
        let mut values = Vec::new();
        if !is_name(text, name) {
            return values;
        }
        let window = window(text, name);
        let mut start = start.max(window.start);
        while start < window.end {
            let Some(captures) = self.captures(text, start..window.end, false) else {
                break;
            };
            let Some(whole) = captures.get_match() else {
                break;
            };
            if stands_alone(text, &self.secret(&captures, &whole.range())) {
                start = whole.end().max(start + 1);
                values.push(captures);
            } else {
                start = next_beginning(text, whole.start());
            }
        }
        values
    }
}

/// The path that conditions of rules and allowlists are about.
#[derive(Clone, Copy, Debug)]
pub(super) enum PathOf<'p> {
    /// It is this.
    File(&'p str),
    /// It is this, and the text is the path itself.
    Name(&'p str),
    /// An object of a repository: which paths it has is found out later, and the conditions are
    /// looked at again then (`Detector::depends_on_place`). Until then nothing is left out.
    Unknown,
    /// A message has none.
    Message,
}

impl<'p> PathOf<'p> {
    /// That of `origin`, which is shown as `shown`.
    pub(super) fn new(origin: &Origin, shown: &'p str) -> Self {
        match origin {
            Origin::Object { kind: "blob", .. } => Self::Unknown,
            Origin::Object { .. } | Origin::Message { .. } => Self::Message,
            Origin::Name { .. } => Self::Name(shown),
            _ => Self::File(shown),
        }
    }

    fn is(self, matches: impl Fn(&str) -> bool) -> bool {
        matches!(self, Self::File(path) | Self::Name(path) if matches(path))
    }
}

/// A compiled allowlist.
#[derive(Debug)]
pub(super) struct Filter {
    list: Allowlist,
    paths: Vec<Regex>,
    regexes: Vec<Regex>,
}

/// What a filter looks at.
#[derive(Clone, Copy, Debug)]
pub(super) struct Subject<'s> {
    pub(super) path: PathOf<'s>,
    pub(super) commit: Option<&'s str>,
    pub(super) secret: &'s [u8],
    pub(super) whole: &'s [u8],
    pub(super) line: &'s [u8],
}

impl Filter {
    pub(super) fn new(list: &Allowlist) -> Self {
        let compile = |expressions: &[Arc<str>]| {
            expressions
                .iter()
                .filter_map(|expression| regex::compile(expression).ok())
                .collect()
        };
        Self {
            list: list.clone(),
            paths: compile(&list.paths),
            regexes: compile(&list.regexes),
        }
    }

    /// Whether the path or the commit alone decides that nothing there is a finding.
    pub(super) fn allows_blob(&self, path: PathOf<'_>, commit: Option<&str>) -> bool {
        let checks = [self.commit(commit), self.path(path)];
        let more = !self.list.regexes.is_empty() || !self.list.stopwords.is_empty();
        if self.list.all {
            !more && holds_all(checks)
        } else {
            checks.contains(&Some(true))
        }
    }

    /// Whether this is not a finding.
    pub(super) fn allows(&self, subject: &Subject<'_>) -> bool {
        let checks = [
            self.commit(subject.commit),
            self.path(subject.path),
            self.regex(subject),
            self.stopword(subject.secret),
        ];
        if self.list.all {
            holds_all(checks)
        } else {
            checks.contains(&Some(true))
        }
    }

    fn commit(&self, commit: Option<&str>) -> Option<bool> {
        let commits = &self.list.commits;
        let is = |commit: &str| {
            commits
                .iter()
                .any(|known| known.eq_ignore_ascii_case(commit))
        };
        (!commits.is_empty()).then(|| commit.is_some_and(is))
    }

    /// Whether it says something about paths or commits.
    pub(super) fn is_about_places(&self) -> bool {
        !self.paths.is_empty() || !self.list.commits.is_empty()
    }

    fn path(&self, path: PathOf<'_>) -> Option<bool> {
        let matches = |path: &str| self.paths.iter().any(|regex| regex.is_match(path));
        (!self.paths.is_empty()).then(|| path.is(matches))
    }

    fn regex(&self, subject: &Subject<'_>) -> Option<bool> {
        let target = match self.list.target {
            Target::Secret => subject.secret,
            Target::Match => subject.whole,
            Target::Line => subject.line,
        };
        (!self.regexes.is_empty()).then(|| self.regexes.iter().any(|regex| regex.is_match(target)))
    }

    fn stopword(&self, secret: &[u8]) -> Option<bool> {
        let words = &self.list.stopwords;
        (!words.is_empty()).then(|| {
            let folded = secret.to_ascii_lowercase();
            words
                .iter()
                .any(|word| memchr::memmem::find(&folded, word.as_bytes()).is_some())
        })
    }
}

fn holds_all<const N: usize>(checks: [Option<bool>; N]) -> bool {
    checks.contains(&Some(true)) && !checks.contains(&Some(false))
}
