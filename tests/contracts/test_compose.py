"""What Docker Compose does with templates as users write them, and what is left when a launcher dies in the middle."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from threading import Thread

import pytest

from beagle.errors import LaunchFailed
from beagle.experiment import Experiment
from beagle.orchestrators.compose import ComposeOrchestrator
from beagle.orchestrators.containers import labels, marks
from beagle.orchestrators.containers.garbage import Garbage
from beagle.ports import Line
from beagle.project import Definition
from beagle.records import Plan
from beagle.settings import Settings
from beagle.template_file import read_template
from beagle.workload import prepare
from tests.contracts.workloads import Seen, eventually, new_id
from tests.servers import compose

ONE = """
version: "3.8"
services:
  train:
    image: IMAGE
    command: [sh, -c, 'echo "$$RATE" $$OWN; echo > /beagle/output/file; id -u']
    environment: {RATE: 1, OWN: "${NONE:-home} $$"}
    user: "1000"
"""
SEVERAL = """
services:
  train:
    image: IMAGE
    command: sh -c 'until nc db 4000; do sleep 0.1; done; exit 3'
    labels: [beagle.main=true]
    depends_on: {db: {condition: service_healthy}}
  db:
    image: IMAGE
    command: sh -c 'while true; do echo data | nc -l -p 4000; done'
    healthcheck: {test: [CMD, "true"], interval: 200ms, retries: 100}
    stop_grace_period: 100ms
"""
# What waits is not started before a file is there: its launcher is in the middle of it until then.
HALF = """
services:
  train: {image: IMAGE, command: [sh, -c, echo TRAIN; sleep 60], DEPENDS: [], labels: [beagle.main=MAIN], init: true}
  late:
    image: IMAGE
    command: [sleep, "60"]
    init: true
    labels: [beagle.main=LATE]
    depends_on: {early: {condition: service_healthy}}
  early:
    image: IMAGE
    command: [sleep, "60"]
    init: true
    volumes: ["FOLDER:/gate"]
    healthcheck: {test: [CMD, test, -e, /gate/open], interval: 200ms, retries: 1000}
""".replace(" DEPENDS: [],", "")


class Desk:
    """Starts templates as they were written, on the way that a file takes through the reader."""

    def __init__(self, dockerd, folder, kind):
        self.dockerd, self.folder, self.kind = dockerd, folder, kind
        self.system = f"test-{new_id()[:12]}"
        self.opened = []

    def open(self, network="none", trusted="yes", **settings):
        chosen = Settings(network=network, trusted=trusted, **settings)
        made = Composed(self.folder, url=self.dockerd.url, settings=chosen, system=self.system)
        made.kind_of_compose, seen = self.kind, Seen()
        made.watch(seen)
        self.opened.append(made)
        return made, seen

    def job(self, text, **parameters):
        text = text.replace("IMAGE", self.dockerd.busybox()).replace("FOLDER", str(self.folder))
        template = read_template(text, "t.yml", "/")
        definition = Definition(name="p", template="t.yml", parameters=(), seed=0)
        record = Experiment(
            id=new_id(),
            project="p" * 24,
            number=1,
            name="p 1",
            parameters=parameters,
            attempt=1,
            order=0,
            rank=0,
            created_at=0.0,
        )
        return prepare(Plan(id="p" * 24, definition=definition, template=template), record)

    def half(self, *, main):
        return self.job(HALF.replace("MAIN", json.dumps(main)).replace("LATE", json.dumps(not main)))

    def containers(self, job):
        with self.dockerd.client() as client:
            return client.api.containers(all=True, filters={"label": f"{labels.WORKLOAD}={job.name}"})

    def services(self, job, state="running"):
        found = [each for each in self.containers(job) if each["State"] == state]
        return {each["Labels"].get(labels.SERVICE) for each in found} - {None}

    def networks(self, job):
        with self.dockerd.client() as client:
            return client.api.networks(filters={"label": f"{labels.WORKLOAD}={job.name}"})


class Composed(ComposeOrchestrator):
    kind_of_compose = "v2"

    def program(self):
        return compose.path(self.kind_of_compose)


@pytest.fixture(params=["v2"])
def desk(request, dockerd, tmp_path):
    made = Desk(dockerd, tmp_path, request.param)
    yield made
    for orchestrator in made.opened:
        orchestrator.close()
    dockerd.sweep({labels.SYSTEM: made.system})


both = pytest.mark.parametrize("desk", ["v1", "v2"], indirect=True)


@both
def test_a_template_runs_as_it_is_written_with_the_values_of_the_experiment(desk):
    orchestrator, seen = desk.open()
    job = desk.job(ONE, RATE="$OWN ${HOME} $$")
    orchestrator.start(job)
    assert seen.ended(job.name).status == 0
    assert seen.lines(job.name) == ["$OWN ${HOME} $$ home $", "1000"]


@both
def test_services_find_each_other_and_all_end_with_the_main_one(desk):
    orchestrator, seen = desk.open(network="auto")
    job = desk.job(SEVERAL)
    orchestrator.start(job)
    assert seen.ended(job.name).status == 3
    assert seen.lines(job.name) == ["data"]
    assert not desk.services(job)
    eventually(lambda: not desk.networks(job))


def test_without_a_main_service_it_ends_when_all_have_ended(desk):
    orchestrator, seen = desk.open()
    job = desk.job(
        "services: {one: {image: IMAGE, command: echo one}, two: {image: IMAGE, command: sh -c 'sleep 1; echo two'}}"
    )
    orchestrator.start(job)
    assert seen.ended(job.name).status == 0
    assert seen.lines(job.name) == ["one", "two"]


def test_experiments_join_the_network_of_the_settings_and_one_alone_has_no_other(desk):
    with desk.dockerd.client() as client:
        name = f"experiments-{new_id()}"  # and not `beagleml`, which others at this daemon would join
        client.api.create_network(name, labels={labels.SYSTEM: desk.system})
    orchestrator, seen = desk.open(network=name)
    alone = desk.job("services: {train: {image: IMAGE, command: sleep 60, init: true}}")
    several = desk.job(SEVERAL)
    orchestrator.start(alone)
    orchestrator.start(several)
    joined = {
        labels.of(each)[labels.SERVICE]: {*each["NetworkSettings"]["Networks"]}
        for job in (alone, several)
        for each in desk.containers(job)
        if labels.SERVICE in labels.of(each)
    }
    assert joined["db"] == {name, f"0.{several.name}"}
    assert seen.ended(several.name).status == 3
    orchestrator.stop(alone.name)
    seen.ended(alone.name)
    assert not desk.networks(alone)


@both
def test_what_does_not_come_up_leaves_nothing(desk):
    orchestrator, _ = desk.open(network="auto")
    job = desk.job(
        "services: {a: {image: IMAGE, command: sleep 60},"
        " b: {image: IMAGE, command: no-such-program, labels: [beagle.main=true]}}"
    )
    with pytest.raises(LaunchFailed, match="no-such-program"):
        orchestrator.start(job)
    assert not desk.containers(job)
    assert not desk.networks(job)
    assert job.name not in orchestrator.list()


def test_what_ran_before_the_rest_did_not_come_up_never_runs_again(desk):
    orchestrator, seen = desk.open()
    text = HALF.replace("MAIN", "true").replace("LATE", "false")
    job = desk.job(text.replace('[sleep, "60"]\n    init: true', "[no-such]", 1))
    Path(desk.folder, "open").touch()
    with pytest.raises(LaunchFailed, match="no-such"):
        orchestrator.start(job)
    assert not desk.services(job)
    orchestrator.start(job)
    assert seen.ended(job.name).never
    assert not desk.services(job)


def test_a_stop_while_it_comes_up_ends_that_at_once(desk):
    orchestrator, seen = desk.open()
    job = desk.half(main=True)
    starting = Thread(target=orchestrator.start, args=(job,))
    starting.start()
    eventually(lambda: "early" in desk.services(job))
    orchestrator.stop(job.name)
    starting.join(10)
    assert not starting.is_alive()
    seen.ended(job.name)
    assert not desk.services(job)
    _, heard = desk.open()
    desk.opened[-1].start(job)
    assert heard.ended(job.name)
    assert not desk.services(job)


PROGRAM = """
import pickle, sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from beagle.settings import Settings
from tests.contracts.test_compose import Composed
settings = Settings(network="none", trusted="yes")
orchestrator = Composed(Path(sys.argv[2]), url=sys.argv[3], settings=settings, system=sys.argv[4])
orchestrator.watch(lambda _: None)
orchestrator.start(pickle.load(sys.stdin.buffer))
"""


def killed_while_starting(desk, job, waits_for):
    import pickle

    root = str(Path(__file__).parents[2])
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, root, str(desk.folder), desk.dockerd.url, desk.system], stdin=subprocess.PIPE
    ) as launcher:
        launcher.stdin.write(pickle.dumps(job))
        launcher.stdin.close()
        eventually(lambda: waits_for <= desk.services(job))
        launcher.kill()


def test_what_a_killed_launcher_had_not_brought_up_is_begun_anew(desk):
    job = desk.half(main=False)
    killed_while_starting(desk, job, {"early"})
    Path(desk.folder, "open").touch()
    orchestrator, seen = desk.open()
    orchestrator.start(job)
    seen.wait(job.name, Line, "TRAIN")
    assert desk.services(job) == {"train", "late", "early"}
    assert len(desk.containers(job)) == 4
    orchestrator.stop(job.name)
    seen.ended(job.name)


def test_what_a_killed_launcher_had_half_brought_up_is_told_as_lost(desk):
    job = desk.half(main=True)
    killed_while_starting(desk, job, {"early", "train"})
    orchestrator, seen = desk.open()
    orchestrator.start(job)
    assert seen.ended(job.name).lost
    assert "not all of its services were started" in seen.ended(job.name).error
    assert not desk.services(job)


def test_what_was_removed_behind_our_back_is_told_as_lost(desk):
    orchestrator, seen = desk.open()
    job = desk.job("services: {train: {image: IMAGE, command: sleep 60}}")
    orchestrator.start(job)
    with desk.dockerd.client() as client:
        for each in desk.containers(job):
            client.api.remove_container(each["Id"], force=True)
    assert seen.ended(job.name).lost


def test_what_runs_is_adopted_although_docker_was_pruned(desk):
    orchestrator, _ = desk.open()
    job = desk.job("services: {train: {image: IMAGE, command: sh -c 'echo hello; sleep 60', init: true}}")
    at = orchestrator.start(job)
    with desk.dockerd.client() as client:
        client.api.prune_containers({"label": [f"{labels.WORKLOAD}={job.name}"]})
    adopter, heard = desk.open()
    assert adopter.start(job) == at
    heard.wait(job.name, Line, "hello")
    assert len(desk.containers(job)) == 1
    adopter.stop(job.name)
    assert heard.ended(job.name).status == -15


def test_the_claim_goes_with_the_rest_when_it_was_kept_for_long_enough(desk):
    orchestrator, seen = desk.open()
    job = desk.job("services: {train: {image: IMAGE, command: echo hello, volumes: [data:/data]}}\nvolumes: {data: }")
    orchestrator.start(job)
    seen.ended(job.name)
    orchestrator.clean(job.name)
    assert len(desk.containers(job)) == 2
    garbage = Garbage(orchestrator.engine, orchestrator.later, desk.system, 60)
    garbage.sweep(time.time())
    assert len(desk.containers(job)) == 2
    garbage.sweep(time.time() + 100)
    assert not desk.containers(job)
    assert not orchestrator.engine.volumes({labels.WORKLOAD: job.name})
    assert orchestrator.logs(job.name).text == "hello\n"


def test_a_claim_is_never_started(desk):
    orchestrator, seen = desk.open()
    job = desk.job("services: {train: {image: IMAGE, command: echo hello}}")
    orchestrator.start(job)
    seen.ended(job.name)
    states = {each["Names"][0]: each["State"] for each in desk.containers(job)}
    assert states.pop(f"/{job.name}.up") == "created"
    assert [*states.values()] == ["exited"]
    assert not marks.is_forbidden(orchestrator.engine, job.name)


def test_templates_are_refused_for_what_is_dangerous_and_for_what_cannot_work(desk):
    template = read_template("services: {a: {image: i, privileged: true, restart: always}}", "t.yml", "/")
    refused = ComposeOrchestrator.refusals(template, Settings())
    assert [each.split(": ")[1] for each in refused] == ["services.a.restart", "services.a.privileged"]


def test_the_doctor_is_told_which_compose_there_is(desk):
    orchestrator, _ = desk.open()
    assert orchestrator.about().endswith(f"; Docker Compose is {compose.path('v2')}")
    assert orchestrator.check(read_template("services: {a: {image: i}}", "t.yml", "/")) == []
    astray, _ = desk.open(network="no-such-network")
    (problem,) = astray.check(read_template("services: {a: {image: i}}", "t.yml", "/"))
    assert 'Docker has no network "no-such-network"' in problem


def test_what_may_not_be_is_not_started_whatever_the_gateway_let_in(desk):
    orchestrator, _ = desk.open(trusted="no")
    job = desk.job("services: {train: {image: IMAGE, command: [sleep, '60'], privileged: true}}")
    with pytest.raises(LaunchFailed, match=r"services\.train\.privileged: .*the setting permit"):
        orchestrator.start(job)
    assert desk.containers(job) == []
