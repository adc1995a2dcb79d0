use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

use super::super::samples::{self, SECRET};
use super::super::{Format, write};
use super::*;

fn written(report: &Report, format: Format, options: &Options) -> String {
    let mut out = Vec::new();
    write(report, format, options, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn back(text: &str) -> Result<(Report, Options), ReadError> {
    read(&mut text.as_bytes())
}

/// Shows the first line that differs.
fn assert_same(now: &str, before: &str) {
    for (now, before) in now.lines().zip(before.lines()) {
        assert_eq!(now, before);
    }
    assert_eq!(now.lines().count(), before.lines().count());
}

fn reports() -> [Report; 4] {
    let interrupted = Report {
        interrupted: true,
        ..Report::default()
    };
    let all = samples::everything();
    [all, samples::report(), Report::default(), interrupted]
}

#[test]
fn what_was_written_is_read() {
    for report in reports() {
        for (mask_ids, live_only) in [(false, false), (true, true)] {
            let options = Options {
                mask_ids,
                live_only,
                fail_on: if live_only {
                    Severity::Critical
                } else {
                    Severity::High
                },
                ..Options::default()
            };
            for format in [Format::Json, Format::Jsonl] {
                let text = written(&report, format, &options);
                let (again, read) = back(&text).unwrap();
                assert_eq!((read.fail_on, read.live_only), (options.fail_on, live_only));
                assert_same(&written(&again, format, &options), &text);
            }
        }
    }
}

#[test]
fn every_format_is_the_same_afterwards() {
    let report = samples::everything();
    let options = Options::default();
    let (again, _) = back(&written(&report, Format::Json, &options)).unwrap();
    for format in Format::all() {
        let (now, before) = (
            written(&again, format, &options),
            written(&report, format, &options),
        );
        assert_same(&now, &before);
        assert!(!now.contains(SECRET), "{format}");
    }
}

#[test]
fn sorted_keys_and_compact_documents_are_read() {
    let report = samples::everything();
    let text = written(&report, Format::Json, &Options::default());
    // serde_json sorts the keys of a value.
    let value: Value = serde_json::from_str(&text).unwrap();
    let (again, _) = back(&value.to_string()).unwrap();
    assert_same(&written(&again, Format::Json, &Options::default()), &text);
    let lines = written(&report, Format::Jsonl, &Options::default());
    let sorted: Vec<String> = lines
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap().to_string())
        .collect();
    let (again, _) = back(&sorted.join("\r\n")).unwrap();
    assert_same(&written(&again, Format::Jsonl, &Options::default()), &lines);
}

#[test]
fn what_is_no_report_is_refused() {
    let report = samples::report();
    let document = written(&report, Format::Json, &Options::default());
    let lines = written(&report, Format::Jsonl, &Options::default());
    let error = |text: &str| back(text).unwrap_err().to_string();
    for (text, expected) in [
        (String::new(), "not a report of straykey: EOF while parsing"),
        ("[]".to_owned(), "not a report of straykey: invalid"),
        (
            "{\"runs\":[]}".to_owned(),
            "not a report of straykey: missing field `summary`",
        ),
        (
            document[..document.len() / 2].to_owned(),
            "not a report of straykey: EOF while",
        ),
        (
            format!("{document}x"),
            "not a report of straykey: trailing characters at line",
        ),
        (
            document.replace("\"schema\": 1", "\"schema\": 2"),
            "written in form 2; this version reads form 1",
        ),
        (
            document.replace("\"schema\": 1,", ""),
            "not a report of straykey: there is no `schema`",
        ),
        (
            document.replace("\"critical\"", "\"awful\""),
            "not a report of straykey: unknown variant `awful`",
        ),
        (
            document.replace("\"line\": 12", "\"line\": 0"),
            "not a report of straykey: invalid value: integer `0`",
        ),
        (
            document.replace("\"unchecked\"", "\"fine\""),
            "not a report of straykey: `fine` is no verdict at line",
        ),
        (
            document.replace("\"end_line\": 12", "\"end_line\": 1"),
            "not a report of straykey: a part ends before it starts",
        ),
        (
            document.replace("\"kind\": \"stdin\"", "\"kind\": \"tape\""),
            "not a report of straykey: `tape` is no kind of occurrence",
        ),
        (
            lines.lines().take(2).collect::<Vec<_>>().join("\n"),
            "cut short: the last line",
        ),
        (
            lines.replacen("\"medium\"", "\"m\"", 1),
            "not a report of straykey: unknown variant `m`",
        ),
    ] {
        let shown = error(&text);
        assert!(shown.starts_with(expected), "{shown}");
    }
    let second = lines.replacen("\"low\"", "\"m\"", 1);
    assert!(error(&second).ends_with(" at line 2"), "{}", error(&second));
}

#[test]
fn an_incomplete_scan_stays_incomplete() {
    let report = Report {
        interrupted: true,
        ..Report::default()
    };
    let text = written(&report, Format::Json, &Options::default());
    let edited = text.replace("\"interrupted\": true", "\"interrupted\": false");
    assert!(text != edited && !back(&edited).unwrap().0.complete());
}

#[test]
fn a_page_from_a_file_leads_to_the_web_or_nowhere() {
    for url in [
        "javascript:alert(1)",
        "https://a/b\"",
        "data:text/html,x",
        "https://x",
    ] {
        assert!(Repository::of_page(url, None).is_none(), "{url}");
    }
}

/// Every key of the JSON, wherever it stands.
fn keys(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Array(values) => values.iter().for_each(|value| keys(value, found)),
        Value::Object(members) => {
            for (key, value) in members {
                // Keys of `paths` are paths.
                if key == "paths" {
                    found.insert(key.clone());
                    continue;
                }
                found.insert(key.clone());
                keys(value, found);
            }
        }
        _ => {}
    }
}

#[test]
fn every_key_is_documented_and_in_the_schema() {
    let mut found = BTreeSet::new();
    for report in reports() {
        let text = written(&report, Format::Json, &Options::default());
        keys(&serde_json::from_str(&text).unwrap(), &mut found);
    }
    assert!(found.len() > 40, "{found:?}");
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = |name: &str| std::fs::read_to_string(root.join(name)).unwrap();
    let schema: Value = serde_json::from_str(&text("docs/json.schema.json")).unwrap();
    let mut known = BTreeSet::new();
    keys(&schema, &mut known);
    let words = text("docs/json.md");
    for key in found {
        assert!(
            known.contains(&key),
            "`{key}` is not in docs/json.schema.json"
        );
        let word = |mark: &str| {
            let ends = ["`", "[", "."];
            let mut forms = ends.iter().map(|end| format!("{mark}{key}{end}"));
            forms.any(|form| words.contains(&form))
        };
        assert!(word("`") || word("."), "`{key}` is not in docs/json.md");
    }
}
