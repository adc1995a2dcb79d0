//! A verdict as it may be shown: words for people, an object for programs.

use serde::Serialize;

use super::clock;
use super::view::View;
use crate::finding::Finding;
use crate::verdict::{Live, Principal, Verdict};
use crate::verify::{effect, remedy};

/// A verdict as programs get it. What does not apply to the state is left out.
#[derive(Default, Serialize)]
pub(super) struct VerdictObject {
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    partition: Option<&'static str>,
    /// The partitions that were asked and do not know the key.
    #[serde(skip_serializing_if = "Option::is_none")]
    partitions: Option<Vec<&'static str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    arn: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    account_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    principal: Option<PrincipalObject>,
    #[serde(skip_serializing_if = "Option::is_none")]
    other_secret: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    remedy: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
}

#[derive(Default, Serialize)]
struct PrincipalObject {
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    session: Option<String>,
}

/// What a live key's block says.
pub(super) struct LiveWords {
    /// Whose it is.
    pub(super) owner: String,
    /// When that was learnt.
    pub(super) verified: String,
    /// What stops it.
    pub(super) command: Option<String>,
    /// What to know about it.
    pub(super) notes: Vec<String>,
    /// Whether it is a root user's.
    pub(super) root: bool,
}

impl View<'_> {
    /// The verdict on `finding`, for programs.
    pub(super) fn verdict_object(&self, finding: &Finding) -> VerdictObject {
        let object = VerdictObject {
            state: finding.verdict.state(),
            ..VerdictObject::default()
        };
        match &finding.verdict {
            Verdict::Unchecked => object,
            Verdict::Live(live) => self.live_object(finding, live, object),
            Verdict::Inactive { partitions } => VerdictObject {
                partitions: Some(partitions.iter().map(|it| it.as_str()).collect()),
                detail: doubt(finding).map(str::to_owned),
                ..object
            },
            Verdict::SecretMismatch { partition } | Verdict::Expired { partition } => {
                VerdictObject {
                    partition: Some(partition.as_str()),
                    ..object
                }
            }
            Verdict::Unknown(cause) => VerdictObject {
                cause: Some(cause.kind.as_str()),
                detail: Some(cause.detail.clone()),
                ..object
            },
            Verdict::Skipped(reason) => VerdictObject {
                cause: Some(reason.as_str()),
                detail: Some(reason.explanation().to_owned()),
                ..object
            },
        }
    }

    fn live_object(&self, finding: &Finding, live: &Live, object: VerdictObject) -> VerdictObject {
        let identity = live.identity.as_ref();
        VerdictObject {
            partition: Some(live.partition.as_str()),
            arn: identity.map(|it| self.clean_str(&it.arn)),
            account_id: identity.map(|it| self.clean_str(&it.account)),
            principal: identity.map(|it| self.principal_object(&it.principal)),
            other_secret: Some(live.other_secret),
            remedy: self.remedy(finding, live).command,
            ..object
        }
    }

    fn principal_object(&self, principal: &Principal) -> PrincipalObject {
        let (name, session) = match principal {
            Principal::User { name } | Principal::FederatedUser { name } => (Some(name), None),
            Principal::AssumedRole { role, session } => (Some(role), Some(session)),
            Principal::Root | Principal::Other => (None, None),
        };
        PrincipalObject {
            kind: principal.kind(),
            name: name.map(|name| self.clean_str(name)),
            session: session.map(|session| self.clean_str(session)),
        }
    }

    /// The words for a live key.
    pub(super) fn live_words(&self, finding: &Finding) -> Option<LiveWords> {
        let live = finding.verdict.live()?;
        let remedy = self.remedy(finding, live);
        let other_secret =
            "the secret that works is another one near this ID; the one marked here is not its own";
        let notes = [
            live.other_secret.then_some(other_secret),
            remedy.note,
            finding.credential.canary.then_some(
                "its account is a known issuer of canary tokens: it is meant to be found",
            ),
        ];
        Some(LiveWords {
            owner: self.owner(live),
            verified: self
                .verified_at()
                .map(clock::for_people)
                .unwrap_or_default(),
            command: remedy.command,
            notes: notes.into_iter().flatten().map(str::to_owned).collect(),
            root: live.is_root(),
        })
    }

    /// Whose a live key is, with the account shown in part.
    fn owner(&self, live: &Live) -> String {
        match &live.identity {
            Some(identity) => {
                let shown = self.account_partly(&identity.account);
                self.clean_str(&identity.arn)
                    .replace(&identity.account, &shown)
            }
            None => format!(
                "somebody in partition {} (AWS accepted the key and refused to say whose it is)",
                live.partition
            ),
        }
    }

    fn remedy(&self, finding: &Finding, live: &Live) -> remedy::Remedy {
        let id = finding.credential.access_key_id.as_deref();
        let id = self.key_id(id.unwrap_or_default());
        let at = clock::rfc3339(self.verified_at().unwrap_or_default());
        let mut remedy = remedy::first_step(live, &id, &at);
        remedy.command = remedy.command.map(|command| self.clean_str(&command));
        remedy
    }

    /// The verdict in a few words, for a line; `None` where nobody has asked.
    pub(super) fn verdict_phrase(&self, finding: &Finding) -> Option<String> {
        Some(match &finding.verdict {
            Verdict::Unchecked => return None,
            Verdict::Live(live) if live.is_root() => format!("LIVE ROOT KEY, {}", self.owner(live)),
            Verdict::Live(live) => format!("LIVE, {}", self.owner(live)),
            Verdict::Inactive { partitions } => {
                let names: Vec<&str> = partitions.iter().map(|it| it.as_str()).collect();
                let doubt = doubt(finding).map_or(String::new(), |doubt| format!("; {doubt}"));
                format!("inactive in {}{doubt}", names.join(" and "))
            }
            Verdict::SecretMismatch { partition } => {
                format!("ID active in {partition}, secret not its own")
            }
            Verdict::Expired { partition } => format!("expired in {partition}"),
            Verdict::Unknown(cause) => format!("not verified: {}", cause.detail),
            Verdict::Skipped(reason) => format!("not verified: {}", reason.explanation()),
        })
    }
}

/// Why an inactive key is not taken to be over, if it is not.
fn doubt(finding: &Finding) -> Option<&'static str> {
    let Verdict::Inactive { partitions } = &finding.verdict else {
        return None;
    };
    effect::doubt(&finding.credential, partitions)
}
