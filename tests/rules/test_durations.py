"""Durations are seconds, or numbers with units."""

from __future__ import annotations

import pytest

from beagle.durations import seconds


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (80.0, 80.0),
        (0, 0.0),
        ("80", 80.0),
        ("1.5", 1.5),
        ("10m", 600.0),
        ("24h", 86400.0),
        ("1d", 86400.0),
        ("1h30m", 5400.0),
        ("1m 30s", 90.0),
        ("500ms", 0.5),
        ("20us", 0.00002),
        (" 5s ", 5.0),
        ("2w", 1209600.0),
    ],
)
def test_a_duration_is_read(written, expected):
    assert seconds(written) == pytest.approx(expected)


@pytest.mark.parametrize(
    "written",
    [
        "",
        "soon",
        "10 parsecs",
        "-5s",
        "5s5",
        "s",
        "m10",
        "1e3",
        -1,
        True,
        None,
        [],
        1e300,
        float("nan"),
        10**400,
        "9" * 400,
    ],
)
def test_what_is_no_duration_is_refused(written):
    with pytest.raises(ValueError, match="give seconds as a number, or a duration such as 90s, 10m or 24h"):
        seconds(written)
