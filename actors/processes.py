"""The processes of a deployment: one actor in each, or all in one. They serve until SIGTERM or SIGINT."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

from actors import journal
from actors.base import World
from actors.health import OFF, HealthPage
from actors.main import KINDS, Cast, Ensemble, OwnSession, make_world
from actors.measures import Measures
from beagle import deployment, plugins
from beagle.errors import InvalidInput, Unavailable
from beagle.folder import NAME, Folder
from beagle.ports import Orchestrator
from beagle.settings import SQLITE, Chosen, Settings

log = logging.getLogger(__name__)
T = TypeVar("T")
# Sleeps for so many seconds, but for a signal; True once one has arrived.
Wait = Callable[[float], bool]

BETWEEN_TRIES = 1.0
_LONG = 3600.0


def run_actor(chosen: Chosen, kind: str, wait: Wait) -> None:
    """One actor in this process. Raises `InvalidInput` when bus or store are embedded: nobody else could reach it."""
    settings = chosen.settings
    _check_apart(settings, kind)
    _begin(chosen)
    folder = Folder(Path(settings.folder or NAME))
    launches = kind == "launcher"
    world = _patiently(lambda: make_world(settings, folder, observed=True, launches=launches), wait)
    if world is None:
        return
    try:
        orchestrator = _orchestrator(settings, folder, world) if kind == "launcher" else None
        ensemble = Ensemble(world, orchestrator, (kind,), partial(plugins.refusals, settings=settings))
        with_health(settings, world, (kind,), lambda: _attend(kind, ensemble, settings, wait))
    finally:
        world.store.close()


def run_all(chosen: Chosen, wait: Wait) -> None:
    """All actors in this process, which owns the state folder: other commands reach it there, or over the bus."""
    settings = chosen.settings
    folder = Folder(Path(settings.folder or NAME))
    if not folder.own():
        raise Unavailable(folder.in_use())
    _begin(chosen)
    world = _patiently(lambda: make_world(settings, folder, observed=True), wait)
    if world is not None:
        with_health(settings, world, KINDS, lambda: _own(folder, world, settings, wait))
    folder.release()


def with_health(settings: Settings, world: World, kinds: tuple[str, ...], work: Callable[[], None]) -> None:
    """Work with a health page beside it, if there is to be one."""
    measures = world.observer
    if not isinstance(measures, Measures) or settings.health_port == OFF:
        work()
        return
    names = [getattr(Cast(), kind).__name__ for kind in kinds]
    for name in names:
        measures.expect(name)
    page = HealthPage(
        settings.health_address,
        settings.health_port,
        lambda: unwell(world, measures, settings.health_after),
        measures.page,
    )
    try:
        work()
    finally:
        page.close()


def unwell(world: World, measures: Measures, after: float) -> str:
    """Why this process is not healthy, in one sentence; the empty text when it is."""
    silence = world.bus.silence()
    if silence > after:
        return f"the loop of the bus has stood still for {silence:.0f} s"
    for actor, age in measures.ages().items():
        if age > after:
            why = measures.error(actor) or "it is busy, or stands still"
            return f"{actor} has not looked into the store for {age:.0f} s: {why}"
    return ""


def _attend(kind: str, ensemble: Ensemble, settings: Settings, wait: Wait) -> None:
    ensemble.start()
    name = kind.replace("_", "-")
    _serve(f"{name} of site {settings.site}" if kind == "launcher" else name, wait)
    ensemble.close(settings.grace)
    log.info("ended")


def _own(folder: Folder, world: World, settings: Settings, wait: Wait) -> None:
    session = OwnSession(folder, world, settings=settings, scheduling=True)
    _serve(f"all actors, state in {folder.path}", wait)
    session.close(settings.grace)
    log.info("ended")


def _serve(what: str, wait: Wait) -> None:
    log.info("serving: %s", what)
    while not wait(_LONG):
        pass
    log.info("ending: no new messages are taken, what was begun is finished; another signal ends at once")


def _orchestrator(settings: Settings, folder: Folder, world: World) -> Orchestrator:
    folder.make()
    return plugins.made(folder.path, settings, deployment.load(world.store).identity)


def _begin(chosen: Chosen) -> None:
    settings = chosen.settings
    plugins.orchestrator(settings.orchestrator)
    journal.begin(settings.log_format, settings.log_level, chosen.secrets())


def _check_apart(settings: Settings, kind: str) -> None:
    missing = []
    if not settings.apart:
        missing.append("its bus is in memory: set --bus or BEAGLE_BUS to amqp://user:password@host:5672/virtual-host")
    if settings.store == SQLITE:
        missing.append("its store is a local file: set --store or BEAGLE_STORE to mongodb://host:27017/database")
    problems = [f"no other process could reach this {kind}; {what}" for what in missing]
    if problems:
        raise InvalidInput([*problems, "for all actors in one process, with nothing set, use `beagle up`"])


def _patiently(make: Callable[[], T], wait: Wait) -> T | None:
    """Try until it is there, with one line for each change of what is wrong; None when a signal came first."""
    said = ""
    while True:
        try:
            return make()
        except Unavailable as error:
            if str(error) != said:
                said = str(error)
                log.warning("waiting: %s", said)
            if wait(BETWEEN_TRIES):
                return None
