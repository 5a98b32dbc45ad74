"""A whole `beagle up` while hundreds listen, trickle or send too much: everybody else is answered as before."""

from __future__ import annotations

import re
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from statistics import median

import pytest
import requests

from tests.http.test_connections import call, get
from tests.journeys.cli_desk import Desk, Run, eventually

MANY = 200
MIB = 1 << 20


@pytest.fixture
def desk(tmp_path):
    with Desk(tmp_path, "echo one; sleep 600", values="[1]") as desk:
        yield desk


class Up:
    def __init__(self, run: Run) -> None:
        self.run = run
        self.url = eventually(lambda: re.search(r"serving: (http://\S+)", run.complained))[1]

    def opened(self, text: bytes) -> socket.socket:
        """A connection on which that was sent."""
        host, _, port = self.url.removeprefix("http://").rpartition(":")
        connection = socket.create_connection((host, int(port)), timeout=30)
        connection.sendall(text)
        return connection

    def give(self, type: str, **fields: object) -> dict:
        answer = requests.post(f"{self.url}/api/v1/commands", json={"type": type, **fields}, timeout=30)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def takes(self) -> float:
        """Seconds, of the usual call."""
        took = []
        with requests.Session() as session:
            for _ in range(30):
                answer = session.get(f"{self.url}/api/v1/systems", timeout=30)
                assert answer.status_code == 200
                took.append(answer.elapsed.total_seconds())
        return median(took)

    def memory(self) -> float:
        """MiB, of the process."""
        status = Path(f"/proc/{self.run.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]) / 1024

    def ends(self) -> float:
        """Seconds from the signal to the end."""
        begun = time.monotonic()
        self.run.interrupt(signal.SIGTERM)
        assert self.run.end() == 0
        assert "Traceback" not in self.run.complained
        return time.monotonic() - begun


@pytest.fixture
def up(desk) -> Up:
    return Up(desk.start("up", "--health-port", "off", "--port", 0))


@contextmanager
def connections(up: Up, text: bytes, count: int = MANY) -> Iterator[list[socket.socket]]:
    with ExitStack() as stack:
        yield [stack.enter_context(up.opened(text)) for _ in range(count)]


def said(connection: socket.socket, word: bytes) -> bool:
    told = b""
    while word not in told:
        piece = connection.recv(65536)
        if not piece:
            return False
        told += piece
    return True


def test_200_listen_and_every_other_call_answers_as_before_and_the_end_waits_for_none(up):
    up.takes()
    before = up.takes()
    with connections(up, get(b"Host: localhost", path=b"/api/v1/events")) as listening:
        assert all(said(each, b": listening") for each in listening)
        assert up.takes() < 5 * before + 0.02
        assert up.ends() < 8


def test_200_follow_a_log_and_every_other_call_answers_as_before_and_the_end_waits_for_none(desk, up):
    project, template = (desk.folder / name for name in ("project.yml", "template.yml"))
    up.give("SubmitProject", definition=project.read_text(), template=template.read_text())
    up.give("StartSystem")
    running = eventually(lambda: up.give("ListPool")["experiments"])[0]["id"]
    eventually(lambda: up.give("ShowExperiment", experiment=running)["experiment"]["launch_time"])
    before = up.takes()
    path = f"/api/v1/experiments/{running}/logs?follow=true".encode()
    with connections(up, get(b"Host: localhost", path=path)) as following:
        assert all(said(each, b"one") for each in following)
        assert up.takes() < 5 * before + 0.1
        assert up.ends() < 8


def test_bodies_that_trickle_or_never_end_hold_up_nobody_and_fill_no_memory(up):
    up.takes()
    before, memory = up.takes(), up.memory()
    large = call(b"", b"Content-Length: %d" % MIB) + b'"' * (MIB - 1)
    endless = call(b"", b"Transfer-Encoding: chunked") + (b"10000\r\n" + b'"' * 65536 + b"\r\n") * 15
    slow = call(b"", b"Content-Length: 100") + b"{"
    with ExitStack() as stack:
        for text in (large, endless, slow):
            stack.enter_context(connections(up, text, 150))
        assert up.takes() < 5 * before + 0.1
        assert up.give("SetLimit", limit=3) == {"running": False, "limit": 3}
        # Of the 300 MiB that were sent, and the rest is what 450 connections take.
        assert up.memory() - memory < 220
    eventually(lambda: up.takes() < 5 * before + 0.02)


def test_what_is_pipelined_without_an_end_waits_in_the_senders_memory(up):
    up.takes()
    memory = up.memory()
    question = call(b'{"type": "ShowSystem"}') * 200
    with ExitStack() as stack:
        deaf = [stack.enter_context(up.opened(b"")) for _ in range(20)]
        for each in deaf:
            each.setblocking(False)
        until = time.monotonic() + 5
        while time.monotonic() < until:
            for each in deaf:
                with suppress(BlockingIOError):
                    each.send(question)
        assert up.memory() - memory < 100
        assert up.takes() < 2
