"""Around every request: an error of ours has an id and is counted like any other answer."""

from __future__ import annotations

import asyncio
import logging

import httpx
import psycopg
import pytest
from fastapi import FastAPI
from prometheus_client import CollectorRegistry
from sqlalchemy import create_engine
from sqlalchemy.exc import OperationalError

from service.errors import install
from service.http.middleware import Requests


def test_an_error_of_ours_can_be_found_again(caplog: pytest.LogCaptureFixture) -> None:
    app, registry = FastAPI(), CollectorRegistry()
    app.add_middleware(Requests, registry=registry)
    install(app)

    @app.get("/broken")
    def broken() -> None:
        raise ZeroDivisionError("not for strangers")

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
            return await client.get("/broken", headers={"x-request-id": "mine-1"})

    with caplog.at_level(logging.ERROR):
        answer = asyncio.run(ask())
    assert answer.status_code == 500
    assert answer.headers["x-request-id"] == "mine-1"
    assert answer.json()["error"]["code"] == "internal_error"
    assert "strangers" not in answer.text
    assert any(record.exc_info for record in caplog.records)
    labels = {"method": "GET", "route": "/broken", "status": "500"}
    assert registry.get_sample_value("assay_requests_total", labels) == 1.0


def test_a_lost_database_is_unavailable_and_a_bad_statement_is_ours() -> None:
    app = FastAPI()
    app.add_middleware(Requests, registry=CollectorRegistry())
    install(app)
    engine = create_engine("postgresql+psycopg://nobody@127.0.0.1:1/nothing")

    @app.get("/lost")
    def lost() -> None:
        engine.connect()

    @app.get("/wrong")
    def wrong() -> None:
        raise OperationalError("insert", {}, psycopg.errors.ProgramLimitExceeded("too wide"))

    async def ask(path: str) -> httpx.Response:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
            return await client.get(path)

    answer = asyncio.run(ask("/lost"))
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "database_unreachable")
    assert answer.headers["retry-after"]
    assert answer.headers["x-request-id"]
    assert asyncio.run(ask("/wrong")).status_code == 500


def test_a_path_spells_no_status(caplog: pytest.LogCaptureFixture) -> None:
    app = FastAPI()
    app.add_middleware(Requests, registry=CollectorRegistry())

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
            return await client.get("/v1/none%20200%20request_id=mine")

    with caplog.at_level(logging.INFO, "service.requests"):
        assert asyncio.run(ask()).status_code == 404
    (line,) = [one.getMessage() for one in caplog.records if one.name == "service.requests"]
    assert line == "GET /v1/none%20200%20request_id=mine 404"
