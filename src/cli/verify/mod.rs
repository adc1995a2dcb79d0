//! `--verify` and `--verify-dry-run`: what they mean, and doing it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

#[cfg(feature = "verify")]
use anyhow::Context;
use anyhow::{Result, bail};
use straykey::report::{Options, Report, mask};
use straykey::scan::Progress;
use straykey::verdict::Partition;
use straykey::verify::plan::{Plan, Scope};
use straykey::verify::run::Limits;

pub(crate) use args::VerifyArguments;

use super::progress::Display;
use super::say;

mod args;

/// Verification, decided.
#[derive(Debug)]
pub(crate) struct VerifyPlan {
    dry_run: bool,
    scope: Scope,
    limits: Limits,
    #[cfg(feature = "verify")]
    settings: straykey::verify::sts::Settings,
}

impl VerifyPlan {
    /// What `arguments` mean; `None` if nothing is to be verified.
    ///
    /// # Errors
    /// If they contradict each other, if a file that they name cannot be read, or if this program
    /// cannot verify.
    pub(crate) fn new(arguments: VerifyArguments) -> Result<Option<Self>> {
        if !arguments.verify && !arguments.verify_dry_run {
            return match arguments.dependent() {
                Some(name) => bail!("{name} means nothing without --verify or --verify-dry-run"),
                None => Ok(None),
            };
        }
        if !straykey::verify::COMPILED && !arguments.verify_dry_run {
            bail!(
                "this straykey was built without verification (cargo feature `verify`); \
                 `cargo install straykey --locked` without --no-default-features builds it in"
            );
        }
        if arguments.fips && arguments.sts_endpoint.is_some() {
            bail!("--fips chooses among AWS's own endpoints and cannot go with --sts-endpoint");
        }
        let mut limits = Limits::default();
        if let Some(seconds) = arguments.verify_time_limit {
            limits.deadline = Duration::from_secs(seconds);
        }
        Ok(Some(Self {
            dry_run: arguments.verify_dry_run,
            limits,
            #[cfg(feature = "verify")]
            settings: settings(&arguments)?,
            scope: scope(arguments)?,
        }))
    }

    /// What `arguments` mean for a command whose `--fail-on` says `live`, or something else.
    ///
    /// # Errors
    /// As [`VerifyPlan::new`], and if only live keys shall block and nobody is asked which are.
    pub(crate) fn for_gate(arguments: VerifyArguments, live_only: bool) -> Result<Option<Self>> {
        if live_only && !arguments.verify {
            bail!("--fail-on live needs --verify: without it no key is known to be live");
        }
        Self::new(arguments)
    }

    /// Asks about the findings of `report` and writes the verdicts into it; or says what would be
    /// asked.
    ///
    /// # Errors
    /// If the network cannot be used at all, for a defect of this machine.
    pub(crate) fn carry_out(
        &self,
        report: &mut Report,
        options: &Options,
        progress: &Arc<Progress>,
        quiet: bool,
    ) -> Result<()> {
        if self.dry_run {
            self.describe(report, options);
            return Ok(());
        }
        let _display = Display::start(progress, quiet);
        self.ask(report, progress)
    }

    #[cfg(feature = "verify")]
    fn ask(&self, report: &mut Report, progress: &Arc<Progress>) -> Result<()> {
        let sts = straykey::verify::sts::Sts::new(&self.settings)?;
        straykey::scan::verify(report, &self.scope, &self.limits, &sts, progress);
        Ok(())
    }

    #[cfg(not(feature = "verify"))]
    fn ask(&self, _report: &mut Report, _progress: &Arc<Progress>) -> Result<()> {
        bail!("this straykey was built without verification")
    }

    /// Asks about `findings` and writes the verdicts into them.
    ///
    /// # Errors
    /// As [`VerifyPlan::carry_out`].
    #[cfg(feature = "sweep")]
    pub(crate) fn ask_about(
        &self,
        findings: &mut [straykey::finding::Finding],
        progress: &Progress,
    ) -> Result<()> {
        if self.dry_run || findings.is_empty() {
            return Ok(());
        }
        let sts = straykey::verify::sts::Sts::new(&self.settings)?;
        let mut report = Report {
            findings: findings.to_vec(),
            ..Report::default()
        };
        straykey::scan::verify(&mut report, &self.scope, &self.limits, &sts, progress);
        for finding in findings {
            let asked = report
                .findings
                .iter()
                .find(|it| it.fingerprint == finding.fingerprint);
            if let Some(asked) = asked {
                finding.verdict = asked.verdict.clone();
            }
        }
        Ok(())
    }

    /// Says what would be asked and what not.
    fn describe(&self, report: &Report, options: &Options) {
        let plan = Plan::new(&report.findings, &self.scope);
        let most: usize = plan.groups.iter().map(|group| group.calls_at_most()).sum();
        say(&format!(
            "dry run: --verify would ask about {} access key IDs, with at most {most} calls to \
             sts:GetCallerIdentity within {} s",
            plan.groups.len(),
            self.limits.deadline.as_secs(),
        ));
        let key_id = |id: &str| match options.mask_ids {
            true => mask::key_id(id),
            false => id.to_owned(),
        };
        for group in &plan.groups {
            let partitions: Vec<&str> = group.partitions.iter().map(|it| it.as_str()).collect();
            let account = group.account_id.map(|id| match options.mask_ids {
                true => mask::account_id(id),
                false => mask::account_id_partly(id),
            });
            say(&format!(
                "  ask   {}  account {}  secrets {}  in {}",
                key_id(group.access_key_id),
                account.as_deref().unwrap_or("unknown"),
                group.candidates.len(),
                partitions.join(", then "),
            ));
        }
        for finding in &report.findings {
            if let Some(reason) = plan.skipped.get(&finding.fingerprint) {
                let id = finding.credential.access_key_id.as_deref();
                say(&format!(
                    "  skip  {}  [{}]  {}",
                    id.map_or_else(|| "(no access key ID)".to_owned(), key_id),
                    finding.fingerprint.short(),
                    reason.explanation(),
                ));
            }
        }
    }
}

fn scope(arguments: VerifyArguments) -> Result<Scope> {
    let mut partitions: BTreeSet<Partition> = arguments.partition.into_iter().collect();
    if let Some((endpoint, partition)) = arguments
        .sts_endpoint
        .as_ref()
        .and_then(|endpoint| Some((endpoint, endpoint.partition()?)))
    {
        if partitions.iter().any(|chosen| *chosen != partition) {
            bail!(
                "{} is in partition {partition}: no other --partition can be asked there",
                endpoint.as_str()
            );
        }
        partitions.insert(partition);
    }
    Ok(Scope {
        partitions,
        canaries: arguments.verify_canaries,
        allowed_accounts: arguments.verify_accounts_allow.into_iter().collect(),
        denied_accounts: arguments.verify_accounts_deny.into_iter().collect(),
        max_ids: arguments
            .verify_max
            .unwrap_or_else(|| Scope::default().max_ids),
    })
}

/// AWS_CA_BUNDLE is what the AWS command line reads; behind a proxy that opens TLS it is set.
#[cfg(feature = "verify")]
fn settings(arguments: &VerifyArguments) -> Result<straykey::verify::sts::Settings> {
    let from_environment = || std::env::var_os("AWS_CA_BUNDLE").filter(|path| !path.is_empty());
    let bundle = arguments
        .ca_bundle
        .clone()
        .or_else(|| from_environment().map(Into::into));
    let mut settings = straykey::verify::sts::Settings {
        endpoint: arguments.sts_endpoint.clone(),
        fips: arguments.fips,
        extra_certificates: None,
        ..straykey::verify::sts::Settings::default()
    };
    if let Some(seconds) = arguments.verify_timeout {
        settings.timeout = Duration::from_secs(seconds);
    }
    if let Some(path) = bundle {
        let pem = std::fs::read(&path)
            .with_context(|| format!("cannot read the certificates in `{}`", path.display()))?;
        settings.extra_certificates = Some(pem);
        settings
            .check()
            .with_context(|| format!("in `{}`", path.display()))?;
    }
    Ok(settings)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(arguments: VerifyArguments) -> String {
        VerifyPlan::new(arguments).unwrap_err().to_string()
    }

    #[test]
    fn nothing_is_verified_unless_asked() {
        assert!(
            VerifyPlan::new(VerifyArguments::default())
                .unwrap()
                .is_none()
        );
    }

    #[test]
    fn options_without_their_switch_are_refused() {
        let arguments = VerifyArguments {
            fips: true,
            ..VerifyArguments::default()
        };
        assert_eq!(
            refused(arguments),
            "--fips means nothing without --verify or --verify-dry-run"
        );
    }

    #[cfg(not(feature = "verify"))]
    #[test]
    fn without_the_feature_it_says_how_to_get_it() {
        let arguments = VerifyArguments {
            verify: true,
            ..VerifyArguments::default()
        };
        assert!(refused(arguments).contains("cargo install straykey --locked"));
    }

    #[cfg(feature = "verify")]
    #[test]
    fn a_bundle_that_is_not_there_is_an_error() {
        let arguments = VerifyArguments {
            verify: true,
            ca_bundle: Some("/nowhere/bundle.pem".into()),
            ..VerifyArguments::default()
        };
        assert!(refused(arguments).contains("/nowhere/bundle.pem"));
    }
}
