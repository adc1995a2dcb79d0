//! Every format over the same reports: snapshots, hostile input, and that nothing secret comes out.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::samples::{ID, SECRET, TOKEN, excerpt, text};
use super::*;
use crate::finding::Segment;
use crate::location::Origin;

fn written(report: &Report, format: Format, options: &Options) -> String {
    let mut out = Vec::new();
    write(report, format, options, &mut out).unwrap();
    String::from_utf8(out).expect("every format writes UTF-8")
}

/// Holds `actual` against the file `name`; rewrites the file under UPDATE_SNAPSHOTS=1.
fn snapshot(name: &str, actual: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/snapshots")
        .join(name);
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, actual).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        expected == actual,
        "{name} differs; UPDATE_SNAPSHOTS=1 rewrites it. It is now:\n{actual}"
    );
}

fn all_options() -> Vec<Options> {
    let mut all = Vec::new();
    for mask_ids in [false, true] {
        for colour in [false, true] {
            for fail_on in [Severity::Low, Severity::Critical] {
                all.push(Options {
                    fail_on,
                    mask_ids,
                    colour,
                    ..Options::default()
                });
            }
        }
    }
    all
}

/// `text` without what changes from version to version and from second to second.
fn lasting(text: &str) -> String {
    let text = &text
        .replace(html::STYLE, "STYLE")
        .replace(html::PROGRAM, "PROGRAM")
        .replace(&html::hash(html::STYLE), "HASH")
        .replace(&html::hash(html::PROGRAM), "HASH")
        .replace(
            concat!("straykey ", env!("CARGO_PKG_VERSION")),
            "straykey VERSION",
        );
    let keys = [
        "version\": \"",
        "version\":\"",
        "ersion\": \"",
        "start_time\": \"",
        "end_time\": \"",
    ];
    let mut text = text.to_owned();
    for key in keys {
        let mut lasting = String::new();
        let mut pieces = text.split(key);
        lasting.push_str(pieces.next().unwrap_or_default());
        for piece in pieces {
            let (value, rest) = piece.split_once('"').unwrap();
            let fixed = value.starts_with("2.1") || value.starts_with("15.");
            lasting.push_str(key);
            lasting.push_str(if fixed { value } else { "VERSION" });
            lasting.push('"');
            lasting.push_str(rest);
        }
        text = lasting;
    }
    text
}

#[test]
fn formats_look_as_they_did() {
    let report = samples::report();
    for format in Format::all() {
        for (suffix, mask_ids) in [("", false), (".masked", true)] {
            let options = Options {
                mask_ids,
                ..Options::default()
            };
            let text = lasting(&written(&report, format, &options));
            snapshot(&format!("format/{format}{suffix}.txt"), &text);
        }
    }
    let coloured = Options {
        colour: true,
        ..Options::default()
    };
    let text = written(&report, Format::Pretty, &coloured).replace('\x1b', "ESC");
    snapshot("format/pretty.coloured.txt", &text);
}

#[test]
fn verdicts_look_as_they_did() {
    let report = samples::verified();
    for format in Format::all() {
        for (suffix, mask_ids) in [("", false), (".masked", true)] {
            let options = Options {
                mask_ids,
                ..Options::default()
            };
            let text = written(&report, format, &options);
            assert!(!mask_ids || !text.contains("123456789012"), "{text}");
            let text = lasting(&text);
            snapshot(&format!("format/{format}.verified{suffix}.txt"), &text);
        }
    }
    let summary = summary::line(&report, &Options::default());
    assert!(
        summary.contains(
            "verified: 5 live, 1 secret-mismatch, 1 unknown, 1 skipped, 1 expired, 1 inactive"
        ),
        "{summary}"
    );
}

#[test]
fn only_what_is_live_or_unanswered_blocks_where_live_is_asked_for() {
    let report = samples::verified();
    let options = Options {
        live_only: true,
        ..Options::default()
    };
    let blocks: Vec<bool> = report
        .findings
        .iter()
        .map(|it| options.blocks(it))
        .collect();
    let expected = [
        true, true, true, true, true, false, false, false, true, false,
    ];
    assert_eq!(blocks, expected);
    assert!(!options.blocks(&samples::pair()));
}

#[test]
fn colour_adds_nothing_but_colour() {
    let report = samples::report();
    let options = Options {
        colour: true,
        ..Options::default()
    };
    for format in Format::all() {
        let coloured = written(&report, format, &options);
        let plain = anstream::adapter::strip_str(&coloured).to_string();
        let expected = written(&report, format, &Options::default());
        assert_eq!(lasting(&plain), lasting(&expected), "{format}");
    }
}

#[test]
fn an_empty_report_is_written_by_every_format() {
    let report = Report::default();
    for format in Format::all() {
        let text = written(&report, format, &Options::default());
        match format {
            Format::Pretty | Format::Line | Format::Github => assert_eq!(text, ""),
            Format::Csv => assert_eq!(text.lines().count(), 1),
            Format::Markdown => assert_eq!(text, "### No leaked keys\n"),
            Format::Html => assert!(text.contains("<h1>No leaked keys</h1>"), "{text}"),
            Format::Junit => assert!(text.contains("tests=\"1\" failures=\"0\" errors=\"0\"")),
            Format::Json | Format::Jsonl => {
                let value: serde_json::Value = serde_json::from_str(&text).unwrap();
                assert_eq!(value["summary"]["findings"], 0);
                assert_eq!(value["schema"], 1);
            }
            Format::Sarif => {
                let value: serde_json::Value = serde_json::from_str(&text).unwrap();
                assert_eq!(value["runs"][0]["results"], serde_json::json!([]));
            }
            Format::Gitlab => {
                let value: serde_json::Value = serde_json::from_str(&text).unwrap();
                assert_eq!(value["vulnerabilities"], serde_json::json!([]));
            }
        }
    }
}

#[test]
fn formats_are_found_by_name() {
    for format in Format::all() {
        assert_eq!(format.name().parse(), Ok(format));
        assert!(format.description().len() < 60);
    }
    let error = "yaml".parse::<Format>().unwrap_err();
    assert_eq!(
        error.to_string(),
        "there is no output format `yaml`; formats: pretty, line, json, jsonl, sarif, gitlab, junit, csv, \
         github, markdown, html"
    );
}

#[test]
fn what_blocks_follows_the_option() {
    let report = Report {
        findings: vec![samples::lone_id()],
        ..Report::default()
    };
    let blocked = |fail_on| {
        report.blocked(&Options {
            fail_on,
            ..Options::default()
        })
    };
    assert!(blocked(Severity::Low) && blocked(Severity::Medium));
    assert!(!blocked(Severity::High) && !Report::default().blocked(&Options::default()));
}

/// Strings that try to break out of a line, a terminal, a JSON string.
fn hostile() -> Vec<Vec<u8>> {
    let mut all: Vec<Vec<u8>> = [
        "a\nb.py:1:1: critical fake: not a finding",
        "\x1b[2J\x1b[31mred\x1b]8;;http://x\x07link\x1b]8;;\x07",
        "\u{9b}31m\u{90}q\u{9c}",
        "\u{202e}yp.txt\u{2066}\u{2069}",
        "zero\u{200b}\u{200d}\u{feff}width\u{e0041}",
        "\r\u{8}\u{7f}\0\u{b}\u{c}\u{85}\u{2028}\u{2029}",
        "\"},{\"rule\":\"x",
        "\\u0022\\",
        "<script>alert(1)</script>&amp;'\"`",
        "%0A::error::x",
        "::error::x",
        "##[error]x ##vso[task.setvariable]x",
        "=HYPERLINK(\"http://x\")",
        "@SUM(1)\t+1",
        "-1+1",
        "]]>",
        "<!--",
        "</ScRiPt ><img src=x onerror=alert(1)>",
        "${{ x }}{{title}}",
        "| a | b |\n|---|",
        "[x](javascript:alert(1))",
        "日本語\u{301}🏳\u{fe0f}\u{200d}🌈",
    ]
    .iter()
    .map(|text| text.as_bytes().to_vec())
    .collect();
    all.push(b"\xff\xfe\x80\xc3(\xed\xa0\x80".to_vec());
    all.push((0..=255).collect());
    let fragments = all.clone();
    // Fragments of fragments, put together at random: what one escape opens another may close.
    let mut state = 1_u64;
    let mut below = |limit: usize| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 33) as usize % limit
    };
    for _ in 0..300 {
        let mut mixed = Vec::new();
        for _ in 0..1 + below(6) {
            let fragment = &fragments[below(fragments.len())];
            let start = below(fragment.len());
            mixed.extend_from_slice(&fragment[start..=start + below(fragment.len() - start)]);
        }
        all.push(mixed);
    }
    all
}

#[cfg(unix)]
fn path_of(bytes: &[u8]) -> PathBuf {
    use std::os::unix::ffi::OsStrExt;
    PathBuf::from(std::ffi::OsStr::from_bytes(bytes))
}

#[cfg(unix)]
#[test]
fn hostile_names_and_lines_come_out_inert() {
    for bytes in hostile() {
        let shown = String::from_utf8_lossy(&bytes).into_owned();
        let mut report = samples::report();
        report.findings.truncate(1);
        let finding = &mut report.findings[0];
        finding.rule = Arc::from(shown.as_str());
        finding.title = Arc::from(shown.as_str());
        finding.occurrences[0].origin = Origin::File(path_of(&bytes));
        finding.occurrences[0].excerpt = vec![excerpt(
            12,
            vec![text(&shown), Segment::Id(ID.to_owned()), text(&shown)],
        )];
        report.not_scanned[0].path = shown.clone();
        report.not_scanned[0].reason = shown.clone();
        let plain = Options {
            colour: false,
            ..Options::default()
        };
        for format in Format::all() {
            let output = written(&report, format, &plain);
            assert_inert(&output);
            assert_form(&output, format, &bytes);
            if !matches!(format, Format::Json | Format::Jsonl | Format::Gitlab) {
                assert_no_command(&output, format);
            }
        }
        let mut notes = Vec::new();
        summary::write_not_scanned(&report, &plain, true, &mut notes).unwrap();
        let notes = String::from_utf8(notes).unwrap();
        assert_inert(&notes);
        assert_eq!(notes.lines().count(), 2);
    }
}

fn assert_inert(output: &str) {
    let bad = output
        .replace("\r\n", "\n")
        .chars()
        .find(|&it| it != '\n' && sanitise::is_unsafe(it));
    assert_eq!(bad, None, "in {output:?}");
}

/// No line of a log is a command to the service that runs the job.
fn assert_no_command(output: &str, format: Format) {
    let is_command = |line: &str| line.trim_start().starts_with("::") || line.contains("##[");
    let is_ours = |line: &str| format == Format::Github && line.starts_with("::error ");
    let bad = output
        .lines()
        .find(|line| is_command(line) && !is_ours(line));
    assert_eq!(bad, None, "{format}");
}

/// The output still has its own form, whatever was in it.
fn assert_form(output: &str, format: Format, path: &[u8]) {
    match format {
        Format::Pretty => assert_eq!(output.lines().count(), 7, "{output}"),
        Format::Line => assert_eq!(output.lines().count(), 1, "{output}"),
        Format::Jsonl => {
            assert_eq!(output.lines().count(), 2, "{output}");
            let finding: serde_json::Value =
                serde_json::from_str(output.lines().next().unwrap()).unwrap();
            assert_path(&finding, path);
        }
        Format::Json => {
            let document: serde_json::Value = serde_json::from_str(output).unwrap();
            assert_eq!(document["findings"].as_array().unwrap().len(), 1);
            assert_path(&document["findings"][0], path);
        }
        Format::Sarif => {
            let log: serde_json::Value = serde_json::from_str(output).unwrap();
            assert_eq!(log["runs"][0]["results"].as_array().unwrap().len(), 1);
        }
        Format::Gitlab => {
            let report: serde_json::Value = serde_json::from_str(output).unwrap();
            let found = report["vulnerabilities"].as_array().unwrap();
            let shown = String::from_utf8_lossy(path);
            assert!(found.len() == 1 && found[0]["location"]["file"] == *shown);
        }
        Format::Junit => {
            assert_eq!(output.matches("<testcase ").count(), 2, "{output}");
            assert!(!output.contains("<script"), "{output}");
        }
        Format::Csv => {
            let rows = csv_rows(output);
            assert!(
                rows.len() == 2 && rows[1].len() == rows[0].len(),
                "{output}"
            );
            let formula = |cell: &String| cell.trim_start().starts_with(['=', '+', '-', '@']);
            assert!(!rows[1].iter().any(formula), "{output}");
        }
        Format::Html => {
            let lower = output.to_ascii_lowercase();
            for element in ["<script", "</script", "<style", "<!--", "<svg", "<title"] {
                let count = lower.matches(element).count();
                let expected = match element {
                    "<script" | "</script" => 4,
                    "<!--" => 0,
                    _ => 1,
                };
                assert_eq!(count, expected, "{element} in {output}");
            }
            for (_, data) in html_data(output) {
                assert!(
                    serde_json::from_str::<serde_json::Value>(data).is_ok(),
                    "{data}"
                );
            }
        }
        Format::Github => {
            let lines: Vec<&str> = output.lines().collect();
            assert!(lines.len() == 2 && lines.iter().all(|line| line.starts_with("::error ")));
        }
        Format::Markdown => {
            assert_eq!(output.lines().count(), 9, "{output}");
            let row = output.lines().nth(4).unwrap();
            assert_eq!(row.matches('|').count(), 6, "{output}");
            assert!(!output.contains("<script"), "{output}");
        }
    }
}

/// The data blocks of a page: name and content.
fn html_data(page: &str) -> Vec<(&str, &str)> {
    let blocks = page
        .split("<script type=\"application/json\" id=\"")
        .skip(1);
    blocks
        .map(|block| {
            let (name, rest) = block.split_once("\">").unwrap();
            (name, rest.split_once("</script>").unwrap().0)
        })
        .collect()
}

/// A reader of comma-separated values after RFC 4180.
fn csv_rows(text: &str) -> Vec<Vec<String>> {
    let mut rows = vec![vec![String::new()]];
    let mut quoted = false;
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        let row = rows.last_mut().unwrap();
        match character {
            '"' if quoted && characters.peek() == Some(&'"') => {
                characters.next();
                row.last_mut().unwrap().push('"');
            }
            '"' => quoted = !quoted,
            ',' if !quoted => row.push(String::new()),
            '\r' if !quoted => {}
            '\n' if !quoted => rows.push(vec![String::new()]),
            _ => row.last_mut().unwrap().push(character),
        }
    }
    rows.pop();
    rows
}

/// A reader of JSON gets the path as it is.
fn assert_path(finding: &serde_json::Value, path: &[u8]) {
    let occurrence = &finding["occurrences"][0];
    assert_eq!(occurrence["path"], *String::from_utf8_lossy(path));
    let exact = occurrence["path_base64"].as_str();
    let exact = exact.map(|text| data_encoding::BASE64.decode(text.as_bytes()).unwrap());
    let not_utf8 = std::str::from_utf8(path).is_err();
    assert_eq!(exact.as_deref(), not_utf8.then_some(path));
}

#[test]
fn no_format_shows_a_secret_wherever_it_stands() {
    let mut report = samples::report();
    for finding in &mut report.findings {
        finding.occurrences[0].origin = Origin::File(format!("{SECRET}/x{TOKEN}.txt").into());
        finding.occurrences[0].excerpt[0]
            .segments
            .push(text(&format!(" {SECRET} {TOKEN}")));
    }
    report.not_scanned[0].path = format!("dir/{SECRET}");
    report.not_scanned[0].reason = format!("{TOKEN} is not a file");
    for options in all_options() {
        let mut outputs: Vec<String> = Format::all()
            .map(|format| written(&report, format, &options))
            .collect();
        let mut notes = Vec::new();
        summary::write_not_scanned(&report, &options, true, &mut notes).unwrap();
        outputs.push(String::from_utf8(notes).unwrap());
        outputs.push(summary::line(&report, &options));
        for output in &outputs {
            assert!(
                !output.contains(SECRET) && !output.contains(TOKEN),
                "{output}"
            );
            assert!(!options.mask_ids || !output.contains(ID), "{output}");
            assert!(
                !options.mask_ids || !output.contains("123456789012"),
                "{output}"
            );
        }
    }
}

#[test]
fn a_key_that_is_set_aside_does_not_block_unless_it_is_live() {
    let mut report = samples::everything();
    let options = Options::default();
    let set_aside: Vec<bool> = report
        .findings
        .iter()
        .map(|it| it.standing.suppresses())
        .collect();
    assert_eq!(set_aside.iter().filter(|&&it| it).count(), 5);
    for finding in &report.findings {
        let live = finding.verdict.live().is_some();
        let set_aside = finding.standing.suppresses() && !live;
        assert_eq!(
            options.blocks(finding),
            !set_aside && finding.severity >= options.fail_on
        );
        assert!(!live || options.blocks(finding));
    }
    // A person reads that it was set aside, and that it is live.
    let line = written(&report, Format::Line, &options);
    assert!(
        line.contains("(allowed by straykey:allow, but live)"),
        "{line}"
    );
    assert!(line.contains("(in the baseline, but live)"), "{line}");
    let summary = summary::line(&report, &options);
    assert!(
        summary.contains(" · 1 baselined · 1 in excluded paths"),
        "{summary}"
    );
    report.findings.retain(Finding::suppressed);
    assert_eq!(
        (report.blocked(&options), report.findings.len()),
        (false, 2)
    );
    assert_eq!(written(&report, Format::Line, &options), "");
}
