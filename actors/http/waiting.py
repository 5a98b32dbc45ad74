"""The queue and the pool: what waits and what runs, of all projects."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import JSONResponse, Response

from actors.http import lists, shapes
from actors.http.asking import Asking
from actors.http.lists import AWindow, gathered
from actors.http.models import Experiment, Requeued, Stopped
from actors.http.openapi import FAILURES
from beagle.commands import ClearQueue, ListPool, ListQueue, RequeuePool, StopExperiment

router = APIRouter(tags=["queue and pool"], responses=FAILURES)


@router.get("/queues", responses={200: {"model": list[Experiment]}})
def list_queue(ask: Asking, window: AWindow) -> Response:
    """What waits, in order."""
    piece = gathered(ask, window, "experiments", lambda a, o, limit: ListQueue(after=a, offset=o, limit=limit))
    return lists.bare(f"{shapes.API}/queues", piece, window.limit, shapes.experiment)


@router.delete("/queues", responses={200: {"model": Stopped}})
def clear_queue(ask: Asking) -> Response:
    """Takes out all that waits; those experiments are `stopped`, and may be retried."""
    return JSONResponse(ask(ClearQueue()))


@router.delete("/queues/{experiment}", responses={200: {"model": Experiment}})
def take_out(ask: Asking, experiment: str) -> Response:
    """Takes one out of the queue; refused for one that does not wait there."""
    order = StopExperiment(experiment=experiment, reason="taken out of the queue by the user", only="queue")
    return JSONResponse(shapes.experiment(ask(order)["experiment"]))


@router.get("/pools", responses={200: {"model": list[Experiment]}})
def list_pool(ask: Asking, window: AWindow) -> Response:
    """What runs."""
    piece = gathered(ask, window, "experiments", lambda a, o, limit: ListPool(after=a, offset=o, limit=limit))
    return lists.bare(f"{shapes.API}/pools", piece, window.limit, shapes.experiment)


@router.delete("/pools", responses={200: {"model": Requeued}})
def requeue_pool(ask: Asking) -> Response:
    """Stops all that runs and puts it back at the head of the queue."""
    return JSONResponse(ask(RequeuePool()))


@router.delete("/pools/{experiment}", responses={200: {"model": Experiment}})
def stop_running(ask: Asking, experiment: str) -> Response:
    """Stops one where it runs; refused for one that does not run."""
    order = StopExperiment(experiment=experiment, only="pool")
    return JSONResponse(shapes.experiment(ask(order)["experiment"]))
