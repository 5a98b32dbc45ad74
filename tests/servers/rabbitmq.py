"""A real RabbitMQ node of the tests' own: own name, ports, data and logs, whatever else is on the machine."""

from __future__ import annotations

import os
import signal
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import quote

import requests

from tests.servers.keeper import Missing, Process, free_ports, need, shared

# Debian's own scripts drop root for a user of theirs, which may not read our folders: the plain ones do not.
DEBIANS = Path("/usr/lib/rabbitmq/bin")
USER, PASSWORD = "beagle", "canary-b1rd"  # the password is looked for in logs and sentences

CONFIG = """\
listeners.tcp.1 = 127.0.0.1:{amqp}
management.tcp.ip = 127.0.0.1
management.tcp.port = {management}
default_user = {user}
default_pass = {password}
disk_free_limit.absolute = 50MB
raft.wal_max_size_bytes = 16000000
vm_memory_high_watermark.relative = 0.4
log.file.level = warning
collect_statistics_interval = 1000
"""
# An own register of node names too. It is part of the node's process group, and so goes when that is killed.
START = """\
epmd -port "$ERL_EPMD_PORT" -address 127.0.0.1 &
until epmd -names >/dev/null 2>&1; do sleep 0.02; done
exec {programs}/rabbitmq-server
"""


def programs() -> Path:
    """Where `rabbitmq-server` is: Debian's, or that of the installation that BEAGLE_TEST_RABBITMQ_HOME names."""
    home = os.environ.get("BEAGLE_TEST_RABBITMQ_HOME")
    found = Path(home, "sbin") if home else DEBIANS
    if not (found / "rabbitmq-server").exists():
        wanted = "name another folder in BEAGLE_TEST_RABBITMQ_HOME" if home else "run scripts/services.sh"
        raise Missing(f"there is no {found}/rabbitmq-server, and this test needs it: {wanted}")
    return found


@dataclass(frozen=True, slots=True)
class RabbitNode:
    """Describes a node that runs, or ran and left its data. Any process may act on it."""

    folder: str
    amqp: int
    management_port: int
    distribution: int
    register: int

    @staticmethod
    def start_new(folder: Path, *, watched: int | None = None, config: str = "", also_at: str = "") -> RabbitNode:
        """A node on fresh data in `folder`, with more `config` if need be, that listens at one more address, too.

        It ends with the process `watched`, or else with the test run.
        """
        need("epmd", "erl")
        installed = programs()
        folder.mkdir(parents=True, exist_ok=True)
        node = RabbitNode(str(folder), *free_ports(4))
        told = {"amqp": node.amqp, "management": node.management_port, "user": USER, "password": PASSWORD}
        if also_at:
            config += f"listeners.tcp.2 = {also_at}:{node.amqp}\n"
        (folder / "rabbitmq.conf").write_text(CONFIG.format(**told) + config)
        (folder / "enabled_plugins").write_text("[rabbitmq_management].\n")
        (folder / "start.sh").write_text(START.format(programs=installed))
        node.start(watched=watched)
        return node

    @staticmethod
    def shared(run: Path) -> RabbitNode:
        """The one that all tests of a run share: nobody kills it."""
        told = shared(run, "rabbitmq", lambda folder: asdict(RabbitNode.start_new(folder)))
        return RabbitNode(**told)  # type: ignore[arg-type] - the fields of one

    # Its life

    def start(self, *, watched: int | None = None) -> None:
        """Start it, again on the same data."""
        self._process().start(self.is_ready, watched)

    def kill(self) -> None:
        """SIGKILL to the whole virtual machine."""
        self._process().kill()

    def stop(self) -> None:
        self._process().stop()

    def hold(self) -> None:
        """SIGSTOP: it keeps its connections and says nothing."""
        self._process().signal(signal.SIGSTOP)

    def let_go(self) -> None:
        self._process().signal(signal.SIGCONT)

    def wipe(self) -> None:
        """Lose all data; for a node that does not run."""
        subprocess.run(["rm", "-rf", Path(self.folder, "data")], check=True)

    def is_alive(self) -> bool:
        return self._process().is_alive()

    def is_ready(self) -> bool:
        try:
            return self.call("GET", f"/health/checks/port-listener/{self.amqp}").ok
        except requests.ConnectionError:
            return False

    def ctl(self, *arguments: str) -> str:
        """`rabbitmqctl`, for what the management interface cannot do; it takes a second."""
        return subprocess.run(
            [programs() / "rabbitmqctl", "--quiet", *arguments],
            env=os.environ | self._environment(),
            capture_output=True,
            text=True,
            check=True,
        ).stdout

    def log(self) -> str:
        return "".join(path.read_text(errors="replace") for path in sorted(Path(self.folder, "log").glob("*.log")))

    # Its addresses and what is managed over HTTP

    def url(self, host: str = "/", user: str = USER, password: str = PASSWORD) -> str:
        return f"amqp://{user}:{password}@127.0.0.1:{self.amqp}/{quote(host, safe='')}"

    @property
    def management_url(self) -> str:
        return f"http://{USER}:{PASSWORD}@127.0.0.1:{self.management_port}"

    def looks_at_copies(self) -> bool:
        """Whether this version asks for the right to each key in `CC` and `BCC` too: since 4.0.3."""
        version = str(self.call("GET", "/overview").json()["rabbitmq_version"])
        return tuple(int(part) for part in version.split(".")[:3]) >= (4, 0, 3)

    def call(self, method: str, path: str, **body: object) -> requests.Response:
        """`path` as in RabbitMQ's HTTP interface, without `/api`."""
        return requests.request(
            method,
            f"http://127.0.0.1:{self.management_port}/api{path}",
            json=body or None,
            auth=(USER, PASSWORD),
            timeout=30,
        )

    @contextmanager
    def hosts(self) -> Iterator[tuple[str, str]]:
        """A fresh pair of virtual hosts: the deployment's, and the one for its metrics."""
        name = f"test-{uuid.uuid4().hex[:12]}"
        pair = (name, f"{name}-metrics")
        for host in pair:
            self.call("PUT", f"/vhosts/{host}").raise_for_status()
            self.call("PUT", f"/permissions/{host}/{USER}", configure=".*", write=".*", read=".*").raise_for_status()
        try:
            yield pair
        finally:
            for host in pair:
                self.call("DELETE", f"/vhosts/{host}").raise_for_status()

    def until(self, path: str, true: Callable[[object], bool], seconds: float = 30.0) -> None:
        """Wait until what the management interface says fits: its figures come a second late."""
        deadline = time.monotonic() + seconds
        while not true(found := self.call("GET", path).json()):
            assert time.monotonic() < deadline, found
            time.sleep(0.1)

    def _process(self) -> Process:
        folder = Path(self.folder)
        return Process(folder, ["sh", "-e", str(folder / "start.sh")], self._environment())

    def _environment(self) -> dict[str, str]:
        folder = Path(self.folder)
        return {
            "HOME": str(folder),  # where the cookie is
            "ERL_EPMD_PORT": str(self.register),
            "RABBITMQ_NODENAME": f"beagle{self.amqp}@localhost",
            "RABBITMQ_DIST_PORT": str(self.distribution),
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled_plugins"),
            "RABBITMQ_MNESIA_BASE": str(folder / "data"),
            "RABBITMQ_LOG_BASE": str(folder / "log"),
            # Tests share their cores: no thread of it spins while it waits.
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+sbwt none +sbwtdcpu none +sbwtdio none",
        }
