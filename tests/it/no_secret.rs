//! No output of any format, at any verbosity, holds a secret or a session token: the program is
//! run on every form of keys, and everything it writes is searched.

use std::process::Command;

use crate::kit::Tree;
use crate::kit::keys::Random;
use crate::recall_forms::FORMS;

#[test]
fn nothing_that_is_written_holds_a_secret_or_a_token() {
    let tree = Tree::new();
    let mut secrets = Vec::new();
    for (number, form) in FORMS.iter().enumerate() {
        let mut random = Random::new(number as u64);
        let prefix = if form.temporary() { "ASIA" } else { "AKIA" };
        let keys: Vec<(String, String, String)> = (0..form.pairs)
            .map(|_| (random.key_id(prefix), random.secret(), random.token()))
            .collect();
        let parts = keys
            .iter()
            .map(|(id, secret, token)| (id.as_str(), secret.as_str(), Some(token.as_str())));
        let text = form.write(parts, &mut random);
        tree.write(format!("{number}.txt"), &text);
        // A path may hold a secret, too.
        if number % 10 == 0 && !keys[0].1.contains('/') {
            tree.write(format!("{}.txt", keys[0].1), &text);
        }
        secrets.extend(
            keys.into_iter()
                .flat_map(|(_, secret, token)| [secret, token]),
        );
    }
    for arguments in [
        &["-o", "pretty", "--color", "always"][..],
        &["-o", "line", "--show-skipped"],
        &["-o", "json"],
        &["-o", "jsonl", "--mask-ids"],
        &["-o", "pretty", "--quiet"],
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_straykey"))
            .args(arguments)
            .arg(tree.root())
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        let written = String::from_utf8_lossy(&output.stdout).into_owned()
            + &String::from_utf8_lossy(&output.stderr);
        assert!(written.len() > 10_000, "{arguments:?} reports the findings");
        for secret in &secrets {
            // A part of a secret would be too much already.
            let pieces = secret.as_bytes().windows(16).step_by(8);
            for piece in pieces.map(|piece| std::str::from_utf8(piece).unwrap()) {
                assert!(
                    !written.contains(piece),
                    "{arguments:?} shows a part of a secret"
                );
            }
        }
    }
}
