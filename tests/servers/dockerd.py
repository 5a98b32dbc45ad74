"""Real Docker daemons for the tests, each in namespaces of its own (see `dockerd_ward.py`), with images made here.

Only the Docker SDK speaks to them: no command line is installed for it. `host` is the machine's address as containers
see it, on every network but `none`: servers that they are to reach listen there, or on all addresses.
"""

from __future__ import annotations

import json
import os
import random
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import docker
from docker.errors import DockerException

from tests.servers import images
from tests.servers.keeper import PATIENCE, Process, need, shared

WARD = Path(__file__).with_name("dockerd_ward.py")


@dataclass(frozen=True, slots=True)
class Dockerd:
    """Describes a daemon that runs, or is down for a while. Any process may act on it."""

    folder: str  # short, and not below the test run's: a Unix socket's path has at most 107 characters
    logs: str
    network: str

    @staticmethod
    def start_new(folder: Path, *, watched: int | None = None) -> Dockerd:
        """A fresh one. It ends with the process `watched`, or else with the test run, and all that it runs too."""
        need("dockerd", "containerd", "runc", "iptables", "ip", "unshare")
        folder.mkdir(parents=True, exist_ok=True)
        chance = random.SystemRandom()
        network = f"10.{chance.randrange(160, 250)}.{chance.randrange(256)}"
        made = Dockerd(tempfile.mkdtemp(prefix="bgl-", dir="/tmp"), str(folder), network)
        Path(made.folder, "daemon.json").write_text("{}")
        made.process().start(made.is_ready, watched)
        return made

    @staticmethod
    def shared(run: Path) -> Dockerd:
        """The one that all tests of a run share: nobody kills it, and each keeps to its own labels."""
        told = shared(run, "dockerd", lambda folder: asdict(Dockerd.start_new(folder)))
        return Dockerd(**told)  # type: ignore[arg-type] - the fields of one

    @property
    def url(self) -> str:
        """What DOCKER_HOST and ORCHESTRATOR_URL may be."""
        return f"unix://{self.socket}"

    @property
    def socket(self) -> str:
        return f"{self.folder}/s"

    @property
    def host(self) -> str:
        """The machine, as containers see it."""
        return f"{self.network}.1"

    @property
    def published(self) -> str:
        """Where the machine finds published ports, and those of containers on the host's network."""
        return f"{self.network}.2"

    def busybox(self) -> str:
        """The name of an image that has a shell and the usual small programs; made at the first call."""
        return self._image("busybox", images.busybox)

    def python(self) -> str:
        """The name of an image that has the Python of this process and `beagle`, and busybox too."""
        return self._image("python", images.python)

    def actors(self) -> str:
        """The name of an image with the command `beagle`, for a user without rights: in place of the `Dockerfile`'s."""
        return self._image("actors", images.actors, f"USER {images.NOBODY}")

    def sweep(self, labels: dict[str, str]) -> None:
        """Remove all that bears these labels, running or not."""
        wanted = {"label": [f"{name}={value}" for name, value in labels.items()]}
        with self.client() as client:
            for container in client.api.containers(all=True, filters=wanted):
                with suppress(DockerException):
                    client.api.remove_container(container["Id"], v=True, force=True)
            for network in client.api.networks(filters=wanted):
                with suppress(DockerException):
                    client.api.remove_network(network["Id"])
            for volume in client.api.volumes(filters=wanted)["Volumes"] or []:
                with suppress(DockerException):
                    client.api.remove_volume(volume["Name"])

    def kill_daemon(self) -> None:
        """SIGKILL to the daemon alone: what it ran, runs on. It stays down."""
        Path(self.folder, "down").touch()
        for process in self._daemons():
            os.kill(process, signal.SIGKILL)
        self._wait(lambda: not self._daemons(), "it did not go")

    def start_daemon(self) -> None:
        """Up again, on what it left; Docker ends then what still runs, unless it was told to keep it."""
        Path(self.folder, "down").unlink(missing_ok=True)
        self._wait(self.is_ready, "it did not come up again")

    def hang(self) -> None:
        """From now on it answers nobody, and what it runs goes on."""
        for process in self._daemons():
            os.kill(process, signal.SIGSTOP)

    def go_on(self) -> None:
        for process in self._daemons():
            os.kill(process, signal.SIGCONT)

    def kill(self) -> None:
        """All of it, containers too."""
        self.process().kill()

    def is_ready(self) -> bool:
        with suppress(DockerException), self.client(timeout=2) as client:
            return bool(client.ping())
        return False

    @contextmanager
    def client(self, timeout: float = 60) -> Iterator[docker.DockerClient]:
        client = docker.DockerClient(self.url, version="auto", timeout=timeout)
        try:
            yield client
        finally:
            client.close()

    def process(self) -> Process:
        folder = self.folder
        command = [
            "dockerd",
            "--config-file",
            f"{folder}/daemon.json",
            "--host",
            self.url,
            "--data-root",
            f"{folder}/d",
        ]
        command += ["--exec-root", f"{folder}/x", "--pidfile", f"{folder}/pid", "--cgroup-parent", Path(folder).name]
        command += ["--log-level", "warn", "--shutdown-timeout", "2"]
        return Process(Path(self.logs), ["python3", str(WARD), folder, self.network, *command])

    def _daemons(self) -> list[int]:
        """Its process id, as seen from here: the namespace of processes is its own."""
        found = []
        for entry in Path("/proc").glob("[0-9]*/cmdline"):
            with suppress(OSError):
                words = entry.read_bytes().split(b"\0")
                if words[0].endswith(b"dockerd") and f"{self.folder}/pid".encode() in words:
                    found.append(int(entry.parent.name))
        return found

    def _wait(self, holds: Callable[[], bool], otherwise: str) -> None:
        deadline = time.monotonic() + PATIENCE
        while not holds():
            assert time.monotonic() < deadline, f"{otherwise} in {PATIENCE:g} s: {self.process().told()}"
            time.sleep(0.05)

    def _image(self, name: str, layers: Callable[[], Iterator[bytes]], *changes: str) -> str:
        """Made by whoever asks first; the others wait for that."""
        tag = f"beagle-test/{name}:latest"
        imported = partial(self._import, layers, f"beagle-test/{name}", [*changes])
        shared(Path(self.folder), f"image-{name}", lambda _: {"status": imported()})
        return tag

    def _import(self, layers: Callable[[], Iterator[bytes]], repository: str, changes: list[str]) -> str:
        with self.client(timeout=120) as client:
            said: str = client.api.import_image_from_data(
                layers(), repository=repository, tag="latest", changes=changes
            )
        status = [json.loads(line) for line in said.splitlines()]
        assert not any("error" in each for each in status), said
        return str(status[-1].get("status"))
