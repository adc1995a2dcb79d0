//! Jobs: taking one under a lease, keeping it, giving it back.

use std::time::Duration;

use sqlx::Row;

use super::{Result, Store, count, number};
use crate::sweep::target::Repository;

/// A repository to look at, held under a lease.
#[derive(Clone, Debug)]
pub struct Job {
    /// Its row.
    pub repository_id: i64,
    /// Number of the lease: whoever writes results must still hold it.
    pub lease: i64,
    /// Which attempt this is, from 1.
    pub attempt: u64,
    /// Whether the worker that had it before has died or hung.
    pub abandoned: bool,
    /// What to look at.
    pub repository: Repository,
}

/// Numbers of jobs by state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Jobs {
    /// To be done, now or later.
    pub ready: u64,
    /// Held by a worker.
    pub running: u64,
    /// Done.
    pub done: u64,
    /// Given up, with a reason.
    pub failed: u64,
}

impl Jobs {
    /// Jobs that are neither done nor given up.
    #[must_use]
    pub fn left(&self) -> u64 {
        self.ready + self.running
    }
}

/// First those whose worker has let the lease run out; there are few, so it costs nothing.
const TAKE_ABANDONED: &str = "
UPDATE job SET state = 'running', worker = $1, lease = lease + 1, attempts = attempts + 1,
    leased_until = {now} + $2, changed = {now}
WHERE repository_id = (
    SELECT repository_id FROM job WHERE state = 'running' AND leased_until < {now}
    ORDER BY due LIMIT 1 {skip_locked})
RETURNING repository_id, lease, attempts";

const TAKE_READY: &str = "
UPDATE job SET state = 'running', worker = $1, lease = lease + 1, attempts = attempts + 1,
    leased_until = {now} + $2, changed = {now}
WHERE repository_id = (
    SELECT repository_id FROM job WHERE state = 'ready' AND due <= {now}
    ORDER BY due LIMIT 1 {skip_locked})
RETURNING repository_id, lease, attempts";

const GIVE_UP_ABANDONED: &str = "
UPDATE job SET state = 'failed', worker = NULL, leased_until = NULL, changed = {now},
    reason = 'its worker died or hung each time (out of memory, killed, or a defect)'
WHERE state = 'running' AND leased_until < {now} AND attempts >= $1
RETURNING repository_id";

impl Store {
    /// Takes the next job for `worker`, who has to renew within `lease`. What was taken and
    /// abandoned `most_attempts` times is given up.
    ///
    /// # Errors
    /// Where the database fails.
    pub fn take(&self, worker: &str, lease: Duration, most_attempts: u64) -> Result<Option<Job>> {
        self.give_up_abandoned(most_attempts)?;
        self.wait(async {
            for (text, abandoned) in [(TAKE_ABANDONED, true), (TAKE_READY, false)] {
                let query = self.query(text).bind(worker.to_owned());
                let query = query.bind(number(lease.as_secs()));
                let Some(row) = query.fetch_optional(&self.pool).await? else {
                    continue;
                };
                let repository_id = row.try_get("repository_id")?;
                return Ok(Some(Job {
                    repository_id,
                    lease: row.try_get("lease")?,
                    attempt: count(&row, "attempts")?,
                    abandoned,
                    repository: self.repository(repository_id).await?,
                }));
            }
            Ok(None)
        })
    }

    /// Gives up what was taken and abandoned `most_attempts` times.
    ///
    /// # Errors
    /// Where the database fails.
    pub fn give_up_abandoned(&self, most_attempts: u64) -> Result<()> {
        self.wait(async {
            let query = self.query(GIVE_UP_ABANDONED).bind(number(most_attempts));
            for row in query.fetch_all(&self.pool).await? {
                self.given_up().insert(row.try_get("repository_id")?);
            }
            Ok(())
        })
    }

    /// Keeps `job` for another `lease`. False where somebody else has it by now.
    ///
    /// # Errors
    /// Where the database fails.
    pub fn renew(&self, job: &Job, lease: Duration) -> Result<bool> {
        const RENEW: &str = "UPDATE job SET leased_until = {now} + $3
            WHERE repository_id = $1 AND lease = $2 AND state = 'running'";
        self.wait(async {
            let query = self.query(RENEW).bind(job.repository_id).bind(job.lease);
            let query = query.bind(number(lease.as_secs()));
            Ok(query.execute(&self.pool).await?.rows_affected() == 1)
        })
    }

    /// Gives `job` back, to be taken again after `pause`; whether it counts as an attempt is said by
    /// `counts`. False where somebody else has it by now.
    ///
    /// # Errors
    /// Where the database fails.
    pub fn retry_later(
        &self,
        job: &Job,
        reason: &str,
        pause: Duration,
        counts: bool,
    ) -> Result<bool> {
        const RETRY: &str = "UPDATE job SET state = 'ready', worker = NULL, leased_until = NULL,
            reason = $3, due = {now} + $4, attempts = attempts - $5, changed = {now}
            WHERE repository_id = $1 AND lease = $2 AND state = 'running'";
        self.wait(async {
            let query = self.query(RETRY).bind(job.repository_id).bind(job.lease);
            let query = query.bind(reason.to_owned()).bind(number(pause.as_secs()));
            let query = query.bind(i64::from(!counts));
            Ok(query.execute(&self.pool).await?.rows_affected() == 1)
        })
    }

    /// Gives `job` back as if it had never been taken: the worker was told to stop.
    ///
    /// # Errors
    /// Where the database fails.
    pub fn put_back(&self, job: &Job) -> Result<bool> {
        const PUT_BACK: &str = "UPDATE job SET state = 'ready', worker = NULL,
            leased_until = NULL, attempts = attempts - 1, changed = {now}
            WHERE repository_id = $1 AND lease = $2 AND state = 'running'";
        self.wait(async {
            let query = self.query(PUT_BACK).bind(job.repository_id).bind(job.lease);
            Ok(query.execute(&self.pool).await?.rows_affected() == 1)
        })
    }

    /// Gives `job` back as if it had never been taken, to be taken before all others: it was
    /// abandoned before, and is to be carried out alone.
    ///
    /// # Errors
    /// Where the database fails.
    pub fn hand_back(&self, job: &Job) -> Result<bool> {
        const HAND_BACK: &str = "UPDATE job SET leased_until = 0, attempts = attempts - 1
            WHERE repository_id = $1 AND lease = $2 AND state = 'running'";
        self.wait(async {
            let query = self.query(HAND_BACK).bind(job.repository_id);
            let query = query.bind(job.lease);
            Ok(query.execute(&self.pool).await?.rows_affected() == 1)
        })
    }

    /// Gives `job` up for `reason`. False where somebody else has it by now.
    ///
    /// # Errors
    /// Where the database fails.
    pub fn fail(&self, job: &Job, reason: &str) -> Result<bool> {
        const FAIL: &str = "UPDATE job SET state = 'failed', worker = NULL, leased_until = NULL,
            reason = $3, changed = {now}
            WHERE repository_id = $1 AND lease = $2 AND state = 'running'";
        self.wait(async {
            let query = self.query(FAIL).bind(job.repository_id).bind(job.lease);
            let query = query.bind(reason.to_owned());
            self.given_up().insert(job.repository_id);
            Ok(query.execute(&self.pool).await?.rows_affected() == 1)
        })
    }

    /// Names of the workers that hold jobs.
    ///
    /// # Errors
    /// Where the database fails.
    pub fn busy_workers(&self) -> Result<Vec<String>> {
        self.wait(async {
            let text = "SELECT DISTINCT worker FROM job WHERE state = 'running'";
            let rows = self.query(text).fetch_all(&self.pool).await?;
            rows.iter().map(|row| Ok(row.try_get("worker")?)).collect()
        })
    }

    /// Ends the leases of `worker`, which is known to be dead: its jobs can be taken at once.
    ///
    /// # Errors
    /// Where the database fails.
    pub fn abandon(&self, worker: &str) -> Result<()> {
        const ABANDON: &str =
            "UPDATE job SET leased_until = 0 WHERE worker = $1 AND state = 'running'";
        self.wait(async {
            let query = self.query(ABANDON).bind(worker.to_owned());
            query.execute(&self.pool).await?;
            Ok(())
        })
    }

    /// How many jobs there are in each state.
    ///
    /// # Errors
    /// Where the database fails.
    pub fn jobs(&self) -> Result<Jobs> {
        self.wait(async {
            let text = "SELECT state, COUNT(*) AS jobs FROM job GROUP BY state";
            let rows = self.query(text).fetch_all(&self.pool).await?;
            let mut jobs = Jobs::default();
            for row in rows {
                let number = count(&row, "jobs")?;
                match row.try_get::<String, _>("state")?.as_str() {
                    "ready" => jobs.ready = number,
                    "running" => jobs.running = number,
                    "done" => jobs.done = number,
                    _ => jobs.failed = number,
                }
            }
            Ok(jobs)
        })
    }

    async fn repository(&self, id: i64) -> Result<Repository> {
        let text = "SELECT url, name, owner, visibility, archived, fork, size_kib, pushed_at
            FROM repository WHERE id = $1";
        let row = self.query(text).bind(id).fetch_one(&self.pool).await?;
        let size: Option<i64> = row.try_get("size_kib")?;
        Ok(Repository {
            url: row.try_get("url")?,
            name: row.try_get("name")?,
            owner: row.try_get("owner")?,
            visibility: row.try_get("visibility")?,
            archived: row.try_get::<i64, _>("archived")? != 0,
            fork: row.try_get::<i64, _>("fork")? != 0,
            size_kib: size.and_then(|size| u64::try_from(size).ok()),
            pushed_at: row.try_get("pushed_at")?,
        })
    }
}
