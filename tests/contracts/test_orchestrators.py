"""What every orchestrator must do, proven with real workloads. A new one joins as a `pytest.param` of `world`."""

from __future__ import annotations

import shlex
import sys
from threading import Barrier, Thread

import pytest

from beagle.errors import NotFound
from beagle.orchestrators.process import ProcessOrchestrator
from beagle.ports import CaughtUp, Ended, Line
from beagle.template import Service, Template
from tests.contracts.workloads import World, eventually, shell, workload


@pytest.fixture(params=[pytest.param(ProcessOrchestrator, id="process")])
def world(request, tmp_path):
    world = World(lambda: request.param(tmp_path / "state"), tmp_path)
    yield world
    world.close()


@pytest.fixture
def opened(world):
    return world.open()


@pytest.fixture
def orchestrator(opened):
    return opened[0]


@pytest.fixture
def seen(opened):
    return opened[1]


def ledger_entry(world):
    """A command that writes down that it ran, before anything else."""
    return f"echo ran >> {shlex.quote(str(world.folder / 'ledger'))}; "


def times_ran(world):
    ledger = world.folder / "ledger"
    return len(ledger.read_text().splitlines()) if ledger.exists() else 0


@pytest.mark.parametrize(("script", "status"), [("exit 0", 0), ("exit 3", 3), ("kill -KILL $$", -9)])
def test_the_exit_status_is_the_programs_own(orchestrator, seen, script, status):
    job = workload(shell(script))
    orchestrator.start(job)
    assert seen.ended(job.name).status == status
    assert not seen.ended(job.name).out_of_memory
    assert not seen.ended(job.name).never


def test_two_starts_are_one_run_and_the_second_adopts(world, orchestrator, seen):
    job = workload(shell(ledger_entry(world) + "echo hello; sleep 60"))
    at = orchestrator.start(job)
    seen.wait(job.name, Line, "hello")
    assert orchestrator.start(job) == at
    seen.caught_up(job.name)
    assert seen.lines(job.name) == ["hello", "hello"]
    assert times_ran(world) == 1


def test_what_has_ended_is_told_again_and_not_run_again(world, orchestrator, seen):
    job = workload(shell(ledger_entry(world) + "echo hello; exit 3"))
    orchestrator.start(job)
    seen.ended(job.name)
    other, heard = world.open()
    other.start(job)
    assert heard.ended(job.name).status == 3
    assert [type(observed) for observed in heard.of(job.name)] == [Line, CaughtUp, Ended]
    assert times_ran(world) == 1


def test_two_orchestrators_that_start_it_at_once_run_it_once(world):
    job = workload(shell(ledger_entry(world) + "echo hello"))
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
    job = workload(shell("trap 'echo bye; exit 7' TERM; echo up; while :; do sleep 0.01; done"))
    orchestrator.start(job)
    seen.wait(job.name, Line, "up")
    orchestrator.stop(job.name)
    orchestrator.stop(job.name)
    assert seen.ended(job.name).status == 7
    assert seen.lines(job.name) == ["up", "bye"]


def test_a_program_that_ignores_sigterm_is_killed_after_its_grace(orchestrator, seen):
    job = workload(shell("trap '' TERM; echo up; while :; do sleep 0.01; done", grace=0.2))
    orchestrator.start(job)
    seen.wait(job.name, Line, "up")
    orchestrator.stop(job.name)
    assert seen.ended(job.name).status == -9
    assert not seen.ended(job.name).out_of_memory


def test_after_a_stop_a_start_runs_nothing(world, orchestrator, seen):
    job = workload(shell(ledger_entry(world)))
    orchestrator.stop(job.name)
    assert seen.ended(job.name).never
    other, heard = world.open()
    other.start(job)
    assert heard.ended(job.name).never
    assert heard.ended(job.name).status is None
    assert times_ran(world) == 0


def test_a_stop_of_what_has_ended_changes_nothing(world, orchestrator, seen):
    job = workload(shell("echo hello; exit 3"))
    orchestrator.start(job)
    seen.ended(job.name)
    other, heard = world.open()
    other.stop(job.name)
    assert heard.ended(job.name).status == 3
    assert heard.lines(job.name) == ["hello"]


def test_starts_and_stops_at_once_never_leave_it_running(world, orchestrator, seen):
    jobs = [workload(shell("sleep 60")) for _ in range(20)]
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


def test_every_line_of_200_short_programs_comes_before_its_end(orchestrator, seen):
    jobs = [workload(shell(f"echo accuracy=0.{number}")) for number in range(200)]
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
    job = workload(shell("echo one; echo two; sleep 60"))
    orchestrator.start(job)
    assert seen.wait(job.name, Line, "one").offset == 0
    assert seen.wait(job.name, Line, "two").offset == 4


def test_a_last_line_needs_no_line_end(orchestrator, seen):
    job = workload(shell("printf 'one\\r\\n\\ntwo'"))
    orchestrator.start(job)
    seen.ended(job.name)
    lines = [observed for observed in seen.of(job.name) if isinstance(observed, Line)]
    assert [(line.offset, line.text) for line in lines] == [(0, "one"), (5, ""), (6, "two")]


def test_a_line_of_a_megabyte_is_cut_and_its_length_told(orchestrator, seen):
    job = workload(shell("head -c 1000000 /dev/zero | tr '\\0' x; echo; echo after"))
    orchestrator.start(job)
    seen.ended(job.name)
    long, after = [observed for observed in seen.of(job.name) if isinstance(observed, Line)]
    assert (long.text, long.length) == ("x" * 65536, 1_000_000)
    assert (after.text, after.offset) == ("after", 1_000_001)


def test_one_that_writes_without_end_starves_no_other(orchestrator, seen):
    noisy, quiet = workload(shell("yes | head -c 300000000")), workload(shell("echo hello"))
    orchestrator.start(noisy)
    seen.wait(noisy.name, Line, "y")
    orchestrator.start(quiet)
    assert seen.ended(quiet.name).status == 0
    orchestrator.stop(noisy.name)


def test_an_adopted_one_goes_on_after_all_its_lines_came_again(world, orchestrator, seen):
    gate = world.folder / "gate"
    job = workload(shell(f"echo one; while ! test -e '{gate}'; do sleep 0.01; done; echo two"))
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


def test_the_end_of_the_main_service_ends_the_rest(orchestrator, seen):
    job = workload(
        shell("echo serving; sleep 60", name="server", main=False), shell("echo hello; exit 3", name="train")
    )
    orchestrator.start(job)
    assert seen.ended(job.name).status == 3
    sources = {observed.source for observed in seen.of(job.name) if isinstance(observed, Line)}
    assert "train/out" in sources


def test_with_no_main_service_all_must_end_and_a_failure_ends_the_rest(orchestrator, seen):
    fine = workload(shell("exit 0", name="a", main=False), shell("sleep 0.1; echo late", name="b", main=False))
    failing = workload(shell("sleep 60", name="a", main=False), shell("exit 5", name="b", main=False))
    orchestrator.start(fine)
    orchestrator.start(failing)
    assert seen.ended(fine.name).status == 0
    assert seen.lines(fine.name) == ["late"]
    assert seen.ended(failing.name).status == 5


def test_the_tail_of_a_failure_is_of_standard_output_if_there_is_nothing_else(orchestrator, seen):
    job = workload(shell("echo accuracy=0.5; exit 3"))
    orchestrator.start(job)
    assert (seen.ended(job.name).status, seen.ended(job.name).tail) == (3, "accuracy=0.5")


def test_the_tail_is_of_standard_error_if_there_is_any(orchestrator, seen):
    job = workload(shell("echo out; seq 1 30 >&2; exit 1"))
    orchestrator.start(job)
    assert seen.ended(job.name).tail.splitlines() == [str(number) for number in range(11, 31)]
    assert seen.lines(job.name) == ["out"]


def test_a_command_that_does_not_exist_is_an_end_with_a_sentence(orchestrator, seen):
    job = workload(Service(name="train", command=("no-such-program",), environment={}, working_dir="/"))
    orchestrator.start(job)
    ended = seen.ended(job.name)
    assert (ended.status, ended.error) == (None, 'the command "no-such-program" was not found')


def test_what_was_started_is_listed_until_it_is_cleaned(world, orchestrator, seen):
    jobs = [workload(shell("exit 0")), workload(shell("sleep 60"))]
    for job in jobs:
        orchestrator.start(job)
    seen.ended(jobs[0].name)
    other, _ = world.open()
    assert other.list() == sorted(job.name for job in jobs)
    orchestrator.clean(jobs[0].name)
    orchestrator.clean(jobs[0].name)
    assert other.list() == [jobs[1].name]


def test_what_was_cleaned_never_runs_again_and_keeps_its_log(world, orchestrator, seen):
    job = workload(shell(ledger_entry(world) + "echo hello"))
    orchestrator.start(job)
    seen.ended(job.name)
    orchestrator.clean(job.name)
    other, heard = world.open()
    other.start(job)
    assert heard.ended(job.name).status == 0
    assert other.logs(job.name).text == "hello\n"
    assert times_ran(world) == 1


def test_a_log_is_read_in_pieces_to_its_end(orchestrator, seen):
    job = workload(shell("printf 'größe\\n'; echo oops >&2"))
    orchestrator.start(job)
    seen.ended(job.name)
    text, offset, complete = "", 0, False
    while not complete:
        piece = orchestrator.logs(job.name, offset=offset, limit=4)
        text, offset, complete = text + piece.text, piece.next, piece.complete
    assert text == "größe\n"
    assert orchestrator.logs(job.name, offset=-2).text == "e\n"
    assert orchestrator.logs(job.name, stream="err").text == "oops\n"


def test_a_log_of_what_runs_is_not_complete(orchestrator, seen):
    job = workload(shell("echo hello; sleep 60"))
    orchestrator.start(job)
    seen.wait(job.name, Line, "hello")
    assert not orchestrator.logs(job.name).complete


def test_the_log_of_what_never_was_is_not_found(orchestrator):
    with pytest.raises(NotFound):
        orchestrator.logs("beagle-000000000000000000000000-1")
    with pytest.raises(NotFound, match="their names are"):
        orchestrator.logs("../../etc/passwd")


def test_the_environment_reaches_the_program(orchestrator, seen):
    job = workload(
        shell('echo "$RATE $BEAGLE_WORKLOAD"; test -d "$BEAGLE_OUTPUT_DIR" && echo "in $BEAGLE_OUTPUT_DIR"', RATE="0.1")
    )
    orchestrator.start(job)
    seen.ended(job.name)
    first, second = seen.lines(job.name)
    assert first == f"0.1 {job.name}"
    assert second.startswith("in /")


def test_the_checkpoint_folder_is_kept_over_attempts_and_the_output_folder_is_not(orchestrator, seen):
    each = '"$BEAGLE_CHECKPOINT_DIR" "$BEAGLE_OUTPUT_DIR"'
    script = f'for d in {each}; do cat "$d/epoch"; echo 5 > "$d/epoch"; done'
    first = workload(shell(script))
    second = workload(shell(script), experiment=first.experiment, attempt=2)
    for job in (first, second):
        orchestrator.start(job)
        seen.ended(job.name)
    assert seen.lines(first.name) == []
    assert seen.lines(second.name) == ["5"]


def test_reports_in_files_are_lines_of_their_own_source(orchestrator, seen):
    folder = "${BEAGLE_REPORT_URL#file://}"
    script = f"""cd "{folder}"; echo '{{"a": 1}}' >> 1.report; echo '{{"a": 2}}' >> 2.report; sleep 60"""
    job = workload(shell(script))
    orchestrator.start(job)
    assert seen.wait(job.name, Line, '{"a": 1}').source == "1.report"
    assert seen.wait(job.name, Line, '{"a": 2}').source == "2.report"


def test_a_python_that_is_stopped_gets_the_signals_default(orchestrator, seen):
    code = "import signal; print(signal.getsignal(signal.SIGTERM) == signal.SIG_DFL, signal.pthread_sigmask(0, []))"
    job = workload(Service(name="train", command=(sys.executable, "-c", code), environment={}, working_dir="/"))
    orchestrator.start(job)
    seen.ended(job.name)
    assert seen.lines(job.name) == ["True set()"]


def test_a_template_that_can_run_has_no_problem(orchestrator, tmp_path):
    template = Template(filename="model.yml", folder=str(tmp_path), services=(shell("exit 0"),))
    assert orchestrator.check(template) == []


def test_each_reason_why_a_template_cannot_run_is_a_sentence(orchestrator, tmp_path):
    (tmp_path / "train.py").touch()
    services = [(("no-such-program",), "."), (("./train.py",), "."), (("sh",), "nowhere"), ((), ".")]
    template = Template(
        filename="model.yml",
        folder=str(tmp_path),
        services=tuple(
            Service(name=f"s{number}", command=command, environment={}, working_dir=folder)
            for number, (command, folder) in enumerate(services)
        ),
    )
    missing, plain, nowhere, empty = orchestrator.check(template)
    assert '"no-such-program" was not found' in missing
    assert '"./train.py" is no executable file' in plain
    assert "is no folder" in nowhere
    assert "s3: command is empty" in empty


def test_closing_leaves_running_what_runs(world, orchestrator, seen):
    beat = world.folder / "beat"
    job = workload(shell(f"while :; do echo . >> '{beat}'; sleep 0.01; done"))
    orchestrator.start(job)
    eventually(beat.exists)
    orchestrator.close()
    world.opened.remove(orchestrator)
    size = beat.stat().st_size
    eventually(lambda: beat.stat().st_size > size)
    world.open()
