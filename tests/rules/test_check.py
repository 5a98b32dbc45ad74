"""What a definition and its template only show together: parameters that go nowhere, and how many experiments."""

from __future__ import annotations

import pytest

from beagle.check import check_together, planned
from beagle.definition_file import read_project
from beagle.errors import InvalidInput
from beagle.project import Definition
from beagle.space import Choice, Int
from beagle.template_file import read_template

TEMPLATE = read_template(
    "services: {a: {command: x, environment: {EPOCHS: 1}}, b: {command: x, environment: [LEARNING_RATE=1]}}",
    "t.yml",
    "/",
)


def definition(parameters: str, optimization: str = "{type: grid}") -> Definition:
    text = f"name: p\ntemplate: t.yml\noptimization: {optimization}\nparameters:\n{parameters}\n"
    return read_project(text, "p.yml")[0]


def test_parameters_of_any_service_fit():
    fitting = "- {name: EPOCHS, type: absolute, value: [1]}\n- {name: LEARNING_RATE, type: absolute, value: [1, 2]}"
    assert check_together(definition(fitting), TEMPLATE) == []
    assert planned(definition(fitting)) == 2


def test_a_parameter_that_the_template_does_not_have_gets_the_nearest_name():
    assert check_together(definition("- {name: LEARNING_RTE, type: absolute, value: [1]}"), TEMPLATE) == [
        "p.yml:5: parameters.LEARNING_RTE: no service of t.yml has it in its environment; did you mean LEARNING_RATE?"
    ]


def test_a_parameter_with_no_near_name_gets_all_there_are():
    (problem,) = check_together(definition("- {name: ZZ, type: absolute, value: [1]}"), TEMPLATE)
    assert problem.endswith("there is EPOCHS, LEARNING_RATE")


def test_the_heuristic_has_its_say_with_the_line_of_what_it_is_about():
    (grid,) = check_together(definition("- {name: EPOCHS, type: float, min: 0, max: 1}"), TEMPLATE)
    assert grid.startswith("p.yml:5: parameters.EPOCHS: is continuous")
    endless = definition("- {name: EPOCHS, type: float, min: 0, max: 1}", "{type: random}")
    (random,) = check_together(endless, TEMPLATE)
    assert random.startswith("p.yml:3: optimization.total_n_experiments: is missing")


def test_a_definition_that_came_from_no_file_gets_sentences_without_lines():
    made = Definition(name="p", template="t.yml", parameters=(Choice(name="EPOCH", values=(1,)),))
    assert check_together(made, TEMPLATE) == [
        "parameters.EPOCH: no service of t.yml has it in its environment; did you mean EPOCHS?"
    ]


def test_how_many_are_planned_is_capped_by_total_and_never_guessed():
    parameters = (Int(name="A", low=1, high=10**9),)
    assert planned(Definition(name="p", template="t", parameters=parameters, total=20)) == 20
    assert planned(Definition(name="p", template="t", parameters=parameters, total=20, heuristic="random")) == 20
    with pytest.raises(InvalidInput, match="1,000,000,000 combinations"):
        planned(Definition(name="p", template="t", parameters=parameters))


def test_the_address_of_kafka_may_be_named_though_no_template_has_it():
    epochs = "- {name: EPOCHS, type: absolute, value: [1, 2]}\n"
    kafka = "- {name: KAFKA_SERVICE, type: absolute, value: [kafka]}"
    assert check_together(definition(epochs + kafka), TEMPLATE) == []
    assert planned(definition(epochs + kafka)) == 2
    assert len(check_together(definition(epochs + kafka.replace("[kafka]", "[a, b]")), TEMPLATE)) == 1
