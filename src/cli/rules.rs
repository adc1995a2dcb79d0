//! `straykey rules`: what is looked for.

use std::io::{self, Write};

use anyhow::{Result, bail};
use straykey::detect;
use straykey::finding::Confidence;
use straykey::report::sanitise;
use straykey::rules::{RuleHandle, RuleSet};

use super::args::RulesCommand;
use super::exit::Exit;
use super::print;

pub(crate) fn run(command: &RulesCommand) -> Result<Exit> {
    let rules = || RuleSet::builtin().with_confidence(Confidence::Low);
    match command {
        RulesCommand::List => list(rules().rules())?,
        RulesCommand::Show { id } => show(rules().rules(), id)?,
        RulesCommand::Test { files } if files.is_empty() => return test(&rules()),
        RulesCommand::Test { files } => {
            return test(&RuleSet::load(files)?.with_confidence(Confidence::Low));
        }
    }
    Ok(Exit::Clean)
}

fn list(rules: &[RuleHandle]) -> Result<()> {
    let width = rules.iter().map(|rule| rule.id().len()).max().unwrap_or(0);
    print(|out| {
        for rule in rules.iter().map(RuleHandle::rule) {
            let severity = rule.severity.as_str();
            let confidence = rule.confidence.as_str();
            let description = sanitise::line(rule.description.as_bytes());
            writeln!(
                out,
                "{:width$}  {severity:8}  {confidence:6}  {description}",
                rule.id
            )?;
        }
        Ok(())
    })
}

fn show(rules: &[RuleHandle], id: &str) -> Result<()> {
    let Some(rule) = rules.iter().find(|rule| rule.id() == id) else {
        bail!("there is no rule `{id}`; straykey rules list shows them all");
    };
    let rule = rule.rule();
    print(|out| {
        writeln!(out, "{}", rule.id)?;
        writeln!(out, "  {}", sanitise::line(rule.description.as_bytes()))?;
        writeln!(out, "  severity    {}", rule.severity.as_str())?;
        writeln!(out, "  confidence  {}", rule.confidence.as_str())?;
        writeln!(out, "  source      {}", rule.source)?;
        let (matching, not_matching) = (&rule.test.matching, &rule.test.not_matching);
        examples(out, "must match", matching)?;
        examples(out, "must not match", not_matching)
    })
}

fn examples(out: &mut dyn Write, title: &str, examples: &[String]) -> io::Result<()> {
    writeln!(out, "  {title}")?;
    examples
        .iter()
        .try_for_each(|example| writeln!(out, "    {}", sanitise::line(example.as_bytes())))
}

/// Runs every rule's examples; what does not come out as its rule says is listed.
fn test(rules: &RuleSet) -> Result<Exit> {
    let failures = detect::check(rules);
    print(|out| {
        for failure in &failures {
            let expected = if failure.expected_match {
                "not found"
            } else {
                "wrongly found"
            };
            let example = sanitise::line(failure.example.as_bytes());
            writeln!(out, "{}: {expected}: {example}", failure.rule)?;
        }
        let examples: usize = rules
            .enabled()
            .map(RuleHandle::rule)
            .map(|rule| rule.test.matching.len() + rule.test.not_matching.len())
            .sum();
        writeln!(
            out,
            "{} rules, {examples} examples, {} failed",
            rules.enabled().count(),
            failures.len()
        )
    })?;
    Ok(if failures.is_empty() {
        Exit::Clean
    } else {
        Exit::Blocked
    })
}
