//! Carries out a plan: at most four calls at a time and never two for one access key ID, a pause
//! between two secrets of one ID, repetitions where an answer deserves one, and an end in bounded
//! time whatever the network does.

use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::finding::{Finding, Fingerprint};
use crate::verdict::{Cause, CauseKind, Verdict};
use crate::verify::case::{Case, Step};
use crate::verify::outcome::Answer;
use crate::verify::pace::Pace;
use crate::verify::plan::{Plan, Scope};
use crate::verify::{Question, Verifier};

/// No more calls at a time than this.
pub const MOST_AT_A_TIME: usize = 4;
/// How often a throttled call is repeated.
const THROTTLED_REPEATS: u32 = 6;
/// How often a call without an answer is repeated.
const FAILED_REPEATS: u32 = 1;
/// How long a thread sleeps at most before it looks whether it should stop.
const NAP: Duration = Duration::from_millis(50);

/// Limits of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Calls at a time, at most [`MOST_AT_A_TIME`].
    pub at_a_time: usize,
    /// Pause after a signature mismatch before the same access key ID is asked about again. STS
    /// answers a good secret with a mismatch when another one was tried less than five seconds
    /// before.
    pub pause: Duration,
    /// Pause before a call that got no answer is repeated; doubled for every throttling.
    pub repeat_after: Duration,
    /// The whole run.
    pub deadline: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            at_a_time: MOST_AT_A_TIME,
            pause: Duration::from_millis(5_500),
            repeat_after: Duration::from_millis(500),
            deadline: Duration::from_secs(300),
        }
    }
}

/// Where a run reports to, and what may end it.
#[derive(Clone, Copy)]
pub struct Control<'c> {
    /// Called with the number of access key IDs done and to be done.
    pub progress: &'c (dyn Fn(usize, usize) + Sync),
    /// Whether to end now, with what is known.
    pub stopped: &'c (dyn Fn() -> bool + Sync),
}

/// Verifies `findings` and returns a verdict for each of which AWS could know something.
///
/// Always returns: interrupted, out of time or without network, what is left is
/// [`Verdict::Unknown`].
pub fn verify_all(
    findings: &[Finding],
    scope: &Scope,
    limits: &Limits,
    verifier: &dyn Verifier,
    control: Control<'_>,
) -> BTreeMap<Fingerprint, Verdict> {
    let plan = Plan::new(findings, scope);
    let mut verdicts: BTreeMap<Fingerprint, Verdict> = plan
        .skipped
        .iter()
        .map(|(&fingerprint, &reason)| (fingerprint, Verdict::Skipped(reason)))
        .collect();
    (control.progress)(0, plan.groups.len());
    let start = Instant::now();
    let run = Run {
        limits,
        verifier,
        control,
        end: start + limits.deadline,
        board: Mutex::new(Board {
            slots: plan
                .groups
                .iter()
                .map(|group| Slot::new(Case::new(group), start))
                .collect(),
            pace: Pace::new(start),
            done: 0,
        }),
        changed: Condvar::new(),
    };
    run.work();
    let cut_short = run.why_cut_short();
    for slot in &run.lock().slots {
        for (member, verdict) in slot.case.verdicts(&cut_short) {
            verdicts.insert(member.fingerprint, verdict);
        }
    }
    verdicts
}

struct Run<'r, 'g> {
    limits: &'r Limits,
    verifier: &'r dyn Verifier,
    control: Control<'r>,
    end: Instant,
    board: Mutex<Board<'g>>,
    changed: Condvar,
}

/// What the threads share.
struct Board<'g> {
    slots: Vec<Slot<'g>>,
    pace: Pace,
    done: usize,
}

struct Slot<'g> {
    case: Case<'g>,
    stage: Stage,
    /// Not to be asked about before.
    not_before: Instant,
    throttled: u32,
    failed: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Waiting,
    Asking,
    Done,
}

impl<'g> Slot<'g> {
    fn new(case: Case<'g>, now: Instant) -> Self {
        Self {
            case,
            stage: Stage::Waiting,
            not_before: now,
            throttled: 0,
            failed: 0,
        }
    }
}

/// What a thread does next.
enum Turn {
    Ask(usize, Step),
    Wait(Duration),
    Leave,
}

impl<'g> Run<'_, 'g> {
    fn work(&self) {
        let threads = self.limits.at_a_time.clamp(1, MOST_AT_A_TIME);
        let threads = threads.min(self.lock().slots.len());
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| self.take_turns());
            }
        });
    }

    fn take_turns(&self) {
        let mut board = self.lock();
        loop {
            match self.turn(&mut board) {
                Turn::Leave => return,
                Turn::Wait(time) => {
                    let wait = self.changed.wait_timeout(board, time.min(NAP));
                    board = wait.unwrap_or_else(PoisonError::into_inner).0;
                }
                Turn::Ask(slot, step) => {
                    let (id, candidate) = {
                        let case = &board.slots[slot].case;
                        (case.access_key_id(), case.candidate(step.candidate))
                    };
                    drop(board);
                    let question = Question {
                        access_key_id: id,
                        secret: candidate.secret,
                        session_token: candidate.session_token,
                        partition: step.partition,
                    };
                    let answer = self.verifier.ask(&question, &|| self.is_over());
                    board = self.lock();
                    self.take_in(&mut board, slot, step, answer);
                    self.changed.notify_all();
                }
            }
        }
    }

    /// Finds something to ask. Cases are taken in the order of the plan.
    fn turn(&self, board: &mut Board<'g>) -> Turn {
        if self.is_over() {
            return Turn::Leave;
        }
        self.settle_without_asking(board);
        let now = Instant::now();
        let mut soonest: Option<Instant> = None;
        let mut ready = None;
        for (index, slot) in board.slots.iter().enumerate() {
            match slot.stage {
                Stage::Waiting if slot.not_before <= now && ready.is_none() => ready = Some(index),
                Stage::Waiting => {
                    soonest = Some(soonest.map_or(slot.not_before, |s| s.min(slot.not_before)));
                }
                Stage::Asking => soonest = soonest.or(Some(now + NAP)),
                Stage::Done => {}
            }
        }
        let Some(index) = ready else {
            return match soonest {
                Some(time) => Turn::Wait(time.saturating_duration_since(now)),
                None => Turn::Leave,
            };
        };
        let next_call = board.pace.next_call();
        if next_call > now {
            return Turn::Wait(next_call - now);
        }
        let Some(step) = board.slots[index].case.next() else {
            return Turn::Wait(Duration::ZERO);
        };
        board.slots[index].stage = Stage::Asking;
        board.pace.called(now);
        Turn::Ask(index, step)
    }

    /// Ends every waiting case that has nothing left to ask, and answers for the endpoints that
    /// were given up.
    fn settle_without_asking(&self, board: &mut Board<'g>) {
        for index in 0..board.slots.len() {
            if board.slots[index].stage != Stage::Waiting {
                continue;
            }
            loop {
                let slot = &mut board.slots[index];
                match slot.case.next() {
                    None => {
                        slot.stage = Stage::Done;
                        board.done += 1;
                        (self.control.progress)(board.done, board.slots.len());
                        break;
                    }
                    Some(step) if board.pace.is_given_up(step.partition) => {
                        slot.case.record(step, given_up(step));
                    }
                    Some(_) => break,
                }
            }
        }
    }

    /// Takes in an answer: records it, or plans a repetition.
    fn take_in(&self, board: &mut Board<'g>, index: usize, step: Step, answer: Answer) {
        let now = Instant::now();
        board.pace.answered(step.partition, &answer, now);
        let given_up = board.pace.is_given_up(step.partition);
        let slot = &mut board.slots[index];
        slot.stage = Stage::Waiting;
        if is_interruption(&answer) {
            return;
        }
        if answer == Answer::Throttled && slot.throttled < THROTTLED_REPEATS {
            slot.not_before = now + self.limits.repeat_after * 2u32.pow(slot.throttled);
            slot.throttled += 1;
            return;
        }
        if deserves_repeat(&answer) && slot.failed < FAILED_REPEATS && !given_up {
            slot.not_before = now + self.limits.repeat_after;
            slot.failed += 1;
            return;
        }
        slot.not_before = match answer {
            Answer::Mismatch => now + self.limits.pause,
            _ => now,
        };
        (slot.throttled, slot.failed) = (0, 0);
        slot.case.record(step, answer);
    }

    fn is_over(&self) -> bool {
        (self.control.stopped)() || Instant::now() >= self.end
    }

    fn why_cut_short(&self) -> Cause {
        let (kind, detail) = match (self.control.stopped)() {
            true => (
                CauseKind::Interrupted,
                "interrupted before there was an answer",
            ),
            false => (CauseKind::OutOfTime, "the time for verification was over"),
        };
        Cause {
            kind,
            detail: detail.to_owned(),
        }
    }

    /// A poisoned lock only says that another thread panicked: what was learnt still holds.
    fn lock(&self) -> MutexGuard<'_, Board<'g>> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_interruption(answer: &Answer) -> bool {
    matches!(answer, Answer::Failed(cause) if cause.kind == CauseKind::Interrupted)
}

/// Whether asking again may bring an answer. After a complaint about the clock it does, because
/// the client then knows the server's time.
fn deserves_repeat(answer: &Answer) -> bool {
    matches!(answer, Answer::Failed(cause) if matches!(
        cause.kind,
        CauseKind::Unreachable
            | CauseKind::Timeout
            | CauseKind::ServerError
            | CauseKind::Unparsable
            | CauseKind::ClockSkew
    ))
}

fn given_up(step: Step) -> Answer {
    Answer::failed(
        CauseKind::Unreachable,
        format!(
            "STS of partition {} gave no answer to several calls and was not asked again",
            step.partition
        ),
    )
}
