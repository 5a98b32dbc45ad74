"""What a program says that publishes by itself: its report, by which it is told from others, and of which attempt."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beagle.bucket import Allowance, Bucket
from beagle.errors import InvalidInput
from beagle.experiment import Claimed, Experiment, Launched, Paused, transition
from beagle.raw_metrics import Published, as_report, attempt_of, name_of, read_body, sent_at
from bus.metric_keys import Speaker, speaker, topic
from bus.routes import METRICS, SHARDS, bindings, fits, metric_key, shard

ID = "0123456789abcdef01234567"
OTHER = "f" * 24


@pytest.mark.parametrize(
    ("body", "values"),
    [
        (b'{"type": "metrics", "metrics": {"cost": 1.9, "accuracy": 0.61}}', {"cost": 1.9, "accuracy": 0.61}),
        (b'{"metrics": {"accuarcy": 0.61, "experimentTime": 25.3}, "type": "metrics"}', None),
        (b'{"accuracy": 0.61, "note": "x"}', {"accuracy": 0.61}),
        (b"1479823.5\t25.3\t100\t1.9\t0.61\tmore\t7", None),
        (b"accuracy=0.61\n", {"accuracy": 0.61}),
        (b"accuracy=0.61\ncost=1\n", {"accuracy": 0.61, "cost": 1}),
    ],
)
def test_a_body_has_any_form_that_a_line_has(body, values):
    reading = read_body(body)
    assert not reading.refusals
    assert reading.values["accuracy"] == 0.61
    assert values is None or reading.values == values


@pytest.mark.parametrize("body", [b"<EXPERIMENT_COMPLETED>", b'{"type": "service", "msg": "experiment_completed"}'])
def test_the_end_has_both_forms(body):
    assert read_body(body).completed


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (b"\xff\x00", "a message of 2 bytes is no text (UTF-8)"),
        (b"", 'a message says no metric: ""'),
        (b"hello", 'a message says no metric: "hello"'),
        (b'{"type": "service", "msg": "started"}', "a message says no metric: "),
        (b"[" * 70_000, "a message of 70000 bytes was not read; at most 65536 are"),
        (b'{"loss": NaN}', "loss is NaN, which is no metric"),
        (b"loss=1e999", "loss is infinite, which is no metric"),
        (b'{"type": "metrics", "metrics": {"cost": "low"}}', 'cost is "low", which is not a number'),
    ],
)
def test_what_is_no_metric_gets_a_sentence(body, sentence):
    reading = read_body(body)
    assert reading.refusals[0].startswith(sentence)
    assert not reading.values


@given(st.binary(max_size=300))
def test_any_bytes_are_a_metric_or_the_end_or_refused(body):
    reading = read_body(body)
    assert reading.values or reading.refusals or reading.completed


@given(st.binary(max_size=100), st.text(max_size=300), st.dictionaries(st.text(max_size=10), st.text() | st.integers()))
def test_any_message_has_a_name_that_a_store_takes_and_it_is_the_same_again(body, message_id, headers):
    published = Published(body=body, message_id=message_id, headers=headers)
    name = name_of(published)
    assert name == name_of(published)
    assert name.source.isprintable()
    assert len(name.source) < 220
    assert abs(name.sequence) < 2**63
    assert as_report(read_body(body), name).source == name.source


def test_the_clients_own_counting_comes_first_then_the_messages_id_then_its_body_and_time():
    counted = Published(body=b"a=1", message_id="m", headers={"source": "train-7", "sequence": 3}, sent_at=5.0)
    assert (name_of(counted).source, name_of(counted).sequence) == ("amqp/train-7", 3)
    assert name_of(replace(counted, headers={"source": "train-7"})).source == "message/m"
    by_body = name_of(Published(body=b"a=1", sent_at=5.0))
    assert by_body.certain
    assert by_body != name_of(Published(body=b"a=1", sent_at=6.0))
    assert by_body != name_of(Published(body=b"a=2", sent_at=5.0))


def test_a_broker_that_sets_timestamps_says_the_milliseconds_beside_them():
    assert sent_at({"timestamp_in_ms": 1_800_000_000_123}, 1_800_000_000.0) == 1_800_000_000.123
    assert sent_at({"timestamp_in_ms": "soon"}, 5.0) == 5.0
    assert sent_at({}, 5.0) == 5.0
    assert sent_at({}, None) is None


def test_without_id_and_time_nobody_can_tell_a_repeat_from_the_same_numbers():
    assert not name_of(Published(body=b"a=1")).certain


@pytest.mark.parametrize("sequence", ["", "-1", "x", "1" * 30, "٣", True, 2**63, 1.5, None])
def test_a_sequence_that_is_no_whole_number_is_not_believed(sequence):
    published = Published(body=b"a=1", message_id="m", headers={"source": "s", "sequence": sequence})
    assert name_of(published).source == "message/m"


def test_a_sequence_may_be_written_as_text():
    assert name_of(Published(body=b"", headers={"source": "s", "sequence": "12"})).sequence == 12


# Whose it is


def test_the_routing_key_alone_says_whose_it_is():
    assert speaker(metric_key(ID, 3)) == Speaker(ID, 3, f"metrics.{shard(ID)}")
    assert speaker(topic(ID)) == Speaker(ID, None, "metrics.0")


@pytest.mark.parametrize("number", range(SHARDS))
def test_a_key_comes_by_the_queue_that_its_speaker_expects(number):
    identity = next(f"{n:024x}" for n in range(1000) if shard(f"{n:024x}") == number)
    for key in (metric_key(identity, 1), topic(identity)):
        taken = [
            name
            for name, binding in bindings("here").items()
            if binding.exchange == METRICS and any(fits(pattern, key) for pattern in binding.patterns)
        ]
        assert taken == [speaker(key).queue]


def test_a_key_with_the_shard_of_another_is_told_the_right_one():
    wrong = f"metric.{(shard(ID) + 1) % SHARDS}.{ID}-1"
    with pytest.raises(
        InvalidInput, match=f"is not the key of that experiment's metrics, which is {metric_key(ID, 1)}"
    ):
        speaker(wrong)


@pytest.mark.parametrize(
    "key",
    ["", "metric.0.x-1", f"metric.0.{ID}", f"metric.0.{ID}-0", f"metric.0.{ID}-01", f"metric.9.{ID}-1", f"{ID}-metric"],
)
def test_a_key_that_is_nobodys_is_refused(key):
    with pytest.raises(InvalidInput, match=r"is no(t| routing) (the )?key"):
        speaker(key)


# Of which attempt

QUEUED = Experiment(id=ID, project="p", number=1, name="n", parameters={}, order=1, rank=1, created_at=1)
LAUNCHED = transition(transition(QUEUED, Claimed(0, "local"), 100.6), Launched("here", 101.0), 101.0)
PAUSED = transition(LAUNCHED, Paused("for lunch"), 200.0)
AGAIN = transition(PAUSED, Claimed(0, "local"), 300.6)


def test_a_key_that_names_no_attempt_means_the_one_that_runs():
    assert attempt_of(LAUNCHED, None) == 1
    assert attempt_of(AGAIN, None) == 2
    assert attempt_of(AGAIN, 301.0) == 2


def test_what_comes_between_two_attempts_is_of_the_one_before():
    assert attempt_of(PAUSED, None) == 1
    assert attempt_of(PAUSED, 500.0) == 1


def test_what_was_sent_before_the_attempt_was_claimed_is_of_the_one_before():
    assert attempt_of(AGAIN, 199.0) == 1


def test_a_timestamp_of_the_same_second_is_of_the_new_attempt():
    assert attempt_of(AGAIN, 300.0) == 2


def test_there_is_nothing_before_the_first_attempt():
    assert attempt_of(QUEUED, None) == 1
    assert attempt_of(LAUNCHED, 5.0) == 1


# How often


class Hand:
    time = 0.0

    def now(self) -> float:
        return self.time


def test_a_bucket_gives_its_burst_at_once_and_then_its_rate():
    hand = Hand()
    bucket = Bucket(Allowance(rate=10, burst=3), hand.now)
    assert [bucket.take() for _ in range(5)] == [True] * 3 + [False] * 2
    hand.time = 0.25
    assert [bucket.take() for _ in range(5)] == [True] * 2 + [False] * 3
    hand.time = 1000.0
    assert [bucket.take() for _ in range(5)] == [True] * 3 + [False] * 2


def test_a_bucket_never_empties_below_its_rate():
    hand = Hand()
    bucket = Bucket(Allowance(rate=8, burst=1), hand.now)
    taken = 0
    for tick in range(100):
        hand.time = tick / 8
        taken += bucket.take()
    assert taken == 100
