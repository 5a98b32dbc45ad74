"""What the real commands do with our files, and what becomes of them when they are not to go on."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from threading import Thread

import pytest

from beagle.errors import LaunchFailed, Unavailable
from beagle.orchestrators.compose_command import ComposeCommand, Halt, found
from beagle.orchestrators.compose_file import Additions, written
from beagle.template import Service, Workload, workload_name
from tests.contracts.workloads import eventually, new_id
from tests.servers import compose

# All that could be taken for YAML, for a variable or for the end of a line.
HOSTILE = {
    "DOLLAR": "$HOME ${HOME} $$ ${X:-y} $",
    "QUOTES": '\'"\\" \\n `id` $(id)',
    "LINES": "one\ntwo\r\n\tthree\n",
    "YAML": "{a: [1, *b, &c]} # no comment: - ? | > %",
    "WORDS": "yes",
    "NUMBER": "1e-3",
    "EMPTY": "",
    "SPACES": "  around  ",
    "UNICODE": "größe 数 🐕 \u2028\u0085\ufeff\x7f\x1b",
    "LONG": "x$" * 50_000,
}


@pytest.fixture(params=["v1", "v2"])
def make(request, dockerd, tmp_path):
    """Commands of both kinds, and whatever they started is removed."""
    labels = {"test": new_id()}

    def command(url=dockerd.url, **environment):
        return ComposeCommand(compose.path(request.param), tmp_path / "empty", url, {**os.environ, **environment})

    with dockerd.client() as client:
        engine = client.api
        command.engine, command.labels, command.path = engine, labels, compose.path(request.param)
        command.left = lambda: engine.containers(all=True, filters={"label": f"test={labels['test']}"})
        yield command
        for container in command.left():
            engine.remove_container(container["Id"], force=True, v=True)


def workload(dockerd, *words, environment=None, **fields):
    service = Service(name="train", command=words, environment=environment or {}, working_dir="/")
    document = {"image": dockerd.busybox(), "command": list(words), "network_mode": "none", **fields}
    experiment = new_id()
    return Workload(
        name=workload_name(experiment, 1),
        project="p",
        experiment=experiment,
        attempt=1,
        services=(service,),
        document={"version": "2.4", "services": {"train": document}},
    )


def up(make, job, *, within=60.0, halt=None, **environment):
    command = make(**environment)
    command.up(job.name, written(job, Additions(labels=make.labels)), within=within, halt=halt or Halt())


def test_programs_see_exactly_the_values_that_were_given(make, dockerd):
    job = workload(dockerd, "sleep", "60", environment=HOSTILE)
    up(make, job)
    (container,) = make.left()
    entries = make.engine.inspect_container(container["Id"])["Config"]["Env"]
    told = dict(entry.split("=", 1) for entry in entries)
    assert {name: told[name] for name in HOSTILE} == HOSTILE


def test_a_file_finds_no_secret_of_ours(make, dockerd):
    job = workload(dockerd, "echo", "${BEAGLE_TOKEN}${AMQP_PASSWORD:-none}")
    up(make, job, BEAGLE_TOKEN="canary", AMQP_PASSWORD="canary")
    (container,) = make.left()
    make.engine.wait(container["Id"])
    assert make.engine.logs(container["Id"]) == b"none\n"


def test_what_does_not_start_is_told_in_a_sentence(make, dockerd):
    with pytest.raises(LaunchFailed) as failed:
        up(make, workload(dockerd, "no-such-program"))
    assert "no-such-program" in str(failed.value)
    assert "executable file not found" in str(failed.value)
    assert "\n" not in str(failed.value)


def test_a_file_that_compose_cannot_read_is_told_too(make, dockerd):
    with pytest.raises(LaunchFailed, match="train"):
        up(make, workload(dockerd, "true", depends_on=["nobody"]))
    assert not make.left()


def test_a_daemon_that_is_away_is_no_fault_of_the_file(make, dockerd):
    with pytest.raises(Unavailable):
        up(make, workload(dockerd, "true"), url="unix:///nowhere")


def test_a_machine_that_cannot_run_it_is_no_fault_of_the_file(make, dockerd):
    with pytest.raises(Unavailable, match=r"Docker Compose cannot be run: .*setpriv"):
        up(make, workload(dockerd, "true"), PATH="/nowhere")


def test_it_is_given_up_when_it_takes_too_long(make, dockerd):
    waits = {"healthcheck": {"test": ["CMD", "false"], "interval": "1s", "retries": 100}}
    job = workload(dockerd, "sleep", "60", **waits)
    late = {**job.document["services"]["train"], "depends_on": {"train": {"condition": "service_healthy"}}}
    job.document["services"]["late"] = {**late, "healthcheck": {"disable": True}}
    with pytest.raises(LaunchFailed, match="had not come up after 2 s"):
        up(make, job, within=2)
    halt = Halt()
    stopper = Thread(target=lambda: (eventually(make.left), halt.set()))
    stopper.start()
    began = time.monotonic()
    with pytest.raises(LaunchFailed, match="it was stopped"):
        up(make, job, halt=halt)
    stopper.join()
    assert time.monotonic() - began < 10


PROGRAM = """
import sys
from pathlib import Path
from beagle.orchestrators.compose_command import ComposeCommand, Halt
command = ComposeCommand(sys.argv[1], Path(sys.argv[2]), sys.argv[3], {})
command.up(sys.argv[4], sys.stdin.read(), within=60, halt=Halt())
"""


def test_it_dies_with_its_launcher(make, dockerd, tmp_path):
    waits = {"healthcheck": {"test": ["CMD", "false"], "interval": "1s", "retries": 100}}
    job = workload(dockerd, "sleep", "60", **waits)
    job.document["services"]["late"] = {
        **job.document["services"]["train"],
        "depends_on": {"train": {"condition": "service_healthy"}},
    }
    launcher = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, make.path, str(tmp_path / "empty"), dockerd.url, job.name],
        stdin=subprocess.PIPE,
        text=True,
    )
    launcher.stdin.write(written(job, Additions(labels=make.labels)))
    launcher.stdin.close()
    eventually(make.left)
    assert commands(job.name)
    launcher.kill()
    launcher.wait()
    eventually(lambda: not commands(job.name))


def commands(project):
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = entry.read_bytes().split(b"\0")
        except OSError:
            continue
        if b"--project-name" in words and project.encode() in words:
            found.append(entry.parent.name)
    return found


def test_some_command_is_found_here():
    assert Path(found()).name == "docker-compose"
