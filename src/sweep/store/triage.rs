//! What people decide about credentials, and what AWS says of them. Rows are only ever added.

use std::fmt;
use std::str::FromStr;

use sqlx::{Any, Row, Transaction};

use super::{Result, Store, number};
use crate::sweep::scanner::SweptSecret;

/// What people have decided about a credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TriageState {
    /// Nothing yet, or nothing any more.
    Open,
    /// Known, and left as it is.
    Accepted,
    /// Replaced; the old one no longer works.
    Rotated,
    /// No credential.
    FalsePositive,
}

impl TriageState {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::Open,
        Self::Accepted,
        Self::Rotated,
        Self::FalsePositive,
    ];

    /// The word used in the store and in every output.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Accepted => "accepted",
            Self::Rotated => "rotated",
            Self::FalsePositive => "false_positive",
        }
    }
}

impl fmt::Display for TriageState {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl FromStr for TriageState {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let known = Self::ALL.into_iter().find(|state| state.as_str() == text);
        known.ok_or_else(|| "expected open, accepted, rotated or false_positive".to_owned())
    }
}

/// What asking AWS about a credential has shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerdictRow {
    /// The word for it: `live`, `inactive`, …
    pub status: String,
    /// Where it works.
    pub partition: Option<String>,
    /// The account that AWS named.
    pub account_id: Option<String>,
    /// One line for people; nothing of the credential.
    pub detail: Option<String>,
}

/// Seconds until a credential is asked about again that AWS gave no answer for.
const ASK_AGAIN: u64 = 3600;

impl Store {
    /// Adds a decision about the credential whose identity begins with `identity`. Returns how many
    /// there are: only where it is one has the decision been noted.
    ///
    /// # Errors
    /// Where the database fails.
    pub fn triage(
        &self,
        identity: &str,
        state: TriageState,
        who: &str,
        note: &str,
    ) -> Result<usize> {
        self.wait(async {
            let mut transaction = self.begin().await?;
            let text = "SELECT id FROM secret WHERE identity >= $1 AND identity < $2 LIMIT 2";
            let query = self.query(text).bind(identity.to_owned());
            // `g` comes after every hexadecimal digit.
            let query = query.bind(format!("{identity}g"));
            let rows = query.fetch_all(&mut *transaction).await?;
            let [row] = rows.as_slice() else {
                return Ok(rows.len());
            };
            let text = "INSERT INTO triage (secret_id, at, who, state, note)
                VALUES ($1, {now}, $2, $3, $4)";
            let query = self.query(text).bind(row.try_get::<i64, _>("id")?);
            let query = query.bind(who.to_owned()).bind(state.as_str());
            query
                .bind(note.to_owned())
                .execute(&mut *transaction)
                .await?;
            transaction.commit().await?;
            Ok(1)
        })
    }

    /// Whether `worker` is the one to ask AWS about the credential `identity`: nobody has an
    /// answer, and nobody else is asking. Who no longer has a job has written its answers, or
    /// will write none.
    ///
    /// # Errors
    /// Where the database fails.
    pub fn claim_verification(&self, identity: &str, worker: &str) -> Result<bool> {
        const CLAIM: &str = "
            INSERT INTO verification (identity, worker, claimed) VALUES ($1, $2, {now})
            ON CONFLICT (identity) DO UPDATE SET worker = excluded.worker, claimed = excluded.claimed
            WHERE NOT EXISTS (SELECT 1 FROM verdict
                    JOIN secret ON secret.id = verdict.secret_id WHERE secret.identity = $1
                    AND (verdict.status NOT IN ('unknown', 'skipped')
                        OR verdict.at >= {now} - $3))
                AND (verification.worker = $2 OR NOT EXISTS (SELECT 1 FROM job
                    WHERE job.worker = verification.worker AND job.state = 'running'))";
        self.wait(async {
            let query = self.query(CLAIM).bind(identity.to_owned());
            let query = query.bind(worker.to_owned()).bind(number(ASK_AGAIN));
            Ok(query.execute(&self.pool).await?.rows_affected() == 1)
        })
    }

    pub(super) async fn put_verdict(
        &self,
        transaction: &mut Transaction<'_, Any>,
        secret_id: i64,
        secret: &SweptSecret,
    ) -> Result<()> {
        let Some(verdict) = &secret.verdict else {
            return Ok(());
        };
        let text = "INSERT INTO verdict (secret_id, at, status, aws_partition, account_id, detail)
            VALUES ($1, {now}, $2, $3, $4, $5)";
        let query = self
            .query(text)
            .bind(secret_id)
            .bind(verdict.status.clone());
        let query = query.bind(verdict.partition.clone());
        let query = query
            .bind(verdict.account_id.clone())
            .bind(verdict.detail.clone());
        query.execute(&mut **transaction).await?;
        Ok(())
    }
}
