//! Against moto, an implementation of AWS that nobody of this project wrote. `tests/moto/run` starts
//! it on loopback with authentication on and runs these tests.

use straykey::finding::Finding;
use straykey::verdict::{Partition, Principal};
use straykey::verify::plan::Scope;

use super::{Fake, hurried, verdict_on, verify};
use crate::kit::keys::Random;

/// What `tests/moto/run` has made: the endpoint and the keys, as JSON.
fn prepared() -> serde_json::Value {
    let file = std::env::var_os("STRAYKEY_MOTO").expect("tests/moto/run sets STRAYKEY_MOTO");
    serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap()
}

fn fake(keys: &serde_json::Value, name: &str) -> Fake {
    let text = |field: &str| keys[name][field].as_str().map(str::to_owned);
    Fake {
        id: text("id").unwrap(),
        secret: text("secret").unwrap(),
        token: text("token"),
    }
}

#[test]
#[ignore = "needs moto; tests/moto/run runs it"]
fn moto_agrees() {
    let keys = prepared();
    let url = keys["endpoint"].as_str().unwrap();
    let on = |finding: &Finding| verdict_on(finding, &hurried(), url);
    let mut random = Random::new(51);

    let good = fake(&keys, "good");
    let verdict = on(&good.finding());
    let identity = verdict.live().expect("live").identity.as_ref().unwrap();
    assert_eq!(
        identity.principal,
        Principal::User {
            name: "deploy".to_owned()
        }
    );

    assert_eq!(
        on(&Fake::long_term(&mut random).finding()).state(),
        "inactive"
    );
    assert_eq!(on(&fake(&keys, "deleted").finding()).state(), "inactive");
    let wrong = Fake {
        secret: random.secret(),
        ..good.clone()
    };
    assert_eq!(on(&wrong.finding()).state(), "secret-mismatch");

    let role = fake(&keys, "role");
    let verdict = on(&role.finding());
    let identity = verdict.live().expect("live").identity.as_ref().unwrap();
    assert_eq!(
        identity.principal,
        Principal::AssumedRole {
            role: "build".to_owned(),
            session: "nightly".to_owned()
        }
    );
    let broken = Fake {
        token: Some(random.token()),
        ..role
    };
    assert_eq!(on(&broken.finding()).state(), "inactive");

    let scope = Scope {
        partitions: [Partition::AwsCn].into(),
        ..Scope::default()
    };
    let findings = [good.finding()];
    let verdicts = verify(&findings, &scope, &hurried(), url);
    assert_eq!(verdicts[&findings[0].fingerprint].state(), "inactive");
}
