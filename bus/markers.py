"""The words with which BeagleML 1.0.0 told listeners that an experiment has ended, for those who still listen for them.

They are published raw on `beagle.events` with the key `marker.<experiment id>`; whoever binds that key gets them. Of a
failure the original said nothing.
"""

from __future__ import annotations

from beagle.experiment import State

MARKERS = {
    State.COMPLETED: b"<EXPERIMENT_COMPLETED>",
    State.TIMEOUT: b"<TIMEOUT_REACHED>",
    State.ACCURACY_LIMIT_REACHED: b"<ACCURACY_REACHED>",
    State.STOPPED: b"<STOPPED>",
}


def marker_key(experiment: str) -> str:
    return f"marker.{experiment}"
