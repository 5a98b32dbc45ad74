"""One SQLite file, one connection, many threads: opening it, group commit, and what its errors mean.

Writes are grouped by whoever is there, not by a thread of their own: a caller queues its write and takes the lock, and
whoever holds the lock runs all that is queued in one transaction and commits once. So there is one writer at a time,
writes that wait for a commit share the next one, and a single write costs no hand-off between threads (50 to 100 µs).
"""

from __future__ import annotations

import os
import sqlite3
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Lock
from typing import Any, Generic, TypeVar

from beagle.errors import InvalidInput, Unavailable
from beagle.experiment import Value

T = TypeVar("T")
_APPLICATION = 0x42474C45  # "BGLE"
_CACHE_KIB = 32 * 1024
_WAIT_SECONDS = 1.0

_MEANINGS = {
    sqlite3.SQLITE_FULL: "the disk is full; free some space and try again",
    sqlite3.SQLITE_IOERR: "the disk failed to read or write it, or a limit on file sizes was met; check both",
    sqlite3.SQLITE_READONLY: "it may not be written; give this user the right to write it and its folder",
    sqlite3.SQLITE_PERM: "it may not be written; give this user the right to write it and its folder",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened or created; check that its folder exists and may be written",
    sqlite3.SQLITE_BUSY: "another process has it open; end that process, or use another folder",
    sqlite3.SQLITE_LOCKED: "another process has it open; end that process, or use another folder",
    sqlite3.SQLITE_CORRUPT: "it is damaged; put a copy of it back, or use another folder",
}


def _ignore(_: object) -> None:
    pass


class _Job(Generic[T]):
    """One write, and what came of it."""

    __slots__ = ("commit", "committed", "done", "error", "result", "work")

    def __init__(self, work: Callable[[sqlite3.Connection], T], committed: Callable[[T], None]) -> None:
        self.work = work
        self.committed = committed
        self.result: T
        self.error: Exception | None = None
        self.commit = 0
        self.done = False


class SqliteFile:
    """Durable when `write` returns. After an error nothing of that write is there, and the file can be used again."""

    def __init__(self, path: Path, schema: Sequence[str], version: int) -> None:
        self._path = path
        self._lock = Lock()
        self._queue: deque[_Job[object]] = deque()
        self._open = True
        self._commits = 0
        self._flushed = 0
        self._flushing = Lock()
        try:
            # One connection only: SQLite before 3.51.3 may lose a commit when two connections reset the WAL at once.
            self._connection = sqlite3.connect(
                path, timeout=_WAIT_SECONDS, isolation_level=None, check_same_thread=False, cached_statements=512
            )
        except sqlite3.Error as error:
            raise self._meaning(error) from error
        try:
            self._prepare(schema, version)
            self._wal = os.open(f"{path}-wal", os.O_RDONLY | os.O_CLOEXEC)
        except (sqlite3.Error, OSError) as error:
            self._connection.close()
            raise self._meaning(error) from error
        except BaseException:
            self._connection.close()
            raise

    def read(
        self, text: str, values: Sequence[Value | None] = (), found: Callable[[list[Any]], None] = _ignore
    ) -> list[Any]:
        """All rows that a query finds; it sees what is committed, and nothing else.

        `found` is called with them before anything else is committed.
        """
        with self._lock:
            self._check_open()
            try:
                rows = self._connection.execute(text, values).fetchall()
            except (sqlite3.Error, OverflowError, UnicodeEncodeError) as error:
                raise self._meaning(error) from error
            found(rows)
            return rows

    def write(
        self,
        work: Callable[[sqlite3.Connection], T],
        committed: Callable[[T], None] = _ignore,
        *,
        lazy: bool = False,
    ) -> T:
        """Run `work` in a transaction and commit it. `work` may run twice: its first effects are then undone.

        `committed` is called with its result before anything else is read or committed. Durable when this returns; when
        `lazy`, with the next write that is not.
        """
        job = _Job(work, committed)
        self._queue.append(job)  # type: ignore[arg-type]  # results go back to the one who asked
        with self._lock:
            if not job.done:
                self._run_queued()
        if job.error is not None:
            raise self._meaning(job.error) from job.error
        if not lazy:
            self._flush(job.commit)
        return job.result

    def flush(self) -> None:
        """What has been committed is durable when this returns."""
        self._check_open()
        self._flush(self._commits)

    def close(self) -> None:
        """Later calls raise `Unavailable`. Closing again does nothing."""
        with self._flushing, self._lock:
            if self._open:
                self._open = False
                os.close(self._wal)
                self._connection.close()

    def _run_queued(self) -> None:
        jobs = [self._queue.popleft() for _ in range(len(self._queue))]
        try:
            self._check_open()
            self._commit(jobs)
        except Exception as error:  # noqa: BLE001  # each caller gets its own
            for job in jobs:
                job.error = self._alone(job) if len(jobs) > 1 else error
        finally:
            for job in jobs:
                if not job.done:
                    job.error = job.error or Unavailable(f"{self._path}: the write was interrupted; try again")
                    job.done = True

    def _alone(self, job: _Job[object]) -> Exception | None:
        # One of a group failed: all are undone, and each is tried on its own, so that it fails alone.
        try:
            self._check_open()
            self._commit([job])
        except Exception as error:  # noqa: BLE001  # its caller gets it
            return error
        return None

    def _commit(self, jobs: list[_Job[object]]) -> None:
        execute = self._connection.execute
        if self._connection.in_transaction:  # whoever held the lock was interrupted while rolling back
            execute("ROLLBACK")
        execute("BEGIN IMMEDIATE")
        try:
            for job in jobs:
                job.result = job.work(self._connection)
            execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                execute("ROLLBACK")
            raise
        self._commits += 1
        for job in jobs:
            job.commit = self._commits
            job.committed(job.result)
            job.done = True

    def _flush(self, commit: int) -> None:
        # What SQLite does itself with synchronous = FULL, but under no lock that readers wait for: 0.2 ms of the disk's
        # time, or more. Whoever comes while one flushes finds its own commit flushed by the next.
        with self._flushing:
            if self._flushed >= commit:
                return
            upto = self._commits
            try:
                os.fdatasync(self._wal)
            except OSError as error:
                raise Unavailable(f"{self._path}: {error.strerror} while it was written to the disk") from error
            self._flushed = upto

    def _prepare(self, schema: Sequence[str], version: int) -> None:
        execute = self._connection.execute
        execute("PRAGMA locking_mode = EXCLUSIVE")
        execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        if execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchone() is not None:
            self._check_version(version)
        execute("PRAGMA journal_mode = WAL")
        execute("PRAGMA synchronous = NORMAL")  # and `_flush`
        execute("BEGIN IMMEDIATE")  # also takes the lock that keeps every other process out
        if execute("PRAGMA user_version").fetchone() == (0,):
            for statement in schema:
                execute(statement)
            execute(f"PRAGMA application_id = {_APPLICATION}")
            execute(f"PRAGMA user_version = {version}")
        execute("COMMIT")

    def _check_version(self, version: int) -> None:
        execute = self._connection.execute
        if execute("PRAGMA application_id").fetchone() != (_APPLICATION,):
            raise InvalidInput([f"{self._path} is the SQLite database of another program: use another folder"])
        (found,) = execute("PRAGMA user_version").fetchone()
        if found != version:
            wrong = f"{self._path} has the schema of version {found}, and this Beagle writes version {version}"
            raise InvalidInput([f"{wrong}: use the Beagle that wrote it, or another folder"])

    def _check_open(self) -> None:
        if not self._open:
            raise Unavailable(f"{self._path} has been closed")

    def _meaning(self, error: Exception) -> Exception:
        if isinstance(error, OverflowError | UnicodeEncodeError):
            return InvalidInput([f"{self._path} cannot hold this value: {error}"])
        if isinstance(error, OSError):
            return Unavailable(f"{self._path}: {error.strerror}")
        if not isinstance(error, sqlite3.Error):
            return error
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
        if code == sqlite3.SQLITE_NOTADB:
            return InvalidInput([f"{self._path} is not an SQLite database: use another folder"])
        return Unavailable(f"{self._path}: {_MEANINGS.get(code, str(error))}; nothing of this was stored ({error})")
