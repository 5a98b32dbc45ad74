"""How handlers ask: a message in, its answer out, or the error that travelled in it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import Body, Depends, Request

from beagle.errors import InvalidInput
from beagle.message import Answer
from beagle.messages import AnyMessage
from beagle.sentences import shown

Ask = Callable[[AnyMessage], Answer]


# Async, for they only look: a synchronous one would be handed to another thread.
async def _ask(request: Request) -> Ask:
    ask: Ask = request.app.state.ask
    return ask


async def _body(request: Request) -> bytes:
    return await request.body()


Asking = Annotated[Ask, Depends(_ask)]
# The body as it came, for handlers that read it themselves. The guard has bounded it, and waited for it.
RawBody = Annotated[bytes, Depends(_body)]
# An object whose fields the handler reads.
Fields = Annotated[dict[str, Any], Body()]
MaybeFields = Annotated[dict[str, Any] | None, Body()]


def text_in(fields: dict[str, Any] | None, name: str, default: str) -> str:
    """Raises `InvalidInput` when it is given and is no text."""
    given = (fields or {}).get(name, default)
    if not isinstance(given, str):
        raise InvalidInput([f"{name}: is {shown(given)}; give text"])
    return given
