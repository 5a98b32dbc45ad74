"""The shims that run experiments, and the server that forks them: used again, killed, hung."""

from __future__ import annotations

import os
import resource
import signal

import pytest

from beagle.errors import LaunchFailed, Unavailable
from beagle.orchestrators import shims, watcher
from beagle.ports import Line
from tests.contracts.claims import alive, claim_of, shim_of
from tests.contracts.workloads import eventually, shell, workload
from tests.contracts.worlds import processes

pytestmark = processes


def test_a_shim_that_hangs_is_killed_some_time_after_the_grace(world, orchestrator, seen, monkeypatch):
    monkeypatch.setattr(watcher, "_BEYOND_GRACE", 0.1)
    job = workload(shell("echo up; exec sleep 60", grace=0.1))
    orchestrator.start(job)
    seen.wait(job.name, Line, "up")
    os.kill(shim_of(world, job), signal.SIGSTOP)
    orchestrator.stop(job.name)
    ended = seen.ended(job.name)
    assert ended.lost
    assert ended.error == "it did not end within 0.2 s of the stop, and was killed"


def test_shims_are_used_again(world, orchestrator, seen):
    jobs = [workload(shell("exit 0")) for _ in range(5)]
    for job in jobs:
        orchestrator.start(job)
        seen.ended(job.name)
    assert len({shim_of(world, job) for job in jobs}) == 1


def test_a_late_stop_of_an_ended_workload_spares_the_next_one_of_its_shim(world, orchestrator, seen):
    first, second = workload(shell("exit 0")), workload(shell("echo up; sleep 0.2; exit 4"))
    orchestrator.start(first)
    seen.ended(first.name)
    orchestrator.start(second)
    seen.wait(second.name, Line, "up")
    assert shim_of(world, first) == shim_of(world, second)
    orchestrator.stop(first.name)
    os.kill(shim_of(world, second), signal.SIGTERM)
    assert seen.ended(second.name).status == 4


def test_an_idle_shim_that_died_is_replaced(world, orchestrator, seen):
    first, second = workload(shell("exit 0")), workload(shell("exit 0"))
    orchestrator.start(first)
    seen.ended(first.name)
    shim = shim_of(world, first)
    os.kill(shim, signal.SIGKILL)
    eventually(lambda: not alive(shim))
    orchestrator.start(second)
    assert seen.ended(second.name).status == 0


def test_a_shim_that_hangs_before_its_claim_is_adopted_when_it_wakes(world, orchestrator, seen, monkeypatch):
    monkeypatch.setattr(shims, "_PATIENCE", 1)
    first, second = workload(shell("exit 0")), workload(shell(f"echo ran >> {world.folder}/ledger; exit 4"))
    orchestrator.start(first)
    seen.ended(first.name)
    shim = shim_of(world, first)
    os.kill(shim, signal.SIGSTOP)
    with pytest.raises(Unavailable, match="did not answer within 1 s"):
        orchestrator.start(second)
    os.kill(shim, signal.SIGCONT)
    orchestrator.start(second)
    assert seen.ended(second.name).status == 4
    assert (world.folder / "ledger").read_text() == "ran\n"


def test_a_fork_server_that_died_is_replaced_and_its_shims_live_on(world, orchestrator, seen):
    first, second = workload(shell("echo up; sleep 0.3; exit 4")), workload(shell("exit 0"))
    orchestrator.start(first)
    seen.wait(first.name, Line, "up")
    orchestrator._shims._server.kill()
    orchestrator.start(second)
    assert seen.ended(second.name).status == 0
    assert seen.ended(first.name).status == 4


def test_closing_ends_idle_shims_and_the_fork_server(world, orchestrator, seen):
    job = workload(shell("exit 0"))
    orchestrator.start(job)
    seen.ended(job.name)
    server, shim = orchestrator._shims._server.pid, shim_of(world, job)
    world.opened.remove(orchestrator)
    orchestrator.close()
    eventually(lambda: not alive(server) and not alive(shim))
    world.open()


def test_a_shim_that_cannot_write_its_claim_fails_the_launch_and_runs_nothing(world, orchestrator, seen):
    first, second = workload(shell("exit 0")), workload(shell(f"touch {world.folder}/ran"))
    orchestrator.start(first)
    seen.ended(first.name)
    resource.prlimit(shim_of(world, first), resource.RLIMIT_FSIZE, (0, 0))
    with pytest.raises(LaunchFailed, match=f"{second.name} could not be started: File too large"):
        orchestrator.start(second)
    assert orchestrator.list() == [first.name]
    assert not (world.folder / "ran").exists()


def test_a_machine_that_has_no_process_left_is_unavailable(world, orchestrator, monkeypatch):
    failing = "import os, errno\ndef fork(): raise BlockingIOError(errno.EAGAIN, '')\nos.fork = fork\n"
    monkeypatch.setattr(shims, "_CODE", failing + shims._CODE)
    job = workload(shell("exit 0"))
    with pytest.raises(Unavailable, match="no process could be started: Resource temporarily unavailable"):
        orchestrator.start(job)
    assert not claim_of(world, job).exists()


def test_a_fork_server_that_does_not_come_up_is_unavailable(orchestrator, monkeypatch):
    monkeypatch.setattr(shims, "_CODE", "raise SystemExit('no')")
    with pytest.raises(Unavailable, match=r"does not come up; .*shims.log may say why"):
        orchestrator.start(workload(shell("exit 0")))
