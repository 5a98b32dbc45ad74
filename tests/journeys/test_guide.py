"""The guide, followed to the letter: its files are written as printed there, its commands are run in its order."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

GUIDE = Path(__file__).parents[2] / "docs" / "guide.md"
# In this order 5 has reached its limit by then: it can be neither stopped nor retried.
REFUSED = {"beagle stop 5", "beagle retry 5"}


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", GUIDE.read_text(), flags=re.DOTALL)


def run(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        ["sh", "-c", command],
        cwd=folder,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture(scope="module")
def followed(tmp_path_factory) -> dict[str, subprocess.CompletedProcess[str]]:
    folder = tmp_path_factory.mktemp("guide")
    script, *commands = blocks("sh")
    template, project = blocks("yaml")
    for name, text in (("train.sh", script), ("template.yml", template), ("project.yml", project)):
        (folder / name).write_text(text)
    lines = [line for block in commands for line in block.splitlines() if line]
    results = {line: run(line, folder) for line in lines}
    results["results.csv"] = run("cat results.csv", folder)
    return results


def test_every_command_of_the_guide_does_what_it_says(followed):
    for command, result in followed.items():
        if command in REFUSED:
            assert result.returncode == 1, (command, result.stderr)
            assert "firstmodel5 is in accuracy_limit_reached and cannot be" in result.stderr
        else:
            assert result.returncode == 0, (command, result.stdout, result.stderr)


def test_the_run_of_the_guide_tries_all_six(followed):
    assert "6 experiments" in followed["beagle check project.yml"].stdout
    run_of_it = followed["beagle run project.yml --limit 2"].stdout
    assert "first is completed" in run_of_it
    assert len(followed["results.csv"].stdout.splitlines()) == 7
