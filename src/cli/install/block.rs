//! The block that is put into a hook: between two marks, so that it can be found again.

use clap::ValueEnum as _;

use super::super::hook_args::Stage;

pub(super) const BEGIN: &str = "# >>> straykey >>>";
pub(super) const END: &str = "# <<< straykey <<<";
/// What another program's hook is called while ours stands in its place.
pub(super) const CHAINED: &str = "straykey-chained";

/// Every stage that may have been installed.
pub(super) fn stages() -> impl Iterator<Item = Stage> {
    Stage::value_variants().iter().copied()
}

/// What to write into a hook by hand.
pub(super) fn line(stage: Stage) -> String {
    format!("straykey hook --stage {} \"$@\" || exit $?", stage.name())
}

/// The block for `stage`. If the program is gone, the hook blocks and says so.
pub(super) fn block(stage: Stage, program: &str) -> String {
    let name = stage.name();
    let program = quoted(program);
    let run = match stage {
        // What git says on standard input is for the rest of the hook, too.
        Stage::PrePush | Stage::PreReceive => format!(
            "straykey_input=$(cat)\n\
             if [ -n \"$straykey_input\" ]; then\n\
             \x20   printf '%s\\n' \"$straykey_input\" | \"$straykey_program\" hook --stage {name} \"$@\" || exit $?\n\
             \x20   exec <<STRAYKEY_INPUT\n$straykey_input\nSTRAYKEY_INPUT\n\
             else\n\
             \x20   \"$straykey_program\" hook --stage {name} \"$@\" </dev/null || exit $?\n\
             fi\n"
        ),
        _ => format!("\"$straykey_program\" hook --stage {name} \"$@\" || exit $?\n"),
    };
    format!(
        "{BEGIN} made by `straykey install`, taken away by `straykey uninstall`\n\
         straykey_program={program}\n\
         [ -x \"$straykey_program\" ] || straykey_program=$(command -v straykey) || {{\n\
         \x20   echo \"straykey is not installed any more, and this hook needs it: blocked.\" >&2\n\
         \x20   echo \"Install it again, or delete the block marked straykey in $0.\" >&2\n\
         \x20   exit 2\n\
         }}\n\
         {run}{END}\n"
    )
}

/// A whole hook that runs another program's hook after the block.
pub(super) fn chaining(stage: Stage, program: &str) -> String {
    let next = format!("$(dirname \"$0\")/{}.{CHAINED}", stage.name());
    format!(
        "#!/bin/sh\n{}exec \"{next}\" \"$@\"\n",
        block(stage, program)
    )
}

/// `script` without the block; `None` if there is none.
pub(super) fn without(script: &str) -> Option<String> {
    let start = script.find(BEGIN)?;
    let end = start + script[start..].find(END)? + END.len();
    let rest = script[end..].strip_prefix('\n').unwrap_or(&script[end..]);
    Some(format!("{}{rest}", &script[..start]))
}

/// For a shell: in single quotes.
pub(super) fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_block_is_found_again() {
        for stage in stages() {
            let script = format!("#!/bin/sh\n{}echo rest\n", block(stage, "/a'b/straykey"));
            assert_eq!(without(&script).as_deref(), Some("#!/bin/sh\necho rest\n"));
        }
        assert_eq!(without("#!/bin/sh\n"), None);
    }
}
