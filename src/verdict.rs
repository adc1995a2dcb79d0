//! [`Verdict`]: what asking AWS has shown of a credential. Plain data; who asks is
//! the verification.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

/// A separate AWS cloud, with its own accounts, keys and endpoints (AWS General Reference,
/// "partition"). A key of one is unknown in the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Partition {
    /// The commercial regions.
    Aws,
    /// The China regions.
    AwsCn,
    /// AWS GovCloud (US).
    AwsUsGov,
}

impl Partition {
    /// All of them, in order.
    pub const ALL: [Self; 3] = [Self::Aws, Self::AwsCn, Self::AwsUsGov];

    /// The name that ARNs use.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Aws => "aws",
            Self::AwsCn => "aws-cn",
            Self::AwsUsGov => "aws-us-gov",
        }
    }

    /// The partition that `region` is in; `None` for the isolated and sovereign ones, which are
    /// reached from their own networks or accounts only.
    #[must_use]
    pub fn of_region(region: &str) -> Option<Self> {
        let is_of = |prefix: &str| region.starts_with(prefix);
        match () {
            () if is_of("cn-") => Some(Self::AwsCn),
            () if is_of("us-gov-") => Some(Self::AwsUsGov),
            () if region.contains("-iso") || is_of("eusc-") => None,
            () => Some(Self::Aws),
        }
    }

    /// The region whose endpoints are asked.
    #[must_use]
    pub fn region(self) -> &'static str {
        match self {
            Self::Aws => "us-east-1",
            Self::AwsCn => "cn-north-1",
            Self::AwsUsGov => "us-gov-west-1",
        }
    }
}

impl fmt::Display for Partition {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl FromStr for Partition {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|partition| partition.as_str() == name)
            .ok_or_else(|| format!("'{name}' is not one of aws, aws-cn, aws-us-gov"))
    }
}

/// What is known of a credential's validity.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Verdict {
    /// Nobody has asked.
    #[default]
    Unchecked,
    /// It works now.
    Live(Live),
    /// The access key ID is unknown in every partition that was asked: deleted, deactivated, never
    /// issued, or of a partition that was not asked.
    Inactive {
        /// The partitions that were asked.
        partitions: BTreeSet<Partition>,
    },
    /// The access key ID exists and is active, but this secret is not its own.
    SecretMismatch {
        /// Where it exists.
        partition: Partition,
    },
    /// A temporary credential whose time is over.
    Expired {
        /// Where it was issued.
        partition: Partition,
    },
    /// AWS was asked, or should have been, and there is no answer to go by. To be treated as
    /// unchecked.
    Unknown(Cause),
    /// It was not asked about, on purpose.
    Skipped(SkipReason),
}

impl Verdict {
    /// The word used in every output.
    #[must_use]
    pub fn state(&self) -> &'static str {
        match self {
            Self::Unchecked => "unchecked",
            Self::Live(_) => "live",
            Self::Inactive { .. } => "inactive",
            Self::SecretMismatch { .. } => "secret-mismatch",
            Self::Expired { .. } => "expired",
            Self::Unknown(_) => "unknown",
            Self::Skipped(_) => "skipped",
        }
    }

    /// What is known of the live credential, where it is live.
    #[must_use]
    pub fn live(&self) -> Option<&Live> {
        match self {
            Self::Live(live) => Some(live),
            _ => None,
        }
    }
}

/// A credential that works.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Live {
    /// Where it works.
    pub partition: Partition,
    /// Whose it is; `None` where AWS accepted the signature but refused to say
    /// (`AccessDenied`).
    pub identity: Option<Identity>,
    /// Whether the secret that works is not the one reported, but another one found near the same
    /// access key ID.
    pub other_secret: bool,
}

impl Live {
    /// Whether it is a root user's key: the worst there is.
    #[must_use]
    pub fn is_root(&self) -> bool {
        matches!(&self.identity, Some(identity) if identity.principal == Principal::Root)
    }
}

/// Whose a live credential is, as `sts:GetCallerIdentity` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Amazon resource name: printable ASCII without blanks.
    pub arn: String,
    /// Twelve digits.
    pub account: String,
    /// What kind of principal it is.
    pub principal: Principal,
}

/// Kinds of principals, read from an ARN.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Principal {
    /// `arn:P:iam::A:root`.
    Root,
    /// `arn:P:iam::A:user/path/name`.
    User {
        /// The name, without the path.
        name: String,
    },
    /// `arn:P:sts::A:assumed-role/role/session`.
    AssumedRole {
        /// Name of the role.
        role: String,
        /// Name of the session.
        session: String,
    },
    /// `arn:P:sts::A:federated-user/name`.
    FederatedUser {
        /// The name given to the session.
        name: String,
    },
    /// Some other kind.
    Other,
}

impl Principal {
    /// The word used in every output.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Root => "root",
            Self::User { .. } => "user",
            Self::AssumedRole { .. } => "assumed-role",
            Self::FederatedUser { .. } => "federated-user",
            Self::Other => "other",
        }
    }
}

/// Why there is no verdict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    /// The kind, for machines.
    pub kind: CauseKind,
    /// One line for people. Holds nothing of the credential.
    pub detail: String,
}

/// Kinds of causes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CauseKind {
    /// No connection: name resolution, TCP, TLS or proxy.
    Unreachable,
    /// No answer in time.
    Timeout,
    /// AWS refused for the rate of requests.
    Throttled,
    /// HTTP 5xx.
    ServerError,
    /// This machine's clock is wrong.
    ClockSkew,
    /// An answer that is not AWS's: a captive portal, a proxy's page.
    Unparsable,
    /// An AWS error that says nothing of the credential.
    OtherError,
    /// A single signature mismatch, which STS sometimes answers for a good secret, and no call
    /// left to ask again.
    UnconfirmedMismatch,
    /// The calls allowed for one access key ID were spent on other secrets found with it.
    CallLimit,
    /// The time for verification was over.
    OutOfTime,
    /// The user interrupted.
    Interrupted,
}

impl CauseKind {
    /// The word used in every output.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::Timeout => "timeout",
            Self::Throttled => "throttled",
            Self::ServerError => "server-error",
            Self::ClockSkew => "clock-skew",
            Self::Unparsable => "unparsable-answer",
            Self::OtherError => "other-error",
            Self::UnconfirmedMismatch => "unconfirmed-mismatch",
            Self::CallLimit => "call-limit",
            Self::OutOfTime => "out-of-time",
            Self::Interrupted => "interrupted",
        }
    }
}

/// Why a credential was not asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SkipReason {
    /// Its account issues canary tokens: a call would alert whoever planted it.
    Canary,
    /// A temporary key whose session token was not found.
    TokenMissing,
    /// An access key ID without a secret.
    SecretMissing,
    /// A secret without an access key ID.
    IdMissing,
    /// A kind of key that signs no requests.
    NotSigning,
    /// Its account is on the deny list, or not on the allow list.
    AccountRefused,
    /// As many access key IDs as allowed have been asked about in this run.
    OverBudget,
}

impl SkipReason {
    /// The word used in every output.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Canary => "canary",
            Self::TokenMissing => "session-token-missing",
            Self::SecretMissing => "secret-missing",
            Self::IdMissing => "access-key-id-missing",
            Self::NotSigning => "not-a-signing-key",
            Self::AccountRefused => "account-refused",
            Self::OverBudget => "over-budget",
        }
    }

    /// One line for people.
    #[must_use]
    pub fn explanation(self) -> &'static str {
        match self {
            Self::Canary => "canary: asking would alert whoever planted it (--verify-canaries)",
            Self::TokenMissing => "temporary key whose session token was not found",
            Self::SecretMissing => "no secret access key was found with it",
            Self::IdMissing => "no access key ID was found with it",
            Self::NotSigning => "this kind of key does not sign requests",
            Self::AccountRefused => "its account is excluded from verification",
            Self::OverBudget => "over the limit of access key IDs for one run (--verify-max)",
        }
    }
}
