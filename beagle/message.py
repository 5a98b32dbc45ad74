"""What every message has, and what every order to the scheduler has besides."""

from __future__ import annotations

import os
import time
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Answer = dict[str, Any]


def new_id() -> str:
    """24 lower-case hexadecimal digits, unique."""
    return os.urandom(12).hex()


class Message(BaseModel):
    """What every body has. A message with the id of one that was applied gets the first answer again."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    id: str = Field(default_factory=new_id, pattern=r"^[0-9a-f]{24}$")
    time: float = Field(default_factory=time.time)
    v: Literal[1] = 1


class Command(Message):
    """What a front end sends. One that arrives after `expires_at` (seconds since the epoch) is not applied."""

    expires_at: float | None = None
