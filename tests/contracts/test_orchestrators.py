"""What every orchestrator must do, proven with real workloads. A new one joins as a `pytest.param` of `world`."""

from __future__ import annotations

import sys
from threading import Barrier, Thread

import pytest

from beagle.ports import CaughtUp, Ended, Line
from beagle.template import Service, Template
from tests.contracts.workloads import eventually, ledger_entry, shell, times_ran, workload


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
