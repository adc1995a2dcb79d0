//! What lets a sweep in: the store, the organization's key, tokens for forges and for git.

use std::env;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result, bail};
use straykey::secret::Secret;
use straykey::sweep::forge::{self, App, Client, Forge, ForgeError, Pauses, Pool, Tokens};
use straykey::sweep::git::{ASKPASS, Access, answer};
use straykey::sweep::identity::OrganizationKey;
use straykey::sweep::metrics::Metrics;
use straykey::sweep::store::Store;
use straykey::sweep::target::{ForgeKind, Target};

use super::args::{AccessArguments, StateArguments};

const DEFAULT_STATE: &str = "sqlite://straykey-sweep.db";

/// Answers git, if it is git that has started this program to ask for a user name or a token.
/// Returns whether it was.
pub(in crate::cli) fn answer_git() -> Option<Option<String>> {
    let [host, user, token] = ASKPASS.map(env::var);
    let (Ok(host), Ok(user), Ok(token)) = (host, user, token) else {
        return None;
    };
    let prompt = env::args().nth(1).unwrap_or_default();
    Some(answer(&prompt, [&host, &user, &token]))
}

fn state_url(arguments: &StateArguments) -> String {
    let set = env::var("STRAYKEY_STATE")
        .ok()
        .filter(|url| !url.is_empty());
    let given = arguments.state.clone().or(set);
    given.unwrap_or_else(|| DEFAULT_STATE.to_owned())
}

pub(super) fn store(arguments: &StateArguments) -> Result<Store> {
    Ok(Store::open(&state_url(arguments))?)
}

/// The store of a sweep that must have been made before: looking makes none.
pub(super) fn existing_store(arguments: &StateArguments) -> Result<Store> {
    let url = state_url(arguments);
    if let Some(file) = sqlite_file(&url)
        && !file.exists()
    {
        bail!(
            "there is no sweep in `{}`; straykey sweep TARGET makes one",
            file.display()
        );
    }
    Ok(Store::open(&url)?)
}

fn sqlite_file(url: &str) -> Option<PathBuf> {
    let path = url.strip_prefix("sqlite:")?;
    let path = path.strip_prefix("//").unwrap_or(path);
    Some(PathBuf::from(path.split('?').next().unwrap_or(path)))
}

pub(super) fn organization_key(arguments: &StateArguments) -> Result<OrganizationKey> {
    let beside = || Some(sqlite_file(&state_url(arguments))?.with_extension("key"));
    match (&arguments.key_file, beside()) {
        (Some(file), None) => Ok(OrganizationKey::read(file)?),
        (Some(file), Some(_)) => Ok(OrganizationKey::read_or_make(file)?),
        (None, Some(file)) => Ok(OrganizationKey::read_or_make(&file)?),
        (None, None) => bail!(
            "a PostgreSQL state needs --key-file: the same file of 32 random bytes or more for \
             every worker (head -c 32 /dev/urandom > FILE; chmod 600 FILE)"
        ),
    }
}

/// How forges are talked to.
pub(super) struct Forges {
    base_url: Option<String>,
    token_file: Option<PathBuf>,
    github_app: Option<Vec<String>>,
    metrics: Arc<Metrics>,
    stop: Arc<AtomicBool>,
    /// What is listed and what git fetches share their tokens.
    pools: Mutex<Vec<(ForgeKind, Arc<Pool>)>>,
}

const ALL_KINDS: [ForgeKind; 3] = [ForgeKind::Github, ForgeKind::Gitlab, ForgeKind::Gitea];

impl Forges {
    pub(super) fn new(
        arguments: &AccessArguments,
        metrics: &Arc<Metrics>,
        stop: &Arc<AtomicBool>,
    ) -> Self {
        Self {
            base_url: arguments.base_url.clone(),
            token_file: arguments.token_file.clone(),
            github_app: arguments.github_app.clone(),
            metrics: Arc::clone(metrics),
            stop: Arc::clone(stop),
            pools: Mutex::default(),
        }
    }

    /// The forge of `target`.
    pub(super) fn of(&self, target: &Target) -> Result<Forge, ForgeError> {
        let Some((kind, name)) = forge::of_target(target) else {
            return Err(ForgeError::Token(format!("{target} is at no forge")));
        };
        let (api, _) = forge::addresses(kind, self.base_url.as_deref())?;
        let (metrics, stop) = (Arc::clone(&self.metrics), Arc::clone(&self.stop));
        let pool = self.pool(kind, &api)?;
        let client = Client::new(kind, pool, Pauses::default(), metrics, stop);
        Ok(Forge::new(client, kind, name, &api))
    }

    /// The tokens for the forge of `kind` at `api`.
    fn pool(&self, kind: ForgeKind, api: &str) -> Result<Arc<Pool>, ForgeError> {
        let mut pools = self.pools.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, pool)) = pools.iter().find(|(known, _)| *known == kind) {
            return Ok(Arc::clone(pool));
        }
        let (tokens, stop) = (self.tokens(kind, api)?, Arc::clone(&self.stop));
        let pool = Arc::new(Pool::new(kind, api, tokens, Pauses::default(), stop)?);
        pools.push((kind, Arc::clone(&pool)));
        Ok(pool)
    }

    fn tokens(&self, kind: ForgeKind, api: &str) -> Result<Tokens, ForgeError> {
        if let (ForgeKind::Github, Some([id, installation, key])) =
            (kind, self.github_app.as_deref())
        {
            return Ok(Tokens::App(App::new(api, id, installation, key.as_ref())?));
        }
        if let Some(file) = &self.token_file {
            return Ok(Tokens::File(file.clone()));
        }
        let set = env::var(variable(kind)).unwrap_or_default();
        let tokens = set
            .split(',')
            .map(str::trim)
            .filter(|token| !token.is_empty());
        let tokens: Vec<Secret> = tokens.map(|token| Secret::new(token.as_bytes())).collect();
        Ok(match tokens.is_empty() {
            true => Tokens::None,
            false => Tokens::Fixed(tokens),
        })
    }

    /// What lets git in at the forges: those of `listed` first. A self-hosted forge is of the first
    /// kind that there are tokens for; where several are, and nothing is listed there, that cannot
    /// be told, and a token is shown to nobody it is not for.
    pub(super) fn for_git(&self, listed: &[ForgeKind]) -> Result<Vec<Access>> {
        let mut access: Vec<Access> = Vec::new();
        for (number, &kind) in listed.iter().chain(&ALL_KINDS).enumerate() {
            let Ok((api, host)) = forge::addresses(kind, self.base_url.as_deref()) else {
                continue;
            };
            let tokens = self
                .pool(kind, &api)
                .context("cannot get a token for git")?;
            if tokens.is_anonymous() || listed[..number.min(listed.len())].contains(&kind) {
                continue;
            }
            if access.iter().any(|known| known.host == host) {
                if listed.is_empty() && self.token_file.is_none() {
                    bail!(
                        "tokens for several kinds of forge are set, and {host} is of one kind; \
                         set the one that is for it"
                    );
                }
                continue;
            }
            let user = match kind {
                ForgeKind::Github => "x-access-token",
                ForgeKind::Gitlab | ForgeKind::Gitea => "oauth2",
            };
            access.push(Access {
                host,
                user: user.to_owned(),
                tokens,
            });
        }
        Ok(access)
    }
}

fn variable(kind: ForgeKind) -> &'static str {
    match kind {
        ForgeKind::Github => "GITHUB_TOKEN",
        ForgeKind::Gitlab => "GITLAB_TOKEN",
        ForgeKind::Gitea => "GITEA_TOKEN",
    }
}
