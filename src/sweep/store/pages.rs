//! Pages of listings as they last were.

use sqlx::Row;

use super::{Result, Store};
use crate::sweep::forge::{Page, Pages};

const ENGINE: &str = env!("CARGO_PKG_VERSION");

impl Store {
    fn page(&self, url: &str) -> Result<Option<Page>> {
        self.wait(async {
            let text = "SELECT etag, next, repositories FROM page WHERE url = $1 AND engine = $2";
            let query = self.query(text).bind(url.to_owned()).bind(ENGINE);
            let Some(row) = query.fetch_optional(&self.pool).await? else {
                return Ok(None);
            };
            let repositories: String = row.try_get("repositories")?;
            // What cannot be understood is not known.
            let Ok(repositories) = serde_json::from_str(&repositories) else {
                return Ok(None);
            };
            Ok(Some(Page {
                etag: Some(row.try_get("etag")?),
                next: row.try_get("next")?,
                repositories,
            }))
        })
    }

    fn keep_page(&self, url: &str, etag: &str, page: &Page) -> Result<()> {
        const KEEP: &str = "
            INSERT INTO page (url, engine, etag, next, repositories, read)
            VALUES ($1, $2, $3, $4, $5, {now})
            ON CONFLICT (url) DO UPDATE SET engine = excluded.engine, etag = excluded.etag,
                next = excluded.next, repositories = excluded.repositories, read = {now}";
        let Ok(repositories) = serde_json::to_string(&page.repositories) else {
            return Ok(());
        };
        self.wait(async {
            let query = self.query(KEEP).bind(url.to_owned()).bind(ENGINE);
            let query = query.bind(etag.to_owned()).bind(page.next.clone());
            query.bind(repositories).execute(&self.pool).await?;
            Ok(())
        })
    }
}

/// A database that is away has no pages: the forge sends them again.
impl Pages for Store {
    fn known(&self, url: &str) -> Option<Page> {
        self.page(url).ok().flatten()
    }

    fn keep(&self, url: &str, page: &Page) {
        if let Some(etag) = &page.etag {
            // What is there stays what the forge said before.
            let _ = self.keep_page(url, etag, page);
        }
    }
}
