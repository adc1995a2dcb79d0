//! What to do next about a credential, by what AWS and people have said of it.

use super::{View, is_open, short};
use crate::report::advice::Advice;
use crate::sweep::store::CredentialRow;

/// The steps, in order; none where there is nothing to do.
pub(super) fn steps(credential: &CredentialRow, view: View) -> Vec<String> {
    match (is_open(credential), credential.verdict.as_str()) {
        (true, "inactive" | "expired") => vec![
            "AWS no longer takes it: see in CloudTrail who stopped it, and what it did before"
                .to_owned(),
            noted(credential, "rotated"),
        ],
        (true, verdict) => {
            let mut steps = vec![stop(credential, view)];
            if verdict == "unchecked" && can_be_asked_about(credential) {
                steps.push("ask AWS whether it works: sweep with --verify".to_owned());
            }
            steps.push(format!(
                "the other steps: straykey explain {}",
                credential.rule
            ));
            steps.push(noted(credential, "rotated"));
            steps
        }
        (false, "live") if credential.triage == "rotated" => {
            vec!["it worked when AWS was asked: see that what was replaced is deleted".to_owned()]
        }
        _ => Vec::new(),
    }
}

fn can_be_asked_about(credential: &CredentialRow) -> bool {
    credential.access_key_id.is_some() && credential.has_secret
}

/// What ends the leak.
fn stop(credential: &CredentialRow, view: View) -> String {
    let temporary = credential
        .access_key_id
        .as_deref()
        .is_some_and(|id| id.starts_with("ASIA"));
    match view.key(credential) {
        Some(id) if !temporary => {
            let words = match credential.verdict.as_str() {
                "live" => "it works: deactivate it now",
                _ => "deactivate it",
            };
            format!("{words}: aws iam update-access-key --access-key-id {id} --status Inactive")
        }
        _ => {
            let advice = Advice::of(&credential.rule, temporary);
            // Every rule has a first step.
            advice.steps.first().copied().unwrap_or_default().to_owned()
        }
    }
}

fn noted(credential: &CredentialRow, decision: &str) -> String {
    format!(
        "when that is done: straykey sweep triage {} {decision} --note WHY",
        short(credential)
    )
}
