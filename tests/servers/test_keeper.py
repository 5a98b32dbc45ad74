"""That the servers of the tests are started once, can be killed and started again, and never outlive their test run."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.contracts.inbox import eventually
from tests.servers.keeper import PORTS, Missing, Process, free_ports, need, shared

# It starts a child too, which must go with it.
SERVER = "sleep 600 & echo $! >child; exec python3 -m http.server --bind 127.0.0.1 {port}"


class Server:
    def __init__(self, folder: Path) -> None:
        (self.port,) = free_ports(1)
        self.folder = folder
        self.process = Process(folder, ["sh", "-c", SERVER.format(port=self.port)])

    def start(self, watched: int | None = None) -> None:
        self.process.start(self.answers, watched)

    def answers(self) -> bool:
        with socket.socket() as asked:
            return asked.connect_ex(("127.0.0.1", self.port)) == 0

    def child(self) -> Path:
        return Path("/proc", (self.folder / "child").read_text().strip(), "stat")

    def is_gone(self) -> bool:
        child = self.child()
        return not self.process.is_alive() and (not child.exists() or child.read_text().rpartition(")")[2][1] == "Z")


@pytest.fixture
def server(tmp_path):
    made = Server(tmp_path)
    yield made
    made.process.kill()


def test_it_is_ready_when_start_returns_and_gone_when_kill_returns(server):
    server.start()
    assert server.answers()
    server.process.kill()
    assert not server.answers()
    assert server.is_gone()


@pytest.mark.parametrize("end", ["kill", "stop"])
def test_it_can_be_started_again(server, end):
    for _ in range(2):
        server.start()
        getattr(server.process, end)()
    server.start()
    assert server.answers()


def test_it_ends_with_the_process_that_it_is_for_even_when_that_is_killed(server):
    test_run = subprocess.Popen(["sleep", "600"])
    server.start(watched=test_run.pid)
    assert server.answers()
    test_run.kill()
    test_run.wait()
    eventually(server.is_gone)


def test_it_ends_at_once_when_what_it_is_for_has_ended_already(server):
    test_run = subprocess.Popen(["true"])
    test_run.wait()
    with pytest.raises(AssertionError):
        server.start(watched=test_run.pid)
    eventually(lambda: not server.process.is_alive())


def test_it_can_be_held_and_let_go(server):
    server.start()
    server.process.signal(signal.SIGSTOP)
    with socket.create_connection(("127.0.0.1", server.port)) as asked:
        asked.settimeout(0.2)
        asked.sendall(b"GET / HTTP/1.0\r\n\r\n")
        with pytest.raises(TimeoutError):
            asked.recv(1)
        server.process.signal(signal.SIGCONT)
        asked.settimeout(10)
        assert asked.recv(1)


def test_one_that_does_not_come_up_says_what_it_printed(tmp_path):
    broken = Process(tmp_path, [sys.executable, "-c", "raise SystemExit('the port is taken')"])
    with pytest.raises(AssertionError, match="the port is taken"):
        broken.start(lambda: False)


def test_what_is_shared_is_started_once_however_many_ask_for_it(tmp_path):
    started: list[Path] = []
    found: list[dict[str, object]] = []

    def start(folder: Path) -> dict[str, object]:
        started.append(folder)
        return {"number": len(started)}

    asking = [threading.Thread(target=lambda: found.append(shared(tmp_path, "one", start))) for _ in range(8)]
    for thread in asking:
        thread.start()
    for thread in asking:
        thread.join()
    assert found == [{"number": 1}] * 8
    assert shared(tmp_path, "another", start) == {"number": 2}


def test_what_is_not_installed_fails_with_what_to_do():
    need("sh")
    with pytest.raises(Missing, match=r"no-such-server is not installed.*scripts/services\.sh"):
        need("sh", "no-such-server")


def test_ports_are_free_and_none_that_the_system_gives_to_clients():
    ports = free_ports(20)
    first_of_clients = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    assert len(set(ports)) == 20
    assert all(port in PORTS and port < first_of_clients for port in ports)
