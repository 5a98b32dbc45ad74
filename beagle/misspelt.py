"""Finds variables of the environment that look like a mistyped setting. Nobody else's variables are a mistake."""

from __future__ import annotations

from collections.abc import Mapping

from beagle.sentences import nearest
from beagle.settings import FILE, PREFIX, TABLE

# What an experiment is told, and a program that is tried by hand may have been given.
_TOLD = {
    f"{PREFIX}{word}"
    for word in (
        *("ATTEMPT", "CHECKPOINT_DIR", "EXPERIMENT", "METRICS_EXCHANGE", "METRICS_KEY", "METRICS_URL", "NUMBER"),
        *("OUTPUT_DIR", "PARAMETERS", "PROJECT", "PROJECT_ID", "REPORT_TOKEN", "REPORT_URL", "REPORT_WAIT", "SEED"),
        *("SERVICE", "WORKLOAD"),
    )
}


def misspelt(environment: Mapping[str, str]) -> list[str]:
    """A sentence for each."""
    known = {setting.variable for setting in TABLE.values()} | {PREFIX + FILE.upper()}
    unknown = [name for name in environment if name.startswith(PREFIX) and name not in known | _TOLD]
    near = {name: nearest(name, known) for name in unknown}
    return [
        f"{name} is no setting; did you mean {meant}?" for name, meant in near.items() if meant and _close(name, meant)
    ]


def _close(name: str, meant: str) -> bool:
    """Nearer than the prefix that all have in common makes them."""
    return nearest(name.removeprefix(PREFIX), [meant.removeprefix(PREFIX)]) is not None
