"""/healthz, /readyz, and Prometheus' /metrics."""

from __future__ import annotations

from fastapi import Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector, CollectorRegistry
from pydantic import BaseModel
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from service.db.engine import is_current
from service.errors import ApiError, ErrorOut
from service.http import space
from service.http.answers import ERRORS
from service.http.dependencies import CurrentGate, CurrentSettings, Transaction
from service.http.router import Router
from service.jobs import counters, queue
from service.settings import Settings

router = Router(tags=["health"])

COUNTERS = {  # name in the database -> (Prometheus name, label, help)
    "rows_measured": ("assay_rows_measured", "metric", "outputs measured, cached ones included"),
    "rows_from_cache": ("assay_rows_from_cache", "metric", "outputs whose evidence was cached"),
    "measure_seconds": ("assay_measure_seconds", "metric", "seconds spent measuring"),
    "conclude_seconds": ("assay_conclude_seconds", "metric", "seconds spent on values, intervals"),
    "model_loads": ("assay_model_loads", "device", "times a model was loaded"),
    "model_calls": ("assay_model_calls", "device", "forward passes"),
}


class Ready(BaseModel):
    """`queue` counts tasks, by `queue:status`."""

    status: str
    queue: dict[str, int]


@router.get("/healthz", summary="The process is up")
async def healthz() -> dict[str, str]:
    """Nothing is asked of the database."""
    return {"status": "ok"}


@router.get(
    "/readyz",
    summary="The database is reachable, its schema ours, and there is room",
    responses={503: ERRORS[503] | {"model": ErrorOut}},
)
def readyz(gate: CurrentGate, settings: CurrentSettings) -> Ready:
    """503 with the reason where requests could not be answered."""
    try:
        with gate.transaction() as db:
            if not is_current(db):
                message = "the schema is not current: run assay migrate"
                raise ApiError(503, "schema_outdated", message)
            depth = queue.depth(db)
    except SQLAlchemyError:
        raise ApiError(503, "database_unreachable", "the database does not answer") from None
    if not gate.notices.listening:
        raise ApiError(503, "not_listening", "the connection for notifications is not up yet")
    space.require(settings)
    return Ready(status="ok", queue={f"{name}:{status}": n for (name, status), n in depth.items()})


@router.get("/metrics", summary="For Prometheus", include_in_schema=False)
def prometheus(request: Request, db: Transaction) -> Response:
    """Requests of this process, and what all workers did, as the database has it."""
    registry: CollectorRegistry = request.app.state.registry
    of_workers = CollectorRegistry(auto_describe=False)
    ages = _oldest(db, request.app.state.settings)
    of_workers.register(_Families([_queue_depth(db), ages, *_counters(db)]))
    text = generate_latest(registry) + generate_latest(of_workers)
    return Response(text, media_type=CONTENT_TYPE_LATEST)


def _queue_depth(db: Connection) -> Metric:
    family = GaugeMetricFamily("assay_queue_jobs", "jobs by status", labels=["queue", "status"])
    for (name, status), count in queue.depth(db).items():
        family.add_metric([name, status], count)
    return family


def _oldest(db: Connection, settings: Settings) -> Metric:
    about = "seconds that the oldest waiting job of a queue has waited"
    family = GaugeMetricFamily("assay_queue_oldest_seconds", about, labels=["queue"])
    for name, seconds in (dict.fromkeys(settings.queues, 0.0) | queue.oldest(db)).items():
        family.add_metric([name], seconds)
    return family


def _counters(db: Connection) -> list[Metric]:
    families = {
        name: CounterMetricFamily(exported, about, labels=[label])
        for name, (exported, label, about) in COUNTERS.items()
    }
    for counter in counters.read(db):
        if counter.name in families:
            families[counter.name].add_metric([counter.label], counter.value)
    return list(families.values())


class _Families(Collector):
    """Families of metrics that were read a moment ago."""

    def __init__(self, families: list[Metric]) -> None:
        self.families = families

    def collect(self) -> list[Metric]:
        """As Prometheus' client asks for them."""
        return self.families
