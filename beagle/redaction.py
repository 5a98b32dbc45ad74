"""Takes secrets out of text that people read: passwords and tokens in URLs, and whatever else is named as secret."""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import unquote

HIDDEN = "***"
# Up to the last @ before white space: a password may hold any sign, and hiding too much harms nobody.
_PASSWORD = re.compile(r"([a-zA-Z][a-zA-Z0-9+.-]*://[^\s:/@]*):([^\s]*)@")
_PARAMETER = re.compile(r"([?&][^=&\s]*(?:password|passwd|secret|token)[^=&\s]*=)([^&\s]+)", re.IGNORECASE)
# Shorter ones would take words out of every sentence.
_SHORTEST = 4


def redacted(text: str, secrets: Iterable[str] = ()) -> str:
    """The text with `***` for each password of a URL, each secret parameter of one, and each of `secrets`."""
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, HIDDEN)
    return _PARAMETER.sub(rf"\1{HIDDEN}", _PASSWORD.sub(rf"\1:{HIDDEN}@", text))


def secrets_in(text: str) -> set[str]:
    """What is secret in a URL, as it stands there and as a driver may print it: decoded."""
    found = {match[2] for pattern in (_PASSWORD, _PARAMETER) for match in pattern.finditer(text)}
    return {word for secret in found for word in (secret, unquote(secret)) if len(word) >= _SHORTEST}
