//! `straykey rules`: what is looked for.

use anyhow::{Result, bail};
use straykey::report::sanitise;
use straykey::rules::{Rule, RuleSet};

use super::args::RulesCommand;
use super::exit::Exit;
use super::print;

pub(crate) fn run(command: &RulesCommand) -> Result<Exit> {
    let rules = RuleSet::builtin();
    match command {
        RulesCommand::List => list(rules.rules())?,
        RulesCommand::Show { id } => show(rules.rules(), id)?,
    }
    Ok(Exit::Clean)
}

fn list(rules: &[Rule]) -> Result<()> {
    let width = rules.iter().map(|rule| rule.id.len()).max().unwrap_or(0);
    print(|out| {
        for rule in rules {
            let severity = rule.severity.as_str();
            let description = sanitise::line(rule.description.as_bytes());
            writeln!(out, "{:width$}  {severity:8}  {description}", rule.id)?;
        }
        Ok(())
    })
}

fn show(rules: &[Rule], id: &str) -> Result<()> {
    let Some(rule) = rules.iter().find(|rule| *rule.id == *id) else {
        bail!("there is no rule `{id}`; straykey rules list shows them all");
    };
    print(|out| {
        writeln!(out, "{}", rule.id)?;
        writeln!(out, "  {}", sanitise::line(rule.description.as_bytes()))?;
        writeln!(out, "  severity    {}", rule.severity.as_str())?;
        writeln!(out, "  confidence  {}", rule.confidence.as_str())
    })
}
