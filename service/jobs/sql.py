"""Every statement about the queue's tables, which are Procrastinate's.

A row of `procrastinate_jobs` is what we call a task. Its status is `todo`, `doing`, `succeeded`,
`failed`, `cancelled` (dropped before it ran) or `aborted` (stopped while it ran); `attempts` counts
those made before; `abort_requested` asks a running one to stop. A row of `procrastinate_workers` is
a loop of a worker process, with its last heartbeat.
"""

from __future__ import annotations

from sqlalchemy import text

# In the transactions of requests and handlers, on SQLAlchemy's connections: `:name`

STATUS = text("SELECT status::text FROM procrastinate_jobs WHERE id = :task")

# A running task has made progress: it has all its attempts again; earlier starts are forgotten
RESET_ATTEMPTS = text(
    """
    WITH starts AS (
        DELETE FROM procrastinate_events WHERE job_id = :task AND type = 'started')
    UPDATE procrastinate_jobs SET attempts = 0 WHERE id = :task AND status = 'doing'
    """
)

# The tasks not yet over that were deferred with all of these ids
UNFINISHED = text(
    """
    SELECT id FROM procrastinate_jobs
     WHERE status IN ('todo', 'doing') AND args @> CAST(:ids AS jsonb)
    """
)

# Whether a task of this name waits that was deferred with all of these ids
WAITS = text(
    """
    SELECT EXISTS (
        SELECT FROM procrastinate_jobs
         WHERE status = 'todo' AND task_name = :name AND args @> CAST(:ids AS jsonb))
    """
)

# Whether nothing runs in these queues, and nothing that waits is due
IDLE = text(
    """
    SELECT NOT EXISTS (
        SELECT FROM procrastinate_jobs
         WHERE queue_name = ANY(:queues)
           AND (status = 'doing'
                OR status = 'todo' AND coalesce(scheduled_at, '-infinity') <= now()))
    """
)

# How many tasks each queue has in each status
DEPTH = text(
    """
    SELECT queue_name, status::text AS status, count(*) AS tasks FROM procrastinate_jobs
     GROUP BY 1, 2 ORDER BY 1, 2
    """
)

# How long the oldest waiting task of each queue has waited, in seconds
OLDEST = text(
    """
    SELECT queue_name, greatest(0, extract(epoch FROM now() - min(event.at)))::float AS seconds
      FROM procrastinate_jobs task
      JOIN procrastinate_events event ON event.job_id = task.id AND event.type = 'deferred'
     WHERE status = 'todo'
     GROUP BY 1
    """
)

# The task that waits with this queueing lock, of which there is one at most
WAITING = text(
    "SELECT id FROM procrastinate_jobs WHERE queueing_lock = :queueing_lock AND status = 'todo'"
)

# Forget tasks that failed or were stopped some hours ago; those that succeed are deleted at once
DELETE_FINISHED = text(
    """
    DELETE FROM procrastinate_jobs task
     WHERE status IN ('failed', 'aborted', 'cancelled')
       AND NOT abort_requested
       AND NOT EXISTS (
           SELECT FROM procrastinate_events event
            WHERE event.job_id = task.id
              AND event.at > now() - make_interval(hours => :hours))
    """
)

# A lock of which one transaction in all processes has the same key at a time
TRY_LOCK = text("SELECT pg_try_advisory_xact_lock(:key)")

# Of workers, on psycopg's connections: `%(name)s`

# The worker that a running task belongs to
HOLDER = "SELECT worker_id FROM procrastinate_jobs WHERE id = %(task)s AND status = 'doing'"

# Make room for another task with the same queueing lock. A running task must not keep the lock: it
# could not go back to the queue where another waits with it
DROP_QUEUEING_LOCK = "UPDATE procrastinate_jobs SET queueing_lock = NULL WHERE id = %(task)s"

# Neither an orderly stop nor a fault of the surroundings is an attempt: take away the one that
# Procrastinate adds as the task goes back
FORGIVE_ATTEMPT = "UPDATE procrastinate_jobs SET attempts = attempts - 1 WHERE id = %(task)s"

# How often a task was started of late, attempts that do not count included
STARTS = """
SELECT count(*) AS starts FROM procrastinate_events
 WHERE job_id = %(task)s AND type = 'started' AND at > now() - interval '1 hour'
"""

# A hook is not to be stopped: forget the request
IGNORE_ABORT = "UPDATE procrastinate_jobs SET abort_requested = false WHERE id = %(task)s"

# Turn a running task into its hook, which starts as one never tried. Where Procrastinate gives the
# task back, it adds one to `attempts`: -1 is for that
BECOME_HOOK = """
UPDATE procrastinate_jobs
   SET task_name = %(name)s, args = args || %(ids)s, attempts = %(attempts)s,
       abort_requested = false
 WHERE id = %(task)s AND status = 'doing'
"""

# Say that these workers live; the rows updated are those that nobody took for dead
HEARTBEAT = """
UPDATE procrastinate_workers SET last_heartbeat = now() WHERE id = ANY(%(workers)s)
"""

# The clock was set back: heartbeats from later than now begin to age, or the dead would live until
# the clock has caught up. Who lives says so again at once
AGE_HEARTBEATS = """
UPDATE procrastinate_workers SET last_heartbeat = now()
 WHERE last_heartbeat > now() + make_interval(secs => %(slack)s)
"""

# For the same reason, and where a worker's own clock is ahead: no wait is longer than the longest
LIMIT_WAITS = """
UPDATE procrastinate_jobs SET scheduled_at = now() + make_interval(secs => %(longest)s)
 WHERE status = 'todo' AND scheduled_at > now() + make_interval(secs => %(longest)s + %(slack)s)
"""

# A worker whose last heartbeat is too old is dead
DELETE_DEAD_WORKERS = """
DELETE FROM procrastinate_workers
 WHERE last_heartbeat < now() - make_interval(secs => %(stalled)s)
"""

# The running tasks whose worker is dead. Work never outlives its worker's row: where there is no
# row, or an old heartbeat, nobody works at the task
LOST = """
SELECT id, task_name AS name, abort_requested,
       (SELECT count(*) FROM procrastinate_events event
         WHERE event.job_id = task.id AND type = 'started'
           AND at > now() - interval '1 hour') AS starts
  FROM procrastinate_jobs task
 WHERE status = 'doing'
   AND NOT EXISTS (
       SELECT FROM procrastinate_workers worker
        WHERE worker.id = task.worker_id
          AND worker.last_heartbeat >= now() - make_interval(secs => %(stalled)s))
   FOR UPDATE OF task SKIP LOCKED
"""

# Running again, for nobody: tasks that failed just as they were asked to stop, which is how
# Procrastinate marks them. Their hook has not run
UNFINISHED_ABORTS = """
UPDATE procrastinate_jobs SET status = 'doing', worker_id = NULL
 WHERE status = 'failed' AND abort_requested
RETURNING id, task_name AS name, abort_requested, 0 AS starts
"""

# Back to the queue, to be taken some seconds later
GIVE_BACK = """
UPDATE procrastinate_jobs
   SET status = 'todo', worker_id = NULL, queueing_lock = NULL,
       scheduled_at = now() + nullif(%(wait)s, 0) * interval '1 second'
 WHERE id = %(task)s
"""

# The end of a task that has no hook
FINISH = """
UPDATE procrastinate_jobs SET status = %(status)s, abort_requested = false WHERE id = %(task)s
"""

# As TRY_LOCK
TRY_LOCK_OF_WORKERS = "SELECT pg_try_advisory_xact_lock(%(key)s)"
