"""The API: requests come in here. Imports no model library, and little that few requests need."""

from __future__ import annotations

import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

from fastapi import FastAPI
from fastapi_offline import FastAPIOffline
from prometheus_client import CollectorRegistry

from service.analyses import routes as analyses
from service.annotation import annotate_routes as annotate
from service.annotation import board_routes as people_boards
from service.annotation import routes as annotation
from service.annotators import routes as annotators
from service.archives import routes as archives
from service.arenas import routes as arenas
from service.calibrations import routes as calibrations
from service.catalogue import metrics as catalogue
from service.catalogue import trainers
from service.datasets import routes as datasets
from service.datasets import uploads
from service.db.engine import connect
from service.db.notices import Notices
from service.errors import install
from service.evaluations import routes as evaluations
from service.gates import routes as gates
from service.health import routes as health
from service.http.event_stream import Streams
from service.http.gate import Gate
from service.http.middleware import Bodies, Requests
from service.http.origins import Origins
from service.imports import routes as imports
from service.leaderboards import comparisons, controls, pareto, power
from service.leaderboards import defined_routes as boards
from service.leaderboards import routes as leaderboards
from service.meta_evaluations import routes as meta_evaluations
from service.models import routes as models
from service.openai import routes as openai
from service.pages import routes as pages
from service.scoring import reward_routes as rewards
from service.scoring import routes as score
from service.settings import Settings, get_settings
from service.studies import routes as studies
from service.suites import routes as suites
from service.training import checkpoint_routes as checkpoints
from service.training import routes as training_jobs
from service.vote_analyses import item_routes as judged_items
from service.vote_analyses import routes as vote_analyses
from service.vote_exchange import export_routes as vote_exports
from service.vote_exchange import import_routes as vote_imports

DESCRIPTION = """
Scores you can defend: every value with its interval and its signature, every row kept.

1. `POST /v1/evaluations` with outputs and metrics; `Prefer: wait=30` answers when it is done.
2. `GET /v1/evaluations/{id}/samples?sort=chrf` shows the worst samples first.
3. `GET /v1/leaderboards/{dataset}?metric=chrf` ranks the systems, and says what is significant.
"""


def create_app(settings: Settings | None = None) -> FastAPI:
    """The application for one database; needs a URL (`assay serve` provides one)."""
    settings = settings or get_settings()
    if not settings.url:
        raise ValueError("ASSAY_DATABASE_URL is not set; `assay serve` brings its own database")

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        _leave_what_stays()
        engine = connect(settings.url, pool_size=20)
        async with Notices(settings.url) as notices:
            app.state.gate = Gate(engine, notices)
            yield
        engine.dispose()

    app = FastAPIOffline(
        title="Assay",
        version=version("assay"),
        summary="Evaluation of language models over HTTP",
        description=DESCRIPTION,
        lifespan=lifespan,
    )
    app.state.settings = settings
    app.state.streams = Streams(settings.max_streams, settings.stream_seconds)
    app.state.registry = CollectorRegistry()
    app.add_middleware(Bodies, settings=settings)
    app.add_middleware(Origins, settings=settings)
    app.add_middleware(Requests, registry=app.state.registry)
    install(app)
    for resource in (
        evaluations,
        analyses,
        score,
        rewards,
        leaderboards,
        comparisons,
        power,
        gates,
        calibrations,
        meta_evaluations,
        annotation,
        annotators,
        vote_analyses,
        judged_items,
        vote_exports,
        vote_imports,
        studies,
        people_boards,
        annotate,
        arenas,
        controls,
        pareto,
        boards,
        suites,
        archives,
        imports,
        training_jobs,
        checkpoints,
        trainers,
        uploads,
        datasets,
        catalogue,
        models,
        openai,
        pages,
        health,
    ):
        app.router.routes += resource.router.routes
    return app


def _leave_what_stays() -> None:
    """The garbage collector leaves what is loaded alone, and looks less often: it would search all
    of it again and again while a large answer is made, and every thread would wait for that."""
    gc.freeze()
    gc.set_threshold(10_000)
    gc.enable()  # `service.serve.api` did without while all of it was loaded
