//! What is said on standard error when a scan ends: one line, and what could not be read.

use std::io::{self, Write};

use super::view::{self, View};
use super::{Extent, Options, Report, sanitise};
use crate::finding::Severity;

/// What could not be read is named up to this number without `--show-skipped`.
const NAMED: usize = 10;

/// The summary, without a line end: "No leaked keys. Scanned 1,204 files (18.2 MB) in 0.21 s".
#[must_use]
pub fn line(report: &Report, options: &Options) -> String {
    let coverage = report.coverage;
    let mut line = verdict(report, options);
    if coverage.files > 0 {
        let commits = match report.extent {
            Extent::Commits(commits) => format!(" in {}", count(commits, "commit")),
            Extent::Files | Extent::Objects | Extent::NewObjects => String::new(),
        };
        line.push_str(&format!(
            " Scanned {}{commits} ({}) in {:.2} s",
            count(coverage.files, report.extent.thing()),
            size(coverage.bytes),
            report.seconds,
        ));
    }
    line.push_str(&verdicts(report));
    line.push_str(&suppressed(report));
    let unread = report.not_scanned.iter().filter(|it| it.incomplete).count();
    let skipped = report.not_scanned.len() - unread;
    for (number, what) in [
        (unread as u64, "could not be read"),
        (skipped as u64, "skipped (--show-skipped)"),
        (coverage.git_ignored, "git-ignored (--no-ignore)"),
    ] {
        if number > 0 {
            line.push_str(&format!(" · {} {what}", thousands(number)));
        }
    }
    line
}

fn verdict(report: &Report, options: &Options) -> String {
    let mut verdict = match view::open(report).count() as u64 {
        0 if report.extent == Extent::Commits(0) => "No commits in the range.".to_owned(),
        0 if report.extent == Extent::NewObjects
            && report.coverage.files == 0
            && report.complete() =>
        {
            "No leaked keys: nothing has come since the last run.".to_owned()
        }
        0 if report.coverage.files == 0 => {
            format!(
                "Nothing was scanned: no {} was read.",
                report.extent.thing()
            )
        }
        0 if !report.complete() => "No leaked keys in what was read.".to_owned(),
        0 => "No leaked keys.".to_owned(),
        number => format!(
            "{} ({}){}.",
            count(number, "leaked key"),
            severities(report),
            below(report, options)
        ),
    };
    if report.interrupted {
        verdict.push_str(" Interrupted before the end.");
    } else if !report.complete() && report.coverage.files > 0 {
        verdict.push_str(" The scan is not complete.");
    }
    verdict
}

fn severities(report: &Report) -> String {
    let of = |severity| {
        view::open(report)
            .filter(|it| it.severity == severity)
            .count() as u64
    };
    [
        Severity::Critical,
        Severity::High,
        Severity::Medium,
        Severity::Low,
    ]
    .into_iter()
    .filter(|&severity| of(severity) > 0)
    .map(|severity| format!("{} {}", thousands(of(severity)), severity.as_str()))
    .collect::<Vec<_>>()
    .join(", ")
}

/// " · verified: 1 live, 2 inactive", where AWS was asked.
fn verdicts(report: &Report) -> String {
    if report.verified_at.is_none() {
        return String::new();
    }
    let of = |state: &&str| {
        let it = report.findings.iter();
        it.filter(|it| it.verdict.state() == *state).count() as u64
    };
    let counts: Vec<String> = [
        "live",
        "secret-mismatch",
        "unknown",
        "skipped",
        "expired",
        "inactive",
    ]
    .iter()
    .filter(|state| of(state) > 0)
    .map(|state| format!("{} {state}", thousands(of(state))))
    .collect();
    match counts.is_empty() {
        true => String::new(),
        false => format!(" · verified: {}", counts.join(", ")),
    }
}

/// " · 2 baselined · 1 allowed", where something does not count.
#[must_use]
pub fn suppressed(report: &Report) -> String {
    let counts = view::Suppressed::of(report);
    let mut text = String::new();
    for (number, what) in [
        (counts.baselined, "baselined"),
        (counts.allowed, "allowed by straykey:allow"),
        (counts.foreign, "allowed by comments of other tools"),
        (counts.excluded, "in excluded paths"),
        (
            report.unused_entries.len(),
            "unused in the baseline (straykey baseline prune)",
        ),
    ] {
        if number > 0 {
            text.push_str(&format!(" · {} {what}", thousands(number as u64)));
        }
    }
    text
}

fn below(report: &Report, options: &Options) -> String {
    if report.blocked(options) {
        return String::new();
    }
    if options.live_only {
        return ", none live (--fail-on live)".to_owned();
    }
    format!(", none at or above --fail-on {}", options.fail_on.as_str())
}

/// Writes what was not read: everything if `all`, otherwise only what makes the scan incomplete,
/// and not more than a few of it.
///
/// # Errors
/// Whatever `out` fails with.
pub fn write_not_scanned(
    report: &Report,
    options: &Options,
    all: bool,
    out: &mut dyn Write,
) -> io::Result<()> {
    let view = View::new(report, options);
    let limit = if all { usize::MAX } else { NAMED };
    let listed = || view.not_scanned().filter(|entry| all || entry.incomplete());
    for entry in listed().take(limit) {
        let word = if entry.incomplete() {
            "error"
        } else {
            "skipped"
        };
        let path = sanitise::line(entry.path().as_bytes());
        let reason = sanitise::line(entry.reason().as_bytes());
        writeln!(out, "{word}: {path}: {reason}")?;
    }
    let more = listed().count().saturating_sub(limit);
    if more > 0 {
        writeln!(
            out,
            "error: {} more could not be read (--show-skipped)",
            thousands(more as u64)
        )?;
    }
    Ok(())
}

/// `number` things: "1 file", "1,204 files".
#[must_use]
pub fn count(number: u64, thing: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {thing}{plural}", thousands(number))
}

/// `1204` as `1,204`.
pub(super) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// A size in units of 1024, as `--max-file-size` takes them: "512 B", "18.2 MB".
#[must_use]
pub fn size(bytes: u64) -> String {
    let mut value = bytes as f64;
    let mut unit = "B";
    for larger in ["kB", "MB", "GB", "TB"] {
        // Not 1024: 1023.96 would be shown as "1024.0".
        if value < 1023.95 {
            break;
        }
        value /= 1024.0;
        unit = larger;
    }
    if unit == "B" {
        return format!("{bytes} B");
    }
    format!("{value:.1} {unit}")
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;
    use crate::source::{Coverage, NotScanned};

    fn report() -> Report {
        Report {
            coverage: Coverage {
                files: 1204,
                bytes: 19_083_264,
                git_ignored: 0,
            },
            seconds: 0.214,
            ..Report::default()
        }
    }

    fn skipped(incomplete: bool) -> NotScanned {
        NotScanned {
            path: "a\nb".into(),
            reason: "denied".into(),
            incomplete,
        }
    }

    #[test]
    fn clean() {
        let options = Options::default();
        let mut report = report();
        assert_eq!(
            line(&report, &options),
            "No leaked keys. Scanned 1,204 files (18.2 MB) in 0.21 s"
        );
        report.not_scanned = vec![skipped(false), skipped(false), skipped(false)];
        report.coverage.git_ignored = 12;
        assert_eq!(
            line(&report, &options),
            "No leaked keys. Scanned 1,204 files (18.2 MB) in 0.21 s \
             · 3 skipped (--show-skipped) · 12 git-ignored (--no-ignore)"
        );
    }

    #[test]
    fn findings() {
        let mut report = report();
        report.findings = vec![samples::pair(), samples::lone_id(), samples::pair()];
        let start = |options: &Options| {
            line(&report, options)
                .split(" Scanned")
                .next()
                .unwrap()
                .to_owned()
        };
        assert_eq!(
            start(&Options::default()),
            "3 leaked keys (2 critical, 1 medium)."
        );
        report.findings.truncate(1);
        report.findings[0].severity = Severity::Low;
        let line = line(&report, &Options::default());
        assert!(
            line.starts_with("1 leaked key (1 low), none at or above --fail-on medium."),
            "{line}"
        );
    }

    #[test]
    fn what_is_missing_is_said_first() {
        let options = Options::default();
        let mut report = report();
        report.not_scanned = vec![skipped(true)];
        assert!(
            line(&report, &options)
                .starts_with("No leaked keys in what was read. The scan is not complete.")
        );
        report.interrupted = true;
        assert!(line(&report, &options).contains("Interrupted before the end."));
        report.coverage = Coverage::default();
        assert!(line(&report, &options).starts_with("Nothing was scanned"));
    }

    #[test]
    fn not_scanned() {
        let mut report = report();
        report.not_scanned = vec![skipped(false)];
        report.not_scanned.extend((0..12).map(|_| skipped(true)));
        let shown = |all| {
            let mut out = Vec::new();
            write_not_scanned(&report, &Options::default(), all, &mut out).unwrap();
            String::from_utf8(out).unwrap()
        };
        assert_eq!(shown(true).lines().count(), 13);
        assert!(shown(true).starts_with("skipped: a\\nb: denied\n"));
        assert_eq!(shown(false).lines().count(), 11);
        assert!(shown(false).ends_with("error: 2 more could not be read (--show-skipped)\n"));
    }

    #[test]
    fn numbers() {
        assert_eq!(thousands(0), "0");
        assert_eq!(thousands(999), "999");
        assert_eq!(thousands(1000), "1,000");
        assert_eq!(thousands(1_234_567), "1,234,567");
        assert_eq!(count(1, "file"), "1 file");
        assert_eq!(size(0), "0 B");
        assert_eq!(size(1023), "1023 B");
        assert_eq!(size(1024), "1.0 kB");
        assert_eq!(size(1_048_575), "1.0 MB");
        assert_eq!(size(u64::MAX), "16777216.0 TB");
    }
}
