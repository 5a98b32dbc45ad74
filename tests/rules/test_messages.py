"""What travels on the bus: everything comes back as it was, and nothing malformed gets past the door."""

from __future__ import annotations

import json
import random
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from beagle.commands import SetLimit, StopExperiment
from beagle.errors import InvalidInput
from beagle.messages import (
    LONGEST,
    AnyMessage,
    MetricsReported,
    Report,
    decode,
    encode,
)
from tests.rules.instances import ONE_OF_EACH

KINDS = get_args(AnyMessage)
texts = st.text(st.characters(codec="utf-8"), max_size=50)
numbers = st.floats(allow_nan=False, allow_infinity=False)
reports = st.builds(
    Report,
    source=texts,
    sequence=st.integers(0, 2**62),
    values=st.dictionaries(texts, numbers, max_size=4),
    step=st.none() | st.integers(-(2**62), 2**62),
    completed=st.booleans(),
    refusals=st.lists(texts, max_size=2).map(tuple),
)


def problems(body: bytes) -> tuple[str, ...]:
    with pytest.raises(InvalidInput) as refusal:
        decode(body)
    return refusal.value.problems


def body(**fields: object) -> bytes:
    return json.dumps({"type": "SetLimit", "id": "0" * 24, "time": 1.0, "v": 1, "limit": 1} | fields).encode()


def test_there_is_one_of_each_message_to_test_with():
    assert set(ONE_OF_EACH) == set(KINDS)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_message_comes_back_as_it_was(kind):
    message = ONE_OF_EACH[kind]
    assert decode(encode(message)) == message
    assert type(decode(encode(message))) is kind


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_a_body_is_one_json_object_with_type_id_time_and_version(kind):
    fields = json.loads(encode(ONE_OF_EACH[kind]))
    assert (fields["type"], fields["v"]) == (kind.__name__, 1)
    assert (fields["id"], fields["time"]) == ("0123456789abcdef01234567", 1_800_000_000.123456)


@given(st.lists(reports, max_size=3), st.text("0123456789abcdef", min_size=24, max_size=24), st.integers(1, 9999))
def test_metrics_keep_every_bit_of_every_number(found, experiment, attempt):
    message = MetricsReported(experiment=experiment, attempt=attempt, reports=tuple(found))
    assert decode(encode(message)) == message


def test_each_message_has_an_id_of_its_own():
    assert len({SetLimit(limit=1).id for _ in range(1000)}) == 1000
    assert all(len(SetLimit(limit=1).id) == 24 for _ in range(10))


def test_a_message_cannot_be_changed_after_it_was_made():
    with pytest.raises(ValidationError):
        SetLimit(limit=1).limit = 2


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"limit": -1}, "limit"),
        ({"limit": 10_001}, "limit"),
        ({"limit": "many"}, "limit"),
        ({"limit": 1.5}, "limit"),
        ({"limit": None}, "limit"),
        ({"id": "short"}, "id"),
        ({"id": "G" * 24}, "id"),
        ({"id": "0" * 25}, "id"),
        ({"time": "noon"}, "time"),
        ({"v": 2}, "v"),
        ({"extra": 1}, "extra"),
    ],
)
def test_a_wrong_field_is_named(wrong, field):
    (sentence,) = problems(body(**wrong))
    assert field in sentence


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ('{"type": "SetLimits", "limit": 4}', "no message has the type 'SetLimits'; did you mean SetLimit?"),
        ('{"type": "Qzx"}', "no message has the type 'Qzx'"),
        ('{"limit": 4}', "the message has no type"),
        ('{"type": "SetLimit", "limit": 4, "limits": 5}', "SetLimit.limits: there is no such field"),
        ('{"type": "SetLimit"}', "SetLimit.limit: is missing"),
    ],
)
def test_a_mistake_is_told_in_words_of_ours(body, sentence):
    with pytest.raises(InvalidInput) as told:
        decode(body.encode())
    assert str(told.value) == sentence


def test_all_mistakes_are_told_at_once():
    assert len(problems(body(limit=-1, id="short", extra=1))) == 3


@pytest.mark.parametrize(
    "wrong",
    [
        b"",
        b"\xff\xfe",
        b"null",
        b"[]",
        b"7",
        b'"SetLimit"',
        b"{}",
        b'{"type": "Nonsense"}',
        b'{"type": 7}',
        b'{"type": null}',
        b'{"type": ["SetLimit"]}',
        b"[" * 100_000,
        b'{"a":' * 10_000,
        b'{"type": "SetLimit", "limit": ' + b"9" * 5000 + b"}",
        b'{"type": "SetLimit", "limit": 1e999}',
        b'{"type": "SetLimit", "limit": NaN}',
        b'{"type": "SetLimit", "limit": 1}\n{"type": "SetLimit", "limit": 1}',
        b'{"type": "StopExperiment", "experiment": "\\ud800"}',
    ],
    ids=range(18),
)
def test_what_is_no_message_is_invalid_input(wrong):
    assert all(problems(wrong))


def test_a_body_over_the_limit_is_refused_before_it_is_read():
    longest = encode(StopExperiment(experiment="", time=1.5))
    message = StopExperiment(experiment="x" * (LONGEST - len(longest)), time=1.5)
    assert decode(encode(message)) == message
    (sentence,) = problems(encode(message) + b" ")
    assert sentence == f"the message has {LONGEST + 1} bytes; at most {LONGEST} are taken"


def mutated(chance: random.Random, one: bytes) -> bytes:
    found = bytearray(one)
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(found) + 1)
        match chance.randrange(4):
            case 0:
                del found[at : at + chance.randint(1, 9)]
            case 1:
                found[at:at] = bytes(chance.randrange(256) for _ in range(chance.randint(1, 4)))
            case 2:
                found[at : at + 1] = chance.choice([b'"', b"{", b"]", b",", b"\\", b"null", b"1e999", b"-", b"\x00"])
            case _:
                found[at:at] = found[: chance.randrange(len(found) + 1)]
    return bytes(found)


def test_two_thousand_mutated_bodies_are_messages_or_invalid_input_and_nothing_else():
    chance = random.Random(7)
    bodies = [encode(message) for message in ONE_OF_EACH.values()]
    refused = 0
    for _ in range(2_000):
        try:
            message = decode(mutated(chance, chance.choice(bodies)))
        except InvalidInput:
            refused += 1
        else:
            assert type(message) in KINDS
    assert refused > 1_000
