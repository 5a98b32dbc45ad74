"""Puts the parts together: which store, which bus, which orchestrator, which actors. The only place that chooses."""

from __future__ import annotations

import json
import logging
import logging.config
import math
import time
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from importlib import resources
from pathlib import Path
from typing import Any, Protocol

import pykka

from actors.base import BusActor, Observer, World
from actors.clock import Clock
from actors.gateway import Gateway
from actors.heuristic import HeuristicActor
from actors.launcher import Launcher
from actors.monitor import Monitor
from actors.queue_manager import QueueManager
from beagle import deployment, plugins
from beagle.access import Access, NoAccess, ServerAccess
from beagle.answers import raise_for
from beagle.bucket import Allowance
from beagle.errors import Unavailable, Unroutable
from beagle.folder import Folder
from beagle.members import joining, together
from beagle.messages import Answer, Message
from beagle.ports import Orchestrator, Store
from beagle.projects import Plans
from beagle.settings import SQLITE, Settings
from beagle.stores.sqlite import SqliteStore
from beagle.template import Template
from bus.memory import MemoryBus
from bus.port import Bus
from bus.routes import METRIC_QUEUES, Binding, bindings
from bus.unix_socket import Caller, Door

log = logging.getLogger(__name__)

EMBEDDED = Settings()
ANSWER_TIMEOUT = 30.0
# How long a connection is tried while the owner of a folder starts or ends.
CONNECT_FOR = 10.0


@dataclass(frozen=True, slots=True)
class Cast:
    """The classes of the five actors; a test may put others in their place."""

    gateway: type[Gateway] = Gateway
    heuristic: type[HeuristicActor] = HeuristicActor
    queue_manager: type[QueueManager] = QueueManager
    launcher: type[Launcher] = Launcher
    monitor: type[Monitor] = Monitor


# Monitors before the launcher: what it adopts it publishes at once. Whoever starts things comes last.
KINDS = ("monitor", "launcher", "gateway", "heuristic", "queue_manager")
SCHEDULING = ("heuristic", "queue_manager")


@dataclass(slots=True)
class Ensemble:
    """The actors of those `kinds`, in this process. `close` stops them; what runs, runs on.

    `refusals` says what is wrong with a template for every site; a gateway asks the orchestrator too if it is here.
    Of `gateways` there are several where many ask at once.
    """

    world: World
    orchestrator: Orchestrator | None
    kinds: Collection[str] = KINDS
    refusals: Callable[[Template], list[str]] = lambda _: []
    cast: Cast = field(default_factory=Cast)
    gateways: int = 1
    _actors: list[pykka.ActorRef[Any]] = field(default_factory=list)

    def start(self) -> None:
        cast, site, orchestrator = self.cast, self.world.site, self.orchestrator
        parts: dict[str, tuple[type[BusActor], tuple[str, ...], tuple[object, ...]]] = {
            "monitor": (cast.monitor, (*METRIC_QUEUES, "events.monitor"), ()),
            "launcher": (cast.launcher, (f"launcher.{site}", f"stops.{site}"), (orchestrator,)),
            "gateway": (cast.gateway, ("gateway",), (self._check,)),
            "heuristic": (cast.heuristic, ("events.heuristic",), ()),
            "queue_manager": (cast.queue_manager, ("queue_manager",), ()),
        }
        for kind in KINDS:
            if kind in self.kinds:
                actor, queues, more = parts[kind]
                for _ in range(self.gateways if kind == "gateway" else 1):
                    self._begin(actor, queues, *more)

    def _check(self, template: Template) -> list[str]:
        """Where no launcher is near, only what happens at the launch tells whether its site can run the template."""
        here = self.orchestrator.check(template) if self.orchestrator is not None else []
        return self.refusals(template) + here

    def close(self, grace: float | None = None) -> None:
        """Each finishes what it has begun, all of them within `grace` seconds; without, however long it takes."""
        deadline = math.inf if grace is None else time.monotonic() + grace
        for actor in reversed(self._actors):
            with suppress(pykka.Timeout):
                actor.stop(timeout=None if grace is None else max(0.0, deadline - time.monotonic()))
        self.world.clock.close()
        self.world.bus.close()

    def _begin(self, actor: type[BusActor], queues: tuple[str, ...], *more: object) -> None:
        self._actors.append(actor.start(self.world, queues, *more))


class Session(Protocol):
    """A way to speak to the scheduler of one state folder."""

    owner: bool

    def ask(self, message: Message, timeout: float = ANSWER_TIMEOUT) -> Answer:
        """Raises what the actors refused with, and `Unavailable` when the scheduler is gone."""

    def close(self) -> None: ...


class OwnSession:
    """This process owns the folder and runs the actors."""

    owner = True

    def __init__(
        self,
        folder: Folder,
        world: World,
        *,
        settings: Settings,
        scheduling: bool,
        cast: Cast | None = None,
        gateways: int = 1,
    ) -> None:
        self._folder, self._world = folder, world
        orchestrator = plugins.made(folder.path, settings, deployment.load(world.store).identity)
        kinds = KINDS if scheduling else [kind for kind in KINDS if kind not in SCHEDULING]
        self._system = Ensemble(
            world, orchestrator, kinds, partial(plugins.refusals, settings=settings), cast or Cast(), gateways
        )
        self._system.start()
        self._door = Door(folder.socket, world.bus)

    def ask(self, message: Message, timeout: float = ANSWER_TIMEOUT) -> Answer:
        return raise_for(self._world.bus.request(message, timeout=timeout))  # type: ignore[arg-type]

    def close(self, grace: float | None = None) -> None:
        self._door.close()
        self._system.close(grace)
        self._world.store.close()
        self._folder.release()


class BusSession:
    """Actors in other processes are asked over the bus. It declares nothing there: a front end's rights will do."""

    owner = False

    def __init__(self, settings: Settings) -> None:
        self._bus = _bus(settings, {})

    def ask(self, message: Message, timeout: float = ANSWER_TIMEOUT) -> Answer:
        asked_at = time.monotonic()
        try:
            return raise_for(self._bus.request(message, timeout=timeout))  # type: ignore[arg-type]
        except (Unavailable, Unroutable) as error:
            if isinstance(error, Unavailable) and time.monotonic() - asked_at < timeout:
                raise
            what = "does a gateway run? `beagle actor gateway` starts one, `beagle up` all actors"
            raise Unavailable(f"{error}: {what}") from error

    def close(self) -> None:
        self._bus.close()


class GuestSession:
    """Another process owns the folder; it is asked over its socket."""

    owner = False

    def __init__(self, folder: Folder) -> None:
        self._caller = Caller(folder.socket)

    def ask(self, message: Message, timeout: float = ANSWER_TIMEOUT) -> Answer:
        return raise_for(self._caller.request(message, timeout=timeout))

    def close(self) -> None:
        self._caller.close()


def open_session(folder: Path, *, settings: Settings = EMBEDDED, scheduling: bool, cast: Cast | None = None) -> Session:
    """Own the folder and start the actors here, or speak to the process that owns it; apart, speak over the bus.

    With a `server`, speak to that gateway, whatever else is set.

    With `scheduling` this process also runs the searches and the queue; without, it starts no experiment. Raises
    `InvalidInput` for a folder that is none of ours, `Unavailable` when its owner does not answer.
    """
    if settings.server:
        from actors.http_session import HttpSession  # noqa: PLC0415 - its library costs 0.1 s, and most have no server

        return HttpSession(settings)
    if settings.apart:
        return BusSession(settings)
    plugins.orchestrator(settings.orchestrator)
    place = Folder(folder)
    deadline = time.monotonic() + CONNECT_FOR
    while True:
        if place.own():
            try:
                _write_log(place.path / "beagle.log")
                world = make_world(settings, place)
                return OwnSession(place, world, settings=settings, scheduling=scheduling, cast=cast)
            except BaseException:
                place.release()
                raise
        try:
            return GuestSession(place)
        except Unavailable:
            # Its owner is just starting, or just ending: one of the two ways opens soon.
            if time.monotonic() > deadline:
                raise Unavailable(place.in_use()) from None
            time.sleep(0.02)


def make_world(settings: Settings, folder: Folder, *, observed: bool = False, launches: bool = True) -> World:
    """Raises `Unavailable` while the store is away. A bus that is away is waited for a moment, and comes when it comes.

    What is observed is in `World.observer`, a `Measures`.
    """
    store = _store(settings, folder)
    try:
        access = _access(settings, store) if launches else NoAccess()
        bus = _bus(settings, bindings(settings.site))
        observer = _measures(store, bus) if observed else None
    except BaseException:
        store.close()
        raise
    return World(
        store=store,
        bus=bus,
        clock=Clock(),
        site=settings.site,
        plans=Plans(store),
        membership=joining(store) if settings.apart and settings.store != SQLITE else together(),
        observer=observer,
        access=access,
        allowance=Allowance(settings.metrics_rate, settings.metrics_burst),
    )


def _store(settings: Settings, folder: Folder) -> Store:
    if settings.store == SQLITE:
        return SqliteStore(folder.database)
    from beagle.stores.mongodb import MongoStore  # noqa: PLC0415 - its driver costs 0.2 s, and embedded nobody needs it

    return MongoStore(settings.store)


def _bus(settings: Settings, queues: Mapping[str, Binding]) -> Bus:
    if not settings.apart:
        return MemoryBus(queues)
    from bus.rabbitmq import RabbitBus  # noqa: PLC0415 - the same

    metrics = settings.metrics_bus or None
    return RabbitBus(settings.bus, bindings=queues, metrics_url=metrics if queues else None)


def _access(settings: Settings, store: Store) -> Access:
    access = _broker_access(settings) if settings.apart else NoAccess()
    if not settings.experiment_server:
        return access
    return ServerAccess(access, settings.experiment_server, partial(deployment.attempt_token, deployment.load(store)))


def _broker_access(settings: Settings) -> Access:
    from bus.rabbitmq_access import access_to  # noqa: PLC0415 - the same

    return access_to(settings)


def _measures(store: Store, bus: Bus) -> Observer:
    from actors.measures import Measures  # noqa: PLC0415 - the same

    return Measures(store, bus)


def _write_log(path: Path) -> None:
    described = json.loads(resources.files("config").joinpath("logging.json").read_text())
    described["handlers"]["file"]["filename"] = str(path)
    logging.config.dictConfig(described)
