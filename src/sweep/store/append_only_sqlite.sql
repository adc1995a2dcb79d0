CREATE TRIGGER verdict_keep_update BEFORE UPDATE ON verdict
BEGIN SELECT RAISE(ABORT, 'verdict is append-only'); END;
CREATE TRIGGER verdict_keep_delete BEFORE DELETE ON verdict
BEGIN SELECT RAISE(ABORT, 'verdict is append-only'); END;
CREATE TRIGGER triage_keep_update BEFORE UPDATE ON triage
BEGIN SELECT RAISE(ABORT, 'triage is append-only'); END;
CREATE TRIGGER triage_keep_delete BEFORE DELETE ON triage
BEGIN SELECT RAISE(ABORT, 'triage is append-only'); END;
