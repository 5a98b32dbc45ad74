"""What commands know of the system: a session with whoever owns the state folder, and questions that run over pages."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from actors import exports
from actors.cli.crash import Crashed
from actors.cli.output import warn
from actors.cli.words import View
from actors.main import ANSWER_TIMEOUT, Session, open_session
from beagle.commands import ShowSystem
from beagle.errors import BeagleError, NotFound
from beagle.folder import NAME, Folder, find
from beagle.messages import Answer, Message
from beagle.ports import Cursor
from beagle.settings import Settings

# A template's grace between SIGTERM and SIGKILL is 10 s by default.
LONGEST_STOP = 60.0
# A gateway answers in milliseconds; one that another takes over from, or whose store is away, in a few seconds.
TELL_AFTER = 4.0


class Telling:
    """A session with actors elsewhere, which says once what it waits for when an answer takes long."""

    owner = False

    def __init__(self, session: Session) -> None:
        self._session, self._told = session, False

    def ask(self, message: Message, timeout: float = ANSWER_TIMEOUT) -> Answer:
        telling = threading.Timer(TELL_AFTER, self._tell, [timeout])
        telling.daemon = True
        telling.start()
        try:
            return self._session.ask(message, timeout)
        finally:
            telling.cancel()

    def close(self) -> None:
        self._session.close()

    def _tell(self, timeout: float) -> None:
        if not self._told:
            self._told = True
            warn(f"no answer yet, and it is waited for up to {timeout:g} s; does a gateway run?")


@contextmanager
def opened(settings: Settings, *, scheduling: bool = False) -> Iterator[Session]:
    """A session, closed at the end. Raises what `open_session` raises; other surprises as `Crashed`.

    Embedded, the settings name the state folder.
    """
    folder = Path(settings.folder)
    logging.raiseExceptions = False  # a log that cannot be written (full disk) must not print a traceback for each line
    logging.lastResort = None  # apart there is no log: what goes wrong is said once, by the command itself
    session: Session | None = None
    try:
        session = open_session(folder, settings=settings, scheduling=scheduling)
        yield Telling(session) if settings.remote else session
    except (BeagleError, OSError):
        raise
    except Exception as error:
        raise Crashed(folder) from error
    finally:
        if session is not None:
            session.close()


def pages(session: Session, question: Callable[[Cursor | None], Message], key: str) -> Iterator[View]:
    """All records of a list, page after page; `question` makes the message for a cursor."""
    return exports.pages(session.ask, question, key)


def located(settings: Settings) -> Settings:
    """With the folder that a command without a project file means. Raises `NotFound` when there is none."""
    return settings if settings.remote else replace(settings, folder=str(_state_folder(settings.folder)))


def _state_folder(asked: str) -> Path:
    here = Path.cwd()
    found = Path(asked) if asked else find(here)
    if found is None:
        raise NotFound(
            f"there is no {NAME} in {here} or above it: go where your project file is, name one with --folder,"
            " or start with `beagle run project.yml`"
        )
    if not found.exists():
        raise NotFound(f"there is no folder {found}; `beagle run project.yml --folder {found}` makes one")
    Folder(found).check()
    if not (found / "version").exists():
        raise NotFound(f"{found} is empty; `beagle run project.yml --folder {found}` makes it a state folder")
    return found


def wait_until_dead(session: Session) -> None:
    """Stay until nothing of an ended attempt runs any more: only the process that owns the folder ends what it stopped.

    Gives up after a minute; the next owner goes on with it.
    """
    deadline = time.monotonic() + LONGEST_STOP
    while time.monotonic() < deadline:
        system = session.ask(ShowSystem())
        if system["held"] <= system["counts"]["pool"]:
            return
        time.sleep(0.02)
