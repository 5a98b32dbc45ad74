"""Schemathesis reads /openapi.json and makes up calls: each is answered with a status, a kind and a body as described.

`BEAGLE_HTTP_REQUESTS=50000` makes up about so many; without, a few thousand.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread

import pytest
import requests

from tests.http.client import serving
from tests.journeys.cli_desk import Desk, eventually

ST = Path(sys.executable).with_name("st")
REQUESTS = int(os.environ.get("BEAGLE_HTTP_REQUESTS", "3500"))
# What every description asks to be tried takes about 2,500 calls; the rest is made up, for each of some 40 operations.
EXAMPLES = max(1, (REQUESTS - 2500) // 40)
SEED = os.environ.get("BEAGLE_HTTP_SEED", "1")
# All that are about answers. None that asks whether all is taken that fits: schemas cannot say all that is right.
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "missing_required_header",
    "unsupported_method",
    "allow_header_conformance",
    "ignored_auth",
)
PHASES = "examples,coverage,fuzzing,stateful"

MOST_PROJECTS = 20
PROJECT = """
name: made
template: template.yml
experiment_timeout: 3
pause_after_failures: 0
optimization: {type: grid, objective_function: accuracy}
parameters:
  - {name: LR, type: absolute, value: [1, 2, 3, 4, 5, 6]}
"""
COMMAND = "echo accuracy=0.$LR; case $LR in 1) exit 1;; 2) sleep 60;; 3) sleep 2;; esac"
TEMPLATE = f"""
services:
  train:
    command: ["sh", "-c", {json.dumps(COMMAND)}]
    environment: {{LR: 1}}
"""


@contextmanager
def peopled(url: str, token: str) -> Iterator[None]:
    """Whatever the calls delete, pause or stop: soon there are projects and experiments again, and they run."""
    over = Event()
    who = Thread(target=_people, args=(url, token, over), daemon=True)
    who.start()
    try:
        yield
    finally:
        over.set()
        who.join()


def _people(url: str, token: str, over: Event) -> None:
    with requests.Session() as session:
        session.headers["Authorization"] = f"Bearer {token}"
        while not over.wait(0.5):
            there = session.get(f"{url}/api/v1/projects?limit=1", timeout=30).headers.get("X-Total-Count", "0")
            # As many as are worth listing: each answer names them all.
            project = {"definition": PROJECT, "template": TEMPLATE, "anew": int(there) < MOST_PROJECTS}
            for order in (
                {"type": "UploadTemplate", "filename": "template.yml", "text": TEMPLATE},
                {"type": "SubmitProject", **project},
                {"type": "SetLimit", "limit": 3},
                {"type": "StartSystem"},
            ):
                session.post(f"{url}/api/v1/commands", json=order, timeout=30)


def found_by_schemathesis(url: str, folder: Path, token: str = "") -> str:
    """What it has to say, empty when all is well."""
    words = [
        *("run", f"{url}/openapi.json", "--no-color", "--continue-on-failure", "--seed", SEED),
        # What happens is told for ever: it has tests of its own, in `test_events`.
        *("--exclude-path", "/api/v1/events"),
        *("--checks", ",".join(CHECKS), "--phases", PHASES, "--max-examples", EXAMPLES),
        *("--request-timeout", 60, "--suppress-health-check", "all", "--warnings", "off"),
        *(("-H", f"Authorization: Bearer {token}") if token else ()),
    ]
    hooks = {"SCHEMATHESIS_HOOKS": "tests.http.hooks", "BEAGLE_UNDER_TEST": url, "BEAGLE_TOKEN": token}
    done = subprocess.run(
        [ST, *map(str, words)],
        cwd=folder,
        env={**os.environ, **hooks, "BEAGLE_SEED": SEED, "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        check=False,
    )
    print(done.stdout[-3000:])
    made = re.search(r"([\d,]+) generated", done.stdout)
    assert made, done.stdout + done.stderr
    return "" if done.returncode == 0 else done.stdout + done.stderr


@pytest.mark.timeout(0 if REQUESTS > 3500 else 600)
def test_no_call_is_answered_otherwise_than_described(tmp_path):
    with serving(tmp_path) as client, peopled(client.url, ""):
        for body in (b'{"type": "Nonsense"}', b"[]", b"\xff"):
            client.session._world.bus.publish_raw("beagle.commands", "queue_manager.fill_places", body)
        assert found_by_schemathesis(client.url, tmp_path) == ""


@pytest.mark.timeout(0 if REQUESTS > 3500 else 600)
def test_nor_one_to_a_whole_deployment_with_a_token(tmp_path, monkeypatch):
    monkeypatch.setenv("BEAGLE_TOKEN", "secret")
    with Desk(tmp_path, "true") as desk:
        up = desk.start("up", "--health-port", "off", "--port", 0)
        url = eventually(lambda: re.search(r"serving: (http://\S+)", up.complained))[1]
        with peopled(url, "secret"):
            assert found_by_schemathesis(url, tmp_path, "secret") == ""
        assert "Traceback" not in up.complained
