"""A definition that is shown as data can be submitted again: it is the same definition."""

from __future__ import annotations

import json

import pytest
import yaml

from beagle.definition_data import as_data
from beagle.definition_file import read_project
from tests.rules.test_plugins import install
from tests.rules.test_project_files import DOCUMENTED, OLDER, SMALL, one

RANGES = """\
name: ranges
template: t.yml
experiment_timeout: 1h 30m
retries: {exit: 3, lost: 0}
pause_after_failures: 0
optimization: {type: random, total_n_experiments: 7, seed: 5, summary: best}
parameters:
  - {name: A, type: float, min: 0.001, max: 1, log: true}
  - {name: B, type: float, min: 0, max: 1, step: 0.25}
  - {name: C, type: int, min: 1, max: 9, step: 2}
  - {name: D, type: int, min: 1, max: 512, log: true}
  - {name: E, type: categorical, values: [adam, 1, 0.5, true]}
  - {name: F, type: lineal, value: {initial_value: 5, final_value: 1, interval: -2}}
"""


@pytest.mark.parametrize("text", [DOCUMENTED, OLDER, SMALL, RANGES])
@pytest.mark.parametrize("write", [json.dumps, yaml.safe_dump])
def test_what_is_read_from_the_data_is_the_same_definition(text, write):
    for definition in read_project(text, "p.yml"):
        assert one(write(as_data(definition))) == definition


def test_the_data_has_the_words_that_the_original_documents():
    written = yaml.safe_load(DOCUMENTED)
    del written["optimization"]["total_n_episodes"]  # of two heuristics only, and this one is neither
    shown = as_data(one(DOCUMENTED))
    assert {**shown["optimization"], **written["optimization"]} == shown["optimization"]
    assert {**shown, **written, "optimization": shown["optimization"]} == shown


def test_the_settings_of_a_plug_in_are_among_the_data(tmp_path, monkeypatch):
    install(tmp_path, monkeypatch, "[beagle.heuristics]\nbayes = somewhere:Bayes\n")
    definition = one(SMALL + "optimization: {type: bayes, warm_up: 5, total_n_episodes: 3}")
    assert one(json.dumps(as_data(definition))) == definition
