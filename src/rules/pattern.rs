//! What a rule that is found by a regular expression consists of: the gitleaks keys, and ours.

use std::sync::Arc;

/// Longest secret that is looked for near a keyword, in bytes.
pub const LONGEST_VALUE: usize = 384;

/// The part of a rule that the generic detector works with.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Pattern {
    /// Regular expression of the `regex` crate, run on bytes. Without one, `path` alone decides.
    pub regex: Option<Arc<str>>,
    /// Regular expression that the path must match.
    pub path: Option<Arc<str>>,
    /// Capture group that holds the secret; 0 for the first group that is not empty.
    pub secret_group: usize,
    /// Shannon entropy, in bits a byte, that the secret must exceed.
    pub entropy: Option<f64>,
    /// Whether the secret stands near a keyword, by itself, instead of the expression saying how.
    pub near_keyword: bool,
    /// Words, in lower case, one of which must occur in the text for the rule to be tried.
    pub keywords: Vec<String>,
    /// Labels for reports.
    pub tags: Vec<String>,
    /// What is not a finding.
    pub allowlists: Vec<Allowlist>,
    /// Rules that must have found something nearby.
    pub required: Vec<Required>,
    /// Whether the rule only serves as another rule's requirement.
    pub skip_report: bool,
    /// Checksum within the secret.
    pub checksum: Option<Checksum>,
    /// Form that the secret must have beyond its regular expression.
    pub structure: Option<Structure>,
    /// Whether placeholders (`xxxx`, `your-token`, `0123456789`) are not findings.
    pub refuse_placeholders: bool,
    /// Whether it comes from the program's own library.
    pub builtin: bool,
    /// Where its keywords are worth looking for.
    pub search: Search,
}

/// Where a rule's keywords are worth looking for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Search {
    /// Where a word and a long run of token characters begin.
    Start,
    /// Near a long run of token characters with a digit or `+` in it.
    Near,
    /// Before `://` with a user and a password.
    Url,
    /// Where a word begins: after what is no letter or digit, or with a capital.
    Word,
    /// Everywhere.
    #[default]
    Everywhere,
}

/// A reason for which a match is not a finding.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Allowlist {
    /// Whether all criteria that are given must hold, instead of one.
    pub all: bool,
    /// Commits, in lower case.
    pub commits: Vec<String>,
    /// Regular expressions on the path.
    pub paths: Vec<Arc<str>>,
    /// Regular expressions on `target`.
    pub regexes: Vec<Arc<str>>,
    /// What `regexes` look at.
    pub target: Target,
    /// Words, in lower case, that the secret must not contain.
    pub stopwords: Vec<String>,
}

/// What an allowlist's regular expressions look at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Target {
    /// The secret.
    #[default]
    Secret,
    /// The whole match.
    Match,
    /// The lines of the match.
    Line,
}

/// Another rule that must have matched near by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Required {
    /// Id of that rule.
    pub id: Arc<str>,
    /// Lines between the two, at most.
    pub within_lines: Option<u64>,
    /// Columns between the two, at most.
    pub within_columns: Option<u64>,
}

/// Checksums that formats carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checksum {
    /// The last six characters are the CRC-32 of the others after the prefix, in base 62 (GitHub,
    /// npm).
    Crc32Base62,
}

/// Forms that are checked by code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Structure {
    /// A PEM header: the key after it must decode.
    Pem,
    /// A signed JSON Web Token.
    Jwt,
    /// The same, issued by Kubernetes.
    JwtKubernetes,
    /// Base64 of `user:password`.
    Base64Userinfo,
    /// The `kind: Secret` of a Kubernetes manifest: one of its data is a secret.
    KubernetesSecret,
    /// A Discord token: its first part is base64 of a number.
    DiscordToken,
    /// A password in a URL or on a command line: not a placeholder, not a local service's.
    UrlPassword,
    /// A value assigned to a telling name: random enough, and not a word or a reference.
    GenericValue,
}

impl Checksum {
    /// The word for it in a rule file.
    pub(super) fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "crc32-base62" => Self::Crc32Base62,
            _ => return None,
        })
    }
}

impl Structure {
    /// The word for it in a rule file.
    pub(super) fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "pem" => Self::Pem,
            "jwt" => Self::Jwt,
            "jwt-kubernetes" => Self::JwtKubernetes,
            "base64-userinfo" => Self::Base64Userinfo,
            "kubernetes-secret" => Self::KubernetesSecret,
            "discord-token" => Self::DiscordToken,
            "url-password" => Self::UrlPassword,
            "generic-value" => Self::GenericValue,
            _ => return None,
        })
    }

    /// Whether people choose such secrets, so that they can be guessed.
    #[must_use]
    pub fn chosen_by_people(self) -> bool {
        matches!(
            self,
            Self::Base64Userinfo | Self::UrlPassword | Self::GenericValue
        )
    }
}
