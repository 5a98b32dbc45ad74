"""One call takes every order and question, and answers with what the bus answers."""

from __future__ import annotations

import pytest


def test_an_order_is_applied_and_its_repeat_gets_the_first_answer(client):
    first = client.give("SetLimit", limit=3, id="a" * 24)
    client.give("SetLimit", limit=5)
    assert client.give("SetLimit", limit=3, id="a" * 24) == first == {"running": False, "limit": 3}
    assert client.give("ShowSystem")["limit"] == 5


@pytest.mark.parametrize(
    ("body", "status", "kind", "sentence"),
    [
        ({"type": "ShowProject", "project": "none"}, 404, "not_found", "no project is called none"),
        ({"type": "ReplayDeadLetter", "letter": "x"}, 404, "not_found", "no dead letter x"),
        ({"type": "SetLimit", "limit": -1}, 400, "invalid", "limit: Input should be greater than or equal to 0"),
        ({"type": "SetLimit", "limt": 1}, 400, "invalid", "limt: there is no such field"),
        ({"type": "SetLimits"}, 400, "invalid", "did you mean SetLimit?"),
        ({"limit": 1}, 400, "invalid", "the message has no type"),
        ({"type": "FillPlaces"}, 400, "invalid", "Gateway does not handle FillPlaces"),
        ([], 400, "invalid", "Input should be"),
        ({"type": "SetLimit", "limit": 2**70}, 400, "invalid", "limit: Input should be less than or equal to 10000"),
        (
            {"type": "StopExperiment", "experiment": "1", "reason": "x" * 1001},
            400,
            "invalid",
            "at most 1000 characters",
        ),
        ({"type": "ReadLog", "experiment": "1", "offset": 2**70}, 400, "invalid", "offset: Input should be less than"),
    ],
)
def test_what_is_wrong_has_a_status_by_its_kind_and_one_clear_sentence(client, body, status, kind, sentence):
    answer = client("POST", "commands", json=body)
    found = answer.json()
    assert (answer.status_code, found["error"]["kind"]) == (status, kind)
    assert sentence in found["message"]
    assert found["message"] == found["error"]["message"]


def test_what_is_wrong_is_not_repeated_without_end(client):
    long = client("POST", "commands", json={"type": "ShowProject", "project": "x" * 900_000})
    many = client("POST", "commands", json={"type": "ShowSystem", **{f"k{n}": 1 for n in range(50_000)}})
    assert (long.status_code, many.status_code) == (404, 400)
    assert max(len(long.content), len(many.content)) < 20_000
    assert many.json()["error"]["problems"][-1] == "and 49,900 more mistakes"


def test_every_call_is_described_with_what_it_takes_and_how_it_fails(client):
    described = client.get("/openapi.json")
    call = described["paths"]["/api/v1/commands"]["post"]
    kinds = call["requestBody"]["content"]["application/json"]["schema"]["oneOf"]
    assert {"$ref": "#/components/schemas/SubmitProject"} in kinds
    assert {"400", "401", "404", "409", "503"} <= set(call["responses"])
    assert "422" not in call["responses"]
    assert "SubmitProject" in described["components"]["schemas"]
