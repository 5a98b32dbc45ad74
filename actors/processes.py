"""The processes of a deployment: one actor in each, or all in one. They serve until SIGTERM or SIGINT."""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

from actors import journal
from actors.base import World
from actors.health import OFF, HealthPage
from actors.main import ANSWER_TIMEOUT, KINDS, Cast, Ensemble, OwnSession, make_world
from actors.measures import Measures
from beagle import deployment, plugins
from beagle.answers import raise_for
from beagle.errors import InvalidInput, Unavailable
from beagle.folder import NAME, Folder
from beagle.messages import Answer, AnyMessage
from beagle.ports import Orchestrator
from beagle.settings import SQLITE, Chosen, Settings

log = logging.getLogger(__name__)
T = TypeVar("T")
# Sleeps for so many seconds, but for a signal; True once one has arrived.
Wait = Callable[[float], bool]

# Where HTTP is served many ask at once, and a question may wait for another site.
GATEWAYS = 4
BETWEEN_TRIES = 1.0
_LONG = 3600.0


def run_actor(chosen: Chosen, kind: str, wait: Wait) -> None:
    """One actor in this process. Raises `InvalidInput` when bus or store are embedded: nobody else could reach it."""
    settings = chosen.settings
    _check_apart(settings, kind)
    _begin(chosen)
    door = _door(settings) if kind == "gateway" else None
    folder = Folder(Path(settings.folder or NAME))
    launches = kind == "launcher"
    world = _patiently(lambda: make_world(settings, folder, observed=True, launches=launches), wait)
    if world is None:
        return
    try:
        orchestrator = _orchestrator(settings, folder, world) if kind == "launcher" else None
        refusals = partial(plugins.refusals, settings=settings)
        ensemble = Ensemble(world, orchestrator, (kind,), refusals, gateways=1 if door is None else GATEWAYS)
        with_health(settings, world, (kind,), lambda: _attend(kind, ensemble, settings, wait, door))
    finally:
        world.store.close()


def run_all(chosen: Chosen, wait: Wait) -> None:
    """All actors in this process, which owns the state folder: other commands reach it there, or over the bus."""
    settings = chosen.settings
    folder = Folder(Path(settings.folder or NAME))
    if not folder.own():
        raise Unavailable(folder.in_use())
    try:
        door = _door(settings)
        _begin(chosen)
        world = _patiently(lambda: make_world(settings, folder, observed=True), wait)
        if world is not None:
            with_health(settings, world, KINDS, lambda: _own(folder, world, settings, wait, door))
    finally:
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


def _attend(kind: str, ensemble: Ensemble, settings: Settings, wait: Wait, door: socket.socket | None) -> None:
    ensemble.start()
    name = kind.replace("_", "-")
    grace = _serve(
        f"{name} of site {settings.site}" if kind == "launcher" else name,
        settings,
        wait,
        door,
        ensemble.world,
        lambda message: raise_for(ensemble.world.bus.request(message, timeout=ANSWER_TIMEOUT)),
    )
    ensemble.close(grace)
    log.info("ended")


def _own(folder: Folder, world: World, settings: Settings, wait: Wait, door: socket.socket | None) -> None:
    gateways = 1 if door is None else GATEWAYS
    session = OwnSession(folder, world, settings=settings, scheduling=True, gateways=gateways)
    session.close(_serve(f"all actors, state in {folder.path}", settings, wait, door, world, session.ask))
    log.info("ended")


def _door(settings: Settings) -> socket.socket | None:
    """Where HTTP is to be served. Before anything else is begun: it may be taken, or not be allowed."""
    if settings.port == OFF:
        return None
    from actors.http.server import bound  # noqa: PLC0415 - the web framework costs 0.5 s, which other actors need not pay

    return bound(settings)


def _serve(
    what: str,
    settings: Settings,
    wait: Wait,
    door: socket.socket | None,
    world: World,
    ask: Callable[[AnyMessage], Answer],
) -> float:
    """Until a signal comes. Answers with what is left of the grace when calls over HTTP are finished."""
    server = None
    if door is not None:
        from actors.http.app import make_app  # noqa: PLC0415 - the same
        from actors.http.server import HttpServer  # noqa: PLC0415
        from actors.live import live  # noqa: PLC0415

        lively = live(world)
        server = HttpServer(make_app(ask, settings, lively), door, lively.close)
    log.info("serving: %s", what)
    while not wait(_LONG):
        pass
    log.info("ending: no new messages are taken, what was begun is finished; another signal ends at once")
    began = time.monotonic()
    if server is not None:
        server.close(settings.grace / 2)
    return settings.grace - (time.monotonic() - began)


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
