"""Where HTTP is served, by which processes, and how it ends."""

from __future__ import annotations

import re
import signal
import socket
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from actors.http.app import make_app
from actors.http.server import HttpServer, bound
from beagle.settings import Settings
from tests.journeys.cli_desk import Desk, Run, eventually

# Of the framework's pool.
THREADS = 40


@pytest.fixture
def desk(tmp_path):
    with Desk(tmp_path, "echo accuracy=1", values="[0.1]") as desk:
        yield desk


def address(run: Run) -> str:
    eventually(lambda: "serving: all actors" in run.complained or run.process.poll() is not None)
    found = re.search(r"serving: (http://\S+)", run.complained)
    assert found, run.complained
    return found[1]


def test_up_says_where_it_serves_and_a_signal_ends_it(desk):
    up = desk.start("up", "--health-port", "off", "--port", 0)
    answer = requests.post(f"{address(up)}/api/v1/commands", json={"type": "ShowSystem"}, timeout=20)
    assert (answer.status_code, answer.json()["limit"]) == (200, 1)
    up.interrupt(signal.SIGTERM)
    assert up.end() == 0
    assert "Traceback" not in up.complained


def test_with_off_nothing_is_served(desk):
    up = desk.start("up", "--health-port", "off", "--port", "off")
    eventually(lambda: "serving: all actors" in up.complained)
    assert "http://" not in up.complained


def test_a_port_that_is_taken_is_one_sentence_and_starts_nothing(desk):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = desk.beagle("up", "--health-port", "off", "--port", port)
    assert done.returncode == 2
    assert done.stderr == (
        f"beagle: 127.0.0.1:{port} is taken by another program; choose another --port (0: any free one, off: no HTTP)\n"
    )


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_where_others_reach_it_it_refuses_to_start_without_a_token(desk, host):
    done = desk.beagle("up", "--health-port", "off", "--port", 0, "--host", host)
    assert done.returncode == 2
    assert done.stderr.startswith(f"beagle: host {host} is reached from other machines, and there is no token: set BEA")
    assert done.stderr.count("\n") == 1


def test_a_host_that_is_none_of_this_machine_is_one_sentence(desk):
    done = desk.beagle("up", "--health-port", "off", "--port", 0, "--host", "no.such.host.invalid")
    assert done.returncode == 2
    assert "no.such.host.invalid is no address of this machine" in done.stderr


def test_a_connection_that_is_kept_is_answered_at_once(client):
    with requests.Session() as kept:
        took = [kept.get(f"{client.url}/api/v1/heartbeat", timeout=20).elapsed.total_seconds() for _ in range(20)]
    # What is held back until the last piece is acknowledged comes after 0.04 s, on the quickest machine too.
    assert min(took[1:]) < 0.03


def test_the_heartbeat_is_answered_while_questions_hold_all_threads(client):
    go, asked = threading.Event(), threading.Semaphore(0)

    def ask(_):
        asked.release()
        go.wait(60)
        return {}

    server = HttpServer(make_app(ask, Settings(port="0"), client.live), bound(Settings(port="0")), lambda: None)
    try:
        with ThreadPoolExecutor(THREADS + 4) as pool:
            for _ in range(THREADS + 4):
                pool.submit(requests.get, f"{server.url}/api/v1/systems/system", timeout=60)
            for _ in range(THREADS):
                assert asked.acquire(timeout=30)
            assert requests.get(f"{server.url}/api/v1/heartbeat", timeout=30).json() == {"status": "ok"}
            go.set()
    finally:
        server.close(5)
