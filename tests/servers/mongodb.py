"""A server that speaks MongoDB's protocol, for the tests: a stand-in on a file, or the real one that is named.

`BEAGLE_TEST_MONGODB` names a real server; tests that kill their server start a stand-in all the same.
"""

from __future__ import annotations

import os
import socket
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import urlsplit

from pymongo import MongoClient

from tests.servers.keeper import Missing, Process, free_ports, need, shared

JARS = Path(__file__).parents[2] / "build" / "mongodb"
# Little memory, and up in a second: several of them run beside each other.
JAVA = ("java", "-Xmx256m", "-Xss512k", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")


@dataclass(frozen=True, slots=True)
class MongoNode:
    """Describes a stand-in that runs, or ran and left its data. Any process may act on it."""

    folder: str
    port: int

    @staticmethod
    def start_new(folder: Path, *, watched: int | None = None) -> MongoNode:
        """A node on fresh data in `folder`. It ends with the process `watched`, or else with the test run."""
        need("java")
        if not (JARS / "MongoStandIn.class").exists():
            raise Missing("the stand-in for MongoDB is not there, and this test needs it: run scripts/services.sh")
        folder.mkdir(parents=True, exist_ok=True)
        node = MongoNode(str(folder), *free_ports(1))
        node.start(watched=watched)
        return node

    def start(self, *, watched: int | None = None) -> None:
        """Start it, again on the same data."""
        self._process().start(self.is_ready, watched)

    def kill(self) -> None:
        self._process().kill()

    def process(self) -> Process:
        """To hold it and let it go."""
        return self._process()

    def is_ready(self) -> bool:
        with socket.socket() as asked:
            return asked.connect_ex(("127.0.0.1", self.port)) == 0

    @property
    def address(self) -> str:
        return f"mongodb://127.0.0.1:{self.port}"

    def _process(self) -> Process:
        folder = Path(self.folder)
        command = [*JAVA, "-cp", f"{JARS}:{JARS}/*", "MongoStandIn", str(folder / "data"), str(self.port)]
        return Process(folder, command)


def shared_address(run: Path) -> str:
    """The server that all tests of a run share: nobody kills it."""
    named = os.environ.get("BEAGLE_TEST_MONGODB")
    if named:
        return named
    told = shared(run, "mongodb", lambda folder: asdict(MongoNode.start_new(folder)))
    return MongoNode(**told).address  # type: ignore[arg-type] - the fields of one


def named(address: str, database: str) -> str:
    """`address` with that database in it; its user is looked for where it was before."""
    parts = urlsplit(address)
    options = parts.query
    if parts.username and "authsource=" not in options.lower():
        options = f"{options}&authSource={parts.path.strip('/') or 'admin'}".lstrip("&")
    return parts._replace(path=f"/{database}", query=options).geturl()


@contextmanager
def fresh_database(address: str) -> Iterator[str]:
    """The address of a database of its own, which goes in the end."""
    name = f"test-{uuid.uuid4().hex[:16]}"
    try:
        yield named(address, name)
    finally:
        with MongoClient(address, serverSelectionTimeoutMS=5000) as client:
            client.drop_database(name)
