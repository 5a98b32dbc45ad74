"""A deployment as a user has it: RabbitMQ, a server that speaks MongoDB's protocol, a container engine and two of each
actor, all processes of their own; and what may befall them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from random import Random
from typing import Self

from actors.main import BusSession
from beagle.commands import SetLimit, StartSystem
from beagle.errors import Unavailable
from beagle.messages import Answer, Message
from beagle.settings import Settings
from beagle.stores.mongodb import MongoStore
from tests.chaos.engines import Docked, Engine
from tests.chaos.oracle import Entry
from tests.journeys.beagle_run import ROOT, Search
from tests.servers.mongodb import MongoNode
from tests.servers.rabbitmq import RabbitNode

PATIENCE = 60.0


class Deployment:
    """A context manager, at whose end nothing of it is left."""

    def __init__(
        self, folder: Path, *, seed: int, tamper: str = "", count: int = 2, engine: Engine | None = None
    ) -> None:
        self.folder, self._tamper, self._count = folder, tamper, count
        self.engine = engine or Docked(folder / "dock", seed)
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self.rabbit = RabbitNode.start_new(self.folder / "rabbitmq")
            stack.callback(self.rabbit.kill)
            self.mongo = MongoNode.start_new(self.folder / "mongodb")
            stack.callback(self.mongo.kill)
            stack.enter_context(self.engine)
            host, metrics = stack.enter_context(self.rabbit.hosts())
            self.settings = Settings(
                bus=self.rabbit.url(host),
                metrics_bus=self.rabbit.url(metrics),
                store=f"{self.mongo.address}/beagle",
            )
            self.store = MongoStore(self.settings.store)
            stack.callback(self.store.close)
            self._session = BusSession(self.settings)
            stack.callback(self._session.close)
            stack.callback(self._end, self._begin())
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def ask(self, message: Message) -> Answer:
        """The answer, however often the question has to be put: an order is applied once all the same."""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                return self._session.ask(message, timeout=5)
            except Unavailable:
                assert time.monotonic() < deadline, f"{message} is not answered"
                time.sleep(0.2)

    def start(self, limit: int) -> None:
        self.ask(SetLimit(limit=limit))
        self.ask(StartSystem())

    def submit(self, search: Search) -> None:
        self.ask(self.engine.order(search, self.folder))

    def pids(self) -> dict[str, int]:
        """Those that live, by their names."""
        found: dict[str, int] = json.loads((self.folder / "pids.json").read_text())
        return found

    def entries(self) -> list[Entry]:
        return self.engine.entries()

    def ended(self) -> list[str]:
        """Which actors ended by themselves."""
        file = self.folder / "ended"
        return file.read_text().splitlines() if file.exists() else []

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text(errors="replace")

    def _begin(self) -> subprocess.Popen[bytes]:
        told = {
            "BEAGLE_BUS": self.settings.bus,
            "BEAGLE_METRICS_BUS": self.settings.metrics_bus,
            "BEAGLE_STORE": self.settings.store,
            "BEAGLE_MANAGEMENT": "off",
            "BEAGLE_HEALTH_PORT": "off",
            "BEAGLE_PORT": "0",
            "BEAGLE_FOLDER": str(self.folder / "state"),
            "TAMPER": self._tamper,
            **self.engine.environment,
        }
        command = [sys.executable, "-m", "tests.chaos.pack", str(self.folder), str(self._count)]
        return subprocess.Popen(command, cwd=ROOT, env=os.environ | told, stdin=subprocess.PIPE)

    @staticmethod
    def _end(pack: subprocess.Popen[bytes]) -> None:
        pack.stdin.close()
        pack.wait()


class Faults:
    """What befalls a deployment; of its actors, those whose name begins with `victims`. `over` waits for what lasts."""

    def __init__(self, deployment: Deployment, chance: Random, victims: str | tuple[str, ...] = "") -> None:
        self._deployment, self._chance, self._victims = deployment, chance, victims
        self._lasting: list[threading.Thread] = []
        self.done: list[str] = []

    def kill(self) -> None:
        """As `kill -9`."""
        self._send(signal.SIGKILL)

    def stop(self) -> None:
        """As of a machine that swaps: it goes on later, and believes what it knew."""
        pid, asleep = self._send(signal.SIGSTOP), self._chance.uniform(1, 10)
        self._last(lambda: self._continue(pid, asleep))

    def broker(self) -> None:
        down = self._chance.uniform(0, 1)
        self._last(lambda: self._restart(self._deployment.rabbit, down))

    def store(self) -> None:
        """It dies, or it hangs."""
        down, dies = self._chance.uniform(0, 3), self._chance.random() < 0.5
        mongo = self._deployment.mongo
        self._last(lambda: self._restart(mongo, down) if dies else self._hang(mongo, down))

    def engine(self) -> None:
        """It is started again, and what it ran dies with it."""
        down = self._chance.uniform(0, 1)
        self._last(lambda: self._restart_engine(down))

    def over(self) -> float:
        """When the last one was over."""
        for thread in self._lasting:
            thread.join()
        return time.time()

    def _send(self, number: signal.Signals) -> int:
        found = [(name, pid) for name, pid in self._deployment.pids().items() if name.startswith(self._victims)]
        name, pid = self._chance.choice(sorted(found))
        self.done.append(f"{time.time():.3f} {number.name} {name} {pid}")
        with suppress(ProcessLookupError):
            os.kill(pid, number)
        return pid

    def _last(self, fault) -> None:
        thread = threading.Thread(target=fault)
        thread.start()
        self._lasting.append(thread)

    @staticmethod
    def _continue(pid: int, asleep: float) -> None:
        time.sleep(asleep)
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)

    def _restart(self, node: RabbitNode | MongoNode, down: float) -> None:
        with _ONE_AT_A_TIME[type(node)]:
            self.done.append(f"{time.time():.3f} kill {type(node).__name__}")
            node.kill()
            time.sleep(down)
            node.start()
            self.done.append(f"{time.time():.3f} up {type(node).__name__}")

    def _restart_engine(self, down: float) -> None:
        self.done.append(f"{time.time():.3f} kill engine")
        self._deployment.engine.restart(down)
        self.done.append(f"{time.time():.3f} up engine")

    def _hang(self, node: MongoNode, seconds: float) -> None:
        with _ONE_AT_A_TIME[MongoNode]:
            self.done.append(f"{time.time():.3f} hang {type(node).__name__} {seconds}")
            node.process().signal(signal.SIGSTOP)
            time.sleep(seconds)
            node.process().signal(signal.SIGCONT)


_ONE_AT_A_TIME = {RabbitNode: threading.Lock(), MongoNode: threading.Lock()}
