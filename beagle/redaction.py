"""Takes secrets out of text that people read: passwords and tokens in URLs, and whatever else is named as secret."""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import unquote

HIDDEN = "***"
# Each is searched in a time that grows with the text alone: a million letters of a stranger's held up everything else.
_WORD = re.compile(r"\S+")
_USER = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]{0,30}://[^\s:/@]*:")
_PARAMETER = re.compile(r"([?&](?=[^=&\s?]*(?:password|passwd|secret|token))[^=&\s?]*=)([^&\s]+)", re.IGNORECASE)
# Shorter ones would take words out of every sentence.
_SHORTEST = 4


def redacted(text: str, secrets: Iterable[str] = ()) -> str:
    """The text with `***` for each password of a URL, each secret parameter of one, and each of `secrets`."""
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, HIDDEN)
    text = _WORD.sub(lambda found: _without_password(found[0]), text) if "://" in text else text
    return _PARAMETER.sub(rf"\1{HIDDEN}", text)


def secrets_in(text: str) -> set[str]:
    """What is secret in a URL, as it stands there and as a driver may print it: decoded."""
    found = {match[2] for match in _PARAMETER.finditer(text)}
    found |= {word[slice(*place)] for word in text.split() for place in _password(word)}
    return {word for secret in found for word in (secret, unquote(secret)) if len(word) >= _SHORTEST}


def _without_password(word: str) -> str:
    for begin, end in _password(word):
        return f"{word[:begin]}{HIDDEN}{word[end:]}"
    return word


def _password(word: str) -> list[tuple[int, int]]:
    """Where it is, if there is one: up to the last @, as it may hold any sign, and hiding too much harms nobody."""
    end = word.rfind("@")
    user = _USER.search(word, 0, end) if end > 0 else None
    return [(user.end(), end)] if user else []
