"""`POST /api/v1/commands`: any order or question as JSON, answered exactly as over AMQP."""

from __future__ import annotations

from typing import get_args

from fastapi import APIRouter

from actors.http.asking import Asking, RawBody
from actors.http.openapi import COMMAND, FAILURES
from beagle.commands import Order, Question
from beagle.errors import InvalidInput
from beagle.message import Answer
from beagle.messages import decode

COMMANDS = (*get_args(Order), *get_args(Question))
router = APIRouter(tags=["commands"], responses=FAILURES)


@router.post("/commands", openapi_extra={"requestBody": COMMAND})
def give_any_command(ask: Asking, body: RawBody) -> Answer:
    """Any order or question; the same `id` again gets the first answer. docs/answers.md says what is answered."""
    message = decode(body)
    if not isinstance(message, COMMANDS):
        # What actors tell each other is no front end's to say.
        raise InvalidInput([f"Gateway does not handle {type(message).__name__}"])
    return ask(message)
