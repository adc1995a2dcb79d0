//! What can be typed about verification, the same for every command that scans.

use std::path::PathBuf;

use clap::Args;
use straykey::verdict::Partition;
use straykey::verify::endpoint::Endpoint;

/// Options of verification.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Verification")]
pub(crate) struct VerifyArguments {
    /// Ask AWS (sts:GetCallerIdentity) whether the keys found work
    ///
    /// One signed call for each distinct key. The secret is not sent; the session token of a
    /// temporary key is. The owner of the account sees the call in CloudTrail. See
    /// docs/verification.md.
    #[arg(long)]
    pub(crate) verify: bool,

    /// Print which calls --verify would make, and make none
    #[arg(long, hide_short_help = true)]
    pub(crate) verify_dry_run: bool,

    /// Ask about canary tokens, too: that alerts whoever planted them
    #[arg(long, hide_short_help = true)]
    pub(crate) verify_canaries: bool,

    /// Ask these partitions (aws, aws-cn, aws-us-gov) [default: aws and what the files hint at]
    #[arg(
        long,
        value_name = "PARTITION",
        value_delimiter = ',',
        hide_short_help = true
    )]
    pub(crate) partition: Vec<Partition>,

    /// Ask about at most this many access key IDs [default: 100]
    #[arg(long, value_name = "N", hide_short_help = true)]
    pub(crate) verify_max: Option<usize>,

    /// Ask only about keys of these accounts (12 digits, comma-separated)
    #[arg(long, value_name = "ACCOUNT", value_delimiter = ',', value_parser = account, hide_short_help = true)]
    pub(crate) verify_accounts_allow: Vec<String>,

    /// Never ask about keys of these accounts; wins over --verify-accounts-allow
    #[arg(long, value_name = "ACCOUNT", value_delimiter = ',', value_parser = account, hide_short_help = true)]
    pub(crate) verify_accounts_deny: Vec<String>,

    /// Time for one call [default: 5]
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=60), hide_short_help = true)]
    pub(crate) verify_timeout: Option<u64>,

    /// Time for all calls together [default: 300]
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=86_400), hide_short_help = true)]
    pub(crate) verify_time_limit: Option<u64>,

    /// Ask this endpoint instead of AWS's own (https, or http on loopback)
    #[arg(long, value_name = "URL", value_parser = Endpoint::parse, hide_short_help = true)]
    pub(crate) sts_endpoint: Option<Endpoint>,

    /// Use the FIPS endpoints
    #[arg(long, hide_short_help = true)]
    pub(crate) fips: bool,

    /// Trust the certificates in this PEM file besides the system's [default: AWS_CA_BUNDLE]
    #[arg(long, value_name = "FILE", hide_short_help = true)]
    pub(crate) ca_bundle: Option<PathBuf>,
}

impl VerifyArguments {
    /// An option that means nothing without `--verify`, if one was given.
    pub(crate) fn dependent(&self) -> Option<&'static str> {
        [
            ("--verify-canaries", self.verify_canaries),
            ("--partition", !self.partition.is_empty()),
            ("--verify-max", self.verify_max.is_some()),
            (
                "--verify-accounts-allow",
                !self.verify_accounts_allow.is_empty(),
            ),
            (
                "--verify-accounts-deny",
                !self.verify_accounts_deny.is_empty(),
            ),
            ("--verify-timeout", self.verify_timeout.is_some()),
            ("--verify-time-limit", self.verify_time_limit.is_some()),
            ("--sts-endpoint", self.sts_endpoint.is_some()),
            ("--fips", self.fips),
            ("--ca-bundle", self.ca_bundle.is_some()),
        ]
        .into_iter()
        .find_map(|(name, given)| given.then_some(name))
    }
}

fn account(text: &str) -> Result<String, String> {
    let valid = text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit());
    match valid {
        true => Ok(text.to_owned()),
        false => Err("an account ID has 12 digits".to_owned()),
    }
}
