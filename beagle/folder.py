"""The state folder: who owns it, which version it has, and where things are in it.

`version` holds the version of its layout; `lock` is locked by the process that owns it and names its process id. The
kernel gives the lock back when that process ends, however it ends; children that it starts do not inherit it.
"""

from __future__ import annotations

import errno
import fcntl
import os
from contextlib import suppress
from pathlib import Path

from beagle.errors import InvalidInput, Unavailable

NAME = ".beagle"
VERSION = 1
_MODE = 0o700
# What may be there before the version is: a process that was killed while it made the folder leaves the first two, and
# a new file system has the third.
_BEGINNINGS = {"lock", "version.new", "lost+found"}


class Folder:
    """A state folder. Nothing is made or read before a method is called."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self._lock: int | None = None

    @property
    def database(self) -> Path:
        return self.path / "beagle.sqlite"

    @property
    def socket(self) -> Path:
        """Where the owner listens."""
        return self.path / "beagle.sock"

    @property
    def experiments(self) -> Path:
        return self.path / "experiments"

    @property
    def running(self) -> Path:
        return self.path / "running"

    def make(self) -> None:
        """For processes that share it, each with what it starts, and own none of it. Raises as `own` does."""
        try:
            self.path.mkdir(mode=_MODE, parents=True, exist_ok=True)
            self.check()
            self._stamp()
        except OSError as error:
            raise self._meaning(error) from error

    def own(self) -> bool:
        """Make it if need be, and own it until `release` or the end of the process. False if another process owns it.

        Raises `InvalidInput` when it cannot serve: no folder, not writable, another version, something else in it.
        Owning it again does nothing.
        """
        if self._lock is not None:
            return True
        try:
            self.path.mkdir(mode=_MODE, parents=True, exist_ok=True)
            self.check()
            lock = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise self._meaning(error) from error
        try:
            if not _locked(lock):
                os.close(lock)
                return False
            self.check()  # again: the owner before may have been of another version
            self._write(lock)
        except OSError as error:
            os.close(lock)
            raise self._meaning(error) from error
        except BaseException:
            os.close(lock)
            raise
        self._lock = lock
        return True

    def release(self) -> None:
        """Let another process own it. Releasing one that is not owned does nothing."""
        if self._lock is not None:
            os.ftruncate(self._lock, 0)
            os.close(self._lock)
            self._lock = None

    def owner(self) -> int | None:
        """The process id of its owner, once `own` has answered False; None when it cannot be told."""
        # Trying the lock would tell more, and would keep out a process that wants to own it at that moment.
        try:
            text = (self.path / "lock").read_text(encoding="ascii", errors="replace").strip()
        except OSError:
            return None
        return int(text) if text.isdigit() else None

    def in_use(self) -> str:
        """The sentence to say when `own` has answered False."""
        pid = self.owner()
        who = "another process" if pid is None else f"process {pid}"
        return f"{self.path} is in use by {who}: let it end first, or use another folder with --folder"

    def check(self) -> None:
        """Raise `InvalidInput` unless it is a state folder of this version, or empty. Changes nothing."""
        try:
            found = (self.path / "version").read_text(encoding="utf-8", errors="replace").strip()
        except FileNotFoundError:
            self._check_empty()
            return
        except OSError as error:
            raise self._meaning(error) from error
        if found != str(VERSION):
            wrong = f"{self.path} is a state folder of version {found[:40]!r}, and this Beagle uses version '{VERSION}'"
            raise InvalidInput([f"{wrong}: use the Beagle that made it, or another folder with --folder"])

    def _check_empty(self) -> None:
        try:
            others = sorted({entry.name for entry in self.path.iterdir()} - _BEGINNINGS)
        except OSError as error:
            raise self._meaning(error) from error
        if others:
            what = f"{self.path} is no state folder: it holds {others[0]} and no file 'version'"
            raise InvalidInput([f"{what}; use an empty or a new folder with --folder"])

    def _write(self, lock: int) -> None:
        os.ftruncate(lock, 0)
        os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
        self._stamp()

    def _stamp(self) -> None:
        if (self.path / "version").exists():
            return
        new = self.path / "version.new"
        with new.open("w", encoding="utf-8") as file:
            file.write(f"{VERSION}\n")
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileNotFoundError):  # another process that makes the same folder was faster
            new.rename(self.path / "version")

    def _meaning(self, error: OSError) -> InvalidInput | Unavailable:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return Unavailable(f"{self.path} cannot be written: the disk is full; free some space and try again")
        if isinstance(error, NotADirectoryError | FileExistsError):
            return InvalidInput([f"{self.path} is not a folder: use another one with --folder"])
        if isinstance(error, PermissionError) or error.errno == errno.EROFS:
            return InvalidInput([f"{self.path} may not be written: give this user the right, or use --folder"])
        return InvalidInput([f"{self.path} cannot be used ({error.strerror}): use another folder with --folder"])


def find(start: Path) -> Path | None:
    """The nearest `.beagle` in `start` or a folder above it; None when there is none."""
    here = start.resolve()
    for folder in (here, *here.parents):
        if (folder / NAME).is_dir():
            return folder / NAME
    return None


def _locked(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
