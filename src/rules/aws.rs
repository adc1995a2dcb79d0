//! The data that the AWS detector goes by: `patterns/aws.toml` and `patterns/aws-canaries.toml`.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::Deserialize;

use super::RuleHandle;

/// Word lists of the AWS detector; all words in lower case, letters and digits only.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AwsWords {
    /// A value that contains one of these is an example or a placeholder.
    pub placeholder_words: Vec<String>,
    /// A name that contains one of these names a secret.
    pub secret_names: Vec<String>,
    /// A name that contains one of these is about AWS.
    pub aws_names: Vec<String>,
    /// A name with one of these as a word is about AWS.
    pub aws_services: Vec<String>,
    /// A name with one of these as a word names something public.
    pub hash_names: Vec<String>,
    /// Words that do not distinguish one key's name from another's.
    pub common_names: BTreeSet<String>,
}

/// What the AWS detector is built from.
#[derive(Clone, Debug)]
pub struct AwsRules {
    /// An access key ID with its secret.
    pub pair: RuleHandle,
    /// An access key ID alone.
    pub key_id: RuleHandle,
    /// A secret access key alone.
    pub secret: RuleHandle,
    /// The word lists.
    pub words: Arc<AwsWords>,
    /// Accounts of canary tokens, twelve digits each.
    pub canary_accounts: BTreeSet<String>,
}
