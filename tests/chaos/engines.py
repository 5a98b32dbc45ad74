"""Where the workloads of a deployment run: the stand-in for an engine, or a Docker daemon of the test's own."""

from __future__ import annotations

import json
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Protocol, Self

from beagle.commands import SubmitProject
from beagle.orchestrators.containers.engine import Engine as Client
from beagle.orchestrators.containers.garbage import Garbage
from beagle.orchestrators.containers.labels import SYSTEM, WORKLOAD
from beagle.orchestrators.containers.later import Later
from beagle.orchestrators.containers.marks import CLEANED, STOPPED
from tests.chaos.oracle import CLOCKS, Entry, read
from tests.chaos.scenario import ORCHESTRATOR
from tests.journeys.beagle_run import Search
from tests.servers import dock
from tests.servers.docker_events import Recorder
from tests.servers.dockerd import Dockerd
from tests.servers.script import as_container

Container = dict[str, Any]
KEEP = 3600.0


class Engine(Protocol):
    """A context manager. `environment` is what actors are told, `clocks` how far times of one moment may differ, and
    `outages` from when to when it was away."""

    environment: dict[str, str]
    clocks: float
    outages: list[tuple[float, float]]

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...

    def order(self, search: Search, folder: Path) -> SubmitProject: ...

    def entries(self) -> list[Entry]: ...

    def running(self) -> int:
        """How many workloads; costs little."""

    def restart(self, down: float) -> None:
        """Die, be away for so many seconds, and come again."""

    def violations(self) -> list[str]:
        """One sentence for each law that was broken, of those that only this engine can tell."""


class Docked:
    """`dock.py`, which is slow and fails now and then."""

    clocks = CLOCKS

    def __init__(self, folder: Path, seed: int) -> None:
        self._running = dock.running(folder, seed=seed)
        self.outages = []
        self.environment = {"BEAGLE_ORCHESTRATOR": ORCHESTRATOR, "DOCK_SOCKET": str(folder / "dock.socket")}

    def __enter__(self) -> Self:
        self._ledger = self._running.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._running.__exit__(None, None, None)

    def order(self, search: Search, folder: Path) -> SubmitProject:
        return search.order(folder)

    def entries(self) -> list[Entry]:
        return read(self._ledger)

    def running(self) -> int:
        return sum({"start": 1, "end": -1}.get(entry.what, 0) for entry in self.entries())

    def restart(self, down: float) -> None:
        raise AssertionError("the stand-in would forget its containers")

    def violations(self) -> list[str]:
        return []


BEGIN = 'echo $$BEAGLE_WORKLOAD >> /ledger/began; eval "$$SCRIPT"'


class Daemon:
    """A real one. What it says of starts and ends was heard by a listener of the test's own; what was said is what it
    kept of the output. Each container also writes its name to a file of the test, so that no start goes unseen."""

    # It says that a container was started a little after it was.
    clocks = 0.5

    def __init__(self, folder: Path) -> None:
        self._folder, self._ledger = folder, folder / "ledger"
        self._stack = ExitStack()
        self._scripts: dict[str, str] = {}
        self.outages = []

    def __enter__(self) -> Self:
        self.dockerd = Dockerd.start_new(self._folder / "dockerd")
        self._stack.callback(self.dockerd.kill)
        self._image = self.dockerd.busybox()
        self._recorder = self._stack.enter_context(Recorder(self.dockerd))
        self._ledger.mkdir()
        self.environment = {
            "BEAGLE_ORCHESTRATOR": "docker",
            "BEAGLE_ORCHESTRATOR_URL": self.dockerd.url,
            "BEAGLE_NETWORK": "none",
            "BEAGLE_PERMIT_FOLDERS": f"{self._ledger}:rw",
        }
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def order(self, search: Search, folder: Path) -> SubmitProject:
        """The same, for a shell in a container."""
        order = search.order(folder)
        definition, template = json.loads(order.definition), json.loads(order.template)
        for parameter in definition["parameters"]:
            if parameter["name"] == "SCRIPT":
                shell = {as_container(script): script for script in parameter["value"]}
                parameter["value"] = list(shell)
                self._scripts |= shell
        for service in template["services"].values():
            service |= {"image": self._image, "command": ["sh", "-c", BEGIN], "volumes": [f"{self._ledger}:/ledger"]}
        changes = {"definition": json.dumps(definition), "template": json.dumps(template)}
        return order.model_copy(update=changes)

    def entries(self) -> list[Entry]:
        found = []
        scripts, said = {}, []
        for container in self._containers():
            name = container["Config"]["Labels"][WORKLOAD]
            scripts[name] = self._script(container)
            said += self._said(name, container["Id"])
        for event in self._recorder.caught_up():
            if WORKLOAD in event.about and event.action in _WHAT:
                name = event.about[WORKLOAD]
                found.append(Entry(_WHAT[event.action], name, event.at, script=scripts.get(name, "")))
        return sorted(found + said, key=lambda entry: entry.at)

    def running(self) -> int:
        with self.dockerd.client() as client:
            return len(client.api.containers(filters={"label": WORKLOAD}))

    def restart(self, down: float) -> None:
        began = time.time()
        self.dockerd.kill_daemon()
        time.sleep(down)
        self.dockerd.start_daemon()
        self.outages.append((began, time.time()))

    def violations(self) -> list[str]:
        return [*self._doubled(), *self._left()]

    def _doubled(self) -> list[str]:
        """By their own word, whatever the daemon knows."""
        file = self._ledger / "began"
        times = Counter(file.read_text().split() if file.exists() else [])
        return [f"{name} says that it began {count} times" for name, count in times.items() if count > 1]

    def _left(self) -> list[str]:
        """Containers are kept for a while, and marks for as long as those. After that only outputs are left."""
        with self.dockerd.client() as client:
            running = [f"{container['Names']} runs" for container in client.api.containers()]
            systems = {each["Labels"][SYSTEM] for each in client.api.containers(all=True)}
            later, far = Later(0, "nobody"), time.time() + 2 * KEEP
            for system in systems:
                Garbage(Client(self.dockerd.url), later, system, KEEP).sweep(far)
            containers = client.api.containers(all=True)
            networks = {network["Name"] for network in client.api.networks()} - {"bridge", "host", "none"}
            volumes = {volume["Name"] for volume in client.api.volumes()["Volumes"] or []}
        marks = {name for name in volumes if name.endswith((f".{STOPPED}", f".{CLEANED}"))}
        return [
            *running,
            *(f"{name} is left" for name in {*networks, *marks, *(each["Names"][0] for each in containers)}),
        ]

    def _containers(self) -> list[Container]:
        with self.dockerd.client() as client:
            found = client.api.containers(all=True, filters={"label": WORKLOAD})
            return [client.api.inspect_container(each["Id"]) for each in found]

    def _script(self, container: Container) -> str:
        variables = dict(pair.split("=", 1) for pair in container["Config"]["Env"])
        return self._scripts.get(variables.get("SCRIPT", ""), "")

    def _said(self, name: str, container: str) -> list[Entry]:
        with self.dockerd.client() as client:
            output: bytes = client.api.logs(container, stdout=True, stderr=False, timestamps=True)
        lines = [line.split(" ", 1) for line in output.decode().splitlines()]
        return [Entry("say", name, _moment(at), text=text) for at, text in lines]


_WHAT = {"start": "start", "die": "end"}


def _moment(text: str) -> float:
    """Nine digits are more than Python reads."""
    whole, _, rest = text.rstrip("Z").partition(".")
    return time.mktime(time.strptime(whole, "%Y-%m-%dT%H:%M:%S")) - time.timezone + float(f"0.{rest or 0}")
