"""What a JSON body must be before anything reads it.

Python's own reader takes more than JSON is, and every reader after it would have to bear that.
"""

from __future__ import annotations

import json
from collections import Counter
from http import HTTPStatus
from typing import Any, NoReturn

from actors.http.errors import Declined
from beagle.sentences import shown

# As of files, and some for what is around them.
MOST_LEVELS = 64
_MOST_DIGITS = 400


def check_json(body: bytes) -> None:
    """Raises `Declined` for what is no JSON, or is not the same to all who read it."""
    try:
        data = json.loads(body.decode("utf-8"), parse_constant=_no_number, object_pairs_hook=_unique, parse_int=_number)
    except UnicodeDecodeError:
        raise _wrong("is not UTF-8 text; send it in that encoding") from None
    except json.JSONDecodeError as error:
        raise _wrong(f"is not JSON: {error.msg} at line {error.lineno} column {error.colno}") from None
    except RecursionError:
        raise _too_deep() from None
    if _is_deep(data):
        raise _too_deep()
    if b"\\ud" in body.lower() and not _is_text(data):
        raise _wrong("holds half of a surrogate pair, which is no character; write the character itself")


def _wrong(what: str) -> Declined:
    return Declined(HTTPStatus.BAD_REQUEST, f"the body {what}")


def _too_deep() -> Declined:
    return _wrong(f"is nested deeper than {MOST_LEVELS} levels; make it flatter")


def _no_number(word: str) -> NoReturn:
    raise _wrong(f"holds {word}, which is no number in JSON; write a finite one")


def _number(digits: str) -> int:
    if len(digits) > _MOST_DIGITS:
        raise _wrong(f"holds a number of {len(digits):,} digits; at most {_MOST_DIGITS} are read")
    return int(digits)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        twice = Counter(name for name, _ in pairs).most_common(1)[0][0]
        raise _wrong(f"has the field {shown(twice)} twice; keep one of them")
    return fields


def _is_deep(data: Any) -> bool:  # noqa: ANN401 - whatever JSON holds
    level = [data]
    for _ in range(MOST_LEVELS):
        level = [part for each in level if isinstance(each, dict | list) for part in _parts(each)]
        if not level:
            return False
    return True


def _parts(data: dict[str, Any] | list[Any]) -> list[Any]:
    return list(data.values()) if isinstance(data, dict) else data


def _is_text(data: Any) -> bool:  # noqa: ANN401 - the same
    try:
        json.dumps(data, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True
