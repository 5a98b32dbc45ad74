"""The page about HTTP: its calls are those that there are, and its commands are run as they are printed."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest
import requests

from tests.journeys.cli_desk import Desk, eventually

PAGE = (Path(__file__).parents[2] / "docs" / "http.md").read_text()
BLOCKS = re.findall(r"```sh\n(.*?)```", PAGE, flags=re.DOTALL)


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    folder = tmp_path_factory.mktemp("http")
    with Desk(folder, "true") as desk:
        up = desk.start("up", "--port", 0, "--health-port", "off")
        eventually(lambda: "serving: all actors" in up.complained or up.process.poll() is not None)
        yield re.search(r"serving: (http://\S+)", up.complained)[1]


def sh(script: str, folder: Path, url: str) -> str:
    printed = script.replace("http://localhost:5000", url)
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", printed],
        cwd=folder,
        env={**os.environ, "API": f"{url}/api/v1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, (script, done.stdout, done.stderr)
    return done.stdout


def test_the_page_names_every_call_and_no_other(url):
    described = requests.get(f"{url}/openapi.json", timeout=30).json()["paths"]
    there = {
        f"{method.upper()} {path.removeprefix('/api/v1')}" for path, calls in described.items() for method in calls
    }
    assert set(re.findall(r"^\| `((?:GET|POST|PUT|DELETE) /\S+)` \|", PAGE, re.MULTILINE)) == there


def test_the_first_search_of_the_page_runs_as_it_is_printed(url, tmp_path):
    first, looks, command = BLOCKS
    sh(first, tmp_path, url)
    eventually(lambda: requests.get(f"{url}/api/v1/projects", timeout=30).json()[0]["completed"] == 3)
    assert '"accuracy_limit_reached":0' in sh(looks, tmp_path, url)
    best = requests.get(f"{url}/api/v1/projects/first/best", timeout=30).json()[0]
    assert best["parameters"] == [{"name": "SIZE", "value": 7}]
    assert '"limit":4' in sh(command, tmp_path, url)
