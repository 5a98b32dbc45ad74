"""The life of an experiment against a table written by hand: every state meets every event."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import asdict, fields, replace
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beagle.errors import Refused
from beagle.experiment import (
    FINAL,
    HIGHEST_PRIORITY,
    SUCCESSES,
    TRANSITIONS,
    AccuracyReached,
    Claimed,
    Cleared,
    Completed,
    Deleted,
    Event,
    Experiment,
    Failed,
    Failure,
    Launched,
    Paused,
    PlaceRepaired,
    Prioritised,
    Retried,
    RetryAsked,
    State,
    Stopped,
    TimedOut,
    queue_order,
    transition,
)

NOW = 1_800_000_100.0
ORDER = 1_800_000_000_000_007

EVENTS = {
    "claimed": Claimed(3, "local"),
    "launched": Launched("launcher.host.1", 1_800_000_099.5),
    "completed": Completed("it exited with status 0", 0),
    "timed out": TimedOut("it ran for its 80 s"),
    "accuracy reached": AccuracyReached("accuracy is 0.99"),
    "stopped": Stopped("stopped by the user"),
    "paused": Paused("the system was paused"),
    "retried": Retried("nobody saw it end", Failure.LOST),
    "failed": Failed("exit status 3", Failure.EXIT, 3),
    "retry asked": RetryAsked(),
    "prioritised": Prioritised(2),
    "place repaired": PlaceRepaired(),
    "deleted": Deleted("d" * 24),
    "cleared": Cleared(),
}

# One line for each state: what each event leads to, in the order of EVENTS; `-` is a refusal.
TABLE = """
queue                  pool -    -         -       -                      stopped -     -     -      -     queue queue deleted -
pool                   -    pool completed timeout accuracy_limit_reached stopped queue queue failed -     -     -     deleted -
completed              -    -    -         -       -                      -       -     -     -      -     -     -     deleted -
timeout                -    -    -         -       -                      -       -     -     -      queue -     -     deleted -
accuracy_limit_reached -    -    -         -       -                      -       -     -     -      -     -     -     deleted -
stopped                -    -    -         -       -                      -       -     -     -      queue -     -     deleted -
failed                 -    -    -         -       -                      -       -     -     -      queue -     -     deleted -
deleted                -    -    -         -       -                      -       -     -     -      -     -     -     -       deleted
"""  # noqa: E501 - a table is read by its columns
ROWS = {words[0]: dict(zip(EVENTS, words[1:], strict=True)) for words in map(str.split, TABLE.strip().splitlines())}
PAIRS = [(state, word) for state in State for word in EVENTS]
ALLOWED = [(state, word) for state, word in PAIRS if ROWS[state][word] != "-"]

# What a new attempt starts with, whichever event led to it.
ANEW = {
    "attempt": 3,
    "place": None,
    "site": None,
    "watcher": None,
    "claimed_at": None,
    "launched_at": None,
    "ended_at": None,
    "exit_status": None,
    "failure": None,
}
# What each event sets besides state and version, on the experiment that `one` makes.
SETS = {
    "claimed": {"place": 3, "site": "local", "claimed_at": NOW, "reason": ""},
    "launched": {"watcher": "launcher.host.1", "launched_at": 1_800_000_099.5},
    "completed": {"reason": "it exited with status 0", "exit_status": 0, "ended_at": NOW},
    "timed out": {"reason": "it ran for its 80 s", "ended_at": NOW},
    "accuracy reached": {"reason": "accuracy is 0.99", "ended_at": NOW},
    "stopped": {"reason": "stopped by the user", "ended_at": NOW},
    "failed": {"reason": "exit status 3", "failure": Failure.EXIT, "exit_status": 3, "ended_at": NOW},
    "paused": ANEW | {"reason": "the system was paused", "at_head": True, "rank": ORDER - 150 * 10**15},
    "retried": ANEW
    | {
        "reason": "nobody saw it end",
        "at_head": True,
        "rank": ORDER - 150 * 10**15,
        "retried": {Failure.LAUNCH: 1, Failure.LOST: 1},
    },
    "retry asked": ANEW | {"reason": "asked for by the user", "retried": {}},
    "prioritised": {"priority": 2, "rank": ORDER - 2 * 10**17},
    "place repaired": {},
    "deleted": {"name": "", "parameters": {}, "reason": "", "removing": NOW, "ordered_by": "d" * 24},
    "cleared": {"removing": None},
}


def one(state: State = State.QUEUE) -> Experiment:
    """With every field away from its default, so that what is cleared shows."""
    return Experiment(
        id="e" * 24,
        version=8,
        project="b" * 24,
        number=7,
        name="digitsmodel7",
        parameters={"EPOCHS": 4},
        timeout=80.0,
        accuracy_limit=0.98,
        state=state,
        reason="as it was",
        attempt=2,
        priority=1,
        order=ORDER,
        rank=ORDER - 10**17,
        place=1,
        site="elsewhere",
        watcher="launcher.elsewhere.2",
        created_at=1_800_000_000.0,
        claimed_at=1_800_000_001.0,
        launched_at=1_800_000_002.0,
        ended_at=1_800_000_003.0,
        exit_status=9,
        failure=Failure.OUT_OF_MEMORY,
        retried={Failure.LAUNCH: 1},
    )


def changed(before: Experiment, after: Experiment) -> dict[str, object]:
    old, new = asdict(before), asdict(after)
    return {name: new[name] for name in new if new[name] != old[name]}


def test_the_table_here_and_the_machine_know_the_same_states_and_events():
    assert list(ROWS) == list(State)
    assert {type(event) for event in EVENTS.values()} == set(get_args(Event))
    assert set(TRANSITIONS) == set(State)


@pytest.mark.parametrize(("state", "word"), PAIRS)
def test_every_event_in_every_state_leads_where_the_table_says(state, word):
    expected = ROWS[state][word]
    if expected == "-":
        with pytest.raises(Refused):
            transition(one(state), EVENTS[word], NOW)
    else:
        assert transition(one(state), EVENTS[word], NOW).state == expected


@pytest.mark.parametrize(("state", "word"), ALLOWED)
def test_an_event_sets_and_clears_just_its_own_fields(state, word):
    before = one(state)
    head = {"version": 9, "state": State(ROWS[state][word])}
    expected = {k: v for k, v in (head | SETS[word]).items() if v != getattr(before, k)}
    assert changed(before, transition(before, EVENTS[word], NOW)) == expected


@pytest.mark.parametrize(("state", "word"), PAIRS)
def test_the_record_before_is_never_changed(state, word):
    before = one(state)
    with suppress(Refused):
        transition(before, EVENTS[word], NOW)
    assert before == one(state)
    assert before.retried == {Failure.LAUNCH: 1}


@pytest.mark.parametrize("state", sorted(FINAL))
def test_only_a_user_moves_what_has_ended_and_never_what_succeeded_by_itself(state):
    able = {type(event) for word, event in EVENTS.items() if (state, word) in ALLOWED}
    again = state in {State.TIMEOUT, State.STOPPED, State.FAILED}
    assert able - {Deleted, Cleared} == ({RetryAsked} if again else set())
    assert able & {Deleted, Cleared} == ({Cleared} if state is State.DELETED else {Deleted})


def test_what_ends_and_what_succeeds_is_said_once():
    assert {State.COMPLETED, State.TIMEOUT, State.ACCURACY_LIMIT_REACHED, State.STOPPED, State.FAILED} == (
        FINAL - {State.DELETED}
    )
    assert {State.COMPLETED, State.TIMEOUT, State.ACCURACY_LIMIT_REACHED} == SUCCESSES


def test_a_pause_and_an_ending_without_a_class_do_not_count_as_a_retry():
    for event in (Paused("paused"), Retried("interrupted", None)):
        assert transition(one(State.POOL), event, NOW).retried == {Failure.LAUNCH: 1}


def test_retries_are_counted_for_each_class_apart():
    experiment = one(State.POOL)
    for _ in range(2):
        experiment = replace(transition(experiment, Retried("again", Failure.LOST), NOW), state=State.POOL)
    assert experiment.retried == {Failure.LAUNCH: 1, Failure.LOST: 2}


@pytest.mark.parametrize(
    ("state", "event", "sentence"),
    [
        (State.POOL, RetryAsked(), "is in pool and cannot be retried; that takes one in timeout, stopped, failed"),
        (State.COMPLETED, Stopped("x"), "is in completed and cannot be stopped; that takes one in queue, pool"),
        (State.POOL, Prioritised(1), "is in pool and cannot be moved within the queue; that takes one in queue"),
        (State.QUEUE, Launched("local", 1.0), "is in queue, where Launched changes nothing"),
    ],
)
def test_a_refusal_says_what_the_experiment_is_and_what_would_be_right(state, event, sentence):
    with pytest.raises(Refused) as refusal:
        transition(one(state), event, NOW)
    assert str(refusal.value) == f"digitsmodel7 {sentence}"


@pytest.mark.parametrize("asked", [-51, 51, 10**9])
def test_a_priority_out_of_range_is_refused_with_the_range(asked):
    with pytest.raises(Refused, match=rf"priority is {asked}; it must be between -50 and 50"):
        transition(one(), Prioritised(asked), NOW)


# The queue's order ---------------------------------------------------------------------------------------------------

# Seconds since the epoch from 1970 to the year 3500, and the numbers that a project may have.
ages = st.floats(0, 4_990_000_000, allow_nan=False)
places_in_line = st.tuples(st.integers(-HIGHEST_PRIORITY, HIGHEST_PRIORITY), st.booleans(), ages)


def waiting(priority: int, at_head: bool, age: float, number: int = 1) -> Experiment:
    order = queue_order(age, number)
    fresh = replace(one(State.QUEUE), order=order, rank=order, number=number, priority=0)
    moved = transition(fresh, Prioritised(priority), NOW)
    if not at_head:
        return moved
    return transition(transition(moved, Claimed(0, "local"), NOW), Paused("paused"), NOW)


@given(places_in_line, places_in_line)
def test_the_priority_goes_first_then_what_was_put_back_then_age(one_line, other_line):
    def documented(line: tuple[int, bool, float]) -> tuple[int, bool, int]:
        priority, at_head, age = line
        return -priority, not at_head, queue_order(age, 1)

    first, second = waiting(*one_line).rank, waiting(*other_line).rank
    assert (first < second) == (documented(one_line) < documented(other_line))
    assert (first == second) == (documented(one_line) == documented(other_line))


@given(places_in_line, st.integers(1, 1_000_000))
def test_a_rank_fits_a_signed_64_bit_integer(line, number):
    assert -(2**63) <= waiting(*line, number).rank < 2**63


@given(ages, st.integers(1, 999_999))
def test_within_a_project_the_lower_number_goes_first(age, number):
    assert queue_order(age, number) < queue_order(age, number + 1)


@given(st.integers(-HIGHEST_PRIORITY, HIGHEST_PRIORITY), st.integers(-HIGHEST_PRIORITY, HIGHEST_PRIORITY))
def test_a_priority_given_twice_is_the_last_one(first, second):
    direct = transition(one(), Prioritised(second), NOW)
    detour = transition(transition(one(), Prioritised(first), NOW), Prioritised(second), NOW)
    assert replace(detour, version=direct.version) == direct


def test_a_retry_keeps_the_priority_and_leaves_the_head():
    ended = transition(transition(waiting(7, True, 1.0), Claimed(0, "local"), NOW), Failed("x", Failure.EXIT), NOW)
    again = transition(ended, RetryAsked(), NOW)
    assert (again.priority, again.at_head) == (7, False)
    assert again.rank == waiting(7, False, 1.0).rank


def test_an_experiment_holds_nothing_that_could_be_changed_behind_its_back():
    with pytest.raises(AttributeError):
        one().state = State.POOL
    assert {field.name for field in fields(Experiment)} >= set(ANEW)
