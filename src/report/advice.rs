//! What to do about a finding, in order. The order matters: a key that was seen is taken for
//! copied, so it dies first, and only then is anything cleaned.

/// What people should know of the findings of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Advice {
    /// What was found.
    pub what: &'static str,
    /// Why it matters.
    pub why: &'static str,
    /// What to do, in order.
    pub steps: &'static [&'static str],
}

impl Advice {
    /// The advice for findings of the rule `rule`, whose access key is `temporary` or not.
    #[must_use]
    pub fn of(rule: &str, temporary: bool) -> Self {
        match rule {
            "aws-access-key-pair" if temporary => Self {
                what: "An AWS access key ID and its secret access key, issued for a limited time.",
                why: PAIR,
                steps: TEMPORARY_STEPS,
            },
            "aws-access-key-pair" => Self {
                what: "An AWS access key ID and the secret access key that belongs to it.",
                why: PAIR,
                steps: KEY_STEPS,
            },
            "aws-access-key-id" => Self {
                what: "An AWS access key ID whose secret was not found near it.",
                why: "The ID alone opens nothing, but it names the account, and its secret is often \
                    not far: in another file, in the history, in a log.",
                steps: ID_STEPS,
            },
            "aws-secret-access-key" => Self {
                what: "An AWS secret access key whose ID was not found near it.",
                why: "With its ID, which is no secret and stands in logs and console pages, it gives \
                    whoever reads it all rights of its owner.",
                steps: KEY_STEPS,
            },
            _ => Self {
                what: "A secret that gives access to a service.",
                why: "Whoever reads it has the rights of its owner until somebody revokes it.",
                steps: OTHER_STEPS,
            },
        }
    }
}

const PAIR: &str = "Whoever reads them has all rights of their owner, from anywhere. Keys in public \
    places are used by strangers within minutes.";

const DELETING: &str = "Deleting the line or force-pushing does not help: take it for copied.";

const KEY_STEPS: &[&str] = &[
    "Deactivate it now: aws iam update-access-key --access-key-id ID --status Inactive (with \
     --user-name USER for another user's). This can be undone and stops abuse. Make the new key \
     first only if an outage would be worse than the leak. A root user's key: delete it.",
    DELETING,
    "Replace it: create-access-key, deploy, see with get-access-key-last-used that the old one \
     rests, then delete-access-key. Better no long-term key at all: roles, IAM Identity Center, \
     OIDC in CI, Secrets Manager.",
    "Look for abuse: CloudTrail by access key ID, in all regions, since the first exposure; new \
     users, keys and roles; unexpected instances; the bill. If AWS has attached a policy \
     AWSCompromisedKeyQuarantine, leave it there until the key is replaced.",
    "Then clean the history (git filter-repo, all branches and tags, caches of the host, all \
     clones). Optional once the key is dead.",
    "Prevent the next one: least privilege, rotation, CloudTrail on, a hook before each commit.",
];

const TEMPORARY_STEPS: &[&str] = &[
    "It cannot be deactivated, and expires by itself in up to 36 hours. Revoke the sessions of its \
     role now (IAM console, role, Revoke sessions; or deny on aws:TokenIssueTime).",
    DELETING,
    "Fix the place that writes temporary credentials into files or logs.",
    "Look for abuse: CloudTrail by access key ID, in all regions, since the first exposure.",
    "Then clean the history. Optional once the credentials have expired.",
];

const ID_STEPS: &[&str] = &[
    "Look for the secret: in the other files, in the history, in logs and images of the same project.",
    "If it may have been exposed with the ID, deactivate and replace the key: aws iam \
     update-access-key --access-key-id ID --status Inactive.",
    "Take the ID out of the source: names of keys belong to the configuration.",
];

const OTHER_STEPS: &[&str] = &[
    "Revoke it now, in the console of the service that issued it.",
    DELETING,
    "Replace it, and keep the new one out of the source: environment, secret store.",
    "Look for abuse in the logs of the service, since the first exposure.",
    "Then clean the history. Optional once the secret is dead.",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_dies_before_the_history_is_cleaned() {
        for rule in ["aws-access-key-pair", "aws-secret-access-key", "other"] {
            for temporary in [false, true] {
                let steps = Advice::of(rule, temporary).steps;
                let first = steps[0].to_lowercase();
                assert!(
                    first.contains("deactivate") || first.contains("revoke"),
                    "{first}"
                );
                assert!(
                    steps
                        .iter()
                        .skip(2)
                        .any(|step| step.contains("clean the history"))
                );
            }
        }
    }
}
