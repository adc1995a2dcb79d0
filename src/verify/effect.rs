//! What a verdict does to a finding. Only a verdict that says that the credential is over may
//! lower the severity; nothing is ever hidden.

use std::collections::{BTreeMap, BTreeSet};

use crate::finding::{Credential, Finding, Fingerprint, Severity};
use crate::verdict::{Partition, SkipReason, Verdict};

/// Writes `verdicts` into `findings` and sorts the live ones to the front, root keys before all.
/// The order is otherwise kept.
pub fn apply(findings: &mut [Finding], mut verdicts: BTreeMap<Fingerprint, Verdict>) {
    for finding in findings.iter_mut() {
        if let Some(verdict) = verdicts.remove(&finding.fingerprint) {
            finding.severity = severity(finding, &verdict);
            finding.verdict = verdict;
        }
    }
    findings.sort_by_key(|finding| match finding.verdict.live() {
        Some(live) if live.is_root() => 0,
        Some(_) => 1,
        None => 2,
    });
}

/// The severity of `finding` once `verdict` is known.
///
/// - live: critical; a canary stays what it was, for being live is what it is for;
/// - expired: low;
/// - inactive: low for a long-term key, if every partition that the text around it hints at was
///   asked, and the text speaks of no store besides AWS that could have issued the key. A temporary
///   key keeps its severity: STS gives the same answer to a session token that was not read whole;
/// - all others: unchanged.
#[must_use]
pub fn severity(finding: &Finding, verdict: &Verdict) -> Severity {
    let credential = &finding.credential;
    match verdict {
        Verdict::Live(_) if credential.canary => finding.severity,
        Verdict::Live(_) => Severity::Critical,
        Verdict::Expired { .. } => Severity::Low,
        Verdict::Inactive { partitions } if doubt(credential, partitions).is_none() => {
            Severity::Low
        }
        _ => finding.severity,
    }
}

/// Why a key that is not known in `partitions` may be in use all the same, in a few words for people.
#[must_use]
pub fn doubt(credential: &Credential, partitions: &BTreeSet<Partition>) -> Option<&'static str> {
    if credential.session_token.is_some() {
        return Some("or its session token is not whole");
    }
    if credential.other_store {
        return Some("its file speaks of a store besides AWS that may have issued it");
    }
    let all_asked = credential.partition_hints.is_subset(partitions);
    (!all_asked).then_some("its file speaks of a partition that was not asked")
}

/// Whether the finding blocks where only live keys shall: it is live, or it was to be asked about
/// and there is no answer. A failed call must not unblock anything.
#[must_use]
pub fn blocks_as_live(finding: &Finding) -> bool {
    match &finding.verdict {
        Verdict::Live(_) => !finding.credential.canary,
        Verdict::Unknown(_) | Verdict::Skipped(SkipReason::OverBudget) => {
            finding.severity >= Severity::Medium
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{long_term, temporary};
    use super::*;
    use crate::verdict::{Cause, CauseKind, Live};

    fn live() -> Verdict {
        Verdict::Live(Live {
            partition: Partition::Aws,
            identity: crate::verify::arn::identity("arn:aws:iam::123456789012:root"),
            other_secret: false,
        })
    }

    fn inactive() -> Verdict {
        Verdict::Inactive {
            partitions: [Partition::Aws].into(),
        }
    }

    #[test]
    fn only_what_is_over_is_lowered() {
        let mut pair = long_term("A", "1");
        pair.severity = Severity::High;
        let partition = Partition::Aws;
        let unknown = Verdict::Unknown(Cause {
            kind: CauseKind::Timeout,
            detail: String::new(),
        });
        for (verdict, expected) in [
            (live(), Severity::Critical),
            (inactive(), Severity::Low),
            (Verdict::Expired { partition }, Severity::Low),
            (Verdict::SecretMismatch { partition }, Severity::High),
            (unknown, Severity::High),
            (Verdict::Skipped(SkipReason::OverBudget), Severity::High),
            (Verdict::Unchecked, Severity::High),
        ] {
            assert_eq!(severity(&pair, &verdict), expected, "{verdict:?}");
        }
    }

    #[test]
    fn inactive_is_not_always_over() {
        let mut hinted = long_term("A", "1");
        hinted.credential.partition_hints.insert(Partition::AwsCn);
        assert_eq!(severity(&hinted, &inactive()), Severity::Critical);
        let mut elsewhere = long_term("A", "1");
        elsewhere.credential.other_store = true;
        assert_eq!(severity(&elsewhere, &inactive()), Severity::Critical);
        let session = temporary("B", "1", "perhaps cut");
        assert_eq!(severity(&session, &inactive()), session.severity);
        let mut canary = long_term("C", "1");
        (canary.credential.canary, canary.severity) = (true, Severity::Low);
        assert_eq!(severity(&canary, &live()), Severity::Low);
    }

    #[test]
    fn live_ones_come_first_and_root_before_all() {
        let mut findings = ["A", "B", "C"].map(|id| long_term(id, "1"));
        let user = Verdict::Live(Live {
            partition: Partition::Aws,
            identity: None,
            other_secret: false,
        });
        let verdicts = [
            (findings[1].fingerprint, user),
            (findings[2].fingerprint, live()),
        ];
        apply(&mut findings, verdicts.into());
        let order = findings.map(|it| it.credential.access_key_id.unwrap());
        assert_eq!(order, ["C", "B", "A"]);
    }
}
