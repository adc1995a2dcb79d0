//! `junit`: JUnit XML. A finding that blocks is a failure, one that does not is a skipped test,
//! what could not be read is an error; where nothing was found there is one test that passed.

use std::io::{self, Write};

use super::view::{Entry, Place, View};
use super::{excerpt, line, markup, sanitise};

pub(super) fn write(view: &View<'_>, out: &mut dyn Write) -> io::Result<()> {
    let counts = Counts::of(view);
    writeln!(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>")?;
    let numbers = format!(
        "tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"{}\" time=\"{:.3}\"",
        counts.tests(),
        counts.failures,
        counts.errors,
        counts.skipped,
        view.seconds()
    );
    let totals = numbers.replace(&format!(" skipped=\"{}\"", counts.skipped), "");
    writeln!(out, "<testsuites name=\"straykey\" {totals}>")?;
    writeln!(out, "  <testsuite name=\"straykey\" {numbers}>")?;
    for entry in view.all_entries() {
        let message = line::message(&entry);
        for place in entry.places() {
            write_case(out, &entry, &place, &message)?;
        }
    }
    for entry in view.not_scanned().filter(|entry| entry.incomplete()) {
        let path = attribute(entry.path().as_bytes());
        let reason = attribute(entry.reason().as_bytes());
        writeln!(
            out,
            "    <testcase classname=\"{path}\" name=\"was read\" time=\"0\">"
        )?;
        writeln!(
            out,
            "      <error message=\"{reason}\" type=\"not-scanned\"/>"
        )?;
        writeln!(out, "    </testcase>")?;
    }
    if counts.is_clean() {
        let case = "<testcase classname=\"straykey\" name=\"no leaked keys\" time=\"0\"/>";
        writeln!(out, "    {case}")?;
    }
    writeln!(out, "  </testsuite>\n</testsuites>")
}

struct Counts {
    failures: usize,
    skipped: usize,
    errors: usize,
}

impl Counts {
    fn of(view: &View<'_>) -> Self {
        let places = |blocks: bool| {
            let entries = view.all_entries().filter(|entry| entry.blocks() == blocks);
            entries.map(|entry| entry.places().len()).sum()
        };
        Self {
            failures: places(true),
            skipped: places(false),
            errors: view.not_scanned().filter(|it| it.incomplete()).count(),
        }
    }

    fn is_clean(&self) -> bool {
        self.failures + self.skipped + self.errors == 0
    }

    fn tests(&self) -> usize {
        (self.failures + self.skipped + self.errors).max(1)
    }
}

fn write_case(
    out: &mut dyn Write,
    entry: &Entry<'_>,
    place: &Place<'_>,
    message: &str,
) -> io::Result<()> {
    let (line, column) = place.line_and_column();
    let path = attribute(&place.path());
    let rule = attribute(entry.rule().as_bytes());
    let message = markup::escape(message);
    let fingerprint = entry.short_fingerprint();
    let name = format!("{rule} {fingerprint} line {line}");
    writeln!(
        out,
        "    <testcase classname=\"{path}\" name=\"{name}\" file=\"{path}\" line=\"{line}\" time=\"0\">"
    )?;
    if !entry.blocks() {
        writeln!(out, "      <skipped message=\"{message}\"/>")?;
        return writeln!(out, "    </testcase>");
    }
    let severity = entry.severity().as_str();
    writeln!(
        out,
        "      <failure message=\"{message}\" type=\"{severity}\">"
    )?;
    writeln!(out, "at {path}:{line}:{column}")?;
    for (number, text) in excerpt::lines(place) {
        writeln!(out, "{number} | {}", markup::escape(&text))?;
    }
    writeln!(out, "</failure>\n    </testcase>")
}

fn attribute(text: &[u8]) -> String {
    markup::escape(&sanitise::line(text))
}
