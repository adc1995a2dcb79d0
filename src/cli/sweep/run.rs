//! Planning and working, in one process or each in its own.

use std::env;
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, RwLock};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use straykey::finding::{Confidence, Finding};
use straykey::rules::RuleSet;
use straykey::scan::Progress;
use straykey::sweep::cache::Cache;
use straykey::sweep::forge;
use straykey::sweep::git::Git;
use straykey::sweep::hosts::Hosts;
use straykey::sweep::identity::OrganizationKey;
use straykey::sweep::lease::{abandon_dead, unique_name};
use straykey::sweep::metrics::Metrics;
use straykey::sweep::patience::Patience;
use straykey::sweep::plan::{Filters, Planner};
use straykey::sweep::scanner::Rules;
use straykey::sweep::store::Store;
use straykey::sweep::target::{ForgeKind, Target};
use straykey::sweep::work::{Ask, Settings, Worker};

use super::access::{Forges, existing_store, organization_key, store};
use super::args::{
    ListArguments, PlanCommand, RuleArguments, RunArguments, StateArguments, Visibility,
    WorkArguments, WorkerCommand,
};
use super::display::{Display, metrics};
use super::show;
use crate::cli::exit::Exit;
use crate::cli::say;
use crate::cli::verify::VerifyPlan;

/// Mirrors that are kept where nobody says how many.
const QUOTA: u64 = 10 << 30;
/// How long the database may be away.
const PATIENCE: Duration = Duration::from_secs(600);

/// Set by Ctrl-C and by the signal to end.
fn stopped_by_signal() -> Arc<AtomicBool> {
    let stop = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&stop);
    let result = ctrlc::set_handler(move || {
        if flag.swap(true, Ordering::Relaxed) {
            std::process::exit(Exit::Incomplete.code().into());
        }
        say("stopping; the same command goes on from here");
    });
    // Without the handler the signal kills the process, and the same command goes on, too.
    drop(result);
    stop
}

fn rules(arguments: &RuleArguments) -> Result<Rules> {
    let rules = match arguments.config.as_slice() {
        [] => RuleSet::builtin(),
        files => RuleSet::load(files)?,
    };
    let confidence = arguments.confidence.map_or(Confidence::Medium, Into::into);
    let rules = rules.with_confidence(confidence);
    if rules.enabled().next().is_none() {
        bail!("no rule is on; [extend] useDefault = true adds the built-in ones");
    }
    let mut rules = Rules::new(&rules);
    if let Some(limit) = &arguments.blob_limit {
        // What was left out is new under another limit.
        rules.version.push_str(&format!("-{}", limit.0));
    }
    Ok(rules)
}

fn filters(arguments: &ListArguments) -> Filters {
    let visibility = arguments.visibility.map(|it| match it {
        Visibility::Public => "public",
        Visibility::Private => "private",
        Visibility::Internal => "internal",
    });
    Filters {
        no_archived: arguments.no_archived,
        no_forks: arguments.no_forks,
        visibility: visibility.map(str::to_owned),
        max_size_kib: arguments.max_repository.map(|size| size.0 / 1024),
        only: arguments.only.clone(),
        pushed_since: arguments.pushed_since.clone(),
    }
}

/// Lists the targets one after the other. Returns whether each came to its end.
fn list(
    store: &Store,
    rule_set: &str,
    arguments: &ListArguments,
    targets: &[Target],
    forges: &Forges,
    metrics: &Metrics,
    stop: &AtomicBool,
) -> bool {
    let filters = filters(arguments);
    let planner = Planner {
        store,
        rule_set,
        filters: &filters,
        forge: &|target| forges.of(target),
        metrics,
        patience: Patience {
            longest: PATIENCE,
            stop,
            metrics,
        },
    };
    let mut whole = true;
    for target in targets {
        if let Err(error) = planner.plan(target) {
            say(&format!("error: {error:#}"));
            whole = false;
        }
    }
    whole
}

fn targets(arguments: &ListArguments) -> Result<Vec<Target>> {
    let parsed = arguments
        .targets
        .iter()
        .map(|text| Ok(text.parse::<Target>()?));
    parsed.collect()
}

/// The kinds of forges that are listed.
fn kinds(targets: &[Target]) -> Vec<ForgeKind> {
    let kinds = targets.iter().filter_map(forge::of_target);
    kinds.map(|(kind, _)| kind).collect()
}

pub(super) fn plan(command: PlanCommand) -> Result<Exit> {
    let targets = targets(&command.list)?;
    let rules = rules(&command.rules)?;
    let stop = stopped_by_signal();
    let metrics = metrics();
    let forges = Forges::new(&command.list.access, &metrics, &stop);
    let store = store(&command.state)?;
    let whole = list(
        &store,
        &rules.version,
        &command.list,
        &targets,
        &forges,
        &metrics,
        &stop,
    );
    let jobs = store.jobs()?;
    say(&format!(
        "{} repositories listed; {} jobs to do",
        metrics.ended().listed,
        jobs.left()
    ));
    Ok(Exit::of(false, whole))
}

pub(super) fn worker(command: WorkerCommand) -> Result<Exit> {
    limit_memory(&command.work)?;
    let stop = stopped_by_signal();
    let metrics = metrics();
    let forges = Forges::new(&command.access, &metrics, &stop);
    let crew = Crew {
        store: Arc::new(existing_store(&command.state)?),
        stop,
        planning: AtomicBool::new(false),
        turn: RwLock::default(),
        tools: Tools::new(&command.state, &command.rules, &command.work, &forges, &[])?,
        metrics,
        wait: command.wait,
    };
    crew.start_metrics(&command.work)?;
    crew.bury_the_dead()?;
    crew.work()?;
    let failed = crew.store.jobs()?.failed;
    Ok(Exit::of(
        false,
        failed == 0 && !crew.stop.load(Ordering::Relaxed),
    ))
}

pub(super) fn all(arguments: RunArguments) -> Result<Exit> {
    let targets = targets(&arguments.list)?;
    limit_memory(&arguments.work)?;
    let stop = stopped_by_signal();
    let metrics = metrics();
    let forges = Forges::new(&arguments.list.access, &metrics, &stop);
    let tools = Tools::new(
        &arguments.state,
        &arguments.rules,
        &arguments.work,
        &forges,
        &kinds(&targets),
    )?;
    let crew = Crew {
        store: Arc::new(store(&arguments.state)?),
        stop,
        planning: AtomicBool::new(true),
        turn: RwLock::default(),
        tools,
        metrics,
        wait: false,
    };
    crew.start_metrics(&arguments.work)?;
    crew.bury_the_dead()?;
    let display = Display::start(&crew.store, &crew.metrics);
    let whole = thread::scope(|scope| {
        let planner = scope.spawn(|| {
            let version = &crew.tools.rules.version;
            let whole = list(
                &crew.store,
                version,
                &arguments.list,
                &targets,
                &forges,
                &crew.metrics,
                &crew.stop,
            );
            crew.planning.store(false, Ordering::Release);
            whole
        });
        let worked = crew.work();
        // A planner that panicked has listed nothing to its end.
        let whole = planner.join().unwrap_or(false);
        worked.map(|()| whole)
    })?;
    drop(display);
    let exit = show::print_report(&crew.store, &arguments.show)?;
    let stopped = crew.stop.load(Ordering::Relaxed);
    Ok(if whole && !stopped {
        exit
    } else {
        exit.and_failed()
    })
}

/// What every worker of this process uses.
struct Tools {
    rules: Rules,
    key: OrganizationKey,
    git: Git,
    cache: Cache,
    hosts: Hosts,
    verify: Option<VerifyPlan>,
    workers: usize,
    settings: Settings,
}

impl Tools {
    fn new(
        state: &StateArguments,
        rule: &RuleArguments,
        work: &WorkArguments,
        forges: &Forges,
        listed: &[ForgeKind],
    ) -> Result<Self> {
        let seconds = |given: Option<u64>, default| Duration::from_secs(given.unwrap_or(default));
        let time_limit = seconds(work.time_limit.map(Into::into), 21_600);
        let folder = work.cache.clone().map_or_else(default_cache, Ok)?;
        let quota = work.cache_quota.map_or(QUOTA, |size| size.0);
        let cache = Cache::open(folder.clone(), quota);
        let lease = work.lease.map_or(120, Into::into);
        Ok(Self {
            rules: rules(rule)?,
            key: organization_key(state)?,
            git: Git {
                askpass: env::current_exe().context("where is this program?")?,
                time_limit,
                access: forges.for_git(listed)?,
                blob_limit: rule.blob_limit.map(|size| size.0),
            },
            cache: cache.with_context(|| format!("cannot make `{}`", folder.display()))?,
            hosts: Hosts::new(work.per_host.map_or(4, Into::into)),
            verify: VerifyPlan::new(work.verify.clone())?,
            workers: work.workers.map_or(2, Into::into),
            settings: Settings {
                name: String::new(),
                lease: Duration::from_secs(lease),
                attempts: work.attempts.map_or(5, Into::into),
                time_limit,
                disk_limit: work.disk_limit.map(|size| size.0),
                pause: seconds(work.retry_after, 10),
                patience: PATIENCE,
                wait: false,
            },
        })
    }
}

/// Lets this process, and each git that it starts, have no more memory than that: what needs more
/// ends, and its job counts as one that kills its worker.
#[cfg(target_os = "linux")]
fn limit_memory(work: &WorkArguments) -> Result<()> {
    use rustix::process::{Resource, Rlimit, setrlimit};
    let Some(limit) = work.memory_limit else {
        return Ok(());
    };
    let limit = Rlimit {
        current: Some(limit.0),
        maximum: Some(limit.0),
    };
    setrlimit(Resource::Data, limit).context("cannot limit memory (--memory-limit)")
}

#[cfg(not(target_os = "linux"))]
fn limit_memory(work: &WorkArguments) -> Result<()> {
    match work.memory_limit {
        Some(_) => bail!("--memory-limit works on Linux only"),
        None => Ok(()),
    }
}

fn default_cache() -> Result<PathBuf> {
    let set = |name| {
        env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    let cache = set("XDG_CACHE_HOME").or_else(|| Some(set("HOME")?.join(".cache")));
    let cache = cache.context("neither HOME nor XDG_CACHE_HOME is set; give --cache DIR")?;
    Ok(cache.join("straykey/mirrors"))
}

/// The workers of this process.
struct Crew {
    store: Arc<Store>,
    tools: Tools,
    metrics: Arc<Metrics>,
    stop: Arc<AtomicBool>,
    planning: AtomicBool,
    turn: RwLock<()>,
    wait: bool,
}

impl Crew {
    fn start_metrics(&self, work: &WorkArguments) -> Result<()> {
        let Some(address) = work.metrics else {
            return Ok(());
        };
        let listener = TcpListener::bind(address);
        let listener = listener.with_context(|| format!("cannot listen at {address}"))?;
        Ok(self.metrics.serve(listener)?)
    }

    /// Takes over what workers of this machine left behind that were killed, and gives up what
    /// has killed them often enough: before anything is listed, which would call it back.
    fn bury_the_dead(&self) -> Result<()> {
        abandon_dead(&self.store)?;
        let attempts = self.tools.settings.attempts;
        Ok(self.store.give_up_abandoned(attempts)?)
    }

    /// Works until nothing is left.
    fn work(&self) -> Result<()> {
        let ask: Option<&dyn Ask> = self.tools.verify.as_ref().map(|plan| plan as &dyn Ask);
        thread::scope(|scope| {
            let threads: Vec<_> = (0..self.tools.workers)
                .map(|number| scope.spawn(move || self.worker(number, ask).run()))
                .collect();
            for thread in threads {
                match thread.join() {
                    Ok(result) => result?,
                    Err(_) => bail!("a worker ended by a defect"),
                }
            }
            Ok(())
        })
    }

    fn worker<'w>(&'w self, number: usize, ask: Option<&'w dyn Ask>) -> Worker<'w> {
        let tools = &self.tools;
        Worker {
            store: &self.store,
            rules: &tools.rules,
            key: &tools.key,
            git: &tools.git,
            cache: &tools.cache,
            hosts: &tools.hosts,
            ask,
            metrics: &self.metrics,
            stop: &self.stop,
            planning: &self.planning,
            turn: &self.turn,
            settings: Settings {
                name: unique_name(number),
                wait: self.wait,
                ..tools.settings.clone()
            },
        }
    }
}

impl Ask for VerifyPlan {
    fn ask(&self, findings: &mut [Finding], progress: &Progress) {
        if let Err(error) = self.ask_about(findings, progress) {
            say(&format!("error: {error:#}"));
        }
    }
}
