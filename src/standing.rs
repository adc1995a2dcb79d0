//! [`Standing`]: whether a finding counts, and who has said that it does not. Plain data.

use crate::date::Date;

/// Whose comment says that what stands beside it is not to be reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Marker {
    /// `straykey:allow`.
    Straykey,
    /// `gitleaks:allow`.
    Gitleaks,
    /// `pragma: allowlist secret` and `pragma: allowlist nextline secret` of detect-secrets.
    DetectSecrets,
    /// `trufflehog:ignore`.
    Trufflehog,
}

impl Marker {
    /// As it is written.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Straykey => "straykey:allow",
            Self::Gitleaks => "gitleaks:allow",
            Self::DetectSecrets => "pragma: allowlist secret",
            Self::Trufflehog => "trufflehog:ignore",
        }
    }
}

/// A comment that allows what stands beside it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Allow {
    /// Whose.
    pub marker: Marker,
    /// What it gives as the reason. Text from outside: sanitise before printing.
    pub reason: Option<String>,
}

/// An entry of the baseline, as far as it explains a finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// The entry's id: the first digits of its file name.
    pub entry: String,
    /// The rule that found it when the entry was made.
    pub rule: String,
    /// Why it is known. Text from outside: sanitise before printing.
    pub reason: Option<String>,
    /// Who answers for it. Text from outside: sanitise before printing.
    pub owner: Option<String>,
    /// The last day on which it counts.
    pub until: Option<Date>,
}

/// Whether a finding counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Standing {
    /// Nobody has said anything of it: it counts.
    #[default]
    New,
    /// It is in the baseline, and its time is over: it counts.
    Expired(Known),
    /// It is in the baseline.
    Baselined(Known),
    /// Each of its places bears a comment that allows it.
    Allowed(Allow),
    /// All of its places are in paths that the configuration excludes.
    Excluded,
}

impl Standing {
    /// Whether it takes the finding out of what blocks.
    #[must_use]
    pub fn suppresses(&self) -> bool {
        matches!(self, Self::Baselined(_) | Self::Allowed(_) | Self::Excluded)
    }
}
