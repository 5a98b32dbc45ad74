"""An error that travels in an answer is the same error where it arrives."""

from __future__ import annotations

import json

import pytest

from beagle.answers import failure, raise_for
from beagle.errors import BeagleError, Full, InvalidInput, NotFound, Refused, Unavailable


def travelled(error: Exception) -> BeagleError:
    with pytest.raises(BeagleError) as arrived:
        raise_for(json.loads(json.dumps(failure(error))))
    return arrived.value


@pytest.mark.parametrize("error", [NotFound("no such one"), Refused("it runs"), Unavailable("the disk is full")])
def test_an_error_arrives_with_its_kind_and_its_sentence(error):
    arrived = travelled(error)
    assert (type(arrived), str(arrived)) == (type(error), str(error))


def test_bad_input_arrives_with_each_of_its_problems():
    arrived = travelled(InvalidInput(["name: missing", "limit: too low"]))
    assert arrived.problems == ("name: missing", "limit: too low")


def test_a_narrower_error_arrives_as_the_kind_that_callers_tell_apart():
    assert type(travelled(Full("the queue is full"))) is Unavailable


def test_what_nobody_foresaw_arrives_with_its_name():
    assert str(travelled(ZeroDivisionError("the moon"))) == "ZeroDivisionError: the moon"


def test_an_answer_without_an_error_stays_as_it_is():
    assert raise_for({"found": 1}) == {"found": 1}
