//! ripsecrets: `.secretsignore`, patterns of paths as in a `.gitignore`, and below `[secrets]`
//! expressions for secrets.

use super::Imported;
use super::output::{Allowlist, Target};

pub(super) fn ignore_file(name: &str, text: &str, imported: &mut Imported) {
    let mut secrets = false;
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if line == "[secrets]" {
            secrets = true;
        } else if secrets {
            match Allowlist::new(Target::Secret, line, name) {
                Some(allowlist) => imported.allowlists.push(allowlist),
                None => imported.lose(
                    &format!("{name}:{}: {line}", number + 1),
                    "not an expression that is understood here",
                ),
            }
        } else {
            imported.exclude.push(line.to_owned());
        }
    }
}
