"""The role that the service connects as: it owns its database, and is no superuser.

`initdb` makes a superuser, and in data folders of version 0.1.0 that is the service's role. It
reads files and starts programs through SQL: whoever gets hold of the URL has the server's account.
"""

from __future__ import annotations

from typing import LiteralString

import psycopg
from psycopg.sql import SQL, Literal

# For a moment: the session's own role cannot be renamed
STEWARD: LiteralString = """
CREATE ROLE assay_steward SUPERUSER;
SET LOCAL SESSION AUTHORIZATION assay_steward;
"""

# The superuser that `initdb` made cannot be made an ordinary role, so it gets another name and no
# password: nobody can connect as it. The role that takes its place makes databases, for backups
EXCHANGE: LiteralString = """
ALTER ROLE assay RENAME TO postgres;
ALTER ROLE postgres PASSWORD NULL;
CREATE ROLE assay LOGIN CREATEDB PASSWORD {password};
ALTER DATABASE assay OWNER TO assay;
"""

# What earlier versions made. Sequences of columns, indices and triggers follow their tables
HAND_OVER: LiteralString = """
DO $$
DECLARE
    change text;
BEGIN
    FOR change IN
        SELECT format('ALTER %s %s OWNER TO assay', kind, name)
          FROM (SELECT CASE relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW'
                                    WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END,
                       oid::regclass::text
                  FROM pg_class
                 WHERE relnamespace = 'public'::regnamespace
                   AND relkind IN ('r', 'p', 'v', 'm', 'S')
                   AND NOT EXISTS (
                       SELECT FROM pg_depend
                        WHERE classid = 'pg_class'::regclass AND objid = pg_class.oid
                          AND refclassid = 'pg_class'::regclass AND deptype IN ('a', 'i'))
                UNION ALL
                SELECT 'ROUTINE', oid::regprocedure::text FROM pg_proc
                 WHERE pronamespace = 'public'::regnamespace
                UNION ALL
                SELECT 'TYPE', oid::regtype::text FROM pg_type
                 WHERE typnamespace = 'public'::regnamespace
                   AND (typtype IN ('e', 'd')
                        OR EXISTS (SELECT FROM pg_class
                                    WHERE pg_class.oid = typrelid AND relkind = 'c'))
               ) object (kind, name)
    LOOP
        EXECUTE change;
    END LOOP;
END $$;
"""


def demote(connection: psycopg.Connection[tuple[object, ...]]) -> None:
    """Exchange a superuser called `assay`, if the connection is one's, for a role of that name with
    the same password that owns this database; all in one transaction."""
    if connection.execute("SHOW is_superuser").fetchone() != ("on",):
        return
    with connection.transaction():
        kept = "SELECT rolpassword FROM pg_authid WHERE rolname = current_user"
        [password] = connection.execute(kept).fetchone() or [None]
        connection.execute(STEWARD)
        connection.execute(SQL(EXCHANGE).format(password=Literal(password)))
        connection.execute(HAND_OVER)
        connection.execute("RESET SESSION AUTHORIZATION")
        connection.execute("DROP ROLE assay_steward")
