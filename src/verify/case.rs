//! One access key ID under verification: a state machine that says what to ask next and, at the
//! end, what is known. Pure: it sees answers, not the network and not the clock.
//!
//! What it relies on (STS checks a request in this order: access key ID, session token, signature,
//! date, expiry of the session; an access key ID has exactly one secret):
//! - an ID unknown in a partition is unknown there with every secret, so one call settles it;
//! - a mismatch proves that the ID is active there, so no other partition needs to be asked;
//! - one working secret proves that every other one is not the ID's own;
//! - a mismatch may be wrong once, so it is believed when it was answered twice.

use crate::verdict::{Cause, CauseKind, Identity, Live, Partition, Verdict};
use crate::verify::outcome::Answer;
use crate::verify::plan::{CALLS_PER_ID, Candidate, Group, Member};

/// The question to ask next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    /// Index of the candidate.
    pub(crate) candidate: usize,
    /// Where.
    pub(crate) partition: Partition,
}

/// An access key ID under verification.
#[derive(Debug)]
pub(crate) struct Case<'g> {
    group: &'g Group<'g>,
    states: Vec<State>,
    /// The partition where the ID is known to exist, once one is found.
    home: Option<Partition>,
    /// Calls that were answered, in the partition that is being asked.
    calls: u32,
    live: Option<(usize, Option<Identity>)>,
}

/// What is known of a candidate.
#[derive(Clone, Debug, Default)]
struct State {
    /// Partitions that do not know the ID (with this session token).
    unknown_in: Vec<Partition>,
    /// Partitions that gave no usable answer.
    failed_in: Vec<Partition>,
    /// The first failure.
    failure: Option<Cause>,
    /// How often the signature was refused.
    mismatches: u32,
    expired: bool,
}

impl State {
    fn was_asked(&self, partition: Partition) -> bool {
        self.unknown_in.contains(&partition) || self.failed_in.contains(&partition)
    }
}

impl<'g> Case<'g> {
    pub(crate) fn new(group: &'g Group<'g>) -> Self {
        Self {
            group,
            states: vec![State::default(); group.candidates.len()],
            home: None,
            calls: 0,
            live: None,
        }
    }

    pub(crate) fn access_key_id(&self) -> &'g str {
        self.group.access_key_id
    }

    pub(crate) fn candidate(&self, index: usize) -> Candidate<'g> {
        self.group.candidates[index]
    }

    /// What to ask next; `None` when nothing more can be learnt.
    pub(crate) fn next(&self) -> Option<Step> {
        if self.live.is_some() {
            return None;
        }
        match self.home {
            None => self.next_partition(),
            Some(_) if self.calls >= CALLS_PER_ID => None,
            Some(partition) => self.next_candidate(partition).map(|candidate| Step {
                candidate,
                partition,
            }),
        }
    }

    /// While the ID has no home: the first candidate with partitions left. Candidates share what
    /// is learnt where they share the session token, so all but the first come up only where
    /// several tokens were found.
    fn next_partition(&self) -> Option<Step> {
        let candidates = self.states.iter().enumerate();
        candidates
            .take(CALLS_PER_ID as usize)
            .find_map(|(candidate, state)| {
                let mut partitions = self.group.partitions.iter().copied();
                let partition = partitions.find(|&partition| !state.was_asked(partition))?;
                Some(Step {
                    candidate,
                    partition,
                })
            })
    }

    /// At home: every secret once before any is asked about again, because a working one settles
    /// all others.
    fn next_candidate(&self, partition: Partition) -> Option<usize> {
        (0..2).find_map(|mismatches| {
            self.states.iter().position(|state| {
                state.mismatches == mismatches && !state.expired && !state.was_asked(partition)
            })
        })
    }

    /// Takes in the answer to `step`. [`Answer::Throttled`] is not for here: it is asked again.
    pub(crate) fn record(&mut self, step: Step, answer: Answer) {
        let partition = step.partition;
        match answer {
            Answer::Live(identity) => {
                self.settle_home(partition);
                self.live = Some((step.candidate, identity));
            }
            Answer::Mismatch => {
                self.settle_home(partition);
                self.states[step.candidate].mismatches += 1;
            }
            // Only a session ends: of a long-term key this is no statement.
            Answer::Expired if self.candidate(step.candidate).session_token.is_none() => self
                .record_failure(
                    step,
                    Cause {
                        kind: CauseKind::OtherError,
                        detail: "STS called a key without session token expired".to_owned(),
                    },
                ),
            Answer::Expired => {
                self.settle_home(partition);
                self.for_same_token(step, |state| state.expired = true);
            }
            Answer::UnknownId => {
                self.calls += u32::from(self.home.is_some());
                self.for_same_token(step, |state| state.unknown_in.push(partition));
            }
            Answer::Throttled => self.record_failure(
                step,
                Cause {
                    kind: CauseKind::Throttled,
                    detail: "STS kept refusing for the rate of requests".to_owned(),
                },
            ),
            Answer::Failed(cause) => self.record_failure(step, cause),
        }
    }

    fn settle_home(&mut self, partition: Partition) {
        self.home = Some(partition);
        self.calls += 1;
    }

    /// Before a home is known, a failure concerns the partition; after, this candidate alone.
    fn record_failure(&mut self, step: Step, cause: Cause) {
        let fail = |state: &mut State| {
            state.failed_in.push(step.partition);
            state.failure.get_or_insert_with(|| cause.clone());
        };
        match self.home {
            None => self.states.iter_mut().for_each(fail),
            Some(_) => fail(&mut self.states[step.candidate]),
        }
    }

    fn for_same_token(&mut self, step: Step, change: impl Fn(&mut State)) {
        let token = self.candidate(step.candidate).session_token;
        for (candidate, state) in self.group.candidates.iter().zip(&mut self.states) {
            if candidate.session_token == token {
                change(state);
            }
        }
    }

    /// The verdict for each finding that asked. `cut_short` is the cause to give where the run
    /// ended before everything was asked.
    pub(crate) fn verdicts(
        &self,
        cut_short: &Cause,
    ) -> impl Iterator<Item = (&'g Member, Verdict)> {
        self.group
            .members
            .iter()
            .map(|member| (member, self.verdict(member, cut_short)))
    }

    fn verdict(&self, member: &Member, cut_short: &Cause) -> Verdict {
        let own = self.candidate(member.own);
        match (&self.live, self.home) {
            (Some((works, identity)), Some(partition)) => {
                let is_own = self.candidate(*works).secret == own.secret;
                if is_own || member.others.contains(works) {
                    return Verdict::Live(Live {
                        partition,
                        identity: identity.clone(),
                        other_secret: !is_own,
                    });
                }
                Verdict::SecretMismatch { partition }
            }
            (None, Some(partition)) => self.verdict_at_home(member.own, partition, cut_short),
            (_, None) => self.verdict_without_home(member.own, cut_short),
        }
    }

    fn verdict_at_home(&self, own: usize, partition: Partition, cut_short: &Cause) -> Verdict {
        let state = &self.states[own];
        if state.expired {
            return Verdict::Expired { partition };
        }
        if state.mismatches >= 2 {
            return Verdict::SecretMismatch { partition };
        }
        Verdict::Unknown(match &state.failure {
            Some(cause) if state.failed_in.contains(&partition) => cause.clone(),
            _ if state.unknown_in.contains(&partition) => wrong_token(partition),
            _ if self.next().is_some() => cut_short.clone(),
            _ if state.mismatches == 1 => unconfirmed(partition),
            _ => out_of_calls(),
        })
    }

    fn verdict_without_home(&self, own: usize, cut_short: &Cause) -> Verdict {
        let state = &self.states[own];
        let partitions = &self.group.partitions;
        if let Some(cause) = &state.failure {
            return Verdict::Unknown(cause.clone());
        }
        let everywhere = |partition| state.unknown_in.contains(partition);
        if partitions.iter().all(everywhere) {
            return Verdict::Inactive {
                partitions: partitions.iter().copied().collect(),
            };
        }
        Verdict::Unknown(match self.next() {
            Some(_) => cut_short.clone(),
            None => out_of_calls(),
        })
    }
}

fn unconfirmed(partition: Partition) -> Cause {
    Cause {
        kind: CauseKind::UnconfirmedMismatch,
        detail: format!(
            "the access key ID is active in {partition}; this secret was refused once, and no \
             call was left to confirm it"
        ),
    }
}

fn out_of_calls() -> Cause {
    Cause {
        kind: CauseKind::CallLimit,
        detail: format!(
            "the {CALLS_PER_ID} calls for one access key ID were spent on other secrets found with \
             it"
        ),
    }
}

fn wrong_token(partition: Partition) -> Cause {
    Cause {
        kind: CauseKind::OtherError,
        detail: format!(
            "the access key ID is known in {partition}, but not with this session token"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{long_term, temporary};
    use super::*;
    use crate::finding::Finding;
    use crate::secret::Secret;
    use crate::verify::plan::{Plan, Scope};

    /// Plays `answers` to a case over `findings`, which share an ID; what was asked, and the
    /// states of the verdicts.
    fn play(findings: &[Finding], answers: &[Answer]) -> (Vec<(usize, Partition)>, Vec<String>) {
        let plan = Plan::new(findings, &Scope::default());
        assert_eq!(plan.groups.len(), 1);
        let mut case = Case::new(&plan.groups[0]);
        let mut asked = Vec::new();
        for answer in answers {
            let step = case.next().expect("there is more to ask");
            asked.push((step.candidate, step.partition));
            case.record(step, answer.clone());
        }
        let cut_short = Cause {
            kind: CauseKind::Interrupted,
            detail: String::new(),
        };
        let states = case
            .verdicts(&cut_short)
            .map(|(_, verdict)| match verdict {
                Verdict::Unknown(cause) => cause.kind.as_str().to_owned(),
                Verdict::Live(live) if live.other_secret => "live with another".to_owned(),
                other => other.state().to_owned(),
            })
            .collect();
        (asked, states)
    }

    const LIVE: Answer = Answer::Live(None);

    fn failure() -> Answer {
        Answer::failed(CauseKind::Timeout, "")
    }

    #[test]
    fn one_call_settles_a_dead_or_a_live_id() {
        let findings = [
            long_term("A", "1"),
            long_term("A", "2"),
            long_term("A", "3"),
        ];
        let (_, states) = play(&findings, &[Answer::UnknownId]);
        assert_eq!(states, ["inactive"; 3]);
        let (_, states) = play(&findings, &[LIVE]);
        assert_eq!(states, ["live", "secret-mismatch", "secret-mismatch"]);
    }

    #[test]
    fn a_long_term_key_does_not_expire() {
        let (_, states) = play(&[long_term("A", "1")], &[Answer::Expired]);
        assert_eq!(states, ["other-error"]);
        let (_, states) = play(&[temporary("B", "1", "token")], &[Answer::Expired]);
        assert_eq!(states, ["expired"]);
    }

    #[test]
    fn a_mismatch_is_believed_the_second_time() {
        let findings = [long_term("A", "1")];
        let (_, states) = play(&findings, &[Answer::Mismatch]);
        assert_eq!(states, ["interrupted"]);
        let (asked, states) = play(&findings, &[Answer::Mismatch, Answer::Mismatch]);
        assert_eq!((asked.len(), &states[0][..]), (2, "secret-mismatch"));
        let (_, states) = play(&findings, &[Answer::Mismatch, LIVE]);
        assert_eq!(states, ["live"]);
    }

    #[test]
    fn other_secrets_are_tried_before_repetitions() {
        let mut findings = [long_term("A", "1")];
        findings[0].credential.alternatives = vec![Secret::new(b"2")];
        let mismatch = Answer::Mismatch;
        let (_, states) = play(&findings, &[mismatch.clone(), LIVE]);
        assert_eq!(states, ["live with another"]);
        let three = [mismatch.clone(), mismatch.clone(), mismatch];
        let (asked, states) = play(&findings, &three);
        let candidates: Vec<usize> = asked.iter().map(|(candidate, _)| *candidate).collect();
        assert_eq!(candidates, [0, 1, 0]);
        assert_eq!(states, ["secret-mismatch"]);
    }

    #[test]
    fn partitions_follow_each_other_until_one_knows_the_id() {
        let mut findings = [long_term("A", "1")];
        findings[0]
            .credential
            .partition_hints
            .insert(Partition::AwsCn);
        let (asked, states) = play(&findings, &[Answer::UnknownId, LIVE]);
        assert_eq!(asked, [(0, Partition::AwsCn), (0, Partition::Aws)]);
        assert_eq!(states, ["live"]);
        let (_, states) = play(&findings, &[Answer::UnknownId]);
        assert_eq!(states, ["interrupted"], "half an answer is none");
        let (_, states) = play(&findings, &[Answer::UnknownId, Answer::UnknownId]);
        assert_eq!(states, ["inactive"]);
        // A partition that gave no answer may know the key.
        let (_, states) = play(&findings, &[failure(), Answer::UnknownId]);
        assert_eq!(states, ["timeout"]);
        let (_, states) = play(&findings, &[failure(), LIVE]);
        assert_eq!(states, ["live"]);
    }

    #[test]
    fn session_tokens_are_told_apart() {
        let findings = [temporary("A", "1", "cut"), temporary("A", "1", "whole")];
        let (asked, states) = play(&findings, &[Answer::UnknownId, LIVE]);
        assert_eq!(asked.len(), 2);
        assert_eq!(
            states,
            ["live", "live"],
            "the key is live, whichever token was cut"
        );
        let (_, states) = play(&findings, &[Answer::Expired, Answer::UnknownId]);
        assert_eq!(states, ["expired", "other-error"]);
        let many: Vec<Finding> = (0..5)
            .map(|number| temporary("A", "1", &number.to_string()))
            .collect();
        let (_, states) = play(
            &many,
            &[Answer::UnknownId, Answer::UnknownId, Answer::UnknownId],
        );
        assert_eq!(
            states,
            [
                "inactive",
                "inactive",
                "inactive",
                "call-limit",
                "call-limit"
            ]
        );
    }

    #[test]
    fn a_failure_after_a_mismatch_leaves_it_open() {
        let findings = [long_term("A", "1"), long_term("A", "2")];
        let answers = [Answer::Mismatch, failure(), Answer::Mismatch];
        let (_, states) = play(&findings, &answers);
        assert_eq!(states, ["secret-mismatch", "timeout"]);
    }
}
