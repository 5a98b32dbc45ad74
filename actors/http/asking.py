"""How handlers ask: a message in, its answer out, or the error that travelled in it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from fastapi import Depends, Request

from beagle.message import Answer
from beagle.messages import AnyMessage

Ask = Callable[[AnyMessage], Answer]


async def _body(request: Request) -> bytes:
    return await request.body()


# The body as it came, for handlers that read it themselves. The guard has bounded it, and waited for it.
RawBody = Annotated[bytes, Depends(_body)]
