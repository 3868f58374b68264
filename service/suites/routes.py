"""/v1/suites: what tasks are measured by."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query, Response
from sqlalchemy import Connection

from inference.errors import ReportedError
from metrics.suites import suites
from metrics.suites.choosing import Bind
from metrics.suites.declaration import Code, Option, Suite
from metrics.suites.script import script
from metrics.suites.wording import Lang, worded
from service.errors import ApiError, of_metric
from service.http.bodies import BodyRoute
from service.http.dependencies import CurrentSettings, Idempotent, Transaction
from service.http.idempotency import Created
from service.http.router import Router
from service.suites import store
from service.suites.choosing import bind, bind_any, need_language
from service.suites.schemas import DeletedSuiteOut, SuiteIn, SuiteOut, SuitesOut
from service.suites.store import Declared

PYTHON = "text/x-python"
Sentences = Annotated[
    Lang, Query(description="that `about`, `why` and `cannot_see` are in; own suites: as written")
]

router = Router(prefix="/v1/suites", tags=["suites"], route_class=BodyRoute)


@router.post(
    "",
    status_code=201,
    responses={200: {"model": SuiteOut, "description": "It is declared so already"}},
    summary="Declare a suite",
)
def create_suite(
    body: SuiteIn,
    db: Transaction,
    settings: CurrentSettings,
    response: Response,
    key: Idempotent,
) -> SuiteOut:
    """Evaluations then ask for it by `"suite"`. A name that is taken by another declaration is
    answered with 409: delete it first."""

    def create(db: Connection) -> Created[SuiteOut]:
        _check(body, bind_any(db, settings))
        if body.name in suites():
            message = f"{body.name!r} comes with the service: give yours another name"
            raise ApiError(409, "suite_exists", message, "name")
        new = store.create(db, body)
        found = store.require(db, body.name)
        if found.suite.model_dump() != body.model_dump():
            message = f"there is a suite {body.name!r} that is declared otherwise: delete it first"
            raise ApiError(409, "suite_exists", message, "name")
        return Created(_view(found), 201 if new else 200)

    return key.once(db, SuiteOut, create).sent(response)


@router.get("", summary="All suites")
def list_suites(db: Transaction, lang: Sentences = "en") -> SuitesOut:
    """Those that come with the service, then users' own, each by name."""
    return SuitesOut(data=[_view(one, lang) for one in store.every(db)])


@router.get("/{suite}", summary="One suite")
def get_suite(suite: str, db: Transaction, lang: Sentences = "en") -> SuiteOut:
    """Its metrics: why each is there, what it cannot see, and what stands in for it."""
    return _view(store.require(db, suite), lang)


@router.get(
    "/{suite}/script",
    summary="A suite as a Python script",
    response_class=Response,
    responses={200: {"content": {PYTHON: {"schema": {"type": "string"}}}}},
)
def get_script(
    suite: str,
    db: Transaction,
    settings: CurrentSettings,
    language: Code = "en",
    offline: bool = False,
) -> Response:
    """The reference packages, without this service: the same numbers of samples in the `language`,
    a file of JSON Lines. `offline`: with what stands in here for models that are absent. What has
    no reference package is told in comments, and left out."""
    declared = store.require(db, suite).suite
    need_language(language, declared, "language")
    how = bind(db, settings) if offline else bind_any(db, settings)
    return Response(script(declared, how, language), media_type=PYTHON)


@router.delete("/{suite}", summary="Delete a suite")
def delete_suite(suite: str, db: Transaction) -> DeletedSuiteOut:
    """Evaluations by it stay as they are."""
    if store.require(db, suite).created_at is None:
        message = f"{suite!r} comes with the service, and stays"
        raise ApiError(409, "builtin_suite", message, "suite")
    store.remove(db, suite)
    return DeletedSuiteOut(name=suite)


def _view(found: Declared, lang: Lang = "en") -> SuiteOut:
    suite = worded(found.suite, lang)
    return SuiteOut(
        name=suite.name,
        about=suite.about,
        builtin=found.created_at is None,
        metrics=list(suite.metrics),
        created_at=found.created_at,
    )


def _check(body: Suite, bound: Bind) -> None:
    """Raises 422 for a metric that there is not, and for parameters that it has not."""
    for at, entry in enumerate(body.metrics):
        for language in (None, *entry.by_language):
            own, *others = entry.options(language)
            _check_option(bound, own, f"metrics[{at}]")
        for number, option in enumerate(others):
            _check_option(bound, option, f"metrics[{at}].instead[{number}]")


def _check_option(bound: Bind, option: Option, at: str) -> None:
    try:
        bound(option.name, option.params)
    except ReportedError as error:
        raise of_metric(error, at) from None
