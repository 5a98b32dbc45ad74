"""What every orchestrator must push and keep of what its workloads write."""

from __future__ import annotations

import pytest

from beagle.errors import NotFound
from beagle.ports import Line, Log
from tests.contracts.workloads import program, workload


def test_every_line_of_many_short_programs_comes_before_its_end(world, orchestrator, seen):
    jobs = [workload(program(f"say accuracy=0.{number}")) for number in range(world.many)]
    for job in jobs:
        orchestrator.start(job)
    for number, job in enumerate(jobs):
        seen.ended(job.name)
        line, ended = seen.of(job.name)
        assert line == Line(
            workload=job.name, source="train/out", offset=0, text=f"accuracy=0.{number}", length=len(line.text)
        )
        assert (ended.status, ended.tail) == (0, "")


def test_a_line_is_pushed_while_the_program_runs(orchestrator, seen):
    job = workload(program("say one; say two; wait 60"))
    orchestrator.start(job)
    assert seen.wait(job.name, Line, "one").offset == 0
    assert seen.wait(job.name, Line, "two").offset == 4


def test_a_last_line_needs_no_line_end(orchestrator, seen):
    job = workload(program('write "one\\r\\n\\ntwo"'))
    orchestrator.start(job)
    seen.ended(job.name)
    lines = [observed for observed in seen.of(job.name) if isinstance(observed, Line)]
    assert [(line.offset, line.text) for line in lines] == [(0, "one"), (5, ""), (6, "two")]


def test_a_line_of_a_megabyte_is_cut_and_its_length_told(orchestrator, seen):
    job = workload(program("fill x 1000000; say ; say after"))
    orchestrator.start(job)
    seen.ended(job.name)
    long, after = [observed for observed in seen.of(job.name) if isinstance(observed, Line)]
    assert (long.text, long.length) == ("x" * 65536, 1_000_000)
    assert (after.text, after.offset) == ("after", 1_000_001)


def test_an_adopted_one_goes_on_after_all_its_lines_came_again(world, orchestrator, seen):
    gate = world.folder / "gate"
    job = workload(program(f"say one; until {gate}; say two"))
    at = orchestrator.start(job)
    seen.wait(job.name, Line, "one")
    orchestrator.close()
    world.opened.remove(orchestrator)
    adopter, heard = world.open()
    assert adopter.start(job) == at
    heard.caught_up(job.name)
    gate.touch()
    assert heard.ended(job.name).status == 0
    told = [getattr(observed, "text", type(observed).__name__) for observed in heard.of(job.name)]
    assert told == ["one", "CaughtUp", "two", "Ended"]


def test_the_tail_of_a_failure_is_of_standard_output_if_there_is_nothing_else(orchestrator, seen):
    job = workload(program("say accuracy=0.5; exit 3"))
    orchestrator.start(job)
    assert (seen.ended(job.name).status, seen.ended(job.name).tail) == (3, "accuracy=0.5")


def test_a_log_is_read_in_pieces_to_its_end(orchestrator, seen):
    job = workload(program("say größe"))
    orchestrator.start(job)
    seen.ended(job.name)
    text, offset, complete = "", 0, False
    while not complete:
        piece = orchestrator.logs(job.name, offset=offset, limit=4)
        text, offset, complete = text + piece.text, piece.next, piece.complete
    assert text == "größe\n"
    assert orchestrator.logs(job.name, offset=-2).text == "e\n"
    for far in (100, 2**53, 2**80):
        assert orchestrator.logs(job.name, offset=far) == Log("", far, complete=True)


def test_a_log_of_what_runs_is_not_complete(orchestrator, seen):
    job = workload(program("say hello; wait 60"))
    orchestrator.start(job)
    seen.wait(job.name, Line, "hello")
    assert not orchestrator.logs(job.name).complete


def test_the_log_of_what_never_was_is_not_found(orchestrator):
    with pytest.raises(NotFound):
        orchestrator.logs("beagle-000000000000000000000000-1")
    with pytest.raises(NotFound):
        orchestrator.logs("../../etc/passwd")
