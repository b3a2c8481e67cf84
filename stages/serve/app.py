"""The application: its routes, and its errors as JSON."""

import asyncio
import time
from typing import Annotated, Any

from fastapi import FastAPI, Path, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from stages import __version__
from stages.serve.batching import Batcher
from stages.serve.limits import problem
from stages.serve.metrics import CONTENT_TYPE, SIMILAR, Metrics
from stages.serve.options import ServeOptions
from stages.serve.reload import Reloader
from stages.serve.requests import RefusedError, parse, problems_in_words, request_model, resolve, resolve_similar
from stages.serve.work import Work

MODEL_HEADER = "X-Cocorec-Model"
"""Of each answer: the version of the model that gave it."""


class Recommendations(BaseModel):
    """An answer of ``POST /recommend``; texts of the items come with it as the server was told."""

    user_id: str | None = None
    item_ids: list[str]
    scores: list[float]
    fallback: bool
    unknown_ids: int | None = None


class Similar(BaseModel):
    """An answer of ``GET /similar/{item_id}``."""

    item_id: str
    item_ids: list[str]
    scores: list[float]


class Problem(BaseModel):
    """Why a request was not answered."""

    error: str
    hint: str | None = None


class Health(BaseModel):
    """What answers at the moment."""

    status: str
    model: str
    items: int
    users: int
    loaded_seconds_ago: float
    problem: str | None = None


def create_app(options: ServeOptions, reloader: Reloader, batcher: Batcher[Work, str], metrics: Metrics) -> FastAPI:
    """The application of a server.

    Args:
        options: its limits.
        reloader: has the model.
        batcher: ranks.
        metrics: are shown.
    """
    app = FastAPI(
        title="cocorec",
        version=__version__,
        description="Recommendations from a trained work directory.",
        redoc_url=None,
    )
    body = request_model(options)
    schema = {"requestBody": {"required": True, "content": {"application/json": {"schema": body.model_json_schema()}}}}

    async def ranked(work: Work) -> Response:
        try:
            async with asyncio.timeout(options.request_seconds):
                line = await batcher.ask(work)
        except TimeoutError:
            told = f"not ranked within {options.request_seconds:g} seconds"
            raise RefusedError(503, told, retry_after=1) from None
        return Response(line + "\n", media_type="application/json", headers={MODEL_HEADER: work.snapshot.version})

    @app.post("/recommend", responses=_responses(Recommendations, 400, 404, 413, 415, 422, 429), openapi_extra=schema)
    async def recommend(request: Request) -> Response:
        """The best items after a history, or for a user of the log."""
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/json":
            raise RefusedError(415, "the body is not said to be JSON", "Send Content-Type: application/json.")
        return await ranked(resolve(parse(await request.body(), body), reloader.current))

    @app.get(SIMILAR + "{item_id:path}", responses=_responses(Similar, 404, 409, 422, 429))
    async def similar(
        item_id: Annotated[str, Path(description="Id of an item, with %2F for a slash.")],
        k: Annotated[int, Query(ge=1, le=options.max_top, description="Length of the list.")] = options.top,
    ) -> Response:
        """The items most like an item."""
        return await ranked(resolve_similar(item_id, k, reloader.current, options.similar_by))

    @app.get("/healthz")
    async def healthz() -> Health:
        """Whether the server answers, and from what."""
        found = reloader.current
        return Health(
            status="ok" if reloader.problem is None else "stale",
            model=found.version,
            items=len(found.items),
            users=len(found.users),
            loaded_seconds_ago=round(time.time() - reloader.loaded_at, 1),
            problem=reloader.problem,
        )

    @app.get("/metrics", response_class=Response)
    async def show_metrics() -> Response:
        """Counts for Prometheus."""
        return Response(metrics.text(), media_type=CONTENT_TYPE)

    _add_errors(app)
    return app


def _responses(answer: type[BaseModel], *errors: int) -> dict[int | str, dict[str, Any]]:
    return {200: {"model": answer}, **{status: {"model": Problem} for status in (*errors, 503)}}


def _add_errors(app: FastAPI) -> None:
    """Let every error be JSON of one form."""

    @app.exception_handler(RefusedError)
    async def refused(request: Request, error: RefusedError) -> JSONResponse:
        headers = {} if error.retry_after is None else {"Retry-After": str(error.retry_after)}
        return JSONResponse(problem(error.message, error.hint), error.status, headers)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        return JSONResponse(problem(problems_in_words(error.errors()), "GET /docs describes the parameters."), 422)

    @app.exception_handler(HTTPException)
    async def other(request: Request, error: HTTPException) -> JSONResponse:
        return JSONResponse(problem(str(error.detail)), error.status_code, error.headers)

    @app.exception_handler(Exception)
    async def bug(request: Request, error: Exception) -> JSONResponse:
        return JSONResponse(problem("this is a bug in cocorec", "Its log says more."), 500)
