"""What is special to experiments that are processes: crashes of the scheduler, strays, and process ids."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from beagle.errors import LaunchFailed, NotFound, Refused
from beagle.orchestrators.remains import bearers, began
from beagle.ports import Ended, Line
from tests.contracts.claims import alive, claim_of, forge_claim, shim_of
from tests.contracts.workloads import shell, workload
from tests.contracts.worlds import processes

pytestmark = processes

# Leaves the group and the session, and its parent; writes its process id as its first act.
STRAY = """
import os, sys, time
if os.fork(): os._exit(0)
os.setsid()
if os.fork(): os._exit(0)
open(sys.argv[1], "w").write(f"{os.getpid()} ")
time.sleep(60)
"""


def stray(world, then):
    """A service that starts a stray, waits until it is out, and does `then`; and the file with the stray's id."""
    (world.folder / "stray.py").write_text(STRAY)
    pid = world.folder / "stray.pid"
    start = f"{sys.executable} {world.folder}/stray.py {pid}; until test -s {pid}; do sleep 0.01; done; echo out; "
    return shell(start + then, grace=0.3), pid


def test_a_stray_dies_with_the_end_of_the_main_program(world, orchestrator, seen):
    service, pid = stray(world, "exit 3")
    job = workload(service)
    orchestrator.start(job)
    assert seen.ended(job.name).status == 3
    assert not alive(int(pid.read_text()))


def test_a_stray_dies_with_a_stop(world, orchestrator, seen):
    service, pid = stray(world, "sleep 60")
    job = workload(service)
    orchestrator.start(job)
    seen.wait(job.name, Line, "out")
    orchestrator.stop(job.name)
    assert seen.ended(job.name).status == -signal.SIGTERM
    assert not alive(int(pid.read_text()))


def test_one_that_joins_the_group_of_its_shim_dies_alone(world, orchestrator, seen):
    code = "import os, sys, time; os.setpgid(0, os.getpgid(os.getppid())); print('joined', flush=True); time.sleep(60)"
    job = workload(shell(f'exec {sys.executable} -c "{code}"', grace=0.3))
    orchestrator.start(job)
    seen.wait(job.name, Line, "joined")
    orchestrator.stop(job.name)
    assert seen.ended(job.name).status == -signal.SIGTERM


def test_a_shim_that_is_killed_is_a_lost_workload_and_nothing_of_it_survives(world, orchestrator, seen):
    service, pid = stray(world, "sleep 60")
    job = workload(service)
    orchestrator.start(job)
    seen.wait(job.name, Line, "out")
    os.kill(shim_of(world, job), signal.SIGKILL)
    ended = seen.ended(job.name)
    assert (ended.status, ended.lost, ended.error) == (None, True, "the process that watched it is gone")
    assert not alive(int(pid.read_text()))
    assert bearers(job.name, f"file://{claim_of(world, job).parent}") == []


def test_a_process_id_that_is_anothers_by_now_is_not_adopted(world, orchestrator, seen):
    job = workload(shell("exit 0"))
    forge_claim(world, job, began=began(os.getpid()) - 1)
    orchestrator.start(job)
    assert seen.ended(job.name).lost


def test_a_process_of_an_earlier_boot_is_not_adopted(world, orchestrator, seen):
    job = workload(shell("exit 0"))
    forge_claim(world, job, boot="an earlier one")
    orchestrator.start(job)
    assert seen.ended(job.name).lost


def test_a_claim_that_a_crash_of_the_machine_left_empty_is_lost(world, orchestrator, seen):
    job = workload(shell("exit 0"))
    forge_claim(world, job)
    claim_of(world, job).write_text("")
    orchestrator.start(job)
    assert seen.ended(job.name).lost


def test_what_is_lost_stays_so(world, orchestrator, seen):
    job = workload(shell("exit 0"))
    forge_claim(world, job, boot="an earlier one")
    orchestrator.start(job)
    first = seen.ended(job.name)
    other, heard = world.open()
    other.start(job)
    assert heard.ended(job.name) == first


def test_a_folder_that_cannot_be_made_fails_the_launch(world, orchestrator):
    job = workload(shell("exit 0"))
    (world.folder / "state" / "experiments" / job.experiment).touch()
    with pytest.raises(LaunchFailed, match="Not a directory"):
        orchestrator.start(job)


def test_what_runs_is_not_cleaned(orchestrator, seen):
    job = workload(shell("echo up; sleep 60"))
    orchestrator.start(job)
    seen.wait(job.name, Line, "up")
    with pytest.raises(Refused, match="has not ended yet"):
        orchestrator.clean(job.name)


def test_a_script_without_an_interpreter_is_an_end_with_a_sentence(world, orchestrator, seen):
    script = world.folder / "train"
    script.write_text("echo hello\n")
    script.chmod(0o755)
    service = shell("")
    job = workload(type(service)(name="train", command=(str(script),), environment={}, working_dir="/"))
    orchestrator.start(job)
    assert "no #! line" in seen.ended(job.name).error


def test_a_working_folder_that_is_gone_is_an_end_with_a_sentence(orchestrator, seen):
    service = shell("")
    job = workload(type(service)(name="train", command=("true",), environment={}, working_dir="/no/such/folder"))
    orchestrator.start(job)
    assert seen.ended(job.name).error == "train could not be started: No such file or directory: /no/such/folder"


def test_each_service_of_several_has_its_own_source_and_log(orchestrator, seen):
    job = workload(shell("echo one", name="a", main=False), shell("echo two", name="b", main=False))
    orchestrator.start(job)
    seen.ended(job.name)
    assert {(o.source, o.text) for o in seen.of(job.name) if isinstance(o, Line)} == {
        ("a/out", "one"),
        ("b/out", "two"),
    }
    assert orchestrator.logs(job.name).text == "one\n"
    assert orchestrator.logs(job.name, stream="b/out").text == "two\n"
    with pytest.raises(NotFound, match=r'no stream "../b/out"'):
        orchestrator.logs(job.name, stream="../b/out")


def test_a_fifo_that_is_called_a_report_is_no_trap(orchestrator, seen):
    job = workload(shell('mkfifo "${BEAGLE_REPORT_URL#file://}/x.report"; echo hello'))
    orchestrator.start(job)
    assert seen.ended(job.name).status == 0
    assert seen.lines(job.name) == ["hello"]


SCHEDULER = """
import sys, time
from pathlib import Path
from beagle.orchestrators.process import ProcessOrchestrator
from tests.contracts.claims import alive, claim_of, forge_claim, shim_of
from tests.contracts.workloads import shell, workload
from tests.contracts.worlds import processes
folder = Path(sys.argv[1])
orchestrator = ProcessOrchestrator(folder / "state")
orchestrator.watch(lambda observed: None)
for number in range(6):
    script = f"echo ran >> {folder}/ledger.{number}; echo early; until test -e {folder}/gate; do sleep 0.01; done;"
    then = (folder / f"then.{number}").read_text()
    orchestrator.start(workload(shell(f"{script} echo late; {then}"), experiment=f"{number:024}"))
print("started", flush=True)
time.sleep(60)
"""


def test_a_scheduler_that_was_killed_finds_all_endings_on_its_return(world, opened):
    thens = ["exit 0", "exit 3", "kill -KILL $$", "exit 0", "sleep 0.3; exit 5", "sleep 60"]
    for number, then in enumerate(thens):
        (world.folder / f"then.{number}").write_text(then)
    with subprocess.Popen([sys.executable, "-c", SCHEDULER, str(world.folder)], stdout=subprocess.PIPE) as scheduler:
        assert scheduler.stdout.readline() == b"started\n"
        scheduler.kill()
    (world.folder / "gate").touch()
    time.sleep(0.1)
    orchestrator, seen = opened
    jobs = [workload(shell("echo a second run; exit 9"), experiment=f"{number:024}") for number in range(6)]
    assert orchestrator.list() == [job.name for job in jobs]
    for job in jobs:
        orchestrator.start(job)
    orchestrator.stop(jobs[5].name)
    assert [seen.ended(job.name).status for job in jobs] == [0, 3, -9, 0, 5, -15]
    for number, job in enumerate(jobs):
        assert seen.lines(job.name) == ["early", "late"]
        assert isinstance(seen.of(job.name)[-1], Ended)
        assert (world.folder / f"ledger.{number}").read_text() == "ran\n"
