//! Reading the store: coverage, credentials and their places, totals. Repositories come in pages,
//! so that memory does not grow with the organization.

use sqlx::Row;
use sqlx::any::AnyRow;

use super::{Result, Store, count, number};

/// What is covered of one repository: a row of the view `coverage`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CoverageRow {
    /// Its row in `repository`.
    pub repository_id: i64,
    /// `owner/name`.
    pub repository: String,
    /// What is fetched.
    pub url: String,
    /// The target it was listed under.
    pub target: String,
    /// `complete`, `incomplete`, `failed`, `pending` or `gone`.
    pub state: String,
    /// Why it is not complete.
    pub reason: Option<String>,
    /// Row of the scan, if there is one.
    pub scan_id: Option<i64>,
    /// Digest of the refs that were scanned.
    pub refs_digest: Option<String>,
    /// When it was scanned, in seconds since 1970 (UTC).
    pub scanned: Option<i64>,
    /// When its refs were last seen to be those that were scanned.
    pub confirmed: Option<i64>,
    /// Objects read in the last scan.
    pub objects: u64,
    /// Bytes read in the last scan.
    pub bytes: u64,
}

/// A credential, with its latest verdict and decision: a row of the view `credential`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CredentialRow {
    /// Its row in `secret`.
    pub secret_id: i64,
    /// Keyed digest of it.
    pub identity: String,
    /// Id of the rule.
    pub rule: String,
    /// One line for people.
    pub title: String,
    /// The severity's word.
    pub severity: String,
    /// The confidence's word.
    pub confidence: String,
    /// The AWS account.
    pub account_id: Option<String>,
    /// The access key ID.
    pub access_key_id: Option<String>,
    /// Whether its account issues canary tokens.
    pub canary: bool,
    /// Whether the secret was found with the ID.
    pub has_secret: bool,
    /// `unchecked`, or the verdict's word.
    pub verdict: String,
    /// Where it is live.
    pub partition: Option<String>,
    /// The decision's word.
    pub triage: String,
}

/// One place of a credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exposure {
    /// Who has the repository.
    pub owner: String,
    /// `owner/name`.
    pub repository: String,
    /// `public`, `private`, `internal` or `unknown`.
    pub visibility: String,
    /// Path in the tree, or what it is called.
    pub path: String,
    /// Line, from 1.
    pub line: u64,
    /// Column, from 1.
    pub column: u64,
    /// Id of the blob, commit or tag.
    pub object: String,
    /// First commit that brought it.
    pub commit: Option<String>,
    /// Who wrote that commit.
    pub author: Option<String>,
    /// Whether a ref, only a reflog or stash, or nothing reaches it.
    pub reachability: String,
}

/// Something that was not read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotScannedRow {
    /// Object, or another name.
    pub what: String,
    /// Why.
    pub reason: String,
    /// Whether the scan is incomplete by it.
    pub incomplete: bool,
}

/// What the store holds in all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Repositories that are still there.
    pub repositories: u64,
    /// Those read to their end.
    pub complete: u64,
    /// Those of which something was not read.
    pub incomplete: u64,
    /// Those given up.
    pub failed: u64,
    /// Those still to be done.
    pub pending: u64,
    /// Those no longer listed.
    pub gone: u64,
    /// Credentials.
    pub credentials: u64,
    /// Credentials nobody has closed.
    pub open: u64,
    /// Targets whose last listing did not come to its end.
    pub cut_short: u64,
}

/// Rows of one page.
const PAGE: u64 = 500;

const CREDENTIALS: &str = "
SELECT credential.*, secret.title AS title, secret.confidence AS confidence,
    secret.canary AS canary
FROM credential JOIN secret ON secret.id = credential.secret_id
WHERE EXISTS (SELECT 1 FROM occurrence WHERE occurrence.secret_id = credential.secret_id)
ORDER BY COALESCE(credential.account_id, 'unknown'), credential.access_key_id, credential.secret_id";

const PLACES: &str = "
SELECT repository.owner AS owner, repository.name AS repository, repository.visibility AS visibility,
    occurrence.path AS path, occurrence.line AS line, occurrence.col AS col,
    occurrence.object AS object, occurrence.commit_id AS commit_id, occurrence.author AS author,
    occurrence.reachability AS reachability
FROM occurrence JOIN repository ON repository.id = occurrence.repository_id
WHERE occurrence.secret_id = $1
ORDER BY repository.owner, repository.name, occurrence.path, occurrence.line, occurrence.object";

impl Store {
    /// Shows the coverage of every repository, in the order in which they were first listed.
    ///
    /// # Errors
    /// Where the database fails, or `show` does.
    pub fn coverage<E: From<super::StoreError>>(
        &self,
        mut show: impl FnMut(CoverageRow) -> std::result::Result<(), E>,
    ) -> std::result::Result<(), E> {
        let mut after = 0;
        loop {
            let page = self.coverage_page(after)?;
            let Some(last) = page.last() else {
                return Ok(());
            };
            after = last.repository_id;
            for row in page {
                show(row)?;
            }
        }
    }

    fn coverage_page(&self, after: i64) -> Result<Vec<CoverageRow>> {
        self.wait(async {
            let text = "SELECT * FROM coverage WHERE repository_id > $1
                ORDER BY repository_id LIMIT $2";
            let query = self.query(text).bind(after).bind(number(PAGE));
            let rows = query.fetch_all(&self.pool).await?;
            rows.iter().map(coverage_row).collect()
        })
    }

    /// Every credential that stands somewhere, by account and access key ID.
    ///
    /// # Errors
    /// Where the database fails.
    pub fn credentials(&self) -> Result<Vec<CredentialRow>> {
        self.wait(async {
            let rows = self.query(CREDENTIALS).fetch_all(&self.pool).await?;
            rows.iter().map(credential_row).collect()
        })
    }

    /// The places of a credential, by owner and repository.
    ///
    /// # Errors
    /// Where the database fails.
    pub fn places(&self, secret_id: i64) -> Result<Vec<Exposure>> {
        self.wait(async {
            let query = self.query(PLACES).bind(secret_id);
            let rows = query.fetch_all(&self.pool).await?;
            rows.iter().map(exposure_row).collect()
        })
    }

    /// What was not read in a scan.
    ///
    /// # Errors
    /// Where the database fails.
    pub fn not_scanned(&self, scan_id: i64) -> Result<Vec<NotScannedRow>> {
        self.wait(async {
            let text = "SELECT what, reason, incomplete FROM not_scanned WHERE scan_id = $1
                ORDER BY what, reason";
            let rows = self.query(text).bind(scan_id).fetch_all(&self.pool).await?;
            let row = |row: &AnyRow| {
                Ok(NotScannedRow {
                    what: row.try_get("what")?,
                    reason: row.try_get("reason")?,
                    incomplete: row.try_get::<i64, _>("incomplete")? != 0,
                })
            };
            rows.iter().map(row).collect()
        })
    }

    /// Numbers of repositories by state, and of credentials.
    ///
    /// # Errors
    /// Where the database fails.
    pub fn totals(&self) -> Result<Totals> {
        const CUT_SHORT: &str = "SELECT COUNT(*) AS number FROM listing
            WHERE (ended IS NULL OR reason IS NOT NULL)
                AND id IN (SELECT MAX(id) FROM listing GROUP BY target)";
        const CREDENTIALS: &str = "SELECT COUNT(*) AS number,
                COALESCE(SUM(CASE WHEN triage = 'open' THEN 1 ELSE 0 END), 0) AS still_open
            FROM credential WHERE places > 0";
        self.wait(async {
            let mut totals = Totals::default();
            let text = "SELECT state, COUNT(*) AS number FROM coverage GROUP BY state";
            for row in self.query(text).fetch_all(&self.pool).await? {
                let number = count(&row, "number")?;
                match row.try_get::<String, _>("state")?.as_str() {
                    "complete" => totals.complete = number,
                    "incomplete" => totals.incomplete = number,
                    "failed" => totals.failed = number,
                    "gone" => totals.gone = number,
                    _ => totals.pending = number,
                }
            }
            totals.repositories =
                totals.complete + totals.incomplete + totals.failed + totals.pending;
            let row = self.query(CREDENTIALS).fetch_one(&self.pool).await?;
            totals.credentials = count(&row, "number")?;
            totals.open = count(&row, "still_open")?;
            let row = self.query(CUT_SHORT).fetch_one(&self.pool).await?;
            totals.cut_short = count(&row, "number")?;
            Ok(totals)
        })
    }
}

fn coverage_row(row: &AnyRow) -> Result<CoverageRow> {
    let size = |column: &str| -> Result<u64> {
        let size: Option<i64> = row.try_get(column)?;
        Ok(size.and_then(|size| u64::try_from(size).ok()).unwrap_or(0))
    };
    Ok(CoverageRow {
        repository_id: row.try_get("repository_id")?,
        repository: row.try_get("repository")?,
        url: row.try_get("url")?,
        target: row.try_get("target")?,
        state: row.try_get("state")?,
        reason: row.try_get("reason")?,
        scan_id: row.try_get("scan_id")?,
        refs_digest: row.try_get("refs_digest")?,
        scanned: row.try_get("scanned")?,
        confirmed: row.try_get("confirmed")?,
        objects: size("objects")?,
        bytes: size("bytes")?,
    })
}

fn credential_row(row: &AnyRow) -> Result<CredentialRow> {
    Ok(CredentialRow {
        secret_id: row.try_get("secret_id")?,
        identity: row.try_get("identity")?,
        rule: row.try_get("rule")?,
        title: row.try_get("title")?,
        severity: row.try_get("severity")?,
        confidence: row.try_get("confidence")?,
        account_id: row.try_get("account_id")?,
        access_key_id: row.try_get("access_key_id")?,
        canary: row.try_get::<i64, _>("canary")? != 0,
        has_secret: row.try_get::<i64, _>("has_secret")? != 0,
        verdict: row.try_get("verdict")?,
        partition: row.try_get("aws_partition")?,
        triage: row.try_get("triage")?,
    })
}

fn exposure_row(row: &AnyRow) -> Result<Exposure> {
    Ok(Exposure {
        owner: row.try_get("owner")?,
        repository: row.try_get("repository")?,
        visibility: row.try_get("visibility")?,
        path: row.try_get("path")?,
        line: count(row, "line")?,
        column: count(row, "col")?,
        object: row.try_get("object")?,
        commit: row.try_get("commit_id")?,
        author: row.try_get("author")?,
        reachability: row.try_get("reachability")?,
    })
}
