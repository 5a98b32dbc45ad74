"""Experiments one by one: shown with what can be done now, stopped, retried, moved, deleted; and their metrics."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import JSONResponse, Response

from actors.http import lists, shapes
from actors.http.asking import Ask, Asking, MaybeFields, text_in
from actors.http.lists import Piece, Window, gathered
from actors.http.models import Deleted, Experiment, Metric, WholeExperiment, Why
from actors.http.openapi import FAILURES
from beagle.commands import (
    DeleteExperiment,
    ListMetrics,
    PrioritiseExperiment,
    RetryExperiment,
    ShowExperiment,
    StopExperiment,
)
from beagle.errors import InvalidInput
from beagle.message import Answer
from beagle.messages import AnyMessage
from beagle.sentences import shown

router = APIRouter(tags=["experiments"], responses=FAILURES)
STOPPED = "stopped by the user"


@router.get("/experiments/{experiment}", responses={200: {"model": WholeExperiment}})
def show_experiment(ask: Asking, experiment: str) -> Response:
    """By id, name, or number of the newest project: with what can be done now, and where."""
    return JSONResponse(shapes.whole_experiment(ask(ShowExperiment(experiment=experiment))))


@router.delete("/experiments/{experiment}", responses={200: {"model": Deleted}})
def delete_experiment(ask: Asking, experiment: str) -> Response:
    """Stops it where it runs; its metrics go too."""
    return JSONResponse(ask(DeleteExperiment(experiment=experiment)))


@router.get("/experiments/{experiment}/why", responses={200: {"model": Why}})
def explain_experiment(ask: Asking, experiment: str) -> Response:
    """One sentence: why it is in its state."""
    answer = ask(ShowExperiment(experiment=experiment))
    view = answer["experiment"]
    return JSONResponse({"id": view["id"], "state": view["state"], "why": answer["why"]})


@router.post("/experiments/{experiment}/stop", responses={200: {"model": Experiment}})
def stop_experiment(ask: Asking, experiment: str, fields: MaybeFields = None) -> Response:
    """Where it runs, or out of the queue; the body may give a `reason`."""
    return _changed(ask, StopExperiment(experiment=experiment, reason=text_in(fields, "reason", STOPPED)))


@router.post("/experiments/{experiment}/retry", responses={200: {"model": Experiment}})
def retry_experiment(ask: Asking, experiment: str) -> Response:
    """Runs one that failed, timed out or was stopped again, as its next attempt."""
    return _changed(ask, RetryExperiment(experiment=experiment))


@router.put("/experiments/{experiment}/priority", responses={200: {"model": Experiment}})
def prioritise_experiment(ask: Asking, experiment: str, fields: MaybeFields = None) -> Response:
    """Moves one that waits: the body gives its `priority`, from -50 to 50; without, it is 1. Higher goes first."""
    return _changed(ask, PrioritiseExperiment(experiment=experiment, priority=_priority(fields)))


@router.delete("/experiments/{experiment}/priority", responses={200: {"model": Experiment}})
def unprioritise_experiment(ask: Asking, experiment: str) -> Response:
    """Back to its usual place in the queue."""
    return _changed(ask, PrioritiseExperiment(experiment=experiment, priority=0))


@router.get("/experiments/{experiment}/metrics", responses={200: {"model": list[Metric]}})
def list_metrics(
    ask: Asking,
    experiment: str,
    attempt: Annotated[int | None, Query(ge=1, lt=2**31)] = None,
    limit: lists.Limit = lists.MOST,
    after: lists.Cursor = None,
) -> Response:
    """Oldest first, of the current attempt or another one; `experimentTime` is seconds since its start."""
    view = ask(ShowExperiment(experiment=experiment))["experiment"]
    asked = view["attempt"] if attempt is None else attempt
    piece = gathered(
        ask,
        Window(offset=0, limit=limit, after=after),
        "metrics",
        lambda after, _, limit: ListMetrics(experiment=view["id"], attempt=asked, after=after, limit=limit),
    )
    started = _started(ask, view, asked, piece)
    where = f"{shapes.API}/experiments/{view['id']}/metrics"
    return lists.bare(where, piece, limit, lambda metric: shapes.metric(metric, started), attempt=attempt)


def _started(ask: Ask, view: Answer, attempt: int, piece: Piece) -> datetime | None:
    """Of an earlier attempt only its first metric is known."""
    if attempt == view["attempt"]:
        launched: str | None = view["launch_time"]
        return datetime.fromisoformat(launched) if launched else None
    if not piece.records:
        return None
    first = ask(ListMetrics(experiment=view["id"], attempt=attempt, limit=1))["metrics"]
    return datetime.fromisoformat(first[0]["time"]) if first else None


def _priority(fields: dict[str, Any] | None) -> int:
    given = (fields or {}).get("priority", 1)
    if isinstance(given, bool) or not isinstance(given, int) or not -50 <= given <= 50:
        raise InvalidInput([f"priority: is {shown(given)}; give a whole number from -50 to 50"])
    return given


def _changed(ask: Ask, order: AnyMessage) -> Response:
    return JSONResponse(shapes.experiment(ask(order)["experiment"]))
