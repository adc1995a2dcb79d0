//! What to do at once about a live key: the command that stops it, for a shell of somebody who may.

use crate::verdict::{Live, Partition, Principal};

/// The first thing to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remedy {
    /// A command for the AWS command line, without profile and with the partition's region.
    pub command: Option<String>,
    /// What to know before or after it.
    pub note: Option<&'static str>,
}

/// The first thing to do about the key `access_key_id`, found `live` at `verified_at`
/// (`2026-11-23T19:40:00Z`).
#[must_use]
pub fn first_step(live: &Live, access_key_id: &str, verified_at: &str) -> Remedy {
    let region = match live.partition {
        Partition::Aws => String::new(),
        other => format!(" --region {}", other.region()),
    };
    let id = quoted(access_key_id);
    let principal = live.identity.as_ref().map(|identity| &identity.principal);
    let (command, note) = match principal {
        Some(Principal::User { name }) => (
            Some(format!(
                "aws iam update-access-key --user-name {} --access-key-id {id} --status Inactive{region}",
                quoted(name)
            )),
            None,
        ),
        Some(Principal::Root) => (
            Some(format!(
                "aws iam update-access-key --access-key-id {id} --status Inactive{region}"
            )),
            Some(
                "a root user's key: sign in as the root user for it, then delete the key; nobody needs one",
            ),
        ),
        Some(Principal::AssumedRole { role, .. }) => (
            Some(format!(
                "aws iam put-role-policy --role-name {} --policy-name AWSRevokeOlderSessions \
                 --policy-document '{}'{region}",
                quoted(role),
                revocation(verified_at)
            )),
            Some("ends every session of the role that began before; then close the leak's source"),
        ),
        Some(Principal::FederatedUser { .. }) => (
            None,
            Some(
                "a federated session ends by itself; until then deny it in the policy of the user who issued it",
            ),
        ),
        Some(Principal::Other) | None => (
            Some(format!(
                "aws sts get-access-key-info --access-key-id {id}{region}"
            )),
            Some("tells the account that the key belongs to; it must be deactivated there"),
        ),
    };
    Remedy { command, note }
}

/// The policy that the IAM console attaches for "Revoke active sessions".
fn revocation(before: &str) -> String {
    format!(
        "{{\"Version\":\"2012-10-17\",\"Statement\":[{{\"Effect\":\"Deny\",\"Action\":\"*\",\
         \"Resource\":\"*\",\"Condition\":{{\"DateLessThan\":{{\"aws:TokenIssueTime\":\"{before}\"}}}}}}]}}"
    )
}

/// A word for a POSIX shell. Names come from the network: nothing of them may act.
fn quoted(word: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"+=,.@_-".contains(&byte);
    if !word.is_empty() && !word.starts_with('-') && word.bytes().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verify::arn;

    fn step(partition: Partition, arn: &str) -> Remedy {
        let live = Live {
            partition,
            identity: arn::identity(arn),
            other_secret: false,
        };
        first_step(&live, "AKIAIOSFODNN7EXAMPLE", "2026-11-23T19:40:00Z")
    }

    #[test]
    fn commands() {
        let command = |partition, arn| step(partition, arn).command.unwrap_or_default();
        assert_eq!(
            command(Partition::Aws, "arn:aws:iam::123456789012:user/a/deploy"),
            "aws iam update-access-key --user-name deploy --access-key-id AKIAIOSFODNN7EXAMPLE \
             --status Inactive"
        );
        assert_eq!(
            command(Partition::AwsCn, "arn:aws-cn:iam::123456789012:root"),
            "aws iam update-access-key --access-key-id AKIAIOSFODNN7EXAMPLE --status Inactive \
             --region cn-north-1"
        );
        let role = command(
            Partition::Aws,
            "arn:aws:sts::123456789012:assumed-role/build/x",
        );
        assert!(role.starts_with("aws iam put-role-policy --role-name build "));
        let document = role.split('\'').nth(1).unwrap_or_default();
        let policy: serde_json::Value = serde_json::from_str(document).unwrap();
        assert_eq!(
            policy["Statement"][0]["Condition"]["DateLessThan"]["aws:TokenIssueTime"],
            "2026-11-23T19:40:00Z"
        );
        let unknown = command(Partition::AwsUsGov, "");
        assert!(unknown.contains("get-access-key-info") && unknown.ends_with("us-gov-west-1"));
        let federated = step(Partition::Aws, "arn:aws:sts::123456789012:federated-user/x");
        assert!(federated.command.is_none() && federated.note.is_some());
    }

    #[test]
    fn names_from_the_network_do_not_act_in_a_shell() {
        for (name, expected) in [
            ("deploy", "deploy"),
            ("a@b.c+d=e,f", "a@b.c+d=e,f"),
            ("-x", "'-x'"),
            ("$(id)", "'$(id)'"),
            ("a'b;c", r"'a'\''b;c'"),
            ("", "''"),
        ] {
            assert_eq!(quoted(name), expected);
        }
    }
}
