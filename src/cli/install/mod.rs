//! stub
use super::exit::Exit;
use super::hook_args::{InstallArguments, UninstallArguments};
use anyhow::Result;
pub(super) fn install(_: &InstallArguments) -> Result<Exit> {
    Ok(Exit::Clean)
}
pub(super) fn uninstall(_: &UninstallArguments) -> Result<Exit> {
    Ok(Exit::Clean)
}
pub(super) fn doctor() -> Result<Exit> {
    Ok(Exit::Clean)
}
