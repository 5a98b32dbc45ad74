"""What the bus over RabbitMQ makes of failures, of settled deliveries and of dead letters, without a broker."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pika import BasicProperties, URLParameters
from pika.adapters.utils.connection_workflow import (
    AMQPConnectionWorkflowFailed,
    AMQPConnectorSocketConnectError,
    AMQPConnectorStackTimeout,
)
from pika.exceptions import (
    AMQPConnectionError,
    AMQPHeartbeatTimeout,
    ChannelClosedByBroker,
    ConnectionBlockedTimeout,
    ConnectionClosedByBroker,
    IncompatibleProtocolError,
    ProbableAccessDeniedError,
    ProbableAuthenticationError,
    StreamLostError,
)

from bus.rabbitmq_acks import Acks
from bus.rabbitmq_address import place, user
from bus.rabbitmq_faults import fault
from bus.rabbitmq_letters import buried, letter
from bus.rabbitmq_messages import Arrived
from bus.routes import COMMANDS, DEAD, DELIVERY_LIMIT

ADDRESS = URLParameters("amqp://beagle:s3cret@broker:5671/lab")
DIFFERS = (
    "PRECONDITION_FAILED - inequivalent arg 'x-max-length' for queue 'gateway' in vhost 'lab': "
    "received '4' but current is '9'"
)


# Failures ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "words", "lasting"),
    [
        (ProbableAuthenticationError("x"), "does not know the user beagle or its password", True),
        (ProbableAccessDeniedError("x"), "there is no virtual host lab, or the user beagle may not use it", True),
        (ConnectionClosedByBroker(530, "NOT_ALLOWED - vhost lab not found"), "refuses: NOT_ALLOWED", True),
        (ConnectionClosedByBroker(320, "CONNECTION_FORCED - shutdown"), "320 CONNECTION_FORCED", False),
        (ChannelClosedByBroker(403, "ACCESS_REFUSED - no"), "refuses: ACCESS_REFUSED", True),
        (ChannelClosedByBroker(406, "PRECONDITION_FAILED - unknown delivery tag"), "406 PRECONDITION_FAILED", False),
        (AMQPHeartbeatTimeout("x"), "fell silent", False),
        (ConnectionBlockedTimeout("x"), "low on disk or memory", False),
        (StreamLostError("x"), "broke off the connection", False),
        (
            IncompatibleProtocolError("x"),
            "does not answer as RabbitMQ does: check the host and the port, and whether it is amqps://",
            False,
        ),
        (AMQPConnectorStackTimeout("x"), "does not answer in time", False),
        (AMQPConnectionError("x"), "is away: AMQPConnectionError", False),
        (
            ChannelClosedByBroker(404, "NOT_FOUND - no exchange 'beagle.commands' in vhost 'lab'"),
            "has no exchange beagle.commands: no actor of Beagle has been there yet",
            False,
        ),
    ],
)
def test_a_failure_is_one_sentence_that_names_the_broker_and_no_password(error, words, lasting):
    found = fault(error, ADDRESS)
    assert words in found.sentence
    assert "the broker at broker:5671, virtual host lab" in found.sentence
    assert "s3cret" not in found.sentence
    assert (found.lasting, found.misconfigured) == (lasting, False)


def test_what_pika_wraps_is_looked_for_inside():
    refused = ConnectionRefusedError(111, "Connection refused")
    wrapped = AMQPConnectionError(AMQPConnectionWorkflowFailed([AMQPConnectorSocketConnectError(refused)]))
    assert fault(wrapped, ADDRESS).sentence.endswith("cannot be reached: Connection refused")


def test_queues_that_differ_are_named_with_what_to_do():
    found = fault(ChannelClosedByBroker(406, DIFFERS), ADDRESS)
    assert found.misconfigured
    assert "the queue gateway with another x-max-length" in found.sentence
    assert "it is '9', and should be '4'" in found.sentence


def test_an_address_is_told_without_its_password():
    assert (place(ADDRESS), user(ADDRESS)) == ("broker:5671, virtual host lab", "beagle")


# Settling ------------------------------------------------------------------------------------------------------------


class Wire:
    """The link and the channel: runs at once or when told, and keeps what the broker would be told."""

    def __init__(self) -> None:
        self.is_open = True
        self.called: list = []
        self.out: set[int] = set()
        self.acked: list[int] = []
        self.words = 0

    def call(self, work) -> None:
        self.called.append(work)

    def turn(self) -> None:
        called, self.called = self.called, []
        for work in called:
            work()

    def basic_ack(self, tag: int, multiple: bool = False) -> None:
        told = sorted(each for each in self.out if each == tag or (multiple and each <= tag))
        assert tag in told, "an unknown tag closes the channel"
        self.out.difference_update(told)
        self.acked += told
        self.words += 1

    def basic_nack(self, tag: int, requeue: bool) -> None:
        assert tag in self.out, "an unknown tag closes the channel"
        self.out.remove(tag)


@given(
    st.lists(
        st.one_of(
            st.just("arrive"), st.just("turn"), st.tuples(st.sampled_from(["ack", "reject"]), st.integers(0, 30))
        ),
        max_size=80,
    )
)
def test_each_delivery_is_told_to_the_broker_once_and_only_when_it_was_settled(steps):
    wire = Wire()
    acks = Acks(wire, wire)
    count, acked, rejected = 0, set(), set()
    for step in steps:
        if step == "arrive":
            count += 1
            wire.out.add(count)
            acks.arrived(count)
        elif step == "turn":
            wire.turn()
            assert set(wire.acked) == acked
        else:
            how, tag = step
            first = acks.settle(tag)
            assert first == (0 < tag <= count and tag not in acked | rejected)
            if first and how == "ack":
                acked.add(tag)
                acks.ack(tag)
            elif first:
                rejected.add(tag)
                wire.call(lambda tag=tag: acks.reject(tag))
    wire.turn()
    assert sorted(wire.acked) == sorted(acked)
    assert wire.out == set(range(1, count + 1)) - acked - rejected


def test_many_acknowledgements_in_order_are_one_word():
    wire = Wire()
    acks = Acks(wire, wire)
    for tag in range(1, 101):
        wire.out.add(tag)
        acks.arrived(tag)
    for tag in range(1, 101):
        assert acks.settle(tag)
        acks.ack(tag)
    wire.turn()
    assert (wire.words, len(wire.acked)) == (1, 100)


def test_after_the_end_of_the_channel_no_word_counts():
    wire = Wire()
    acks = Acks(wire, wire)
    wire.out.add(1)
    acks.arrived(1)
    acks.end()
    assert not acks.settle(1)
    wire.is_open = False
    acks.reject(1)
    wire.turn()
    assert wire.out == {1}


# Dead letters --------------------------------------------------------------------------------------------------------


def arrived(**known) -> Arrived:
    return Arrived("gateway", COMMANDS, "gateway.set_limit", b"body", BasicProperties(**known))


def among_the_dead(first: Arrived, known: BasicProperties) -> Arrived:
    return Arrived("dead", DEAD, first.queue, first.body, known)


@pytest.mark.parametrize("sender", ["beagle", "exp-1-1", None])
def test_what_was_buried_is_read_with_all_that_its_replay_needs(sender):
    first = arrived(user_id=sender, message_id="m", type="SetLimit", headers={"sequence": 3, "x-odd": 1})
    found = letter(among_the_dead(first, buried(first, "no such thing", "beagle")))
    assert (found.shown.queue, found.shown.exchange, found.shown.key) == ("gateway", COMMANDS, "gateway.set_limit")
    assert (found.shown.reason, found.shown.body) == ("no such thing", b"body")
    assert (found.own, found.message_id, found.type) == (sender == "beagle", "m", "SetLimit")
    assert found.headers == {"sequence": 3}


def test_what_the_broker_buried_is_read_by_its_own_words():
    when = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    death = {
        "reason": "delivery_limit",
        "queue": "gateway",
        "exchange": COMMANDS,
        "routing-keys": ["gateway.set_limit"],
        "time": when,
        "count": 1,
    }
    found = letter(among_the_dead(arrived(), BasicProperties(user_id="beagle", headers={"x-death": [death]})))
    assert (found.shown.queue, found.shown.exchange, found.shown.key) == ("gateway", COMMANDS, "gateway.set_limit")
    assert (found.shown.reason, found.shown.at) == (f"it came back {DELIVERY_LIMIT} times", when.timestamp())
    assert found.own


@pytest.mark.parametrize("headers", [None, {}, {"x-death": "nonsense"}, {"x-death": []}, {"x-death": [3]}])
def test_what_anybody_else_put_there_is_shown_too(headers):
    found = letter(among_the_dead(arrived(), BasicProperties(headers=headers)))
    assert (found.shown.exchange, found.shown.key, found.own) == (DEAD, "gateway", False)
    assert found.shown.reason == "its sender said no reason"


def test_the_same_letter_has_the_same_id_and_others_have_others():
    first = arrived(message_id="m")
    known = buried(first, "why", "beagle")
    assert letter(among_the_dead(first, known)) == letter(among_the_dead(first, known))
    others = [
        among_the_dead(first, buried(first, "another reason", "beagle")),
        among_the_dead(first, buried(arrived(message_id="n"), "why", "beagle")),
        Arrived("dead", DEAD, "gateway", b"another body", known),
    ]
    assert len({letter(each).shown.id for each in [*others, among_the_dead(first, known)]}) == 4


def test_what_would_not_fit_into_a_frame_is_cut():
    first = arrived(headers={"a": "x" * 90_000})
    known = buried(first, "y" * 90_000, "beagle")
    assert len(known.headers["beagle-reason"]) == 20_000
    assert "a" not in known.headers
