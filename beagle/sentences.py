"""Words for the sentences that users read about their mistakes."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

_LONGEST = 60


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known name that was probably meant, upper and lower case aside."""
    by_lower = {name.lower(): name for name in known}
    close = get_close_matches(word.lower(), by_lower, n=1, cutoff=0.6)
    return by_lower[close[0]] if close else None


def meant(word: str, known: Iterable[str], beside: Iterable[str] = ()) -> str:
    """`did you mean epochs?`, or what is `known` when nothing there or `beside` is near."""
    names = sorted(known)
    near = nearest(word, [*names, *beside])
    return f"did you mean {near}?" if near else f"there is {', '.join(names) or 'none'}"


def shown(value: object) -> str:
    """A value from outside, short enough for a sentence."""
    match value:
        case None:
            return "empty"
        case dict():
            return "a mapping" if value else "an empty mapping"
        case list():
            return "a list" if value else "an empty list"
        case bool():
            return str(value).lower()
    text = repr(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def counted(number: int) -> str:
    """A whole number as people read it: with commas, by its power of ten when that is longer than a line."""
    if number < 10**15:
        return f"{number:,}"
    return f"more than 10^{(number.bit_length() - 1) * 30102 // 100000}"
