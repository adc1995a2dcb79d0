//! Reads who a principal is from an ARN (IAM User Guide, "IAM identifiers").

use crate::verdict::{Identity, Principal};

/// The identity that `arn` names, or `None` where it is not an ARN of an IAM or STS principal.
///
/// The text comes from the network: only printable ASCII without blanks is let through.
#[must_use]
pub fn identity(arn: &str) -> Option<Identity> {
    if arn.len() > 2048 || !arn.bytes().all(|byte| byte.is_ascii_graphic()) {
        return None;
    }
    let mut fields = arn.splitn(6, ':');
    let (prefix, partition) = (fields.next()?, fields.next()?);
    let (service, region) = (fields.next()?, fields.next()?);
    let (account, resource) = (fields.next()?, fields.next()?);
    let known = prefix == "arn"
        && is_partition(partition)
        && matches!(service, "iam" | "sts")
        && region.is_empty()
        && account.len() == 12
        && account.bytes().all(|byte| byte.is_ascii_digit())
        && !resource.is_empty();
    known.then(|| Identity {
        arn: arn.to_owned(),
        account: account.to_owned(),
        principal: principal(service, resource),
    })
}

/// `aws`, `aws-cn`, `aws-us-gov`, and the isolated ones (`aws-iso`, `aws-iso-b`, ...).
fn is_partition(name: &str) -> bool {
    name == "aws" || name.starts_with("aws-")
}

fn principal(service: &str, resource: &str) -> Principal {
    let (kind, rest) = resource.split_once('/').unwrap_or((resource, ""));
    match (service, kind) {
        ("iam", "root") if rest.is_empty() => Principal::Root,
        ("iam", "user") if !rest.is_empty() => Principal::User {
            name: rest.rsplit('/').next().unwrap_or(rest).to_owned(),
        },
        ("sts", "assumed-role") => {
            let (role, session) = rest.split_once('/').unwrap_or((rest, ""));
            Principal::AssumedRole {
                role: role.to_owned(),
                session: session.to_owned(),
            }
        }
        ("sts", "federated-user") => Principal::FederatedUser {
            name: rest.to_owned(),
        },
        _ => Principal::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(arn: &str) -> Option<Principal> {
        identity(arn).map(|identity| identity.principal)
    }

    #[test]
    fn every_kind_of_principal() {
        assert_eq!(
            kind("arn:aws:iam::123456789012:root"),
            Some(Principal::Root)
        );
        assert_eq!(
            kind("arn:aws-us-gov:iam::123456789012:user/ops/eu/deploy"),
            Some(Principal::User {
                name: "deploy".to_owned()
            })
        );
        assert_eq!(
            kind("arn:aws-cn:sts::123456789012:assumed-role/build/i-0a:1"),
            Some(Principal::AssumedRole {
                role: "build".to_owned(),
                session: "i-0a:1".to_owned()
            })
        );
        assert_eq!(
            kind("arn:aws-iso-b:sts::123456789012:federated-user/bob"),
            Some(Principal::FederatedUser {
                name: "bob".to_owned()
            })
        );
        assert_eq!(
            kind("arn:aws:sts::123456789012:newthing/x"),
            Some(Principal::Other)
        );
    }

    #[test]
    fn what_is_no_arn_is_refused() {
        for text in [
            "",
            "arn:aws:iam::123456789012:",
            "arn:aws:iam::12345678901:root",
            "arn:aws:s3:::bucket",
            "arn:evil:iam::123456789012:root",
            "arn:aws:iam::123456789012:user/a b",
            "arn:aws:iam::123456789012:user/\u{1b}[2J",
        ] {
            assert_eq!(identity(text), None, "{text:?}");
        }
    }
}
