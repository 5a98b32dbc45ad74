"""What a workload is where it is processes: its services, folders, report files, environment and template."""

from __future__ import annotations

import sys

import pytest

from beagle.errors import NotFound
from beagle.ports import Line
from beagle.settings import Settings
from beagle.template import Service, Template
from beagle.template_file import read_template
from tests.contracts.workloads import shell, workload
from tests.contracts.worlds import processes

pytestmark = processes


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


def test_each_reason_why_a_template_cannot_run_is_a_sentence(orchestrator, tmp_path):
    (tmp_path / "train.py").touch()
    services = [(("no-such-program",), "."), (("./train.py",), "."), (("sh",), "nowhere")]
    template = Template(
        filename="model.yml",
        folder=str(tmp_path),
        services=tuple(
            Service(name=f"s{number}", command=command, environment={}, working_dir=folder)
            for number, (command, folder) in enumerate(services)
        ),
    )
    missing, plain, nowhere = orchestrator.check(template)
    assert '"no-such-program" was not found' in missing
    assert '"./train.py" is no executable file' in plain
    assert "is no folder" in nowhere


def test_a_service_without_a_command_is_refused_with_its_line(orchestrator):
    template = read_template("services:\n  train:\n    image: x\n", "model.yml", "/")
    assert orchestrator.refusals(template, Settings()) == [
        "model.yml:2: services.train.command: is missing; give text, or a list of words"
    ]


def test_one_that_writes_without_end_starves_no_other(orchestrator, seen):
    noisy, quiet = workload(shell("yes | head -c 300000000")), workload(shell("echo hello"))
    orchestrator.start(noisy)
    seen.wait(noisy.name, Line, "y")
    orchestrator.start(quiet)
    assert seen.ended(quiet.name).status == 0
    orchestrator.stop(noisy.name)


def test_the_tail_is_of_standard_error_if_there_is_any(orchestrator, seen):
    job = workload(shell("echo out; seq 1 30 >&2; exit 1"))
    orchestrator.start(job)
    assert seen.ended(job.name).tail.splitlines() == [str(number) for number in range(11, 31)]
    assert seen.lines(job.name) == ["out"]


def test_reports_in_files_are_lines_of_their_own_source(orchestrator, seen):
    folder = "${BEAGLE_REPORT_URL#file://}"
    script = f"""cd "{folder}"; echo '{{"a": 1}}' >> 1.report; echo '{{"a": 2}}' >> 2.report; sleep 60"""
    job = workload(shell(script))
    orchestrator.start(job)
    assert seen.wait(job.name, Line, '{"a": 1}').source == "1.report"
    assert seen.wait(job.name, Line, '{"a": 2}').source == "2.report"


def test_what_is_written_as_an_error_is_a_log_of_its_own(orchestrator, seen):
    job = workload(shell("echo out; echo oops >&2"))
    orchestrator.start(job)
    seen.ended(job.name)
    assert orchestrator.logs(job.name, stream="err").text == "oops\n"


def test_a_path_is_no_name_of_a_workload(orchestrator):
    with pytest.raises(NotFound, match="their names are"):
        orchestrator.logs("../../etc/passwd")
