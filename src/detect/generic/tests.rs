//! Tests of the engine.

use super::*;
use crate::location::Origin;
use crate::rules::examples::expand;

fn found(rules: &str, text: &str) -> Vec<(String, String)> {
    let detector = GenericDetector::new(&RuleSet::from_text("t.toml", rules).unwrap());
    let blob = Blob::whole(&Origin::Stdin, text.as_bytes());
    let findings = detector.scan(&blob);
    let secret = |finding: &Finding| match &finding.credential.secret {
        Some(secret) => String::from_utf8_lossy(secret.expose()).into_owned(),
        None => String::new(),
    };
    findings
        .iter()
        .map(|finding| (finding.rule.to_string(), secret(finding)))
        .collect()
}

fn secrets(rules: &str, text: &str) -> Vec<String> {
    found(rules, text)
        .into_iter()
        .map(|(_, secret)| secret)
        .collect()
}

#[test]
fn every_plan_finds_the_same() {
    let text = "x tk_0a1b2c3d y\ntoken: tk_99887766;tk_12345678";
    let expected = ["tk_0a1b2c3d", "tk_99887766", "tk_12345678"];
    for keywords in [
        "keywords=['tk_']",
        "keywords=['token']",
        "keywords=['k_']",
        "",
        "keywords=['TK_','zzz']",
    ] {
        let rules = format!("[[rules]]\nid='a'\nregex='''\\b(tk_[0-9a-f]{{8}})\\b'''\n{keywords}");
        assert_eq!(secrets(&rules, text), expected, "{keywords}");
    }
    let none = "[[rules]]\nid='a'\nregex='tk_[0-9a-f]{8}'\nkeywords=['absent']";
    assert_eq!(secrets(none, text), [""; 0]);
}

#[test]
fn a_bounded_context_before_the_keyword_is_in_view() {
    let rules = "[[rules]]\nid='a'\nregex='''(?i)[a-z]{0,5}team[ =]{1,3}([0-9a-f]{4})'''\nkeywords=['team']";
    assert_eq!(
        secrets(rules, "myteam = 0a1b\nTEAM=ffff\n"),
        ["0a1b", "ffff"]
    );
}

#[test]
fn the_secret_is_the_group_that_is_named() {
    let rule = |more: &str| format!("[[rules]]\nid='a'\nregex='key=(x)?(y+)z'\n{more}");
    assert_eq!(secrets(&rule(""), "key=yyz"), ["yy"]);
    assert_eq!(secrets(&rule("secretGroup=2"), "key=xyyz"), ["yy"]);
    assert_eq!(secrets(&rule("entropy=2.5"), "key=xyyz"), [""; 0]);
}

#[test]
fn the_group_that_is_named_must_stand_by_itself() {
    let rule = "[[rules]]\nid='a'\nregex='(?:([a-z]{4})-)?([0-9]{8})'\nkeywords=['acme']\nnearKeyword=true\n";
    let found = |group: usize, text: &str| secrets(&format!("{rule}secretGroup={group}"), text);
    let text = "acme: \"prod-12345670\", \"98765430\"";
    assert_eq!(found(0, text), ["98765430"]);
    assert_eq!(found(2, text), ["98765430"]);
    assert_eq!(found(2, "acme: prod-12345670"), [""; 0]);
    assert_eq!(found(1, "acme: prod-12345670"), [""; 0]);
    let rule = "[[rules]]\nid='a'\nregex='([a-z]{3})/([0-9]{8})'\nkeywords=['acme']\nnearKeyword=true\nsecretGroup=";
    assert_eq!(
        secrets(&format!("{rule}1"), "acme: prod:12345670 dev/98765430"),
        [""; 0]
    );
    assert_eq!(
        secrets(&format!("{rule}2"), "acme: (dev/98765430)"),
        [""; 0]
    );
}

#[test]
fn allowlists_are_heeded() {
    let rule = "[[rules]]\nid='a'\nregex='key=([a-z]+)'\n";
    let text = "key=alpha # sample\nkey=beta\n";
    for (more, expected) in [
        ("[[rules.allowlists]]\nregexes=['^alp']", vec!["beta"]),
        (
            "[[rules.allowlists]]\nregexTarget='line'\nregexes=['sample']",
            vec!["beta"],
        ),
        (
            "[[rules.allowlists]]\nregexTarget='match'\nregexes=['key=beta']",
            vec!["alpha"],
        ),
        ("[[rules.allowlists]]\nstopwords=['ETA']", vec!["alpha"]),
        ("[[rules.allowlists]]\npaths=['^-$']", vec![]),
        (
            "[[rules.allowlists]]\ncondition='AND'\npaths=['^-$']\nstopwords=['eta']",
            vec!["alpha"],
        ),
        (
            "[[rules.allowlists]]\ncondition='AND'\npaths=['other']\nstopwords=['eta']",
            vec!["alpha", "beta"],
        ),
        ("[[allowlists]]\nstopwords=['eta']", vec!["alpha"]),
        (
            "[[allowlists]]\ntargetRules=['a']\nstopwords=['eta']",
            vec!["alpha"],
        ),
        ("[allowlist]\nregexes=['beta']", vec!["alpha"]),
    ] {
        assert_eq!(secrets(&format!("{rule}{more}"), text), expected, "{more}");
    }
}

#[test]
fn required_rules_must_be_near() {
    let rules = |near: &str| {
        format!(
            "[[rules]]\nid='a'\nregex='id=([a-z]+)'\n[[rules.required]]\nid='b'\n{near}\n\
             [[rules]]\nid='b'\nregex='secret=([a-z]+)'\nskipReport=true"
        )
    };
    let text = "id=one\n\n\nsecret=two\n";
    assert_eq!(
        found(&rules(""), text),
        [("a".to_owned(), "one".to_owned())]
    );
    assert_eq!(found(&rules("withinLines=2"), text), []);
    assert_eq!(found(&rules("withinLines=3"), text).len(), 1);
    assert_eq!(found(&rules(""), "id=one"), []);
}

#[test]
fn a_path_rule_needs_no_text() {
    let rules = "[[rules]]\nid='p'\npath='''\\.p12$'''\n";
    let detector = GenericDetector::new(&RuleSet::from_text("t", rules).unwrap());
    let origin = Origin::File("certs/a.p12".into());
    assert_eq!(detector.scan(&Blob::whole(&origin, b"\0\x01")).len(), 1);
    assert_eq!(detector.scan(&Blob::whole(&origin, b"")).len(), 1);
    assert_eq!(detector.scan(&Blob::whole(&Origin::Stdin, b"")).len(), 0);
}

#[test]
fn an_empty_match_ends() {
    assert!(secrets("[[rules]]\nid='a'\nregex='x*'", "axb").contains(&"x".to_owned()));
}

#[test]
fn excerpts_and_fingerprints_give_no_secret_away() {
    let detector = GenericDetector::new(&RuleSet::builtin());
    let text = expand(
        "a = \"${ALNUM:40}\" db_password='x' url = 'postgres://app:${ALNUM:14}@db.corp.net/x'",
    );
    let findings = detector.scan(&Blob::whole(&Origin::Stdin, text.as_bytes()));
    assert_eq!(findings.len(), 1);
    let shown = format!("{:?}", findings[0].occurrences);
    let secret = findings[0].credential.secret.as_ref().unwrap();
    let secret = std::str::from_utf8(secret.expose()).unwrap();
    assert!(!shown.contains(secret) && shown.contains("Hidden"));
    let hash = crate::finding::Fingerprint::of("secret", &[secret.as_bytes()]);
    assert_ne!(findings[0].fingerprint, hash);
}

#[test]
fn every_built_in_rule_is_looked_for_near_its_keywords_only() {
    let set = RuleSet::builtin().with_confidence(crate::finding::Confidence::Low);
    let engine = Engine::new(&set);
    let mut wide = Vec::new();
    for rule in &engine.rules {
        match &rule.matcher().unwrap().plan {
            Plan::Anywhere => wide.push(&*rule.rule().id),
            Plan::Anchored(..) | Plan::Near(..) | Plan::Nearby => {}
        }
    }
    assert_eq!(wide, [""; 0]);
    assert_eq!(engine.ungated, [0; 0]);
}

#[test]
fn an_allowlist_takes_out_the_place_of_an_aws_key_that_it_fits() {
    let text = expand("id = ${AKID} # sample\n\nid = ${AKID}\n");
    let places = |more: &str| {
        let rules = format!("[extend]\nuseDefault=true\n[[rules]]\nid='aws-access-key-id'\n{more}");
        let set = RuleSet::from_text("t.toml", &rules).unwrap();
        let blob = Blob::whole(&Origin::Stdin, text.as_bytes());
        let findings = crate::detect::Detector::new(&set).scan(&blob);
        let mut places: Vec<_> = findings.iter().flat_map(|it| &it.occurrences).collect();
        places.sort();
        places
            .iter()
            .map(|place| place.parts[0].span.start.line)
            .collect::<Vec<_>>()
    };
    let line = "[[rules.allowlists]]\nregexTarget='line'\nregexes=['sample']";
    assert_eq!(places(""), [1, 3]);
    assert_eq!(places(line), [3]);
    assert_eq!(
        places(&format!("{line}\ncondition='AND'\npaths=['x']")),
        [1, 3]
    );
    assert!(places("[[rules.allowlists]]\nregexes=['^AKIA']").is_empty());
}
