//! Which credentials are asked about, where, and which are left alone and why. Pure: what
//! `--verify-dry-run` prints is what a run does.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::finding::{Credential, Finding, Fingerprint, KeyType, PartKind, Severity};
use crate::secret::Secret;
use crate::verdict::{Partition, SkipReason};

/// How many times STS is called for one access key ID in one partition. Secrets that were found
/// near it compete for these calls, and so do repetitions. Requests that were throttled or got no
/// answer don't count; they have limits of their own.
pub const CALLS_PER_ID: u32 = 3;

/// What may be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    /// The partitions to ask, whatever the findings hint at. Empty: those that the findings hint
    /// at, and `aws`.
    pub partitions: BTreeSet<Partition>,
    /// Whether canary tokens are asked about too, which alerts whoever planted them.
    pub canaries: bool,
    /// Account ids that may be asked about; empty: all.
    pub allowed_accounts: BTreeSet<String>,
    /// Account ids that may not. Wins over `allowed_accounts`.
    pub denied_accounts: BTreeSet<String>,
    /// How many access key IDs may be asked about.
    pub max_ids: usize,
}

impl Default for Scope {
    fn default() -> Self {
        Self {
            partitions: BTreeSet::new(),
            canaries: false,
            allowed_accounts: BTreeSet::new(),
            denied_accounts: BTreeSet::new(),
            max_ids: 100,
        }
    }
}

/// A secret to try with an access key ID.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Candidate<'f> {
    /// The secret access key.
    pub secret: &'f Secret,
    /// The session token, for temporary keys.
    pub session_token: Option<&'f Secret>,
}

/// A finding and the candidates that it brings, as indices into [`Group::candidates`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Which finding.
    pub fingerprint: Fingerprint,
    /// Its own secret.
    pub own: usize,
    /// Others found near its access key ID.
    pub others: Vec<usize>,
}

/// Everything that is to be asked of one access key ID.
#[derive(Clone, Debug)]
pub struct Group<'f> {
    /// The access key ID.
    pub access_key_id: &'f str,
    /// Its account, where that can be decoded.
    pub account_id: Option<&'f str>,
    /// Where to ask, in this order.
    pub partitions: Vec<Partition>,
    /// What to try, best first, without repetitions.
    pub candidates: Vec<Candidate<'f>>,
    /// Who wants to know.
    pub members: Vec<Member>,
    severity: Severity,
}

impl Group<'_> {
    /// The number of calls if every answer is the most laborious one.
    #[must_use]
    pub fn calls_at_most(&self) -> usize {
        let tries = (2 * self.candidates.len()).min(CALLS_PER_ID as usize);
        tries + self.partitions.len().saturating_sub(1)
    }
}

/// What a run will do.
#[derive(Clone, Debug, Default)]
pub struct Plan<'f> {
    /// What is asked about, worst findings first.
    pub groups: Vec<Group<'f>>,
    /// What is not, and why. Findings of which AWS knows nothing are in neither list.
    pub skipped: BTreeMap<Fingerprint, SkipReason>,
}

impl<'f> Plan<'f> {
    /// Plans the verification of `findings` within `scope`.
    #[must_use]
    pub fn new(findings: &'f [Finding], scope: &Scope) -> Self {
        let mut plan = Self::default();
        let mut places: HashMap<&str, usize> = HashMap::new();
        let mut gathered: Vec<Gathering<'f>> = Vec::new();
        for finding in findings {
            match asked_about(finding, scope) {
                Ok(None) => {}
                Ok(Some((id, candidate))) => {
                    let place = *places.entry(id).or_insert(gathered.len());
                    if place == gathered.len() {
                        gathered.push(Gathering::new(id, &finding.credential));
                    }
                    gathered[place].add(finding, candidate);
                }
                Err(reason) => {
                    plan.skipped.insert(finding.fingerprint, reason);
                }
            }
        }
        let gathered = gathered.into_iter();
        plan.groups = gathered.map(|it| it.finish(&scope.partitions)).collect();
        plan.keep_within_budget(scope.max_ids);
        plan
    }

    /// Keeps the worst `max_ids` groups. The sort is stable: equals stay in the order of the
    /// findings.
    fn keep_within_budget(&mut self, max_ids: usize) {
        self.groups
            .sort_by_key(|group| std::cmp::Reverse(group.severity));
        for group in self.groups.drain(max_ids.min(self.groups.len())..) {
            for member in group.members {
                self.skipped
                    .insert(member.fingerprint, SkipReason::OverBudget);
            }
        }
    }
}

/// A group while its findings come in. Own secrets are kept apart from alternatives: each was judged
/// the best one for its place, so all of them are tried before.
struct Gathering<'f> {
    group: Group<'f>,
    own: Numbered<'f>,
    others: Numbered<'f>,
}

/// Distinct candidates, numbered in the order in which they came.
#[derive(Default)]
struct Numbered<'f> {
    list: Vec<Candidate<'f>>,
    numbers: HashMap<Candidate<'f>, usize>,
}

impl<'f> Numbered<'f> {
    fn number(&mut self, candidate: Candidate<'f>) -> usize {
        *self.numbers.entry(candidate).or_insert_with(|| {
            self.list.push(candidate);
            self.list.len() - 1
        })
    }
}

impl<'f> Gathering<'f> {
    fn new(access_key_id: &'f str, credential: &'f Credential) -> Self {
        Self {
            group: Group {
                access_key_id,
                account_id: credential.account_id.as_deref(),
                partitions: Vec::new(),
                candidates: Vec::new(),
                members: Vec::new(),
                severity: Severity::Low,
            },
            own: Numbered::default(),
            others: Numbered::default(),
        }
    }

    fn add(&mut self, finding: &'f Finding, own: Candidate<'f>) {
        let group = &mut self.group;
        group.severity = group.severity.max(finding.severity);
        group.partitions.extend(&finding.credential.partition_hints);
        let others = finding.credential.alternatives.iter().map(|secret| {
            self.others.number(Candidate {
                secret,
                session_token: own.session_token,
            })
        });
        group.members.push(Member {
            fingerprint: finding.fingerprint,
            others: others.collect(),
            own: self.own.number(own),
        });
    }

    /// One list of candidates, without repetitions, and the members' numbers moved to it.
    fn finish(self, chosen: &BTreeSet<Partition>) -> Group<'f> {
        let (mut group, mut all) = (self.group, self.own);
        let places: Vec<usize> = self
            .others
            .list
            .into_iter()
            .map(|it| all.number(it))
            .collect();
        for other in group
            .members
            .iter_mut()
            .flat_map(|member| &mut member.others)
        {
            *other = places[*other];
        }
        group.candidates = all.list;
        group.settle_partitions(chosen);
        group
    }
}

impl Group<'_> {
    /// Hinted partitions first; then `aws`, because a text that lists regions hints at partitions
    /// that have nothing to do with the key. An explicit choice replaces both.
    fn settle_partitions(&mut self, chosen: &BTreeSet<Partition>) {
        if !chosen.is_empty() {
            self.partitions = chosen.iter().copied().collect();
            return;
        }
        let hinted: BTreeSet<Partition> = self.partitions.drain(..).collect();
        self.partitions.extend(&hinted);
        if !hinted.contains(&Partition::Aws) {
            self.partitions.push(Partition::Aws);
        }
    }
}

/// What to ask of `finding`: nothing (`Ok(None)`) where AWS could not know it, or why not.
fn asked_about<'f>(
    finding: &'f Finding,
    scope: &Scope,
) -> Result<Option<(&'f str, Candidate<'f>)>, SkipReason> {
    let credential = &finding.credential;
    let Some(id) = &credential.access_key_id else {
        return match has_aws_secret(finding) {
            true => Err(SkipReason::IdMissing),
            false => Ok(None),
        };
    };
    if credential.canary && !scope.canaries {
        return Err(SkipReason::Canary);
    }
    if refused(credential.account_id.as_deref(), scope) {
        return Err(SkipReason::AccountRefused);
    }
    if matches!(
        credential.key_type,
        Some(KeyType::ServiceBearer | KeyType::ContextSpecific)
    ) {
        return Err(SkipReason::NotSigning);
    }
    let secret = credential
        .secret
        .as_ref()
        .ok_or(SkipReason::SecretMissing)?;
    let session_token = credential.session_token.as_ref();
    if credential.key_type == Some(KeyType::Temporary) && session_token.is_none() {
        return Err(SkipReason::TokenMissing);
    }
    // A token that stands near a long-term key belongs to another one; with it STS would refuse.
    let session_token = session_token.filter(|_| credential.key_type != Some(KeyType::LongTerm));
    Ok(Some((
        id,
        Candidate {
            secret,
            session_token,
        },
    )))
}

fn has_aws_secret(finding: &Finding) -> bool {
    finding
        .occurrences
        .iter()
        .flat_map(|occurrence| &occurrence.parts)
        .any(|part| part.kind == PartKind::SecretAccessKey)
}

/// An account that cannot be decoded is not on the allow list.
fn refused(account: Option<&str>, scope: &Scope) -> bool {
    let listed = |list: &BTreeSet<String>| account.is_some_and(|account| list.contains(account));
    listed(&scope.denied_accounts)
        || (!scope.allowed_accounts.is_empty() && !listed(&scope.allowed_accounts))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{long_term, temporary};
    use super::*;

    fn plan<'f>(findings: &'f [Finding], scope: &Scope) -> Plan<'f> {
        Plan::new(findings, scope)
    }

    #[test]
    fn a_credential_is_asked_about_once() {
        let findings = [
            long_term("A", "one"),
            long_term("B", "two"),
            long_term("A", "one"),
        ];
        let plan = plan(&findings, &Scope::default());
        let asked: Vec<(&str, usize, usize)> = plan
            .groups
            .iter()
            .map(|it| (it.access_key_id, it.candidates.len(), it.members.len()))
            .collect();
        assert_eq!(asked, [("A", 1, 2), ("B", 1, 1)]);
        assert_eq!(plan.groups[0].calls_at_most(), 2);
    }

    #[test]
    fn own_secrets_come_before_alternatives() {
        let mut findings = [long_term("A", "one"), long_term("A", "two")];
        findings[0].credential.alternatives = vec![Secret::new(b"three"), Secret::new(b"two")];
        let plan = plan(&findings, &Scope::default());
        let group = &plan.groups[0];
        let order: Vec<&[u8]> = group
            .candidates
            .iter()
            .map(|it| it.secret.expose())
            .collect();
        // `two` is an alternative, too, and comes earlier for being another finding's own.
        assert_eq!(order, [&b"one"[..], b"two", b"three"]);
        let numbers = |index: usize| (group.members[index].own, &group.members[index].others[..]);
        assert_eq!(numbers(0), (0, &[2, 1][..]));
        assert_eq!(numbers(1), (1, &[][..]));
    }

    /// A file may hold one ID and any number of secrets.
    #[test]
    fn many_secrets_of_one_id_are_planned_in_linear_time() {
        let findings: Vec<Finding> = (0..100_000)
            .map(|number| long_term("A", &number.to_string()))
            .collect();
        let plan = plan(&findings, &Scope::default());
        assert_eq!(plan.groups[0].candidates.len(), findings.len());
        assert_eq!(plan.groups[0].calls_at_most(), 3);
    }

    #[test]
    fn partitions_are_hinted_at_or_chosen() {
        let mut findings = [long_term("A", "one"), long_term("B", "two")];
        findings[1].credential.partition_hints = [AwsUsGov, AwsCn].into();
        let partitions = |scope: &Scope| {
            let plan = Plan::new(&findings, scope);
            plan.groups
                .iter()
                .map(|it| it.partitions.clone())
                .collect::<Vec<_>>()
        };
        use Partition::{Aws, AwsCn, AwsUsGov};
        assert_eq!(
            partitions(&Scope::default()),
            [vec![Aws], vec![AwsCn, AwsUsGov, Aws]]
        );
        let chosen = Scope {
            partitions: [AwsUsGov].into(),
            ..Scope::default()
        };
        assert_eq!(partitions(&chosen), [vec![AwsUsGov], vec![AwsUsGov]]);
    }

    #[test]
    fn accounts_are_refused_by_either_list() {
        let mut findings = [long_term("A", "one"), long_term("B", "two")];
        findings[1].credential.account_id = None;
        let lists = |allowed: &[&str], denied: &[&str]| {
            let set = |list: &[&str]| list.iter().map(|it| (*it).to_owned()).collect();
            let scope = Scope {
                allowed_accounts: set(allowed),
                denied_accounts: set(denied),
                ..Scope::default()
            };
            let plan = Plan::new(&findings, &scope);
            plan.groups
                .iter()
                .map(|it| it.access_key_id)
                .collect::<String>()
        };
        assert_eq!(lists(&[], &[]), "AB");
        assert_eq!(lists(&["123456789012"], &[]), "A");
        assert_eq!(lists(&["999999999999"], &[]), "");
        assert_eq!(lists(&[], &["123456789012"]), "B");
        assert_eq!(lists(&["123456789012"], &["123456789012"]), "");
    }

    #[test]
    fn the_worst_are_asked_about_first() {
        let mut findings = [
            long_term("A", "1"),
            long_term("B", "2"),
            long_term("C", "3"),
        ];
        findings[0].severity = Severity::Medium;
        let scope = Scope {
            max_ids: 2,
            ..Scope::default()
        };
        let plan = plan(&findings, &scope);
        let asked: String = plan.groups.iter().map(|it| it.access_key_id).collect();
        assert_eq!(asked, "BC");
        let skipped: Vec<_> = plan.skipped.into_iter().collect();
        assert_eq!(skipped, [(findings[0].fingerprint, SkipReason::OverBudget)]);
    }

    #[test]
    fn kinds_of_keys() {
        let mut findings = vec![
            temporary("A", "one", "token"),
            temporary("B", "two", "token"),
            long_term("C", "three"),
            long_term("D", "four"),
            long_term("E", "five"),
        ];
        findings[1].credential.session_token = None;
        findings[2].credential.session_token = Some(Secret::new(b"somebody else's"));
        findings[3].credential.key_type = Some(KeyType::ServiceBearer);
        findings[4].credential.access_key_id = None;
        let plan = plan(&findings, &Scope::default());
        let tokens: Vec<bool> = plan
            .groups
            .iter()
            .map(|it| it.candidates[0].session_token.is_some())
            .collect();
        assert_eq!(tokens, [true, false]);
        assert_eq!(
            plan.skipped[&findings[1].fingerprint],
            SkipReason::TokenMissing
        );
        assert_eq!(
            plan.skipped[&findings[3].fingerprint],
            SkipReason::NotSigning
        );
        // Another provider's secret: AWS is not asked, and there is nothing to say.
        assert!(!plan.skipped.contains_key(&findings[4].fingerprint));
    }
}
