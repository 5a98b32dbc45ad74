"""Project definitions are read in both shapes, and every mistake in them is told with file, line and field."""

from __future__ import annotations

import pytest
from pydantic import TypeAdapter

from beagle.definition_file import read_project
from beagle.errors import InvalidInput
from beagle.experiment import Failure
from beagle.project import Definition
from beagle.space import Choice, Float, Int, Layers, Lineal
from tests.rules.test_plugins import install

# Verbatim from the description of the original's formats.
DOCUMENTED = """\
name: neural_networks
template: dockercompose_model_template_neural-networks.yml   # filename of an uploaded model template
experiment_timeout: 80.0            # seconds
experiment_accuracy_limit: 0.98
optimization:
  type: grid                        # grid | random | deep_qlearning | double_deep_qlearning
  objective_function: accuracy      # the metric to optimise; objectiveFunction too
  objectiveResult: max              # min | max; objective_result too
  total_n_experiments: 50           # random
  total_n_episodes: 10              # the two Q-learning heuristics
parameters:
  - {name: EPOCHS, type: absolute, value: [4, 1]}
  - {name: LEARNING_RATE, type: lineal, value: {initial_value: 0.01, final_value: 0.1, interval: 0.04}}
  - {name: HIDDEN_SIZE, type: layers, value: {number_layers: [1, 2], number_units: [20, 50]}}
"""
OLDER = """\
timeOut: 10m
accuracy_limit: 0.9
optimization: {type: random, objectiveFunction: experiment_time, objective_result: minimize, total_n_experiments: 3}
project:
  - {name: a, template: a.yml, parameters: [{name: X, type: int, min: 1, max: 5}]}
  - name: b
    template: b.yml
    parameters:
      - {name: Y, type: absolute, value: [1]}
"""
SMALL = "name: p\ntemplate: t.yml\nparameters: [{name: A, type: absolute, value: [1]}]\n"


def one(text: str) -> Definition:
    (definition,) = read_project(text, "p.yml")
    return definition


def problems(text: str) -> list[str]:
    with pytest.raises(InvalidInput) as caught:
        read_project(text, "p.yml")
    return list(caught.value.problems)


def parameter(written: str):
    return one(f"name: p\ntemplate: t.yml\nparameters:\n- {written}\n").parameters[0]


def test_the_documented_definition_is_read():
    definition = one(DOCUMENTED)
    assert definition.name == "neural_networks"
    assert definition.template == "dockercompose_model_template_neural-networks.yml"
    assert (definition.timeout, definition.accuracy_limit) == (80.0, 0.98)
    assert (definition.heuristic, definition.objective, definition.direction) == ("grid", "accuracy", "max")
    assert (definition.total, definition.settings) == (50, {})
    assert definition.parameters == (
        Choice(name="EPOCHS", values=(4, 1)),
        Lineal(name="LEARNING_RATE", initial=0.01, final=0.1, interval=0.04),
        Layers(name="HIDDEN_SIZE", lengths=(1, 2), units=(20, 50)),
    )


def test_the_older_shape_gives_a_definition_for_each_project():
    first, second = read_project(OLDER, "p.yml")
    assert (first.name, first.template, second.name, second.template) == ("a", "a.yml", "b", "b.yml")
    for definition in (first, second):
        assert (definition.timeout, definition.accuracy_limit, definition.total) == (600.0, 0.9, 3)
        assert (definition.heuristic, definition.objective, definition.direction) == ("random", "experimentTime", "min")
    assert (first.parameters[0].name, second.parameters[0].name) == ("X", "Y")
    assert second.sentence("parameters.Y", "is odd") == "p.yml:9: parameters.Y: is odd"


def test_json_is_read_as_well():
    text = '{"name": "p", "template": "t.json",\n\t"parameters": [{"name": "A", "type": "absolute", "value": [1e-3]}]}'
    (definition,) = read_project(text, "p.json")
    assert definition.parameters == (Choice(name="A", values=(0.001,)),)


@pytest.mark.parametrize(
    "line", ["experiment_timeout: 90", "timeOut: 1m30s", "time_out: '90'", "timeout: 1.5m", "timeOut: 90s"]
)
def test_durations_are_seconds_or_have_a_unit(line):
    assert one(SMALL + line).timeout == 90.0


@pytest.mark.parametrize(
    ("line", "field", "value"),
    [
        ("optimization: {type: grid, objectiveFunction: cost}", "objective", "cost"),
        ("optimization: {type: grid, objective: cost}", "objective", "cost"),
        ("optimization: {type: grid, objective_function: experiment_time}", "objective", "experimentTime"),
        ("optimization: {type: grid, objectiveResult: min}", "direction", "min"),
        ("optimization: {type: grid, objective_result: minimise}", "direction", "min"),
        ("optimization: {type: grid, summary: best}", "summary", "best"),
        ("optimization: {type: grid, seed: 7}", "seed", 7),
        ("optimization:", "heuristic", "grid"),
        ("experiment_timeout:", "timeout", None),
        ("accuracy_limit: 1", "accuracy_limit", 1.0),
        ("pause_after_failures: 0", "pause_after_failures", 0),
    ],
)
def test_a_field_and_its_synonyms_are_read(line, field, value):
    assert getattr(one(SMALL + line), field) == value


def test_retries_that_are_not_given_keep_their_defaults():
    assert one(SMALL + "retries: {lost: 9}").retries == {
        Failure.LAUNCH: 2,
        Failure.EXIT: 0,
        Failure.OUT_OF_MEMORY: 0,
        Failure.LOST: 9,
    }


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("{name: A, type: absolute, value: [4, on, 0.5, true]}", Choice(name="A", values=(4, "on", 0.5, True))),
        ("{name: A, type: categorical, values: [a, b]}", Choice(name="A", values=("a", "b"))),
        ("{name: A, type: float, min: 0, max: 1}", Float(name="A", low=0.0, high=1.0)),
        ("{name: A, type: float, low: 1e-5, high: 1, log: true}", Float(name="A", low=1e-5, high=1.0, log=True)),
        ("{name: A, type: float, min: 0, max: 1, step: 0.1}", Float(name="A", low=0.0, high=1.0, step=0.1)),
        ("{name: A, type: int, min: 1, high: 64, log: true}", Int(name="A", low=1, high=64, log=True)),
        ("{name: A, type: int, min: 0, max: 9, step: 3}", Int(name="A", low=0, high=9, step=3)),
    ],
)
def test_parameters_are_read_in_the_fields_own_words(written, read):
    assert parameter(written) == read


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("experiment_timout: 3", "experiment_timout: is no field that is known here; did you mean experiment_timeout?"),
        ("experiment_timeout: soon", "experiment_timeout: is 'soon'; give seconds as a number, or a duration such as"),
        ("timeOut: 0", "timeOut: is 0; give seconds as a number"),
        ("timeOut: 3 parsecs", "timeOut: is '3 parsecs'; give seconds"),
        ("accuracy_limit: true", "accuracy_limit: is true; give a number, such as 0.98"),
        ("accuracy_limit: .nan", "accuracy_limit: is nan; give a number"),
        ("optimization: grid", "optimization: is 'grid'; give a mapping with type and its settings"),
        ("optimization: {}", "optimization.type: is missing; give the name of a heuristic"),
        ("optimization: {type: grod}", "optimization.type: 'grod' is no heuristic that is known; did you mean grid?"),
        ("optimization: {type: zzz}", "optimization.type: 'zzz' is no heuristic that is known; there is grid, random"),
        ("optimization: {type: deep_qlearning}", "deep_qlearning comes in a later release; there is grid, random"),
        ("optimization: {type: random, sed: 1}", "optimization.sed: is no setting of random; did you mean seed?"),
        ("optimization: {type: grid, seed: -1}", "optimization.seed: is -1; give a whole number from 0 on"),
        (
            "optimization: {type: grid, total_n_experiments: 2e6}",
            "is 2000000.0; give a whole number from 1 to 1,000,000",
        ),
        (
            "optimization: {type: grid, objectiveResult: most}",
            "optimization.objectiveResult: is 'most'; give min or max",
        ),
        ("retries: {exits: 2}", "retries.exits: is no field that is known here; did you mean exit?"),
        ("retries: {exit: -2}", "retries.exit: is -2; give how many retries"),
        ("pause_after_failures: x", "pause_after_failures: is 'x'; give a whole number; 0 never pauses"),
        ("project: []", "project: is an empty list; give a list of projects"),
    ],
)
def test_a_mistake_is_one_sentence_with_file_line_and_field(line, sentence):
    assert any(problem.startswith("p.yml:4: ") and sentence in problem for problem in problems(SMALL + line))


@pytest.mark.parametrize(
    ("written", "sentence"),
    [
        ("{name: A, type: absolut, value: [1]}", "A.type: is 'absolut', which is no type; did you mean absolute?"),
        ("{name: A}", "A.type: is missing; give one of absolute, categorical, lineal, layers, float, int"),
        ("{type: absolute, value: [1]}", "[1].name: is missing; give the name of an environment variable"),
        ("{name: A B, type: absolute, value: [1]}", "'A B' cannot name an environment variable"),
        ("{name: NAME, type: absolute, value: [1, 2]}", "NAME is filled in by Beagle"),
        ("{name: BEAGLE_SEED, type: absolute, value: [1]}", "BEAGLE_SEED is filled in by Beagle"),
        ("{name: A, type: absolute, value: 4}", "A.value: is 4; give a list of values, such as [4, 1]"),
        ("{name: A, type: absolute, value: []}", "A.value: is an empty list; give a list of values"),
        ("{name: A, type: absolute, value: [1, '1']}", "A.value[2]: '1' is listed twice"),
        ("{name: A, type: absolute, value: [[1]]}", "A.value[1]: is a list; give text, a finite number"),
        ("{name: A, type: absolute, value: [.inf]}", "A.value[1]: is inf; give text, a finite number"),
        ("{name: A, type: absolute, value: [x], vlue: 1}", "A.vlue: is no field that is known here"),
        ("{name: A, type: lineal, value: [1]}", "A.value: is a list; give a mapping with initial_value"),
        (
            "{name: A, type: lineal, value: {initial_value: 1, final_value: a, interval: 1}}",
            "A.value.final_value: is 'a'; give a finite number",
        ),
        (
            "{name: A, type: lineal, value: {initial_value: 1, final_value: 0, interval: 1}}",
            "A.value.interval: interval 1 does not lead from 1 to 0; give one that does",
        ),
        (
            "{name: A, type: lineal, value: {initial_value: 1, final_value: 3, interval: 0}}",
            "interval 0 does not lead from 1 to 3",
        ),
        (
            "{name: A, type: lineal, value: {initial_value: 1, final_value: 1, interval: 1}}",
            "final_value itself is excluded",
        ),
        (
            "{name: A, type: layers, value: {number_layers: [0], number_units: [2]}}",
            "A.value.number_layers[1]: is 0; number_layers takes a list of whole numbers from 1 to 100",
        ),
        ("{name: A, type: layers, value: {number_layers: [1], number_units: [2, 2]}}", "lists a number twice"),
        ("{name: A, type: float, min: 3, max: 1}", "min 3.0 is above max 1.0"),
        ("{name: A, type: float, min: 0, max: 1, log: true}", "min is 0.0, which has no logarithm"),
        ("{name: A, type: float, min: 1, max: 2, log: true, step: 1}", "A.step: excludes log"),
        ("{name: A, type: int, min: 0.5, max: 2}", "A.min: is 0.5; give a whole number"),
        ("{name: A, type: int, min: 0, low: 0, max: 2}", "A.low: means the same as min; keep one of them"),
        ("EPOCHS", "parameters[1]: is 'EPOCHS'; give a mapping with name, type and its values"),
    ],
)
def test_a_wrong_parameter_is_one_sentence_with_its_line(written, sentence):
    found = problems(f"name: p\ntemplate: t.yml\nparameters:\n- {written}\n")
    assert any(problem.startswith("p.yml:4: parameters") and sentence in problem for problem in found)
    assert len(found) == 1


def test_all_mistakes_are_told_at_once_in_the_order_of_the_file():
    text = "nam: x\nretries: 5\nparameters:\n- {name: A, type: x}\n- {name: B, type: int, min: a, max: 2}\ntimeOut: x\n"
    lines = [int(problem.split(":")[1]) for problem in problems(text)]
    assert lines == [1, 1, 1, 2, 4, 5, 6]


def test_a_parameter_that_is_named_twice_is_refused():
    listed = "- {name: A, type: absolute, value: [1]}\n- {name: A, type: int, min: 1, max: 2}\n"
    (problem,) = problems(f"name: p\ntemplate: t\nparameters:\n{listed}")
    assert problem == "p.yml:5: parameters.A.name: A was named before; keep one of them"


@pytest.mark.parametrize("text", ["- 1", "5", "name"])
def test_what_is_no_mapping_is_refused(text):
    assert "give a mapping with name, template, optimization and parameters" in problems(text)[0]


def test_the_settings_of_a_plug_in_are_its_own(tmp_path, monkeypatch):
    install(tmp_path, monkeypatch, "[beagle.heuristics]\nbayes = somewhere:Bayes\n")
    definition = one(SMALL + "optimization: {type: bayes, warm_up: 5, kernel: rbf, total_n_episodes: 3}")
    assert definition.settings == {"warm_up": 5, "kernel": "rbf", "total_n_episodes": 3}
    (problem,) = problems(SMALL + "optimization: {type: bayes, warm_up: [5]}")
    assert problem == "p.yml:4: optimization.warm_up: is a list; give text, a number, true or false"


def test_where_fields_stand_is_neither_compared_nor_stored():
    first, second = one(SMALL), one("# a comment\n" + SMALL)
    assert first.places != second.places
    assert first == second
    stored = TypeAdapter(Definition).dump_json(first)
    assert stored == TypeAdapter(Definition).dump_json(second)
    assert TypeAdapter(Definition).validate_json(stored) == first


def test_one_value_for_what_is_filled_in_anyway_is_left_out():
    parameters = (
        "[{name: C, type: absolute, value: [1, 2]}, {name: ROOT_TOPIC, type: absolute, value: [x]},"
        " {name: METRICS_TOPIC, type: absolute, value: [metrics]}]"
    )
    (found,) = read_project(f"name: p\ntemplate: t.yml\nparameters: {parameters}\n", "p.yml")
    assert [parameter.name for parameter in found.parameters] == ["C"]
    alone = problems("name: p\ntemplate: t.yml\nparameters: [{name: NAME, type: absolute, value: [1]}]\n")
    assert alone == ["p.yml:3: parameters: has nothing to try; name at least one parameter"]
