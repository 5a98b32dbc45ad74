"""Projects: submitted, listed, shown, paused, stopped, deleted."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import JSONResponse, Response

from actors.http import lists, shapes
from actors.http.asking import Ask, Asking, Fields, MaybeFields, text_in
from actors.http.lists import AWindow, Window, gathered
from actors.http.models import Experiment, Experiments, Project, Submitted, WholeProject
from actors.http.openapi import FAILURES
from actors.http.posted import definition_of
from beagle.commands import (
    FURTHEST,
    CancelProject,
    DeleteProject,
    ListBest,
    ListExperiments,
    ListProjects,
    PauseProject,
    ResumeProject,
    ShowProject,
    StopProject,
    SubmitProject,
)
from beagle.messages import AnyMessage

router = APIRouter(tags=["projects"], responses=FAILURES)
_PROJECTS = 1000


@router.get("/projects", responses={200: {"model": list[Project]}})
def list_projects(
    ask: Asking,
    offset: Annotated[int, Query(ge=0, le=FURTHEST)] = 0,
    limit: lists.Limit = _PROJECTS,
    after: lists.Cursor = None,
) -> Response:
    """The newest first, each with its counts as flat keys."""
    piece = gathered(
        ask,
        Window(offset=offset, limit=limit, after=after),
        "projects",
        lambda after, offset, limit: ListProjects(after=after, offset=offset, limit=limit),
    )
    return lists.bare(f"{shapes.API}/projects", piece, limit, shapes.project)


@router.post("/projects", responses={200: {"model": Submitted}})
def submit_project(ask: Asking, fields: Fields, *, anew: bool = False) -> Response:
    """What `upload` answered. One with the same definition and template is taken up again; `anew` runs it once more."""
    name, text = definition_of(fields)
    answer = ask(SubmitProject(definition=text, definition_name=name, anew=anew))
    made = [shapes.project(view) for view in answer["projects"]]
    return JSONResponse({**made[0], "projects": made, "taken_up": answer["taken_up"]})


@router.get("/projects/{project}", responses={200: {"model": WholeProject}})
def show_project(ask: Asking, project: str) -> Response:
    """Its definition, its counts, and how many experiments it has by now."""
    answer = ask(ShowProject(project=project))
    return JSONResponse(shapes.whole_project(answer, sum(answer["project"]["counts"].values())))


@router.delete("/projects/{project}", status_code=204)
def delete_project(ask: Asking, project: str) -> Response:
    """With its experiments and metrics; what runs of it is stopped."""
    ask(DeleteProject(project=project))
    return Response(status_code=204)


@router.get("/projects/{project}/experiments", responses={200: {"model": Experiments}})
def list_experiments(ask: Asking, project: str, window: AWindow, state: str | None = None) -> Response:
    """By number; `state` shows only those that are in it."""
    piece = gathered(
        ask,
        window,
        "experiments",
        lambda after, offset, limit: ListExperiments(
            project=project, state=state, after=after, offset=offset, limit=limit
        ),
    )
    found = [shapes.experiment(view) for view in piece.records]
    info = {"limit": window.limit, "offset": window.offset, "total": piece.total, "next": piece.next}
    where = f"{shapes.API}/projects/{project}/experiments"
    return JSONResponse(
        {"info": {**info, "experiments": found}}, headers=lists.headers(where, piece, window.limit, state=state)
    )


@router.get("/projects/{project}/best", responses={200: {"model": list[Experiment]}})
def list_best(ask: Asking, project: str, count: Annotated[int, Query(ge=1, le=1000)] = 10) -> Response:
    """The best by the objective, best first."""
    answer = ask(ListBest(project=project, count=count))
    return JSONResponse([shapes.experiment(view) for view in answer["experiments"]])


@router.post("/projects/{project}/pause", responses={200: {"model": Project}})
def pause_project(ask: Asking, project: str, fields: MaybeFields = None) -> Response:
    """No more of it starts; what runs goes on."""
    return _changed(ask, PauseProject(project=project, reason=text_in(fields, "reason", "paused by the user")))


@router.post("/projects/{project}/resume", responses={200: {"model": Project}})
def resume_project(ask: Asking, project: str) -> Response:
    """It starts experiments again."""
    return _changed(ask, ResumeProject(project=project))


@router.post("/projects/{project}/stop", responses={200: {"model": Project}})
def stop_project(ask: Asking, project: str) -> Response:
    """No more of it starts, and it ends for good when what runs has ended."""
    return _changed(ask, StopProject(project=project))


@router.post("/projects/{project}/cancel", responses={200: {"model": Project}})
def cancel_project(ask: Asking, project: str) -> Response:
    """As stop, and what runs is stopped too."""
    return _changed(ask, CancelProject(project=project))


def _changed(ask: Ask, order: AnyMessage) -> Response:
    return JSONResponse(shapes.project(ask(order)["project"]))
