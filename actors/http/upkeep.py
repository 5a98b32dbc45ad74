"""What operators do: messages that could not be handled, and sites that never return."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import JSONResponse, Response

from actors.http.asking import Asking
from actors.http.models import Freed, Letter
from actors.http.openapi import FAILURES
from beagle.commands import ForgetSite
from beagle.commands_dead import DropDeadLetter, ListDeadLetters, ReplayDeadLetter, ShowDeadLetter

router = APIRouter(tags=["upkeep"], responses=FAILURES)


@router.get("/dead-letters", responses={200: {"model": list[Letter]}})
def list_dead_letters(ask: Asking, limit: Annotated[int, Query(ge=1, le=1000)] = 100) -> Response:
    """The oldest first."""
    return JSONResponse(ask(ListDeadLetters(limit=limit))["letters"])


@router.get("/dead-letters/{letter}", responses={200: {"model": Letter}})
def show_dead_letter(ask: Asking, letter: str) -> Response:
    """With its body."""
    return JSONResponse(ask(ShowDeadLetter(letter=letter))["letter"])


@router.post("/dead-letters/{letter}/replay", responses={200: {"model": Letter}})
def replay_dead_letter(ask: Asking, letter: str) -> Response:
    """Sends it again to where it was on its way to."""
    return JSONResponse(ask(ReplayDeadLetter(letter=letter))["letter"])


@router.delete("/dead-letters/{letter}", responses={200: {"model": Letter}})
def drop_dead_letter(ask: Asking, letter: str) -> Response:
    """For good."""
    return JSONResponse(ask(DropDeadLetter(letter=letter))["letter"])


@router.delete("/sites/{site}", responses={200: {"model": Freed}})
def forget_site(ask: Asking, site: str) -> Response:
    """Takes what runs at a site for lost; only for one that never returns. To be asked until nothing is `left`."""
    return JSONResponse(ask(ForgetSite(site=site)))
