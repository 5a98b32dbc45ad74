"""What every orchestrator must do, proven with workloads that really run. A new one joins in `worlds.py`."""

from __future__ import annotations

from threading import Barrier, Thread

import pytest

from beagle.ports import CaughtUp, Ended, Line
from beagle.template import Template
from tests.contracts.workloads import eventually, marked, program, times_ran, workload


@pytest.mark.parametrize(("script", "status"), [("exit 0", 0), ("exit 3", 3), ("exit -9", -9)])
def test_the_exit_status_is_the_programs_own(orchestrator, seen, script, status):
    job = workload(program(script))
    orchestrator.start(job)
    assert seen.ended(job.name).status == status
    assert not seen.ended(job.name).out_of_memory
    assert not seen.ended(job.name).never


def test_two_starts_are_one_run_and_the_second_adopts(world, orchestrator, seen):
    job = workload(program(marked(world) + "say hello; wait 60"))
    at = orchestrator.start(job)
    seen.wait(job.name, Line, "hello")
    assert orchestrator.start(job) == at
    seen.caught_up(job.name)
    assert seen.lines(job.name) == ["hello", "hello"]
    assert times_ran(world) == 1


def test_what_has_ended_is_told_again_and_not_run_again(world, orchestrator, seen):
    job = workload(program(marked(world) + "say hello; exit 3"))
    orchestrator.start(job)
    seen.ended(job.name)
    other, heard = world.open()
    other.start(job)
    assert heard.ended(job.name).status == 3
    assert [type(observed) for observed in heard.of(job.name)] == [Line, CaughtUp, Ended]
    assert times_ran(world) == 1


def test_two_orchestrators_that_start_it_at_once_run_it_once(world):
    job = workload(program(marked(world) + "say hello"))
    both, gate = [world.open(), world.open()], Barrier(2)

    def start(orchestrator):
        gate.wait()
        orchestrator.start(job)

    threads = [Thread(target=start, args=(orchestrator,)) for orchestrator, _ in both]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [seen.ended(job.name).status for _, seen in both] == [0, 0]
    assert [set(seen.lines(job.name)) for _, seen in both] == [{"hello"}, {"hello"}]
    assert times_ran(world) == 1


def test_a_stop_ends_it_with_the_programs_own_status(orchestrator, seen):
    job = workload(program("on-stop bye 7; say up; wait 60"))
    orchestrator.start(job)
    seen.wait(job.name, Line, "up")
    orchestrator.stop(job.name)
    orchestrator.stop(job.name)
    assert seen.ended(job.name).status == 7
    assert seen.lines(job.name) == ["up", "bye"]


def test_a_program_that_ignores_sigterm_is_killed_after_its_grace(orchestrator, seen):
    job = workload(program("ignore; say up; wait 60", grace=0.2))
    orchestrator.start(job)
    seen.wait(job.name, Line, "up")
    orchestrator.stop(job.name)
    assert seen.ended(job.name).status == -9
    assert not seen.ended(job.name).out_of_memory


def test_after_a_stop_a_start_runs_nothing(world, orchestrator, seen):
    job = workload(program(marked(world)))
    orchestrator.stop(job.name)
    assert seen.ended(job.name).never
    other, heard = world.open()
    other.start(job)
    assert heard.ended(job.name).never
    assert heard.ended(job.name).status is None
    assert times_ran(world) == 0


def test_a_stop_of_what_has_ended_changes_nothing(world, orchestrator, seen):
    job = workload(program("say hello; exit 3"))
    orchestrator.start(job)
    seen.ended(job.name)
    other, heard = world.open()
    other.stop(job.name)
    assert heard.ended(job.name).status == 3
    assert heard.lines(job.name) == ["hello"]


def test_starts_and_stops_at_once_never_leave_it_running(world, orchestrator, seen):
    jobs = [workload(program("wait 60")) for _ in range(min(20, world.many))]
    gate = Barrier(2)

    def stop_each():
        for job in jobs:
            gate.wait()
            orchestrator.stop(job.name)

    stopper = Thread(target=stop_each)
    stopper.start()
    for job in jobs:
        gate.wait()
        orchestrator.start(job)
    stopper.join()
    for job in jobs:
        ended = seen.ended(job.name)
        assert ended.never or ended.status == -15


def test_what_was_started_is_listed_until_it_is_cleaned(world, orchestrator, seen):
    jobs = [workload(program("exit 0")), workload(program("wait 60"))]
    for job in jobs:
        orchestrator.start(job)
    seen.ended(jobs[0].name)
    other, _ = world.open()
    assert other.list() == sorted(job.name for job in jobs)
    orchestrator.clean(jobs[0].name)
    orchestrator.clean(jobs[0].name)
    assert other.list() == [jobs[1].name]


def test_what_was_cleaned_never_runs_again_and_keeps_its_log(world, orchestrator, seen):
    job = workload(program(marked(world) + "say hello"))
    orchestrator.start(job)
    seen.ended(job.name)
    orchestrator.clean(job.name)
    other, heard = world.open()
    other.start(job)
    assert heard.ended(job.name).status == 0
    assert other.logs(job.name).text == "hello\n"
    assert times_ran(world) == 1


def test_a_template_that_can_run_has_no_problem(orchestrator, tmp_path):
    template = Template(filename="model.yml", folder=str(tmp_path), services=(program("exit 0"),))
    assert orchestrator.check(template) == []


def test_closing_leaves_running_what_runs(world, orchestrator, seen):
    job = workload(program(f"{marked(world)}wait 0.05; " * 200))
    orchestrator.start(job)
    eventually(lambda: times_ran(world))
    orchestrator.close()
    world.opened.remove(orchestrator)
    beats = times_ran(world)
    eventually(lambda: times_ran(world) > beats)
    world.open()
