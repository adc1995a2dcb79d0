//! Tests of loading rule files.

use super::*;

fn write(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path
}

fn error(text: &str) -> String {
    RuleSet::from_text("t.toml", text).unwrap_err().to_string()
}

#[test]
fn a_file_replaces_the_built_in_rules_unless_it_extends_them() {
    let own = "[[rules]]\nid='own'\nregex='x'\n";
    let set = RuleSet::from_text("t", own).unwrap();
    let on: Vec<&str> = set.enabled().map(RuleHandle::id).collect();
    assert_eq!(on, ["own"]);
    let both = format!("{own}[extend]\nuseDefault=true\ndisabledRules=['stripe-access-token']");
    let set = RuleSet::from_text("t", &both).unwrap();
    assert!(set.enabled().any(|rule| rule.id() == "github-pat"));
    assert!(set.enabled().any(|rule| rule.id() == "aws-access-key-pair"));
    assert!(!set.enabled().any(|rule| rule.id() == "stripe-secret-key"));
}

#[test]
fn a_rule_without_a_regex_changes_the_one_it_names() {
    let text = "[extend]\nuseDefault=true\n[[rules]]\nid='github-pat'\n\
                [[rules.allowlists]]\npaths=['docs/']\n[[rules]]\nid='generic-api-key'\nentropy=4.5";
    let set = RuleSet::from_text("t", text).unwrap();
    let pattern = |id| set.rule(id).unwrap().pattern().unwrap().clone();
    assert_eq!(pattern("github-pat").allowlists.len(), 1);
    assert_eq!(pattern("generic-api-key").entropy, Some(4.5));
}

#[test]
fn what_stands_near_a_keyword_needs_one_and_a_length() {
    let rule = |more: &str| format!("[[rules]]\nid='a'\nnearKeyword=true\n{more}");
    for more in [
        "regex='x'",
        "regex='x+'\nkeywords=['team']",
        "path='x'\nkeywords=['team']",
    ] {
        let message = error(&rule(more));
        assert!(
            message.starts_with("t.toml:3:13: nearKeyword: needs"),
            "{message}"
        );
    }
    let good = rule("regex='[0-9]{4}'\nkeywords=['team']");
    assert!(RuleSet::from_text("t.toml", &good).is_ok());
}

/// Each key of a rule works for a rule that code finds, or is an error that names its place.
#[test]
fn every_key_of_an_aws_rule_works_or_is_an_error() {
    let head = "[extend]\nuseDefault=true\n[[rules]]\nid='aws-access-key-id'\n";
    let text = "severity='low'\nconfidence='low'\ndescription='ours'\nsource='x'\ntags=['y']
aliases=['our-id']\n[rules.test]\nmatch=['a']\nno_match=['b']\n[[rules.allowlists]]\nstopwords=['c']";
    let set = RuleSet::from_text("t", &format!("{head}{text}")).unwrap();
    let rule = set.aws().key_id.rule().clone();
    assert_eq!(rule.severity, Severity::Low);
    assert_eq!(rule.confidence, Confidence::Low);
    assert_eq!((&*rule.description, &*rule.source), ("ours", "x"));
    assert!(rule.aliases.contains(&"our-id".to_owned()));
    assert_eq!(rule.test.matching.last().unwrap(), "a");
    assert_eq!(rule.test.not_matching.last().unwrap(), "b");
    assert_eq!(set.allowlists().len(), 1);
    for (key, value) in [
        ("path", "'x'"),
        ("entropy", "4"),
        ("secretGroup", "1"),
        ("keywords", "['akia']"),
        ("skipReport", "false"),
        ("required", "[{id='jwt'}]"),
        ("checksum", "'crc32-base62'"),
        ("structure", "'jwt'"),
        ("refusePlaceholders", "true"),
    ] {
        let expected = format!("t.toml:6:1: {key}: cannot be changed for aws-access-key-id");
        let message = error(&format!("{head}severity='low'\n{key}={value}"));
        assert!(message.starts_with(&expected), "{message}");
    }
}

#[test]
fn another_expression_takes_the_place_of_a_rule_that_code_finds() {
    let text = "[extend]\nuseDefault=true\n[[rules]]\nid='aws-access-key-id'\nregex='AKIA[0-9]{4}'
[severities]\naws-access-key-id='low'";
    let set = RuleSet::from_text(".straykey.toml", text).unwrap();
    assert!(!set.aws().key_id.is_enabled());
    let rule = set.enabled().find(|rule| rule.id() == "aws-access-key-id");
    assert_eq!(rule.unwrap().rule().severity, Severity::Low);
}

/// gitleaks' name of a rule stands for ours, which keeps its expression.
#[test]
fn a_path_alone_narrows_the_rule_it_names() {
    let text = "[extend]\nuseDefault=true\n[[rules]]\nid='github-pat'\npath='x'";
    let set = RuleSet::from_text("t", text).unwrap();
    let narrowed: Vec<_> = set
        .enabled()
        .filter_map(RuleHandle::pattern)
        .filter(|pattern| pattern.path.is_some())
        .collect();
    assert!(!narrowed.is_empty());
    assert!(narrowed.iter().all(|pattern| pattern.regex.is_some()));
}

#[test]
fn what_does_not_exist_is_named_with_its_place() {
    for (text, expected) in [
        (
            "[extend]\nuseDefault=true\ndisabledRules=['jwt','nope']",
            "t.toml:3:22: disabledRules: no rule nope",
        ),
        (
            "[[rules]]\nid='a'\nregex='(a)'\nsecretGroup=2",
            "t.toml:4:13: secretGroup: the regex has 1 groups",
        ),
        (
            "[[rules]]\nid='a'",
            "t.toml:1:1: regex: rule a has neither regex nor path",
        ),
        (
            "[[rules]]\nid='a'\nregex='a'\n[[rules.required]]\nid='b'",
            "t.toml: rule a requires b, which is no rule",
        ),
        (
            "[[allowlists]]\ntargetRules=['b']\npaths=['x']",
            "t.toml:2:14: targetRules: no rule b",
        ),
        (
            "[extend]\nuseDefault=true\n[[rules]]\nid='aws-access-key-id'\nentropy=4",
            "t.toml:5:1: entropy: cannot be changed for aws-access-key-id",
        ),
        (
            "[extend]\npath='nowhere.toml'",
            "t.toml:2:6: path: the file is not read from disk",
        ),
    ] {
        let message = error(text);
        assert!(message.starts_with(expected), "{message}");
    }
}

#[test]
fn files_may_extend_each_other_but_not_in_a_circle() {
    let folder = tempfile::tempdir().unwrap();
    let base = write(folder.path(), "base.toml", "[[rules]]\nid='b'\nregex='b'");
    let team = write(
        folder.path(),
        "team.toml",
        "[extend]\npath='base.toml'\n[[rules]]\nid='t'\nregex='t'",
    );
    let set = RuleSet::load(std::slice::from_ref(&team)).unwrap();
    assert_eq!(set.enabled().count(), 2);
    assert_eq!(
        RuleSet::load(&[base.clone(), team])
            .unwrap()
            .enabled()
            .count(),
        2
    );
    std::fs::write(&base, "[extend]\npath='team.toml'").unwrap();
    let error = RuleSet::load(&[base]).unwrap_err().to_string();
    assert!(error.contains("path: the file extends itself"), "{error}");
}
