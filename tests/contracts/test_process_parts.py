"""The parts of the process orchestrator, each alone."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys

from beagle.orchestrators import fork_server
from beagle.orchestrators.tail import Tail


def test_a_process_that_the_kernel_killed_for_memory_is_told_apart(tmp_path):
    service = {"name": "a", "command": ["sh", "-c", "kill -KILL $$"], "directory": "/", "environment": {}, "main": True}
    code = (
        "import json, sys; from beagle.orchestrators import supervision as s; counts = iter([3, 4]);"
        "s.out_of_memory_kills = lambda: next(counts); import signal;"
        "signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals());"
        "print(json.dumps(s.Supervision(json.loads(sys.argv[1])).run()))"
    )
    request = json.dumps({"folder": str(tmp_path), "grace": 1.0, "services": [service]})
    done = subprocess.run([sys.executable, "-c", code, request], capture_output=True, text=True, check=True)
    ending = json.loads(done.stdout)
    assert (ending["status"], ending["out_of_memory"]) == (-9, True)


def test_a_tail_holds_little_of_a_line_without_end(tmp_path):
    path = tmp_path / "long.out"
    path.write_bytes(b"x" * 300_000 + b"\n")
    tail = Tail(str(path))
    more, found = True, []
    while more:
        assert len(tail._held) <= 65536
        lines, more = tail.read()
        found += lines
    tail.close()
    assert [(len(text), length) for _, text, length in found] == [(65536, 300_000)]


def test_a_fork_that_fails_is_told_by_its_errno(monkeypatch):
    def fork():
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(os, "fork", fork)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        assert fork_server._fork(ours, theirs) == 11
