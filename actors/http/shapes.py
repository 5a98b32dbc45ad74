"""What the bus answers, in the shapes of the original's API. Fields of ours stand beside its own."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from beagle.message import Answer

SYSTEM = "system"
API = "/api/v1"


def experiment(view: Answer) -> Answer:
    parameters = [{"name": name, "value": value} for name, value in view["parameters"].items()]
    return {**view, "parameters": parameters}


def project(view: Answer) -> Answer:
    """The counts as flat keys too: the front end adds them up."""
    return {**view, **view["counts"]}


def system(answer: Answer) -> Answer:
    return {
        "id": SYSTEM,
        "running": answer["running"],
        "state": answer["state"],
        "experimentsLimit": answer["limit"],
        "version": answer["version"],
        "held": answer["held"],
        **answer["counts"],
        "projects": [project(view) for view in answer["projects"]],
        "pools": [experiment(view) for view in answer["experiments"]],
    }


def whole_project(answer: Answer, total: int) -> Answer:
    """The definition's fields at the top, as the original had them; those of ours win where both have one."""
    best = answer["best"] and experiment(answer["best"])
    return {**answer["definition"], **project(answer["project"]), "experiments": total, "best": best}


def metric(view: Answer, started: datetime | None) -> Answer:
    """The reported names at the top; `experimentTime` is what the chart draws along."""
    values: Mapping[str, float] = view["values"]
    beside = {name: view[name] for name in ("time", "source", "sequence", "step")}
    if started is not None:
        beside["experimentTime"] = max(0.0, (datetime.fromisoformat(view["time"]) - started).total_seconds())
    return {**beside, **values}


def whole_experiment(answer: Answer) -> Answer:
    view = experiment(answer["experiment"])
    here = f"{API}/experiments/{view['id']}"
    links = {"metrics": f"{here}/metrics", "why": f"{here}/why", "project": f"{API}/projects/{view['project_id']}"}
    return {"info": view, "links": links, "actions": actions(view, answer["actions"]), "why": answer["why"]}


def actions(view: Answer, able: list[str]) -> dict[str, str]:
    """What can be done now, by the original's words, each with its path."""
    here, waits, runs = f"{API}/experiments/{view['id']}", view["state"] == "queue", view["state"] == "pool"
    found = {
        "deleteExperiment": (here, "delete" in able),
        "deleteExperimentQueue": (f"{API}/queues/{view['id']}", waits),
        "deleteExperimentPool": (f"{API}/pools/{view['id']}", runs),
        "prioritizeExperiment": (f"{here}/priority", "prioritise" in able),
        "unPrioritizeExperiment": (f"{here}/priority", "prioritise" in able and view["priority"] != 0),
        "stop": (f"{here}/stop", "stop" in able),
        "retry": (f"{here}/retry", "retry" in able),
    }
    return {word: path for word, (path, is_able) in found.items() if is_able}


def same(one: Any, other: Any) -> bool:  # noqa: ANN401 - whatever JSON holds
    """Whether two documents say the same: JavaScript writes 80.0 as 80, and long numbers with fewer digits."""
    match one, other:
        case dict(), dict():
            return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
        case list(), list():
            return len(one) == len(other) and all(map(same, one, other))
        case bool(), _:
            return one is other
        case _, bool():
            return False
        case ((int() | float()), (int() | float())):
            return one == other or _rounded(one) == _rounded(other)
    return bool(one == other)


def _rounded(number: float) -> float:
    try:
        return float(number)
    except OverflowError:
        return float("inf")
