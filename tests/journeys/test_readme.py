"""The README, followed to the letter: its commands are run as they are printed there."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.journeys.apart import Apart

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
# What the README leaves to the reader's own program.
BEFORE = "import os\nepoch, accuracy, cost = {epoch}, 0.5 + {epoch} / 10, 0.1\n"


def chapter(title: str) -> str:
    return README.partition(f"## {title}\n")[2].partition("\n## ")[0]


def blocks(title: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", chapter(title), re.DOTALL)


def run(script: str, folder: Path, **more: str) -> subprocess.CompletedProcess[str]:
    """As a shell would that ends with the first command that fails."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("BEAGLE_", "ORCHESTRATOR"))}
    return subprocess.run(
        ["bash", "-e", "-o", "pipefail", "-c", script],
        cwd=folder,
        env=kept | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"} | more,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )


@pytest.fixture(scope="module")
def state(tmp_path_factory) -> dict[str, str]:
    """The example itself is run, and keeps its state elsewhere."""
    return {"BEAGLE_FOLDER": str(tmp_path_factory.mktemp("readme") / "state")}


@pytest.fixture(scope="module")
def demo(state) -> subprocess.CompletedProcess[str]:
    return run(blocks("Two commands", "sh")[0], ROOT, **state)


def test_the_first_command_ends_as_it_is_printed(demo):
    assert demo.returncode == 0, demo.stderr
    printed = chapter("Two commands").split("```")[3].strip("\n")
    columns = printed.splitlines()[0].split()
    assert columns in [line.split() for line in demo.stdout.splitlines()]
    *_, counts, best = printed.splitlines()
    assert counts.split(":")[0] in demo.stdout
    assert best.rsplit(" ", 1)[0].partition("digitsmodel")[0] in demo.stdout
    assert len(re.findall(r"^ *\d+  (completed|timeout|accuracy_limit_reached) ", demo.stdout, re.MULTILINE)) == 12


def test_the_commands_for_looking_around_answer_after_it(demo, state):
    assert demo.returncode == 0
    looked = run(blocks("Two commands", "sh")[1], ROOT, **state)
    assert (looked.returncode, looked.stderr) == (0, "")
    assert "digits" in looked.stdout
    assert "it ran for its 15 s" in looked.stdout


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    """A folder in which both programs, the template and the project of the README have run."""
    folder = tmp_path_factory.mktemp("trained")
    programs = blocks("You train models", "python")
    text = "".join(BEFORE.format(epoch=epoch) + program for epoch, program in enumerate(programs, start=1))
    (folder / "train.py").write_text(text)
    for block in blocks("You train models", "yaml"):
        name, _, text = block.partition("\n")
        (folder / name.removeprefix("# ")).write_text(text)
    checked, done = (run(command, folder) for command in commands("You train models"))
    assert (checked.returncode, done.returncode) == (0, 0), checked.stderr + done.stderr
    return folder


def commands(title: str) -> list[str]:
    """Those in the running text."""
    return re.findall(r"`(beagle [a-z][^`]*)`", chapter(title))


def test_what_trains_reports_in_both_ways(trained):
    views = json.loads(run("beagle experiments --format json", trained).stdout)
    assert len(views) == 50
    assert {view["state"] for view in views} == {"completed"}
    assert {view["metric_count"] for view in views} == {2}
    values = [view["metrics"] for view in views]
    assert {round(value["accuracy"], 2) for value in values} <= {0.6, 0.7}


def test_the_commands_for_front_ends_give_what_programs_read(trained):
    done = run(blocks("You write a front end", "sh")[0], trained)
    assert (done.returncode, done.stderr) == (0, "")
    assert len(json.loads((trained / "experiments.json").read_text())) == 50
    assert len((trained / "results.csv").read_text().splitlines()) == 51


def test_the_commands_for_operators_do_what_they_say_or_say_why_not(trained):
    found = {command: run(command, trained) for command in commands("You operate it")[2:]}
    assert {command: done.returncode for command, done in found.items()} == {
        "beagle limit 8": 0,
        "beagle stop 7": 1,  # it has ended
        "beagle retry 7": 1,
    }
    assert all("is in completed" in done.stderr for done in found.values() if done.returncode)


def test_the_commands_for_running_apart_are_a_deployment(tmp_path, rabbitmq, hosts, database):
    exported, doctor, actor = blocks("You operate it", "sh")[0].splitlines()
    assert set(re.findall(r"BEAGLE_\w+", exported)) == {"BEAGLE_BUS", "BEAGLE_STORE"}
    main, metrics = hosts
    with Apart(tmp_path, rabbitmq.url(main), rabbitmq.url(metrics), database) as apart:
        words = doctor.partition("#")[0].split()[1:]
        assert "broker: RabbitMQ" in apart.beagle(*words).stdout
        one, others = re.fullmatch(r"beagle actor (\S+) +# and (.*)", actor).groups()
        for kind in (one, *others.split(", ")):
            apart.start("actor", kind)
        for process in apart.actors:
            process.serves()
        assert apart.beagle("status").returncode == 0


def test_every_page_is_named_where_a_reader_of_its_kind_looks():
    linked = set(re.findall(r"\]\((docs/[^)#]+)\)", README))
    pages = {f"docs/{page.name}" for page in (ROOT / "docs").glob("*.md")}
    assert linked >= pages
    assert all((ROOT / link).exists() for link in linked)
