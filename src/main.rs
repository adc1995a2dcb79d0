//! The `straykey` command.

mod cli;

use std::panic;
use std::process::ExitCode;

use cli::exit::Exit;

fn main() -> ExitCode {
    // The message of a panic may quote the data it failed on, and that may be a secret: only the
    // place in the source is shown.
    panic::set_hook(Box::new(|defect| {
        let place = defect.location().map(ToString::to_string);
        let place = place.unwrap_or_else(|| "an unknown place".to_owned());
        cli::say(&format!(
            "error: a defect in straykey, at {place}; please report it"
        ));
    }));
    panic::catch_unwind(cli::main)
        .unwrap_or(Exit::Incomplete)
        .into()
}
