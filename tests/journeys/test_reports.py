"""What experiments report, and what they find in their environment."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from beagle.commands import ReadLog
from tests.journeys.beagle_run import OwnRun, Search, python, search, shell

# Four processes of one service, each by the library and on the standard output that they share.
MANY = """
import os, beagle
children = []
for child in range(4):
    pid = os.fork()
    if pid == 0:
        for step in range(50):
            beagle.report(step=step, reported=child)
            os.write(1, f"printed={child}\\n".encode())
        os._exit(0)
    children.append(pid)
for pid in children: os.waitpid(pid, 0)
"""
TELL = "import json, os, beagle; print(json.dumps([beagle.parameters(), dict(os.environ)]))"


@pytest.fixture
def run(tmp_path):
    with OwnRun(tmp_path) as run:
        yield run


def test_every_metric_of_several_services_and_processes_is_stored_once(run):
    run.submit(Search({"left": python(MANY), "right": python(MANY)}))
    run.wait()
    metrics = run.metrics()
    counted = Counter((name, value) for metric in metrics for name, value in metric["values"].items())
    assert counted == {(name, child): 100 for name in ("reported", "printed") for child in range(4)}
    assert len({metric["source"] for metric in metrics}) == 2 * 4 + 2
    assert (run.show()["metric_count"], run.show()["state"]) == (800, "completed")


def test_the_same_line_again_is_another_metric(run):
    run.submit(search(shell("for n in 1 2 3 4 5 6 7 8 9 10; do echo accuracy=0.5; done")))
    run.wait()
    assert [metric["values"] for metric in run.metrics()] == [{"accuracy": 0.5}] * 10


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("loss=nan", "loss is NaN, which is no metric"),
        ("loss=1e999", "loss is infinite, which is no metric"),
        ('{"loss": -Infinity}', "loss is infinite, which is no metric"),
        ("accuracy=good", 'accuracy is "good", which is not a number'),
        ('{"type": "metrics", "metrics": {"loss": [1]}}', "loss is list, which is not a number"),
    ],
)
def test_what_is_no_metric_is_refused_with_a_sentence_and_hurts_nothing(run, line, sentence):
    run.submit(search(shell(f"echo cost=1; echo '{line}'; echo cost=2")))
    run.wait()
    view = run.show()
    assert (view["state"], view["refused"], view["refusal"]) == ("completed", 1, sentence)
    assert (view["metrics"], view["metric_count"]) == ({"cost": 2}, 2)
    assert [refusal for metric in run.metrics() for refusal in metric["refusals"]] == [sentence]


def test_a_metric_of_a_megabyte_is_refused_with_a_sentence_and_hurts_nothing(run):
    run.submit(search(python("print('cost=1'); print('{\"loss\": 1' + '0' * 1_000_000 + '}'); print('cost=2')")))
    run.wait()
    view = run.show()
    assert view["refusal"] == "a line of 1000011 bytes was not read; at most 65536 are"
    assert (view["state"], view["metrics"], view["refused"]) == ("completed", {"cost": 2}, 1)


def test_what_is_refused_by_the_library_as_nan_is_told_too(run):
    run.submit(search(python("import beagle; beagle.report(loss=float('nan'), cost=1)")))
    run.wait()
    assert (run.show()["refusal"], run.show()["metrics"]) == ("loss is NaN, which is no metric", {"cost": 1})


def test_parameters_arrive_typed_and_the_environment_is_complete(run):
    parameters = [
        {"name": "EPOCHS", "type": "absolute", "value": [3]},
        {"name": "RATE", "type": "absolute", "value": [0.5]},
        {"name": "NESTEROV", "type": "absolute", "value": [True]},
        {"name": "LAYERS", "type": "layers", "value": {"number_layers": [2], "number_units": [20]}},
    ]
    project = run.submit(Search({"train": python(TELL)}, parameters=parameters))
    run.wait()
    typed, environment = json.loads(run.ask(ReadLog(experiment="1"))["text"])
    assert typed == {"EPOCHS": 3, "RATE": 0.5, "NESTEROV": True, "LAYERS": "20,20"}
    assert [type(value) for value in typed.values()] == [int, float, bool, str]
    told = {name.removeprefix("BEAGLE_"): value for name, value in environment.items() if name.startswith("BEAGLE_")}
    folder = f"{run.folder}/state/experiments/{run.show()['id']}"
    seed = told.pop("SEED")
    assert seed.isdecimal()
    assert json.loads(told.pop("PARAMETERS")) == typed
    assert told == {
        "PROJECT": "trial",
        "PROJECT_ID": project,
        "EXPERIMENT": run.show()["id"],
        "NUMBER": "1",
        "ATTEMPT": "1",
        "SERVICE": "train",
        "WORKLOAD": f"beagle-{run.show()['id']}-1",
        "OUTPUT_DIR": f"{folder}/1/output",
        "CHECKPOINT_DIR": f"{folder}/checkpoint",
        "REPORT_URL": f"file://{folder}/1",
    }
    assert (environment["EPOCHS"], environment["NESTEROV"], environment["PYTHONUNBUFFERED"]) == ("3", "true", "1")


def test_what_an_attempt_keeps_as_a_checkpoint_the_next_one_finds(run):
    script = 'cat "$BEAGLE_CHECKPOINT_DIR/step" && exit 0; echo accuracy=0.7 > "$BEAGLE_CHECKPOINT_DIR/step"; exit 130'
    run.submit(search(shell(script)))
    run.wait()
    view = run.show()
    assert (view["state"], view["attempt"], view["metrics"]) == ("completed", 2, {"accuracy": 0.7})


def test_each_attempt_has_an_output_folder_of_its_own(run):
    run.submit(search(shell('echo x >> "$BEAGLE_OUTPUT_DIR/made"; test $BEAGLE_ATTEMPT = 2 || exit 130')))
    run.wait()
    folder = run.folder / "state" / "experiments" / run.show()["id"]
    assert [(folder / attempt / "output" / "made").read_text() for attempt in "12"] == ["x\n", "x\n"]


def test_a_line_without_an_end_before_the_exit_counts(run):
    run.submit(search(shell("printf accuracy=0.95"), experiment_accuracy_limit=0.9))
    run.wait()
    assert run.states() == ["accuracy_limit_reached"]


def test_the_objective_is_the_last_value_or_the_best_as_asked_for(run):
    for summary in ("last", "best"):
        optimization = {"type": "grid", "objective_function": "cost", "objective_result": "min", "summary": summary}
        run.submit(search(shell("echo cost=3; echo cost=1; echo cost=2"), name=summary, optimization=optimization))
        run.wait(summary)
    assert run.experiments("last")[0]["objective"] == 2
    assert run.experiments("best")[0]["objective"] == 1
