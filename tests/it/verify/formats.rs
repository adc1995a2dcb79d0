//! Verdicts in every format, and the same report for the same findings.

use straykey::report::Format;
use straykey::rules::examples::expand;
use straykey::rules::{DetectorKind, RuleSet};

use super::program::{findings, program, text_of, tree_of, verified};
use super::{Fake, StandIn, State};
use crate::kit::keys::Random;
use crate::kit::{Outcome, Tree, run};

/// A tree with a key for each state, and the server that knows them.
fn every_state(seed: u64) -> (StandIn, Tree, Vec<Fake>) {
    let server = StandIn::start();
    let mut random = Random::new(seed);
    let mut fakes: Vec<Fake> = (0..5).map(|_| Fake::long_term(&mut random)).collect();
    fakes.push(Fake::temporary(&mut random));
    let mut root = fakes[0].key(State::Active);
    root.arn = "arn:aws:iam::123456789012:root".to_owned();
    server.add(&fakes[0].id, root);
    server.add(&fakes[1].id, fakes[1].key(State::Active));
    // Number 2 is unknown to the server; the secret of number 3 is another one.
    let mut other = fakes[3].key(State::Active);
    other.secret = random.secret();
    server.add(&fakes[3].id, other);
    server.add(
        &fakes[4].id,
        fakes[4].key(State::Error(500, "InternalFailure", "x")),
    );
    server.add(&fakes[5].id, fakes[5].key(State::Expired));
    let tree = tree_of(&fakes);
    tree.write("lone.txt", random.key_id("AKIA"));
    (server, tree, fakes)
}

fn is_secret_free(outcome: &Outcome, fakes: &[Fake]) -> bool {
    let written = format!("{}{}", outcome.stdout, outcome.stderr);
    fakes.iter().all(|fake| {
        let token = fake.token.as_deref().unwrap_or(&fake.secret);
        !written.contains(&fake.secret) && !written.contains(token)
    })
}

/// Times and durations differ from run to run; words and order must not.
fn timeless(text: &str) -> String {
    let mut shown = String::new();
    for character in text.chars() {
        match character {
            '0'..='9' | '.' if shown.ends_with('#') => {}
            '0'..='9' => shown.push('#'),
            _ => shown.push(character),
        }
    }
    shown
}

/// One run that writes every format; what each holds.
fn in_every_format(server: &StandIn, tree: &Tree, fakes: &[Fake]) -> Vec<(String, String)> {
    let files = Tree::new();
    let path = |format: Format| files.path(format.to_string());
    let outputs: Vec<String> = Format::all()
        .map(|format| format!("-o{format}={}", path(format).display()))
        .collect();
    let outputs: Vec<&str> = outputs.iter().map(String::as_str).collect();
    let outcome = verified(tree, &server.url(), &outputs);
    assert_eq!(outcome.code, Some(1), "{}", outcome.stderr);
    assert!(is_secret_free(&outcome, fakes));
    let read = |format: Format| std::fs::read_to_string(path(format)).unwrap();
    Format::all()
        .map(|format| (format.to_string(), read(format)))
        .collect()
}

#[test]
fn every_format_tells_every_verdict_twice_the_same_and_no_secret() {
    let (server, tree, fakes) = every_state(121);
    let first = in_every_format(&server, &tree, &fakes);
    let second = in_every_format(&server, &tree, &fakes);
    for ((format, shown), (_, again)) in first.iter().zip(&second) {
        let words = shown.to_lowercase();
        for word in [
            "live",
            "inactive",
            "mismatch|not its own",
            "expired",
            "http",
        ] {
            let told = word.split('|').any(|word| words.contains(word));
            assert!(told, "{format} does not say {word}: {shown}");
        }
        for fake in &fakes {
            assert!(!shown.contains(&fake.secret), "{format} holds a secret");
            let token = fake.token.as_ref();
            assert!(
                !token.is_some_and(|token| shown.contains(token)),
                "{format}"
            );
        }
        assert_eq!(timeless(shown), timeless(again), "{format}");
    }
}

#[test]
fn the_verdicts_do_not_depend_on_the_order_in_which_files_are_read() {
    let server = StandIn::start();
    let mut random = Random::new(122);
    let fake = Fake::temporary(&mut random);
    server.add(&fake.id, fake.key(State::Active));
    let token = fake.token.clone().unwrap();
    let cut = Fake {
        token: Some(token[..token.len() - 40].to_owned()),
        ..fake.clone()
    };
    let without = Fake {
        token: None,
        ..fake.clone()
    };
    // Whole, cut and left out: in whatever order the threads come by, the whole one is used.
    for order in [
        [&fake, &cut, &without],
        [&without, &cut, &fake],
        [&cut, &fake, &without],
    ] {
        let tree = Tree::new();
        for (index, fake) in order.iter().cycle().take(60).enumerate() {
            tree.write(format!("{index:02}.ini"), text_of(fake));
        }
        let found = findings(&verified(&tree, &server.url(), &["-o", "json"]));
        assert_eq!(found.len(), 1);
        assert_eq!(found[0]["verdict"]["state"], "live");
    }
    assert_eq!(server.log().len(), 3);
}

/// What the rules of all other providers find is never taken to AWS: their examples stand beside a
/// key of AWS, with the rules of least confidence turned on.
#[test]
fn only_keys_of_aws_are_sent_to_aws() {
    let server = StandIn::start();
    let mut random = Random::new(123);
    let fake = Fake::long_term(&mut random);
    server.add(&fake.id, fake.key(State::Active));
    let tree = tree_of(std::slice::from_ref(&fake));
    let rules = RuleSet::builtin();
    let others = rules
        .rules()
        .iter()
        .map(|handle| handle.rule())
        .filter(|rule| rule.detector != DetectorKind::Aws);
    for rule in others {
        for (number, text) in rule.test.matching.iter().enumerate() {
            tree.write(format!("others/{}-{number}", rule.id), expand(text));
        }
    }
    let options = ["-o", "json", "--confidence", "low", "--verify-max", "10000"];
    let found = findings(&verified(&tree, &server.url(), &options));
    let state =
        |finding: &serde_json::Value| finding["verdict"]["state"].as_str().unwrap().to_owned();
    let ours = [
        "aws-access-key-pair",
        "aws-access-key-id",
        "aws-secret-access-key",
    ];
    let (aws, others): (Vec<_>, Vec<_>) = found
        .iter()
        .partition(|finding| ours.contains(&finding["rule"].as_str().unwrap()));
    assert!(others.len() > 150, "{}", others.len());
    for finding in &others {
        assert_eq!(state(finding), "unchecked", "{finding}");
    }
    let pairs = aws
        .iter()
        .filter(|finding| state(finding) != "skipped")
        .count();
    let log = server.log();
    assert!(log.len() <= 3 * pairs && pairs >= 1, "{} calls", log.len());
    for seen in log {
        let asked = aws
            .iter()
            .any(|finding| finding["access_key_id"] == *seen.key_id);
        assert!(asked, "{} was asked about", seen.key_id);
    }
}

/// A key that AWS does not know may be one of a store that speaks S3: it is not written off.
#[test]
fn a_key_of_another_store_is_not_called_over() {
    let server = StandIn::start();
    let fake = Fake::long_term(&mut Random::new(124));
    let plain = tree_of(std::slice::from_ref(&fake));
    let other = Tree::new();
    let text = format!("{}endpoint_url = http://10.0.0.7:9000\n", text_of(&fake));
    other.write("s3.ini", text);
    let shown = [&plain, &other].map(|tree| {
        let outcome = verified(tree, &server.url(), &["-o", "line"]);
        (outcome.code, outcome.stdout)
    });
    assert_eq!(shown[0].0, Some(0), "{}", shown[0].1);
    assert_eq!(shown[1].0, Some(1), "{}", shown[1].1);
    let words = "inactive in aws; its file speaks of a store besides AWS";
    assert!(shown[1].1.contains(words), "{}", shown[1].1);
}

#[test]
fn what_the_program_would_log_holds_no_secret_either() {
    let (server, tree, fakes) = every_state(125);
    let mut command = program(tree.root(), &["--verify", "--sts-endpoint", &server.url()]);
    command
        .env("RUST_LOG", "trace")
        .env("RUST_BACKTRACE", "full");
    assert!(is_secret_free(&run(&mut command), &fakes));
}
