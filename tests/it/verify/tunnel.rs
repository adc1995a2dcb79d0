//! The program on its way to AWS's own endpoints: through a proxy that opens tunnels, with TLS to
//! the end, and no network. A stand-in behind the proxy has certificates of an authority made here.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::program::{findings, program, text_of, tree_of};
use super::proxy::Proxy;
use super::tls::Authority;
use super::{Fake, StandIn, State, closed_port, timed};
use crate::kit::keys::Random;
use crate::kit::{Tree, run};

const HOSTS: [&str; 5] = [
    "sts.us-east-1.amazonaws.com",
    "sts.cn-north-1.amazonaws.com.cn",
    "sts.us-gov-west-1.amazonaws.com",
    "sts-fips.us-east-1.amazonaws.com",
    "localhost",
];

/// A tree with a live key of aws and one of aws-cn, and AWS as far as this test is concerned.
struct World {
    server: StandIn,
    tree: Tree,
    fakes: [Fake; 2],
    bundle: String,
}

impl World {
    fn new(seed: u64) -> Self {
        let authority = Authority::new();
        let server = StandIn::start_tls(authority.server(&HOSTS));
        let mut random = Random::new(seed);
        let fakes = [Fake::temporary(&mut random), Fake::long_term(&mut random)];
        server.add(&fakes[0].id, fakes[0].key(State::Active));
        let mut chinese = fakes[1].key(State::Active);
        chinese.region = "cn-north-1";
        server.add(&fakes[1].id, chinese);
        let tree = tree_of(&fakes[..1]);
        let text = format!("region = cn-north-1\n{}", text_of(&fakes[1]));
        tree.write("1.ini", text);
        let bundle = Tree::path(&tree, "bundle.pem").display().to_string();
        tree.write("bundle.pem", authority.pem());
        Self {
            server,
            tree,
            fakes,
            bundle,
        }
    }

    fn proxy(&self) -> Proxy {
        Proxy::start(Some(self.server.address()))
    }

    /// The program, whose only way out is `proxy`.
    fn program(&self, proxy: SocketAddr, arguments: &[&str]) -> Command {
        let mut command = program(self.tree.root(), &["--verify", "-o", "json"]);
        command
            .args(arguments)
            .env("HTTPS_PROXY", format!("http://{proxy}"));
        command
    }
}

fn states(command: &mut Command) -> Vec<String> {
    let outcome = run(command);
    let found = findings(&outcome);
    let verdicts = found.iter().map(|finding| &finding["verdict"]);
    verdicts
        .map(|verdict| match verdict["detail"].as_str() {
            Some(detail) => format!("{}: {detail}", verdict["state"].as_str().unwrap()),
            None => verdict["state"].as_str().unwrap().to_owned(),
        })
        .collect()
}

#[test]
fn each_partition_is_asked_at_its_own_endpoint_through_the_proxy() {
    let world = World::new(101);
    let proxy = world.proxy();
    let mut command = world.program(proxy.address(), &["--ca-bundle", &world.bundle]);
    assert_eq!(states(&mut command), ["live", "live"]);
    assert_eq!(
        proxy.hosts(),
        [
            "sts.cn-north-1.amazonaws.com.cn:443",
            "sts.us-east-1.amazonaws.com:443"
        ]
    );
    assert_eq!(world.server.log().len(), 2);
    // The proxy sees where a tunnel leads, and nothing of what goes through it.
    let passed = String::from_utf8_lossy(&proxy.passed()).into_owned() + &proxy.heads().concat();
    for fake in &world.fakes {
        assert!(!passed.contains(&fake.id) && !passed.contains(&fake.secret));
    }
    assert!(!passed.contains("AWS4-HMAC-SHA256") && !passed.contains("GetCallerIdentity"));
}

#[test]
fn fips_endpoints_are_others_and_other_partitions_are_asked_when_told() {
    let world = World::new(102);
    let proxy = world.proxy();
    let options = ["--ca-bundle", &world.bundle, "--fips", "--partition", "aws"];
    let mut command = world.program(proxy.address(), &options);
    assert_eq!(
        states(&mut command),
        [
            "live",
            "inactive: its file speaks of a partition that was not asked"
        ]
    );
    assert_eq!(proxy.hosts(), ["sts-fips.us-east-1.amazonaws.com:443"]);
    let proxy = world.proxy();
    let options = ["--ca-bundle", &world.bundle, "--partition", "aws-us-gov"];
    let mut command = world.program(proxy.address(), &options);
    command.env(
        "HTTPS_PROXY",
        format!("http://somebody:pass@{}", proxy.address()),
    );
    let states = states(&mut command);
    assert!(
        states.iter().all(|it| it.starts_with("inactive")),
        "{states:?}"
    );
    assert_eq!(proxy.hosts(), ["sts.us-gov-west-1.amazonaws.com:443"]);
    // The proxy's own password goes to the proxy.
    let basic = data_encoding::BASE64.encode(b"somebody:pass");
    assert!(proxy.heads()[0].contains(&format!("Basic {basic}")));
}

#[test]
fn the_certificate_must_be_trusted_before_anything_is_sent() {
    let world = World::new(103);
    let proxy = world.proxy();
    let untrusted = "unknown: STS could not be reached: its TLS certificate is not trusted here";
    let mut command = world.program(proxy.address(), &[]);
    assert_eq!(states(&mut command), [untrusted; 2]);
    let mut command = world.program(proxy.address(), &[]);
    command.env("AWS_CA_BUNDLE", &world.bundle);
    assert_eq!(states(&mut command), ["live", "live"]);
    assert_eq!(world.server.log().len(), 2);
    // A certificate for another name is no better than an unknown one.
    let authority = Authority::new();
    let other = StandIn::start_tls(authority.server(&["sts.example.org"]));
    let proxy = Proxy::start(Some(other.address()));
    let mut command = world.program(proxy.address(), &["--ca-bundle", &world.bundle]);
    assert_eq!(states(&mut command), [untrusted; 2]);
    assert_eq!(other.log().len(), 0);
}

#[test]
fn exceptions_and_refusals_of_the_proxy() {
    let world = World::new(104);
    let proxy = world.proxy();
    let url = format!("https://localhost:{}", world.server.address().port());
    let options = ["--ca-bundle", &world.bundle, "--sts-endpoint", &url];
    let mut command = world.program(proxy.address(), &options);
    command.env("NO_PROXY", "localhost");
    assert_eq!(states(&mut command), ["live", "live"]);
    assert_eq!(proxy.heads().len(), 0);
    let closed = Proxy::start(None);
    let mut command = world.program(closed.address(), &[]);
    let refused = "unknown: STS could not be reached: the proxy refused";
    assert_eq!(states(&mut command), [refused; 2]);
}

/// As if the cable were out: the way to AWS's own endpoints ends on this machine.
#[test]
fn without_a_way_out_every_verdict_is_unknown_in_seconds() {
    let mut random = Random::new(105);
    let fakes: Vec<Fake> = (0..50).map(|_| Fake::long_term(&mut random)).collect();
    let tree = tree_of(&fakes);
    let closed = closed_port();
    let arguments = ["--verify", "-o", "json"];
    let mut command = program(tree.root(), &arguments);
    command.env("HTTPS_PROXY", &closed);
    let (states, time) = timed(|| states(&mut command));
    assert_eq!(states.len(), 50);
    assert!(
        states.iter().all(|it| it.starts_with("unknown: ")),
        "{states:?}"
    );
    assert!(time < Duration::from_secs(10), "{time:?}");
    assert_exit_is_as_unverified(tree.root(), &closed);
}

fn assert_exit_is_as_unverified(tree: &Path, closed: &str) {
    for fail_on in ["any", "medium", "high", "critical"] {
        let codes = [&["--verify"][..], &[]].map(|verify| {
            let mut command = program(tree, verify);
            command.args(["--fail-on", fail_on]);
            run(command.env("HTTPS_PROXY", closed)).code
        });
        assert_eq!(codes[0], codes[1], "{fail_on}");
    }
}
