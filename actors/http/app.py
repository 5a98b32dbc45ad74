"""The HTTP gateway as an ASGI app: it turns calls into the orders and questions of `beagle.commands`, and asks.

Handlers are synchronous and run in the thread pool of the web framework. Nothing here knows an actor, the store or the
bus: whatever is asked goes over the bus, as from any other front end.
"""

from __future__ import annotations

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp

from actors.http import commands, errors, experiments, files, openapi, projects, systems, upkeep, waiting
from actors.http.asking import Ask
from actors.http.guard import Guard
from actors.http.live import Live, live_routers
from actors.http.shapes import API
from beagle.setting_checks import split
from beagle.settings import Settings

ROUTERS = (
    systems.router,
    files.uploads,
    files.router,
    projects.router,
    waiting.router,
    experiments.router,
    upkeep.router,
    commands.router,
)


def make_app(ask: Ask, settings: Settings, live: Live) -> ASGIApp:
    """`ask` may block; it raises what the actors refused with."""
    app = FastAPI(title="Beagle", openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    errors.install(app)
    app.state.ask = ask
    for router in (*ROUTERS, *live_routers(ask, settings, live)):
        app.include_router(router, prefix=API)
    openapi.install(app, asks_for_token=bool(settings.token))
    guarded = Guard(app, settings)
    # Outermost, so that a page of a known origin may read refusals too; a preflight needs no token.
    return CORSMiddleware(
        guarded,
        allow_origins=split(settings.origins),
        allow_methods=["DELETE", "GET", "HEAD", "POST", "PUT"],
        allow_headers=["Authorization", "Content-Type", "Last-Event-ID", "type"],
        expose_headers=["Link", "X-Total-Count"],
    )
