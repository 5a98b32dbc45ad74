"""What only the docker orchestrator does, and what it does when the engine behind it does not do what it should."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from threading import Thread

import pytest

from beagle.errors import LaunchFailed, NotFound, Unavailable
from beagle.orchestrators.containers.garbage import Garbage
from beagle.ports import Ended, Line
from tests.contracts.workloads import boxed, eventually, marked, program, shell, times_ran, workload
from tests.contracts.worlds import DockerOrchestrator, docker
from tests.servers import engine_proxy
from tests.servers.engine_proxy import Do

pytestmark = pytest.mark.parametrize("world", [docker], indirect=True)


@pytest.fixture
def proxy(dockerd):
    with engine_proxy.before(dockerd.socket) as proxy:
        yield proxy


@pytest.fixture
def behind(world, proxy):
    """An orchestrator of the same world whose engine is behind the proxy, and its listener."""
    make = world.make
    world.open()  # which sees to what a test leaves

    def opened() -> DockerOrchestrator:
        made = make()
        for engine in (made.engine, made._quick):
            engine.url = proxy.url
        return made

    world.make = opened
    pair = world.open()
    world.make = make
    return pair


def only(dockerd, job):
    """The one container of a workload, as the engine sees it."""
    with dockerd.client() as client:
        return client.api.inspect_container(job.name)


def test_what_the_kernel_kills_for_memory_is_told_from_other_ends(orchestrator, seen):
    limits = {"mem_limit": "16m", "memswap_limit": "16m"}
    job = boxed(workload(shell("exec tail /dev/zero")), "beagle-test/busybox", Path("/tmp"), **limits)
    DockerOrchestrator.start(orchestrator, job)
    assert (seen.ended(job.name).status, seen.ended(job.name).out_of_memory) == (-9, True)


def test_one_that_was_removed_behind_our_back_is_lost(dockerd, orchestrator, seen):
    job = workload(program("say up; wait 60"))
    orchestrator.start(job)
    seen.wait(job.name, Line, "up")
    with dockerd.client() as client:
        client.api.remove_container(job.name, force=True)
    assert seen.ended(job.name).lost
    assert seen.ended(job.name).status is None


def test_containers_of_others_are_neither_listed_nor_touched(dockerd, world, orchestrator, seen):
    job = workload(program("wait 60"))
    orchestrator.start(job)
    with dockerd.client() as client:
        other = client.containers.create(
            dockerd.busybox(), ["sleep", "60"], labels={"beagle.system": "another", "beagle.workload": "beagle-1-1"}
        )
        try:
            assert orchestrator.list() == [job.name]
            Garbage(orchestrator.engine, orchestrator.later, orchestrator.system, 0.0).sweep(time.time() + 1e6)
            other.reload()
            assert other.status == "created"
        finally:
            other.remove()


def test_a_missing_image_is_a_sentence(orchestrator):
    job = workload(program("exit 0"))
    absent = boxed(job, "beagle-test/no-such-image", Path("/tmp"), pull_policy="never")
    with pytest.raises(LaunchFailed, match="beagle-test/no-such-image"):
        DockerOrchestrator.start(orchestrator, absent)
    assert orchestrator.list() == []


def test_a_command_that_is_not_there_is_a_sentence_and_leaves_nothing(orchestrator):
    job = workload(replace(program("exit 0"), command=("/no/such/program",)))
    plain = boxed(job, "beagle-test/busybox", Path("/tmp"), init=False)
    with pytest.raises(LaunchFailed, match="/no/such/program"):
        DockerOrchestrator.start(orchestrator, plain)
    assert orchestrator.list() == []


def test_an_engine_that_answers_500_after_success_changes_nothing(world, proxy, behind):
    orchestrator, seen = behind
    proxy.rule = lambda method, path: Do.FAIL if method == "POST" and path.startswith("/containers/") else Do.PASS
    job = workload(program(marked(world) + "say hello"))
    orchestrator.start(job)
    assert seen.ended(job.name).status == 0
    assert times_ran(world) == 1


@pytest.mark.parametrize("lost", ["/containers/create", "/start"])
def test_a_start_whose_answer_is_lost_runs_once(world, proxy, behind, lost):
    orchestrator, seen = behind
    proxy.rule = lambda _, path: Do.HANG_UP if lost in path else Do.PASS
    job = workload(program(marked(world) + "say hello; wait 0.5"))
    with pytest.raises(Unavailable):
        orchestrator.start(job)
    proxy.rule = lambda _method, _path: Do.PASS
    if lost == "/start":
        orchestrator.start(job)
        assert seen.ended(job.name).status == 0
        assert times_ran(world) == 1
    else:
        orchestrator.stop(job.name)
        assert seen.ended(job.name).never
        assert times_ran(world) == 0


def test_an_engine_that_is_silent_holds_nobody_up(proxy, behind):
    orchestrator, _ = behind
    proxy.rule = lambda _method, _path: Do.HOLD
    for call in (orchestrator.list, lambda: orchestrator.stop(workload(program("exit 0")).name)):
        began = time.monotonic()
        with pytest.raises(Unavailable, match="did not answer"):
            call()
        assert time.monotonic() - began < 4


def test_a_stop_during_a_start_that_hangs_keeps_it_from_running(world, proxy, behind):
    stopper, heard = world.open()
    orchestrator, seen = behind
    proxy.rule = lambda _, path: Do.HOLD if path.endswith(".stopped") else Do.PASS
    job = workload(program(marked(world) + "wait 60"))
    starter = Thread(target=orchestrator.start, args=(job,))
    starter.start()
    eventually(lambda: any(path.endswith(".stopped") for path in proxy.asked))
    stopper.stop(job.name)
    assert heard.ended(job.name).never
    proxy.release()
    starter.join()
    assert seen.ended(job.name).never
    assert times_ran(world) == 0
    assert stopper.list() == []


STARTER = """
import sys
from pathlib import Path
from tests.contracts.worlds import BoxedOrchestrator
from tests.contracts.workloads import program, workload
from beagle.settings import Settings
folder, url, system, experiment, script = sys.argv[1:]
settings = Settings(network="none", trusted="yes")
made = BoxedOrchestrator(Path(folder) / "state", url=url, settings=settings, system=system)
made.bound = Path(folder)
made.watch(lambda observed: None)
made.start(workload(program(script), experiment=experiment))
"""


@pytest.mark.parametrize("at", [".stopped", "/start"])
def test_a_launcher_that_is_killed_in_the_middle_of_a_start_leaves_what_another_one_can_start(world, proxy, at):
    orchestrator, seen = world.open()
    proxy.rule = lambda _, path: Do.HOLD if path.endswith(at) else Do.PASS
    script = marked(world) + "say hello"
    job = workload(program(script))
    told = [str(world.folder), proxy.url, orchestrator.system, job.experiment, script]
    starter = subprocess.Popen([sys.executable, "-c", STARTER, *told], cwd=Path(__file__).parents[2])
    eventually(lambda: any(path.endswith(at) for path in proxy.asked))
    os.kill(starter.pid, signal.SIGKILL)
    starter.wait()
    orchestrator.start(job)
    assert seen.ended(job.name).status == 0
    assert times_ran(world) == 1


def test_all_services_run_find_each_other_and_end_with_the_main_one(dockerd, world, orchestrator, seen):
    gate = world.folder / "gate"
    main = shell(f"until ping -c 1 -w 1 beside >/dev/null; do sleep 0.1; done; echo found; touch {gate}; exit 4")
    beside = replace(shell("echo beside; sleep 600", name="beside", main=False, grace=0.2), environment={})
    job = workload(main, beside)
    orchestrator.start(job)
    assert seen.ended(job.name).status == 4
    told = {(line.source, line.text) for line in seen.of(job.name) if isinstance(line, Line)}
    assert told == {("train/out", "found"), ("beside/out", "beside")}
    assert orchestrator.logs(job.name, stream="beside/out").text == "beside\n"
    with dockerd.client() as client:
        mine = {"label": f"beagle.workload={job.name}"}
        assert {each["State"] for each in client.api.containers(all=True, filters=mine)} == {"exited"}
        eventually(lambda: client.api.networks(filters=mine) == [])


def test_what_ended_long_ago_goes_and_its_log_stays(dockerd, world, orchestrator, seen):
    done, running = workload(program(marked(world) + "say hello")), workload(program("wait 60"))
    for job in (done, running):
        orchestrator.start(job)
    seen.ended(done.name)
    orchestrator.clean(done.name)
    garbage = Garbage(orchestrator.engine, orchestrator.later, orchestrator.system, 60.0)
    garbage.sweep(time.time() + 30)
    assert only(dockerd, done)["State"]["Status"] == "exited"
    garbage.sweep(time.time() + 3600)
    with dockerd.client() as client:
        left = client.api.containers(all=True, filters={"label": f"beagle.system={orchestrator.system}"})
        assert [each["Names"] for each in left] == [[f"/{running.name}"]]
    assert orchestrator.logs(done.name).text == "hello\n"
    other, heard = world.open()
    other.start(done)
    assert heard.ended(done.name).status == 0
    assert times_ran(world) == 1


def test_standard_error_is_kept_and_is_the_tail_of_a_failure(orchestrator, seen):
    job = workload(shell("echo fine; echo broken >&2; exit 3"))
    orchestrator.start(job)
    assert seen.ended(job.name).tail == "broken"
    assert orchestrator.logs(job.name, stream="err").text == "broken\n"
    with pytest.raises(NotFound):
        orchestrator.logs(job.name, stream="nobody/out")


def test_values_reach_the_program_as_they_are_and_the_files_own_text_as_compose_reads_it(orchestrator, seen):
    given = {"VALUE": "a$b${HOME}$$'\"#: ü", "WRITTEN": "$$HOME ${NOBODY:-there}"}
    names = {"BEAGLE_PARAMETERS": '{"VALUE": 1}'}
    job = workload(shell('echo "$VALUE|$WRITTEN|$BEAGLE_OUTPUT_DIR"; touch $BEAGLE_OUTPUT_DIR/x', **given, **names))
    told = boxed(job, "beagle-test/busybox", Path("/tmp"), environment=given, user="1000")
    DockerOrchestrator.start(orchestrator, told)
    assert seen.ended(job.name).status == 0
    assert seen.lines(job.name) == [f"{given['VALUE']}|$HOME there|/beagle/output"]


def test_checkpoints_outlive_an_attempt_and_outputs_are_its_own(orchestrator, seen):
    first = workload(shell("echo 1 > $BEAGLE_CHECKPOINT_DIR/epoch; touch $BEAGLE_OUTPUT_DIR/model; exit 1"))
    orchestrator.start(first)
    seen.ended(first.name)
    second = workload(
        shell("cat $BEAGLE_CHECKPOINT_DIR/epoch; ls $BEAGLE_OUTPUT_DIR"), experiment=first.experiment, attempt=2
    )
    orchestrator.start(second)
    seen.ended(second.name)
    assert seen.lines(second.name) == ["1"]


def test_an_ending_is_pushed_at_once(orchestrator, seen):
    job = workload(program("wait 0.5"))
    orchestrator.start(job)
    ended = seen.wait(job.name, Ended)
    assert time.time() - ended.ended_at < 1.0


def test_what_may_not_be_is_not_started_whatever_the_gateway_let_in(dockerd, world, orchestrator):
    job = boxed(workload(program("wait 60")), "beagle-test/busybox", world.folder, privileged=True)
    orchestrator.settings = replace(orchestrator.settings, trusted="no")
    with pytest.raises(LaunchFailed, match=r"services\.train\.privileged: .*the setting permit"):
        DockerOrchestrator.start(orchestrator, job)
    with dockerd.client() as client:
        assert client.containers.list(all=True, filters={"name": job.name}) == []
