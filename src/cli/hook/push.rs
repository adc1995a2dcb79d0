//! What git says is pushed or received.

use std::env;
use std::ffi::OsString;
use std::io::{self, IsTerminal, Read};

use anyhow::{Context, Result, bail};
use straykey::source::changes::pushed::{Known, RefUpdate, pushed};
use straykey::source::changes::{Changes, Contents};
use straykey::source::git::{ObjectId, Repository};

/// The changes of a pre-push hook: `<local ref> <id> <remote ref> <id>` on standard input, the
/// remote's name and address as arguments. The pre-commit framework tells one range in variables.
pub(super) fn to_be_pushed(arguments: &[OsString]) -> Result<Changes> {
    let contents = open()?;
    if env::var_os("PRE_COMMIT").is_some() {
        return from_framework(contents);
    }
    let known = known_to(arguments);
    let mut updates = Vec::new();
    for line in standard_input()?.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        let [_, new, name, old] = words[..] else {
            bail!("standard input is not what git tells a pre-push hook");
        };
        updates.push(update(name, old, new)?);
    }
    if updates.is_empty() {
        // Nothing to push, or a hook manager that keeps its input to itself.
        updates.extend(current(&contents)?);
    }
    changes(contents, &updates, &known)
}

/// What is received: the changes, and the refs that are moved.
pub(super) type Received = (Changes, Vec<RefUpdate>);

/// The changes of a pre-receive hook: `<old id> <new id> <ref>` on standard input, one a line.
pub(super) fn received() -> Result<Received> {
    let contents = open()?;
    let mut updates = Vec::new();
    for line in standard_input()?.lines() {
        let words: Vec<&str> = line.splitn(3, ' ').collect();
        let [old, new, name] = words[..] else {
            bail!("standard input is not what git tells a pre-receive hook");
        };
        updates.push(update(name, old, new)?);
    }
    if updates.is_empty() {
        bail!("git has not said on standard input what is received");
    }
    Ok((changes(contents, &updates, &Known::AllRefs)?, updates))
}

/// The changes of an update hook: ref, old id, new id as arguments.
pub(super) fn updated(arguments: &[OsString]) -> Result<Received> {
    let words: Option<Vec<&str>> = arguments.iter().map(|word| word.to_str()).collect();
    let [name, old, new] = words.as_deref().unwrap_or_default() else {
        bail!("git tells an update hook a ref and two ids");
    };
    let updates = vec![update(name, old, new)?];
    Ok((changes(open()?, &updates, &Known::AllRefs)?, updates))
}

/// The repository in which the hook runs.
pub(super) fn open() -> Result<Contents> {
    let repository = Repository::from_environment()?;
    Contents::open(repository).context("cannot read the repository")
}

fn changes(contents: Contents, updates: &[RefUpdate], known: &Known) -> Result<Changes> {
    pushed(contents, updates, known).context("cannot read what is pushed")
}

fn update(name: &str, old: &str, new: &str) -> Result<RefUpdate> {
    let id = |text: &str| {
        ObjectId::from_hex(text.as_bytes()).context("git has named something that is not an id")
    };
    Ok(RefUpdate {
        name: name.to_owned(),
        old: id(old)?,
        new: id(new)?,
    })
}

/// Git gives the address twice if it was not given the name of a remote.
fn known_to(arguments: &[OsString]) -> Known {
    match arguments {
        [name, address, ..] if name == address => Known::OldEnds,
        [name, ..] => match name.to_str() {
            Some(name) if !name.is_empty() => Known::Remote(name.to_owned()),
            _ => Known::OldEnds,
        },
        [] => Known::AnyRemote,
    }
}

fn standard_input() -> Result<String> {
    let mut input = io::stdin().lock();
    if io::stdin().is_terminal() {
        return Ok(String::new());
    }
    let mut bytes = Vec::new();
    input
        .read_to_end(&mut bytes)
        .context("cannot read what git says on standard input")?;
    // Names of refs need not be UTF-8, and are not looked at.
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The branch we are on, as if it were pushed; none before the first commit.
fn current(contents: &Contents) -> Result<Option<RefUpdate>> {
    let Some(new) = contents.head()? else {
        return Ok(None);
    };
    let new = new.to_string();
    Ok(Some(update("HEAD", &"0".repeat(new.len()), &new)?))
}

/// The framework hands over the first ref only, as a range; without one, all is new.
fn from_framework(contents: Contents) -> Result<Changes> {
    let variable = |name: &str| {
        let value = env::var_os(name)?.into_string().ok()?;
        Some(value).filter(|value| !value.is_empty())
    };
    // On the first push of a root commit there is no range, but the branch is named.
    let to = variable("PRE_COMMIT_TO_REF").or_else(|| variable("PRE_COMMIT_LOCAL_BRANCH"));
    let to = to.unwrap_or_else(|| "HEAD".to_owned());
    let new = resolve(&contents, &to)?.to_string();
    let old = match variable("PRE_COMMIT_FROM_REF") {
        Some(from) => resolve(&contents, &from)?.to_string(),
        None => "0".repeat(new.len()),
    };
    let known = match variable("PRE_COMMIT_REMOTE_NAME") {
        Some(name) if Some(&name) != variable("PRE_COMMIT_REMOTE_URL").as_ref() => {
            Known::Remote(name)
        }
        _ => Known::OldEnds,
    };
    let updates = [update("", &old, &new)?];
    changes(contents, &updates, &known)
}

fn resolve(contents: &Contents, name: &str) -> Result<ObjectId> {
    let shown = contents.git(&["rev-parse", "-q", "--verify", "--end-of-options", name])?;
    ObjectId::from_hex(shown.trim_ascii()).with_context(|| format!("`{name}` is not a commit"))
}
