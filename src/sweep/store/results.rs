//! What a worker found out about a repository, written in one transaction with the end of its job.

use sqlx::{Any, Row, Transaction};

use super::{Query, Result, Store, number};
use crate::source::NotScanned;
use crate::source::git::Reference;
use crate::sweep::identity::IDENTITY_VERSION;
use crate::sweep::scanner::{Place, SweptSecret};
use crate::sweep::store::Job;

/// The last scan of a repository under some rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastScan {
    /// Its row.
    pub id: i64,
    /// Digest of the refs that were scanned.
    pub refs_digest: String,
    /// Whether everything was read.
    pub complete: bool,
}

/// Objects that need no second look, and the root commits of their history.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Whole ids, sorted, without separators.
    pub ids: Vec<u8>,
    /// Root commits, in hexadecimal.
    pub families: Vec<String>,
}

/// The outcome of a scan.
#[derive(Debug)]
pub struct ScanResult {
    /// Which rules.
    pub rule_set: String,
    /// Which program.
    pub engine: String,
    /// Digest of `refs`.
    pub refs_digest: String,
    /// What was scanned, by name.
    pub refs: Vec<Reference>,
    /// Seconds since 1970.
    pub started: u64,
    /// Objects that were read.
    pub objects: u64,
    /// Their size in bytes.
    pub bytes: u64,
    /// Objects that were known already.
    pub known_objects: u64,
    /// What was not read.
    pub not_scanned: Vec<NotScanned>,
    /// What was found; sorted by identity.
    pub secrets: Vec<SweptSecret>,
    /// What need not be looked at again.
    pub seen: Seen,
}

impl ScanResult {
    /// Whether everything was read.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        !self.not_scanned.iter().any(|entry| entry.incomplete)
    }
}

const END: &str = "UPDATE job SET state = 'done', worker = NULL, leased_until = NULL,
    reason = NULL, changed = {now}
    WHERE repository_id = $1 AND lease = $2 AND state = 'running'";

const PUT_SCAN: &str = "
INSERT INTO scan (repository_id, rule_set, engine, refs_digest, started, ended, confirmed, state,
    objects, bytes, known_objects)
VALUES ($1, $2, $3, $4, $5, {now}, {now}, $6, $7, $8, $9)
ON CONFLICT (repository_id, rule_set, refs_digest) DO UPDATE SET engine = excluded.engine,
    started = excluded.started, ended = excluded.ended, confirmed = excluded.confirmed,
    state = excluded.state, objects = excluded.objects, bytes = excluded.bytes,
    known_objects = excluded.known_objects
RETURNING id";

const PUT_SECRET: &str = "
INSERT INTO secret (identity, identity_version, rule, title, severity, confidence, access_key_id,
    key_type, account_id, canary, has_secret, has_token, first_seen, last_seen)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, {now}, {now})
ON CONFLICT (identity) DO UPDATE SET last_seen = excluded.last_seen
RETURNING id";

const PUT_PLACE: &str = "
INSERT INTO occurrence (secret_id, repository_id, object, path, line, col, commit_id, author,
    committed, reachability, first_scan, last_scan)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11)
ON CONFLICT (secret_id, repository_id, object, path, line, col) DO UPDATE SET
    commit_id = excluded.commit_id, author = excluded.author, committed = excluded.committed,
    reachability = excluded.reachability, last_scan = excluded.last_scan";

impl Store {
    /// The last scan of a repository under `rule_set`.
    ///
    /// # Errors
    /// Where the database fails.
    pub fn last_scan(&self, repository_id: i64, rule_set: &str) -> Result<Option<LastScan>> {
        const LAST: &str = "SELECT id, refs_digest, state FROM scan
            WHERE repository_id = $1 AND rule_set = $2 ORDER BY confirmed DESC, id DESC LIMIT 1";
        self.wait(async {
            let query = self.query(LAST).bind(repository_id);
            let row = query.bind(rule_set.to_owned()).fetch_optional(&self.pool);
            row.await?
                .map(|row| {
                    Ok(LastScan {
                        id: row.try_get("id")?,
                        refs_digest: row.try_get("refs_digest")?,
                        complete: row.try_get::<String, _>("state")? == "complete",
                    })
                })
                .transpose()
        })
    }

    /// The runs of object ids that need no second look in a repository: its own, and those of
    /// repositories that have a root commit in common with it.
    ///
    /// # Errors
    /// Where the database fails.
    pub fn seen(
        &self,
        repository_id: i64,
        rule_set: &str,
        families: &[String],
    ) -> Result<Vec<Vec<u8>>> {
        const OWN: &str = "SELECT id FROM seen WHERE repository_id = $1 AND rule_set = $2";
        const FAMILY: &str = "SELECT seen.id AS id FROM seen
            JOIN seen_family ON seen_family.seen_id = seen.id
            WHERE seen_family.family = $1 AND seen.rule_set = $2";
        self.wait(async {
            let own = self
                .query(OWN)
                .bind(repository_id)
                .bind(rule_set.to_owned());
            let mut runs: Vec<i64> = Vec::new();
            for row in own.fetch_all(&self.pool).await? {
                runs.push(row.try_get("id")?);
            }
            for family in families {
                let query = self.query(FAMILY).bind(family.clone());
                let query = query.bind(rule_set.to_owned());
                for row in query.fetch_all(&self.pool).await? {
                    runs.push(row.try_get("id")?);
                }
            }
            runs.sort_unstable();
            runs.dedup();
            let mut ids = Vec::with_capacity(runs.len());
            for run in runs {
                let query = self.query("SELECT ids FROM seen WHERE id = $1").bind(run);
                ids.push(query.fetch_one(&self.pool).await?.try_get("ids")?);
            }
            Ok(ids)
        })
    }

    /// Ends `job`: its refs are those of the scan `scan`. False where somebody else has the job by
    /// now; nothing is written then.
    ///
    /// # Errors
    /// Where the database fails.
    pub fn confirm(&self, job: &Job, scan: &LastScan) -> Result<bool> {
        self.wait(async {
            let mut transaction = self.begin().await?;
            if !self.end(&mut transaction, job).await? {
                return Ok(false);
            }
            let text = "UPDATE scan SET confirmed = {now} WHERE id = $1";
            let query = self.query(text).bind(scan.id);
            query.execute(&mut *transaction).await?;
            transaction.commit().await?;
            Ok(true)
        })
    }

    /// Ends `job` with `result`. False where somebody else has the job by now; nothing is written
    /// then.
    ///
    /// # Errors
    /// Where the database fails; nothing is written then.
    pub fn complete(&self, job: &Job, result: &ScanResult) -> Result<bool> {
        self.wait(async {
            let mut transaction = self.begin().await?;
            if !self.end(&mut transaction, job).await? {
                return Ok(false);
            }
            let scan = self.put_scan(&mut transaction, job, result).await?;
            for secret in &result.secrets {
                let row = self.put_secret(secret).fetch_one(&mut *transaction).await?;
                let secret_id: i64 = row.try_get("id")?;
                for place in &secret.places {
                    let query = self.put_place(secret_id, job.repository_id, scan, place);
                    query.execute(&mut *transaction).await?;
                }
                self.put_verdict(&mut transaction, secret_id, secret)
                    .await?;
            }
            self.put_seen(&mut transaction, job, result).await?;
            transaction.commit().await?;
            Ok(true)
        })
    }

    async fn end(&self, transaction: &mut Transaction<'_, Any>, job: &Job) -> Result<bool> {
        let query = self.query(END).bind(job.repository_id).bind(job.lease);
        Ok(query.execute(&mut **transaction).await?.rows_affected() == 1)
    }

    async fn put_scan(
        &self,
        transaction: &mut Transaction<'_, Any>,
        job: &Job,
        result: &ScanResult,
    ) -> Result<i64> {
        let state = if result.is_complete() {
            "complete"
        } else {
            "incomplete"
        };
        let query = self
            .query(PUT_SCAN)
            .bind(job.repository_id)
            .bind(result.rule_set.clone())
            .bind(result.engine.clone())
            .bind(result.refs_digest.clone())
            .bind(number(result.started))
            .bind(state)
            .bind(number(result.objects))
            .bind(number(result.bytes))
            .bind(number(result.known_objects));
        let scan: i64 = query.fetch_one(&mut **transaction).await?.try_get("id")?;
        for table in [
            "DELETE FROM scan_ref WHERE scan_id = $1",
            "DELETE FROM not_scanned WHERE scan_id = $1",
        ] {
            let query = self.query(table).bind(scan);
            query.execute(&mut **transaction).await?;
        }
        for reference in &result.refs {
            let text = "INSERT INTO scan_ref (scan_id, name, oid) VALUES ($1, $2, $3)";
            let query = self.query(text).bind(scan).bind(stored(&reference.name));
            let query = query.bind(reference.target.to_string());
            query.execute(&mut **transaction).await?;
        }
        for entry in &result.not_scanned {
            let text = "INSERT INTO not_scanned (scan_id, what, reason, incomplete)
                VALUES ($1, $2, $3, $4)";
            let query = self.query(text).bind(scan).bind(stored(&entry.path));
            let query = query.bind(stored(&entry.reason));
            let query = query.bind(i64::from(entry.incomplete));
            query.execute(&mut **transaction).await?;
        }
        Ok(scan)
    }

    fn put_secret(&self, secret: &SweptSecret) -> Query {
        self.query(PUT_SECRET)
            .bind(secret.identity.clone())
            .bind(IDENTITY_VERSION)
            .bind(secret.rule.to_string())
            .bind(secret.title.to_string())
            .bind(secret.severity.as_str())
            .bind(secret.confidence.as_str())
            .bind(secret.access_key_id.clone())
            .bind(secret.key_type.map(|kind| kind.as_str()))
            .bind(secret.account_id.clone())
            .bind(i64::from(secret.canary))
            .bind(i64::from(secret.has_secret))
            .bind(i64::from(secret.has_token))
    }

    fn put_place(&self, secret_id: i64, repository_id: i64, scan: i64, place: &Place) -> Query {
        self.query(PUT_PLACE)
            .bind(secret_id)
            .bind(repository_id)
            .bind(place.object.clone())
            .bind(stored(&place.path))
            .bind(number(place.line))
            .bind(number(place.column))
            .bind(place.commit.clone())
            .bind(place.author.as_deref().map(stored))
            .bind(place.committed)
            .bind(place.reachability)
            .bind(scan)
    }

    async fn put_seen(
        &self,
        transaction: &mut Transaction<'_, Any>,
        job: &Job,
        result: &ScanResult,
    ) -> Result<()> {
        if result.seen.ids.is_empty() {
            return Ok(());
        }
        let text = "INSERT INTO seen (rule_set, repository_id, ids) VALUES ($1, $2, $3)
            RETURNING id";
        let query = self.query(text).bind(result.rule_set.clone());
        let query = query.bind(job.repository_id).bind(result.seen.ids.clone());
        let seen: i64 = query.fetch_one(&mut **transaction).await?.try_get("id")?;
        for family in &result.seen.families {
            let text = "INSERT INTO seen_family (seen_id, family) VALUES ($1, $2)";
            let query = self.query(text).bind(seen).bind(family.clone());
            query.execute(&mut **transaction).await?;
        }
        Ok(())
    }
}

/// Text of a repository as a database takes it: PostgreSQL knows no NUL in text.
fn stored(text: &str) -> String {
    text.replace('\0', "\u{FFFD}")
}
