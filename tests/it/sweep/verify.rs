//! One call to STS a credential, however many repositories hold it.

use super::{Sweep, make_repository, on_both};
use crate::kit::{keys, run};
use crate::verify::stand_in::{Key, StandIn, State};

on_both!(one_call_a_credential);

fn one_call_a_credential(sweep: &Sweep) {
    let sts = StandIn::start();
    let known = |seed: u64, state: State| {
        let key = Key {
            secret: keys::secret(seed),
            token: None,
            arn: "arn:aws:iam::123456789012:user/ci".to_owned(),
            region: "us-east-1",
            state,
        };
        sts.add(&keys::access_key_id(seed), key);
    };
    known(1, State::Active);
    known(2, State::Inactive);
    let folder = sweep.tree.path("clones");
    for (name, seed) in [("a", 1), ("b", 1), ("c", 2), ("d", 1), ("e", 2)] {
        // Histories of their own: nothing is known from one to the other.
        let path = folder.join(name);
        make_repository(&path, 3, Some(seed));
    }
    let folder = folder.display().to_string();
    let verified = [&folder, "--verify", "--sts-endpoint", &sts.url(), "--json"];
    for _ in 0..2 {
        let mut command = sweep.work(&verified);
        for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"] {
            command.env_remove(name).env_remove(name.to_lowercase());
        }
        let ran = run(&mut command);
        assert_eq!(ran.code, Some(1), "{ran:?}");
    }
    assert_eq!(sts.calls(&keys::access_key_id(1)), 1);
    let report = sweep.report();
    let verdict = |seed: u64| {
        let id = keys::access_key_id(seed);
        let credentials = report["credentials"].as_array().unwrap();
        let credential = credentials
            .iter()
            .find(|it| it["access_key_id"] == *id)
            .unwrap();
        credential["verdict"].as_str().unwrap().to_owned()
    };
    assert_eq!(
        (verdict(1).as_str(), verdict(2).as_str()),
        ("live", "inactive")
    );
    assert_eq!(sweep.number("SELECT COUNT(*) FROM verdict"), 2);
    for request in sts.log() {
        assert!(!request.raw.contains(&keys::secret(1)));
    }
}
