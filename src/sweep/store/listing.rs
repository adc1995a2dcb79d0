//! What a target holds, as it is listed, and the jobs that follow from it.

use super::{Result, Store, number};
use crate::sweep::target::Repository;

/// A listing that goes on.
#[derive(Debug)]
pub struct Listing {
    id: i64,
    target: String,
    rule_set: String,
    listed: u64,
    left_out: u64,
}

impl Listing {
    /// Repositories listed so far, without those left out.
    #[must_use]
    pub fn listed(&self) -> u64 {
        self.listed
    }
}

const PUT: &str = "
INSERT INTO repository (url, name, target, owner, visibility, archived, fork, size_kib, pushed_at,
    last_listing, first_listed, last_listed)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, {now}, {now})
ON CONFLICT (url) DO UPDATE SET name = excluded.name, target = excluded.target,
    owner = excluded.owner, visibility = excluded.visibility, archived = excluded.archived,
    fork = excluded.fork, size_kib = excluded.size_kib, pushed_at = excluded.pushed_at,
    last_listing = excluded.last_listing, last_listed = {now}, gone_at = NULL
RETURNING id";

/// A finished job is done again only for another version; one that failed is tried again whenever
/// it is listed, unless it was this process that gave it up; one that waits or runs is left alone.
const WANT: &str = "
INSERT INTO job (repository_id, version, state, attempts, due, lease, changed)
VALUES ($1, $2, 'ready', 0, {now}, 0, {now})
ON CONFLICT (repository_id) DO UPDATE SET version = excluded.version, state = 'ready',
    attempts = 0, due = {now}, reason = NULL, changed = {now}
WHERE job.state = 'failed' OR (job.state = 'done' AND job.version <> excluded.version)";

/// Repositories that a complete listing of their target no longer names. What waits to be done
/// for them would fail.
const GONE: &str = "
UPDATE repository SET gone_at = {now}
WHERE target = $1 AND gone_at IS NULL AND last_listing < $2";

const DROP_GONE: &str = "
DELETE FROM job WHERE state IN ('ready', 'failed')
    AND repository_id IN (SELECT id FROM repository WHERE gone_at IS NOT NULL)";

impl Store {
    /// Begins a listing of `target`, whose jobs are for `rule_set`.
    ///
    /// # Errors
    /// Where the database fails.
    pub fn begin_listing(&self, target: &str, rule_set: &str) -> Result<Listing> {
        use sqlx::Row;
        self.wait(async {
            let text = "INSERT INTO listing (target, started, listed, left_out)
                VALUES ($1, {now}, 0, 0) RETURNING id";
            let query = self.query(text).bind(target.to_owned());
            let row = query.fetch_one(&self.pool).await?;
            Ok(Listing {
                id: row.try_get("id")?,
                target: target.to_owned(),
                rule_set: rule_set.to_owned(),
                listed: 0,
                left_out: 0,
            })
        })
    }

    /// Notes some more repositories and their jobs, all or none; `left_out` were filtered away.
    ///
    /// # Errors
    /// Where the database fails.
    pub fn list(&self, listing: &mut Listing, more: &[Repository], left_out: u64) -> Result<()> {
        use sqlx::Row;
        let listed = listing.listed + more.len() as u64;
        let left_out = listing.left_out + left_out;
        self.wait(async {
            let mut transaction = self.begin().await?;
            for repository in more {
                let put = self
                    .query(PUT)
                    .bind(repository.url.clone())
                    .bind(repository.name.clone())
                    .bind(listing.target.clone())
                    .bind(repository.owner.clone())
                    .bind(repository.visibility.clone())
                    .bind(i64::from(repository.archived))
                    .bind(i64::from(repository.fork))
                    .bind(repository.size_kib.map(number))
                    .bind(repository.pushed_at.clone())
                    .bind(listing.id);
                let row = put.fetch_one(&mut *transaction).await?;
                let id: i64 = row.try_get("id")?;
                if !self.given_up().contains(&id) {
                    let want = self.query(WANT).bind(id).bind(listing.version(repository));
                    want.execute(&mut *transaction).await?;
                }
            }
            let text = "UPDATE listing SET listed = $2, left_out = $3 WHERE id = $1";
            let query = self.query(text).bind(listing.id).bind(number(listed));
            let query = query.bind(number(left_out));
            query.execute(&mut *transaction).await?;
            transaction.commit().await?;
            (listing.listed, listing.left_out) = (listed, left_out);
            Ok(())
        })
    }

    /// Ends a listing: whole, or for `reason` not. Only a whole one tells what is gone.
    ///
    /// # Errors
    /// Where the database fails.
    pub fn end_listing(&self, listing: &Listing, reason: Option<&str>) -> Result<()> {
        self.wait(async {
            let mut transaction = self.begin().await?;
            if reason.is_none() {
                let gone = self.query(GONE).bind(listing.target.clone());
                let gone = gone.bind(listing.id).execute(&mut *transaction).await?;
                if gone.rows_affected() > 0 {
                    self.query(DROP_GONE).execute(&mut *transaction).await?;
                }
            }
            let text = "UPDATE listing SET ended = {now}, reason = $2 WHERE id = $1";
            let query = self.query(text).bind(listing.id);
            let query = query.bind(reason.map(str::to_owned));
            query.execute(&mut *transaction).await?;
            Ok(transaction.commit().await?)
        })
    }
}

impl Listing {
    /// What a job for `repository` is for. A repository whose listing tells no state of it gets
    /// one of its own each time: its refs are then compared.
    fn version(&self, repository: &Repository) -> String {
        match &repository.pushed_at {
            Some(pushed_at) => format!("{}:{pushed_at}", self.rule_set),
            None => format!("{}:listing {}", self.rule_set, self.id),
        }
    }
}
