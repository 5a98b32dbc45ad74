"""Where messages go: topic matching against a reference by brute force, and the address of each message."""

from __future__ import annotations

import itertools
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beagle.messages import (
    ExperimentChanged,
    MetricsReported,
    ProjectChanged,
    StopWorkload,
    WorkloadEnded,
    WorkloadLaunched,
)
from bus.routes import COMMANDS, EVENTS, METRICS, ROUTES, SHARDS, address, bindings, fits, shard
from tests.rules.instances import ONE_OF_EACH

patterns = st.lists(st.sampled_from(["a", "b", "ab", "*", "#"]), min_size=1, max_size=4).map(".".join)
keys = st.lists(st.sampled_from(["a", "b", "ab"]), min_size=1, max_size=5).map(".".join)


def brute_force(pattern: str, key: str) -> bool:
    """Try every number of words for each `#`."""
    given_words = key.split(".")
    parts = pattern.split(".")
    free = [range(len(given_words) + 1) if part == "#" else (1,) for part in parts]
    for lengths in itertools.product(*free):
        taken = [p if p != "#" else "*" for p, n in zip(parts, lengths, strict=True) for _ in range(n)]
        if len(taken) == len(given_words) and all(t in ("*", w) for t, w in zip(taken, given_words, strict=True)):
            return True
    return False


@given(patterns, keys)
def test_a_pattern_fits_what_the_reference_says(pattern, key):
    assert fits(pattern, key) == brute_force(pattern, key)


@pytest.mark.parametrize(
    ("pattern", "key", "expected"),
    [
        ("gateway.*", "gateway.set_limit", True),
        ("gateway.*", "gateway", False),
        ("gateway.*", "gateway.a.b", False),
        ("#", "anything.at.all", True),
        ("launcher.#", "launcher", True),
        ("experiment.stopped.*", "experiment.stopped.b1", True),
        ("experiment.stopped.*", "experiment.failed.b1", False),
        ("a*", "ab", False),
    ],
)
def test_a_star_is_one_word_and_a_hash_any_number(pattern, key, expected):
    assert fits(pattern, key) is expected


@pytest.mark.parametrize("kind", ROUTES, ids=lambda kind: kind.__name__)
def test_the_address_fills_the_whole_key_of_the_route(kind):
    route, key = address(ONE_OF_EACH[kind])
    assert route is ROUTES[kind]
    assert "{" not in key
    assert re.fullmatch(re.sub(r"\{\w+\}", "[^.]+", route.key.replace(".", r"\.")), key)


def test_the_addresses_are_those_of_the_design():
    keys = {kind: address(message)[1] for kind, message in ONE_OF_EACH.items()}
    experiment, project = "e" * 24, "b" * 24
    assert keys[StopWorkload] == "launcher.local.stop_workload"
    assert keys[ExperimentChanged] == f"experiment.completed.{project}"
    assert keys[ProjectChanged] == f"project.paused.{project}"
    stream = f"metric.{shard(experiment)}.{experiment}-2"
    assert keys[WorkloadLaunched] == keys[MetricsReported] == keys[WorkloadEnded] == stream


def test_commands_and_metrics_must_be_taken_and_events_may_go_unheard():
    assert {route.exchange for route in ROUTES.values()} == {COMMANDS, EVENTS, METRICS}
    assert all(route.mandatory is (route.exchange != EVENTS) for route in ROUTES.values())


def test_the_shard_of_an_experiment_is_the_same_everywhere_and_for_ever():
    known = {"0" * 24: 3, "e" * 24: 2, "0123456789abcdef01234567": 4}
    assert {each: shard(each) for each in known} == known


def test_the_shards_are_used_alike():
    found = [shard(f"{number:024x}") for number in range(8_000)]
    assert set(found) == set(range(SHARDS))
    assert max(found.count(n) for n in range(SHARDS)) < 1.5 * 8_000 / SHARDS


@given(st.text("0123456789abcdef", min_size=24, max_size=24), st.integers(1, 99))
def test_what_belongs_to_one_experiment_takes_one_way_whatever_the_attempt(experiment, attempt):
    message = WorkloadEnded(experiment=experiment, attempt=attempt, ended_at=1.0)
    _, key = address(message)
    taking = [name for name, b in bindings("local").items() if b.exchange == METRICS and fits(b.patterns[0], key)]
    assert taking == [f"metrics.{shard(experiment)}"]
