"""The published JSON Schemas say of each message what is said when it is read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import get_args

import pytest

from beagle.commands import Order, Question
from beagle.errors import InvalidInput
from beagle.messages import AnyMessage, decode, encode
from tests.rules.instances import ONE_OF_EACH

SCHEMAS = sorted((Path(__file__).parents[2] / "docs" / "schemas").glob("*.json"))
DEFINED = {name: body for path in SCHEMAS for name, body in json.loads(path.read_text())["$defs"].items()}
KINDS = get_args(AnyMessage)


def told(kind):
    return json.loads(encode(ONE_OF_EACH[kind]))


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_a_message_has_the_fields_of_its_schema_and_no_others(kind):
    schema = DEFINED[kind.__name__]
    assert set(told(kind)) == set(schema["properties"])
    assert schema["additionalProperties"] is False
    assert schema["properties"]["type"]["const"] == kind.__name__


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_what_a_schema_requires_cannot_be_left_out_and_the_rest_can(kind):
    body, required = told(kind), set(DEFINED[kind.__name__]["required"])
    for name in required:
        with pytest.raises(InvalidInput):
            decode(json.dumps({key: value for key, value in body.items() if key != name}).encode())
    assert type(decode(json.dumps({key: body[key] for key in required}).encode())) is kind


def test_every_command_has_an_id_a_time_a_version_and_an_expiry():
    for kind in (*get_args(Order), *get_args(Question)):
        assert {"id", "time", "v", "expires_at"} <= set(DEFINED[kind.__name__]["properties"])


def test_a_page_names_every_command():
    page = (Path(__file__).parents[2] / "docs" / "commands.md").read_text()
    missing = [kind.__name__ for kind in (*get_args(Order), *get_args(Question)) if f"`{kind.__name__}`" not in page]
    assert missing == []
