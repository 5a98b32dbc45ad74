"""What the framework allows: a handler that does nothing, served as the gateway serves its own."""

from __future__ import annotations

import uvicorn
from fastapi import FastAPI

from tests.benchmarks.child import Found, serve


def run(port: int) -> Found:
    """Serves until it is killed."""
    app = FastAPI()

    @app.get("/")
    def nothing() -> dict[str, str]:
        return {}

    uvicorn.run(app, host="127.0.0.1", port=port, log_level="warning", access_log=False)
    return {}


if __name__ == "__main__":
    serve(run)
