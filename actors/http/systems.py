"""The one system: play, pause, the limit and the reset."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import JSONResponse, Response

from actors.http import shapes
from actors.http.asking import Ask, Asking, Fields
from actors.http.models import Beat, System
from actors.http.openapi import FAILURES
from beagle.commands import PauseSystem, ResetSystem, SetLimit, ShowSystem, StartSystem
from beagle.errors import InvalidInput, NotFound
from beagle.messages import AnyMessage
from beagle.sentences import shown

router = APIRouter(tags=["system"], responses=FAILURES)
MOST = 10_000
_WORDS = {"true": True, "false": False}


@router.get("/heartbeat", responses={200: {"model": Beat}})
async def beat() -> Response:  # in the loop itself: questions that wait may hold all threads of the pool
    """It serves."""
    return JSONResponse({"status": "ok"})


@router.get("/systems", responses={200: {"model": list[System]}})
def list_systems(ask: Asking) -> Response:
    """A list with one system."""
    return JSONResponse([shapes.system(ask(ShowSystem()))])


@router.get("/systems/{system}", responses={200: {"model": System}})
def show_system(ask: Asking, system: str) -> Response:
    return _shown(ask, system)


@router.put("/systems/{system}", responses={200: {"model": System}})
def change_system(ask: Asking, system: str, fields: Fields) -> Response:
    """`running` (play and pause) and `experimentsLimit`, one or both, each as itself or as text."""
    _check(system)
    for order in _orders(fields):
        ask(order)
    return _shown(ask, system)


@router.post("/systems/{system}/reset", responses={200: {"model": System}})
def reset_system(ask: Asking, system: str) -> Response:
    """Deletes all projects, and stops what runs; model templates stay."""
    _check(system)
    ask(ResetSystem())
    return _shown(ask, system)


def _shown(ask: Ask, system: str) -> Response:
    _check(system)
    return JSONResponse(shapes.system(ask(ShowSystem())))


def _check(system: str) -> None:
    if system != shapes.SYSTEM:
        raise NotFound(f"there is no system {shown(system)}; the one there is is {shapes.SYSTEM}")


def _orders(fields: dict[str, object]) -> list[AnyMessage]:
    """All read before any is given. Nothing more than is wanted starts in between: paused before, played after."""
    orders: list[AnyMessage] = []
    if "experimentsLimit" in fields:
        orders.append(SetLimit(limit=_limit(fields["experimentsLimit"])))
    if "running" in fields:
        if _is_running(fields["running"]):
            orders.append(StartSystem())
        else:
            orders.insert(0, PauseSystem())
    if not orders:
        raise InvalidInput(["the body has neither running nor experimentsLimit; give one of them, or both"])
    return orders


def _is_running(given: object) -> bool:
    running = _WORDS.get(given.lower()) if isinstance(given, str) else given
    if not isinstance(running, bool):
        raise InvalidInput([f"running: is {shown(given)}; give true or false"])
    return running


def _limit(given: object) -> int:
    text = given.strip() if isinstance(given, str) else ""
    limit = int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else given
    if isinstance(limit, bool) or not isinstance(limit, int) or not 0 <= limit <= MOST:
        raise InvalidInput([f"experimentsLimit: is {shown(given)}; give a whole number from 0 to {MOST}"])
    return limit
