//! The command line as git or a hook manager makes it.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use super::super::hook_args::Stage;

/// The command line; if the program is called under the name of a hook (a link in the directory
/// of hooks), that of `straykey hook`.
///
/// # Errors
/// A file whose name reads like an option.
pub(in super::super) fn as_called() -> Result<Vec<OsString>> {
    let mut arguments: Vec<OsString> = env::args_os().collect();
    let name = arguments.first().map(PathBuf::from);
    let name = name.as_deref().and_then(Path::file_name);
    if let Some(stage) = name.and_then(|name| Stage::from_name(name.to_str()?)) {
        let call = ["hook", "--stage", stage.name()].map(OsString::from);
        arguments.splice(1..1, call);
    }
    let is_there = |name: &OsString| Path::new(name).symlink_metadata().is_ok();
    if arguments.get(1).is_some_and(|command| command == "hook") {
        separate(&mut arguments, &is_there)?;
    }
    Ok(arguments)
}

/// Hook managers hand over names of files behind the options. A file of the repository that is
/// called `-x` must not be taken for one of them, and one called `--fail-on=critical` decides
/// nothing.
fn separate(arguments: &mut Vec<OsString>, is_there: &dyn Fn(&OsString) -> bool) -> Result<()> {
    let dashed = |word: &OsString| word.as_encoded_bytes().starts_with(b"-");
    let end = arguments.iter().position(|word| word == "--");
    let options = &arguments[..end.unwrap_or(arguments.len())];
    let Some(at) = options
        .iter()
        .position(|word| dashed(word) && is_there(word))
    else {
        return Ok(());
    };
    let word = arguments[at].as_encoded_bytes();
    if ["--", "-h", "-o", "-V"]
        .iter()
        .any(|start| word.starts_with(start.as_bytes()))
    {
        bail!(
            "the file `{}` is called like an option, and could be taken for one: give it another name",
            arguments[at].display()
        );
    }
    arguments.insert(at, "--".into());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn separated(words: &[&str], files: &[&str]) -> Option<String> {
        let mut arguments: Vec<OsString> = words.iter().map(OsString::from).collect();
        let is_there = |name: &OsString| files.iter().any(|file| name == file);
        separate(&mut arguments, &is_there).ok()?;
        let words: Vec<_> = arguments
            .iter()
            .map(|word| word.to_str().unwrap())
            .collect();
        Some(words.join(" "))
    }

    #[test]
    fn files_are_not_taken_for_options() {
        let call = ["straykey", "hook", "--block-known", "-x.txt", "a"];
        let apart = "straykey hook --block-known -- -x.txt a";
        assert_eq!(separated(&call, &["-x.txt", "a"]).as_deref(), Some(apart));
        assert_eq!(separated(&call, &["a"]).as_deref(), Some(&*call.join(" ")));
        assert_eq!(separated(&call, &["--block-known", "a"]), None);
        for name in ["--fail-on=critical", "-h", "-ojson=x", "--no-config"] {
            assert_eq!(separated(&["straykey", "hook", name], &[name]), None);
            let call = ["straykey", "hook", "--", name];
            assert_eq!(separated(&call, &[name]).as_deref(), Some(&*call.join(" ")));
        }
    }
}
