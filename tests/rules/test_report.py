"""The SDK inside an experiment, as a training program uses it: with Beagle around it, and without."""

import json
import math
import os
import re
import subprocess
import sys
import threading
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

import beagle
from beagle.metric_lines import Reading, read_line


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    folder = tmp_path / "re ports 50%25"
    folder.mkdir()
    monkeypatch.setenv("BEAGLE_REPORT_URL", f"file://{folder}")
    monkeypatch.setenv("BEAGLE_SERVICE", "train")
    return folder


def readings(folder: Path) -> list[Reading | None]:
    lines = [line for file in sorted(folder.iterdir()) for line in file.read_text().splitlines()]
    return [read_line(line, len(line)) for line in lines]


def run(program: str) -> str:
    return subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout


def test_a_report_is_one_line_of_the_processes_own_file(folder):
    beagle.report(step=3, accuracy=0.5, cost=2)
    beagle.report(recall=0.25)
    (file,) = folder.iterdir()
    assert re.fullmatch(rf"train-{os.getpid()}-[0-9a-f]{{12}}\.report", file.name)
    assert readings(folder) == [
        Reading(step=3, values={"accuracy": 0.5, "cost": 2.0}),
        Reading(values={"recall": 0.25}),
    ]


def test_the_end_is_reported(folder):
    beagle.completed()
    assert readings(folder) == [Reading(completed=True)]


@pytest.mark.parametrize("value", [np.float32(0.5), np.float64(0.5), np.array(0.5), Fraction(1, 2), np.float16(0.5)])
def test_what_converts_to_a_number_is_reported(folder, value):
    beagle.report(step=np.int64(7), accuracy=value)
    assert readings(folder) == [Reading(step=7, values={"accuracy": 0.5})]


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, np.float32("nan"), 10**400])
def test_nan_and_infinities_are_written_for_the_scheduler_to_refuse(folder, value):
    beagle.report(accuracy=value, cost=1.0)
    (reading,) = readings(folder)
    assert reading is not None
    assert reading.values == {"cost": 1.0}
    assert len(reading.refusals) == 1


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("high", "'high' (str)"),
        (None, "None (NoneType)"),
        (True, "True (bool)"),
        (1j, "1j (complex)"),
        (b"1", "bytes"),
        ([0.5], "list"),
        (np.bool_(True), "bool"),
        (np.complex128(1), "np.complex128(1+0j) (complex128)"),
        (np.array([1, 2]), "ndarray"),
    ],
)
def test_what_is_not_a_number_is_refused_and_nothing_is_written(folder, value, shown):
    with pytest.raises(TypeError, match="^" + re.escape(f"accuracy is {shown}; a metric is one number")):
        beagle.report(step=1, cost=0.5, accuracy=value)
    assert readings(folder) == []


@pytest.mark.parametrize("step", [1.5, "1", True, [1], {"accuracy": 0.5}])
def test_a_step_that_is_not_whole_is_refused(folder, step):
    with pytest.raises(TypeError, match="it must be a whole number"):
        beagle.report(step, accuracy=0.5)
    assert readings(folder) == []


def test_a_report_of_nothing_is_refused(folder):
    with pytest.raises(TypeError, match="needs a metric"):
        beagle.report(step=1)


def test_a_report_that_can_go_nowhere_is_refused(monkeypatch):
    monkeypatch.setenv("BEAGLE_REPORT_URL", "ftp://host/")
    with pytest.raises(ValueError, match="it must be amqp://…, http://… or file:// and an absolute path"):
        beagle.report(accuracy=0.5)


def test_a_report_over_rabbitmq_needs_a_routing_key(monkeypatch):
    monkeypatch.setenv("BEAGLE_REPORT_URL", "amqp://exp:canary@host/")
    with pytest.raises(ValueError, match=r"BEAGLE_REPORT_URL names no routing key: it must end with \?key=") as refused:
        beagle.report(accuracy=0.5)
    assert "canary" not in str(refused.value)


def test_reports_of_many_threads_share_one_file_and_are_never_torn(folder):
    barrier = threading.Barrier(8)

    def train(thread: int) -> None:
        barrier.wait()
        for step in range(50):
            beagle.report(step=step, **{f"accuracy_{thread}": 0.5, "x" * 1000: 1})

    threads = [threading.Thread(target=train, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(list(folder.iterdir())) == 1
    found = [(name, r.step) for r in readings(folder) if r for name in r.values if name.startswith("accuracy")]
    assert sorted(found) == sorted((f"accuracy_{n}", step) for n in range(8) for step in range(50))


def test_a_forked_child_reports_to_a_file_of_its_own(folder):
    run("import beagle, os; beagle.report(a=1); os.fork(); beagle.report(a=2)")
    parent, child = sorted((file.read_text().splitlines() for file in folder.iterdir()), key=len, reverse=True)
    assert (len(parent), len(child)) == (2, 1)


def test_what_was_reported_survives_the_kill_of_the_program(folder):
    program = "import beagle, os; beagle.report(step=1, accuracy=0.5); os.kill(os.getpid(), 9)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == -9
    assert readings(folder) == [Reading(step=1, values={"accuracy": 0.5})]


def test_a_full_disk_tears_no_later_report(folder):
    # The limit of a file's size is met as a full disk is: by a short write, then by an error.
    program = """
import beagle, resource, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
beagle.report(step=1, accuracy=0.25)
resource.setrlimit(resource.RLIMIT_FSIZE, (100, resource.RLIM_INFINITY))
try:
    beagle.report(step=2, accuracy=0.5)
except OSError as error:
    print(error)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
beagle.report(step=3, accuracy=0.75)
"""
    assert "of the report could be written" in run(program)
    assert {r.step for r in readings(folder) if r is not None} == {1, 3}


def test_outside_beagle_a_report_is_printed_and_nothing_else(monkeypatch, capfd):
    monkeypatch.delenv("BEAGLE_REPORT_URL", raising=False)
    beagle.report(step=3, accuracy=0.5, cost=math.nan)
    beagle.report(accuracy=0.75)
    beagle.completed()
    out, err = capfd.readouterr()
    assert out == "step=3 accuracy=0.5 cost=nan\naccuracy=0.75\n"
    assert err == ""


def test_parameters_have_their_types(monkeypatch):
    given = {"EPOCHS": 4, "RATE": 0.1, "HIDDEN": "20,50", "BIAS": True}
    monkeypatch.setenv("BEAGLE_PARAMETERS", json.dumps(given))
    assert [(name, type(value), value) for name, value in beagle.parameters().items()] == [
        (name, type(value), value) for name, value in given.items()
    ]


def test_there_are_no_parameters_outside_beagle(monkeypatch):
    monkeypatch.delenv("BEAGLE_PARAMETERS", raising=False)
    assert beagle.parameters() == {}


@pytest.mark.parametrize("first", ["import beagle", "import beagle.report", "from beagle.report import report"])
def test_the_name_report_is_the_function_whatever_was_imported_first(first):
    program = (
        f"{first}\nimport beagle, beagle.errors, beagle.report\nprint(callable(beagle.report), beagle.report.__name__)"
    )
    assert run(program) == "True report\n"


def test_the_sdk_imports_nothing_but_itself():
    program = "import sys; before = set(sys.modules); import beagle; print(*sorted(set(sys.modules) - before))"
    assert set(run(program).split()) <= {"__future__", "beagle", "beagle.report", "errno"}
