//! `straykey explain`: what a rule or a finding is, why it matters, and what to do, in order.

use std::fs::File;
use std::io::{self, BufReader, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use clap::Args;
use straykey::detect::Detector;
use straykey::finding::{Confidence, Finding, KeyType};
use straykey::report::advice::Advice;
use straykey::report::{Report, mask, read, sanitise};
use straykey::rules::{Rule, RuleSet};
use straykey::scan::{self, Progress};
use straykey::source::Files;
use straykey::standing::{Known, Standing};

use super::exit::Exit;
use super::policy::{self, CountArguments, Policy};
use super::progress::Display;
use super::{config, print};

/// Fewest digits of a fingerprint that are looked up.
const FEWEST: usize = 6;
/// Places of a finding that are listed.
const PLACES: usize = 10;

/// What can be typed after `explain`.
#[derive(Debug, Args)]
pub(crate) struct ExplainArguments {
    /// Id of a rule, or the first digits of a finding
    #[arg(value_name = "RULE|FINDING")]
    what: String,

    /// Look the finding up in this report (-o json or jsonl) and scan nothing
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
}

pub(crate) fn run(arguments: &ExplainArguments) -> Result<Exit> {
    let what = arguments.what.as_str();
    let top = policy::tops(&[PathBuf::from(".")]);
    let top = top.first().cloned().unwrap_or_default();
    let rules = config::of_top(&[], &top)?.with_confidence(Confidence::Low);
    if let Some(rule) = rules.rule(what) {
        print(|out| explain_rule(out, rule.rule()))?;
        return Ok(Exit::Clean);
    }
    let digits = what
        .bytes()
        .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    if !digits || what.len() < FEWEST {
        bail!(
            "`{what}` is neither a rule (straykey rules list) nor the first {FEWEST} or more digits of a finding"
        );
    }
    let report = match &arguments.report {
        Some(file) => from_file(file)?,
        None => from_scan(&top)?,
    };
    let found: Vec<&Finding> = report
        .findings
        .iter()
        .filter(|finding| is_meant(finding, what))
        .collect();
    match found.as_slice() {
        [finding] => print(|out| explain(out, finding))?,
        [] if arguments.report.is_some() => bail!("there is no finding {what} in the report"),
        [] => bail!(
            "there is no finding {what} in the files of `{}`; if it is in the history: \
             straykey history -o json=FILE, then straykey explain {what} --report FILE",
            top.display()
        ),
        several => bail!("{what} begins {} findings; give more digits", several.len()),
    }
    Ok(Exit::Clean)
}

/// Whether `digits` begin the fingerprint of `finding`, or name its entry in the baseline.
fn is_meant(finding: &Finding, digits: &str) -> bool {
    let entry = match &finding.standing {
        Standing::Baselined(known) | Standing::Expired(known) => known.entry == digits,
        _ => false,
    };
    entry || finding.fingerprint.to_string().starts_with(digits)
}

fn from_file(file: &Path) -> Result<Report> {
    let name = || format!("cannot read `{}`", file.display());
    let open = File::open(file).with_context(name)?;
    let (report, _) = read::read(&mut BufReader::new(open)).with_context(name)?;
    Ok(report)
}

/// What is found in the files now.
fn from_scan(top: &Path) -> Result<Report> {
    let rules: RuleSet = config::of_top(&[], top)?;
    let tops = [top.to_owned()];
    let policy = Policy::new(rules, &tops, &CountArguments::default())?;
    let progress = Arc::new(Progress::default());
    let _display = Display::start(&progress, false);
    let detector = Detector::new(&policy.rules);
    let mut report = scan::run(&Files::new(vec![top.to_owned()]), &detector, &progress);
    policy.settle(&mut report, false);
    Ok(report)
}

fn explain_rule(out: &mut dyn Write, rule: &Rule) -> io::Result<()> {
    writeln!(
        out,
        "{}: {}",
        rule.id,
        sanitise::line(rule.description.as_bytes())
    )?;
    writeln!(
        out,
        "severity {}, confidence {}",
        rule.severity.as_str(),
        rule.confidence.as_str()
    )?;
    advise(out, &Advice::of(&rule.id, false), None)?;
    if !rule.source.is_empty() {
        writeln!(out, "\nSource: {}", sanitise::line(rule.source.as_bytes()))?;
    }
    writeln!(
        out,
        "\nNot a real key? Beside its secret:  straykey:allow {} WHY   (or straykey baseline audit)",
        rule.id
    )
}

fn explain(out: &mut dyn Write, finding: &Finding) -> io::Result<()> {
    let title = sanitise::line(finding.title.as_bytes());
    let rule = sanitise::line(finding.rule.as_bytes());
    writeln!(out, "{}  {title} ({rule})", finding.fingerprint.short())?;
    let credential = &finding.credential;
    let severity = finding.severity.as_str();
    writeln!(out, "severity {severity}, {}", finding.verdict.state())?;
    if let Some(id) = &credential.access_key_id {
        let account = credential
            .account_id
            .as_deref()
            .map(mask::account_id_partly);
        let account = account.map_or_else(String::new, |it| format!(", account {it}"));
        writeln!(
            out,
            "access key ID {}{account}",
            sanitise::line(id.as_bytes())
        )?;
    }
    standing(out, &finding.standing)?;
    for occurrence in finding.occurrences.iter().take(PLACES) {
        let path = sanitise::line(occurrence.origin.path().as_bytes());
        let line = occurrence
            .parts
            .first()
            .map_or(1, |part| part.span.start.line);
        writeln!(out, "in {path}:{line}")?;
    }
    if let more @ 1.. = finding.occurrences.len().saturating_sub(PLACES) {
        writeln!(out, "and {more} more places")?;
    }
    let temporary = credential.key_type == Some(KeyType::Temporary);
    let advice = Advice::of(&finding.rule, temporary);
    advise(out, &advice, credential.access_key_id.as_deref())
}

fn standing(out: &mut dyn Write, standing: &Standing) -> io::Result<()> {
    let because = |reason: &Option<String>| {
        let clean = reason.as_deref().map(|it| sanitise::line(it.as_bytes()));
        clean.map_or_else(String::new, |it| format!(": {it}"))
    };
    let entry = |known: &Known| {
        let until = known
            .until
            .map_or_else(String::new, |day| format!(" until {day}"));
        format!("{}{until}{}", known.entry, because(&known.reason))
    };
    match standing {
        Standing::New => Ok(()),
        Standing::Expired(known) => writeln!(out, "was known by baseline entry {}", entry(known)),
        Standing::Baselined(known) => writeln!(out, "known by baseline entry {}", entry(known)),
        Standing::Allowed(allow) => {
            writeln!(
                out,
                "allowed by {}{}",
                allow.marker.as_str(),
                because(&allow.reason)
            )
        }
        Standing::Excluded => writeln!(out, "in an excluded path"),
    }
}

/// What it is, why it matters, what to do; the ID in its place in the commands.
fn advise(out: &mut dyn Write, advice: &Advice, id: Option<&str>) -> io::Result<()> {
    writeln!(out, "\nWhat it is\n  {}", advice.what)?;
    writeln!(out, "\nWhy it matters\n  {}", advice.why)?;
    writeln!(out, "\nWhat to do, in this order")?;
    for (number, step) in advice.steps.iter().enumerate() {
        let step = match id {
            Some(id) => step.replace(
                "--access-key-id ID",
                &format!("--access-key-id {}", sanitise::line(id.as_bytes())),
            ),
            None => (*step).to_owned(),
        };
        writeln!(out, "  {}. {step}", number + 1)?;
    }
    Ok(())
}
