-- The store of a sweep. One text for SQLite and PostgreSQL: {identity}, {bytes} and {now} are
-- filled in for each. Times are seconds since 1970 (UTC). No column ever holds a secret.

CREATE TABLE repository (
    id {identity},
    -- What is fetched: a clone URL without credentials, or the absolute path of a local clone.
    url TEXT NOT NULL UNIQUE,
    -- What people call it: `owner/name`.
    name TEXT NOT NULL,
    -- The target it was listed under, as typed: `github:acme`.
    target TEXT NOT NULL,
    -- Who has it: the account or group at the forge.
    owner TEXT NOT NULL,
    visibility TEXT NOT NULL,
    archived BIGINT NOT NULL,
    fork BIGINT NOT NULL,
    size_kib BIGINT,
    -- Last push as the forge tells it, in the forge's own writing.
    pushed_at TEXT,
    first_listed BIGINT NOT NULL,
    last_listed BIGINT NOT NULL,
    last_listing BIGINT NOT NULL,
    -- When a complete listing of its target no longer had it.
    gone_at BIGINT
);

-- One listing of one target.
CREATE TABLE listing (
    id {identity},
    target TEXT NOT NULL,
    started BIGINT NOT NULL,
    -- Null while it runs, and for ever where it was killed.
    ended BIGINT,
    listed BIGINT NOT NULL,
    left_out BIGINT NOT NULL,
    reason TEXT
);

-- What is to be done for a repository, at most one row each.
CREATE TABLE job (
    repository_id BIGINT PRIMARY KEY REFERENCES repository (id),
    -- Rule set and listed version: as long as both stand, a finished job is not done again.
    version TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('ready', 'running', 'done', 'failed')),
    attempts BIGINT NOT NULL,
    -- Not before this time.
    due BIGINT NOT NULL,
    -- Who holds it, under which number, and until when unless they renew it.
    worker TEXT,
    lease BIGINT NOT NULL,
    leased_until BIGINT,
    -- Why the last attempt failed.
    reason TEXT,
    changed BIGINT NOT NULL
);
CREATE INDEX job_next ON job (state, due);

-- One reading of a repository at given refs under given rules: the proof of coverage.
CREATE TABLE scan (
    id {identity},
    repository_id BIGINT NOT NULL REFERENCES repository (id),
    rule_set TEXT NOT NULL,
    engine TEXT NOT NULL,
    refs_digest TEXT NOT NULL,
    started BIGINT NOT NULL,
    ended BIGINT NOT NULL,
    -- When the refs were last seen to be the same.
    confirmed BIGINT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('complete', 'incomplete')),
    -- Objects and bytes read in this scan, and objects known from earlier ones.
    objects BIGINT NOT NULL,
    bytes BIGINT NOT NULL,
    known_objects BIGINT NOT NULL,
    UNIQUE (repository_id, rule_set, refs_digest)
);

CREATE TABLE scan_ref (
    scan_id BIGINT NOT NULL REFERENCES scan (id),
    name TEXT NOT NULL,
    oid TEXT NOT NULL,
    PRIMARY KEY (scan_id, name)
);

CREATE TABLE not_scanned (
    scan_id BIGINT NOT NULL REFERENCES scan (id),
    what TEXT NOT NULL,
    reason TEXT NOT NULL,
    -- 1 where the scan is incomplete by it, 0 where it was left out by rule.
    incomplete BIGINT NOT NULL
);

-- Objects that need no second look under a rule set: whole ids, 20 or 32 bytes each, sorted.
-- Never one in which something was found. `family` is a root commit: forks share it.
CREATE TABLE seen (
    id {identity},
    rule_set TEXT NOT NULL,
    repository_id BIGINT NOT NULL REFERENCES repository (id),
    ids {bytes} NOT NULL
);
CREATE TABLE seen_family (
    seen_id BIGINT NOT NULL REFERENCES seen (id),
    family TEXT NOT NULL,
    PRIMARY KEY (family, seen_id)
);
CREATE INDEX seen_repository ON seen (repository_id, rule_set);

-- One credential, wherever it stands.
CREATE TABLE secret (
    id {identity},
    -- HMAC-SHA256 under the organization's key, in hexadecimal; `identity_version` names the form.
    identity TEXT NOT NULL UNIQUE,
    identity_version BIGINT NOT NULL,
    rule TEXT NOT NULL,
    title TEXT NOT NULL,
    severity TEXT NOT NULL,
    confidence TEXT NOT NULL,
    access_key_id TEXT,
    key_type TEXT,
    account_id TEXT,
    canary BIGINT NOT NULL,
    -- Whether the secret itself was found, and not only its identifier.
    has_secret BIGINT NOT NULL,
    has_token BIGINT NOT NULL,
    first_seen BIGINT NOT NULL,
    last_seen BIGINT NOT NULL
);

CREATE TABLE occurrence (
    secret_id BIGINT NOT NULL REFERENCES secret (id),
    repository_id BIGINT NOT NULL REFERENCES repository (id),
    -- Commit in which it stands there; blob or tag where nothing leads to it.
    object TEXT NOT NULL,
    path TEXT NOT NULL,
    line BIGINT NOT NULL,
    col BIGINT NOT NULL,
    -- Commit that brought the credential into the repository, its author, and when; null where
    -- no commit holds it.
    commit_id TEXT,
    author TEXT,
    committed BIGINT,
    -- reachable (by a ref), index, stash, reflog or dangling.
    reachability TEXT NOT NULL,
    first_scan BIGINT NOT NULL REFERENCES scan (id),
    last_scan BIGINT NOT NULL REFERENCES scan (id),
    PRIMARY KEY (secret_id, repository_id, object, path, line, col)
);
CREATE INDEX occurrence_repository ON occurrence (repository_id);

-- Who asks AWS about a credential: one call for the whole organization.
CREATE TABLE verification (
    identity TEXT PRIMARY KEY,
    worker TEXT NOT NULL,
    claimed BIGINT NOT NULL
);

-- Append-only: what asking AWS has shown.
CREATE TABLE verdict (
    id {identity},
    secret_id BIGINT NOT NULL REFERENCES secret (id),
    at BIGINT NOT NULL,
    status TEXT NOT NULL,
    aws_partition TEXT,
    account_id TEXT,
    detail TEXT
);
CREATE INDEX verdict_secret ON verdict (secret_id, id);

-- Append-only: what people have decided.
CREATE TABLE triage (
    id {identity},
    secret_id BIGINT NOT NULL REFERENCES secret (id),
    at BIGINT NOT NULL,
    who TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('open', 'accepted', 'rotated', 'false_positive')),
    note TEXT NOT NULL
);
CREATE INDEX triage_secret ON triage (secret_id, id);

-- For security teams: each row is one thing to look at.

-- Every repository: what was covered, when, at which state of its refs, and if not, why not.
CREATE VIEW coverage AS
SELECT
    repository.id AS repository_id,
    repository.name AS repository,
    repository.url AS url,
    repository.target AS target,
    CASE
        WHEN repository.gone_at IS NOT NULL THEN 'gone'
        WHEN job.state = 'failed' THEN 'failed'
        WHEN job.state IN ('ready', 'running') THEN 'pending'
        WHEN scan.state IS NULL THEN 'pending'
        ELSE scan.state
    END AS state,
    CASE WHEN job.state IN ('failed', 'ready') THEN job.reason END AS reason,
    job.attempts AS attempts,
    scan.id AS scan_id,
    scan.refs_digest AS refs_digest,
    scan.rule_set AS rule_set,
    scan.ended AS scanned,
    scan.confirmed AS confirmed,
    scan.objects AS objects,
    scan.bytes AS bytes,
    scan.known_objects AS known_objects
FROM repository
LEFT JOIN job ON job.repository_id = repository.id
LEFT JOIN scan ON scan.id = (
    SELECT latest.id FROM scan AS latest
    WHERE latest.repository_id = repository.id
    ORDER BY latest.confirmed DESC, latest.id DESC LIMIT 1
);

-- Every credential with its latest verdict and triage, and how far it has spread.
CREATE VIEW credential AS
SELECT
    secret.id AS secret_id,
    secret.identity AS identity,
    secret.rule AS rule,
    secret.severity AS severity,
    secret.account_id AS account_id,
    secret.access_key_id AS access_key_id,
    secret.has_secret AS has_secret,
    COALESCE(verdict.status, 'unchecked') AS verdict,
    verdict.aws_partition AS aws_partition,
    verdict.at AS verified,
    COALESCE(triage.state, 'open') AS triage,
    triage.who AS triaged_by,
    (SELECT COUNT(DISTINCT place.repository_id) FROM occurrence AS place
        WHERE place.secret_id = secret.id) AS repositories,
    (SELECT COUNT(*) FROM occurrence AS place WHERE place.secret_id = secret.id) AS places,
    secret.first_seen AS first_seen,
    secret.last_seen AS last_seen
FROM secret
LEFT JOIN verdict ON verdict.id = (
    SELECT MAX(latest.id) FROM verdict AS latest WHERE latest.secret_id = secret.id)
LEFT JOIN triage ON triage.id = (
    SELECT MAX(latest.id) FROM triage AS latest WHERE latest.secret_id = secret.id);

-- Every place of every credential, with the account and the owner to write to.
CREATE VIEW exposure AS
SELECT
    credential.*,
    repository.owner AS owner,
    repository.name AS repository,
    repository.visibility AS visibility,
    occurrence.path AS path,
    occurrence.line AS line,
    occurrence.object AS object,
    occurrence.commit_id AS commit_id,
    occurrence.author AS author,
    occurrence.committed AS committed,
    occurrence.reachability AS reachability
FROM credential
JOIN occurrence ON occurrence.secret_id = credential.secret_id
JOIN repository ON repository.id = occurrence.repository_id;
