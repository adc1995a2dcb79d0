-- Version 2: pages of listings as they last were, so that those that have not changed are not sent
-- again and do not count against a rate limit.
CREATE TABLE page (
    url TEXT PRIMARY KEY,
    -- The straykey that has read it: another one may look at more.
    engine TEXT NOT NULL,
    -- What the forge calls this state of it.
    etag TEXT NOT NULL,
    -- Address of the page after it.
    next TEXT,
    -- JSON: what is on it, those that filters leave out, too.
    repositories TEXT NOT NULL,
    read BIGINT NOT NULL
);
