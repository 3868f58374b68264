"""The client of programs that wait for answers."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from types import TracebackType
from typing import Concatenate, ParamSpec, Self, TypeVar

import httpx

from assay import endpoints
from assay.exchange import (
    Outcome,
    Request,
    Script,
    Source,
    arguments,
    reply,
)
from assay.files import FileBody
from assay.methods import presented
from assay.retries import Attempts, persistent
from assay.streams import Download, Listing

P = ParamSpec("P")
T = TypeVar("T")


def _answer(script: Callable[P, Script[T]]) -> Callable[Concatenate[Client, P], T]:
    def method(client: Client, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return client._run(script(*args, **kwargs))

    return presented(method, script)


def _items(listing: Callable[P, Listing[T]]) -> Callable[Concatenate[Client, P], Iterator[T]]:
    def method(client: Client, /, *args: P.args, **kwargs: P.kwargs) -> Iterator[T]:
        return client._list(listing(*args, **kwargs))

    return presented(method, listing)


def _stream(source: Callable[P, Source[T]]) -> Callable[Concatenate[Client, P], Iterator[T]]:
    def method(client: Client, /, *args: P.args, **kwargs: P.kwargs) -> Iterator[T]:
        return client._follow(source(*args, **kwargs))

    return presented(method, source)


def _folder(download: Callable[P, Download]) -> Callable[Concatenate[Client, P], Path]:
    def method(client: Client, /, *args: P.args, **kwargs: P.kwargs) -> Path:
        return client._download(download(*args, **kwargs))

    return presented(method, download)


class Client:
    """Speaks to one service; also a context manager.

    Args:
        url: where the service listens.
        timeout: seconds without a sign of life after which a request fails.
        retries: how often a failed request is sent again: after broken connections and statuses
            429, 502, 503 and 504, where sending it twice does no harm.

    Every method raises AssayError.
    """

    def __init__(
        self, url: str = "http://127.0.0.1:8000", timeout: float = 60.0, retries: int = 3
    ) -> None:
        self.url = url
        self._timeout = timeout
        self._retries = retries
        self._http = httpx.Client(base_url=url, transport=httpx.HTTPTransport())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections."""
        self._http.close()

    request = _answer(endpoints.anything.request)
    events_of = _stream(endpoints.anything.events_of)

    metrics = _answer(endpoints.catalogue.metrics)
    metric = _answer(endpoints.catalogue.metric)
    trainers = _answer(endpoints.catalogue.trainers)
    trainer = _answer(endpoints.catalogue.trainer)
    models = _answer(endpoints.registered.models)
    model = _answer(endpoints.registered.model)
    create_model = _answer(endpoints.registered.create_model)
    update_model = _answer(endpoints.registered.update_model)
    delete_model = _answer(endpoints.registered.delete_model)
    check_model = _answer(endpoints.registered.check_model)
    create_reward = _answer(endpoints.rewards.create_reward)
    rewards = _answer(endpoints.rewards.rewards)
    reward = _answer(endpoints.rewards.reward)
    delete_reward = _answer(endpoints.rewards.delete_reward)

    create_dataset = _answer(endpoints.datasets.create_dataset)
    upload_dataset = _answer(endpoints.datasets.upload_dataset)
    dataset = _answer(endpoints.datasets.dataset)
    datasets = _items(endpoints.datasets.datasets)
    records = _items(endpoints.datasets.records)

    evaluate = _answer(endpoints.evaluations.evaluate)
    evaluation = _answer(endpoints.evaluations.evaluation)
    evaluations = _items(endpoints.evaluations.evaluations)
    wait = _answer(endpoints.evaluations.wait)
    cancel = _answer(endpoints.evaluations.cancel)
    retry = _answer(endpoints.evaluations.retry)
    best_outputs = _answer(endpoints.evaluations.best_outputs)
    samples = _answer(endpoints.evaluations.samples)
    all_samples = _items(endpoints.evaluations.all_samples)
    transcripts = _items(endpoints.evaluations.transcripts)
    judge_report = _answer(endpoints.evaluations.judge_report)
    analysis = _answer(endpoints.evaluations.analysis)
    events = _stream(endpoints.evaluations.events)

    archive = _folder(endpoints.archives.archive)
    import_archive = _answer(endpoints.archives.import_archive)
    audit = _answer(endpoints.archives.audit)
    import_results = _answer(endpoints.imports.import_results)
    export_records = _folder(endpoints.imports.export_records)

    score = _answer(endpoints.scoring.score)
    leaderboards = _answer(endpoints.scoring.leaderboards)
    leaderboard = _answer(endpoints.scoring.leaderboard)
    compare = _answer(endpoints.scoring.compare)

    power = _answer(endpoints.gates.power)
    create_gate = _answer(endpoints.gates.create_gate)
    gate = _answer(endpoints.gates.gate)
    gates = _items(endpoints.gates.gates)
    check_gate = _answer(endpoints.gates.check_gate)
    gate_check = _answer(endpoints.gates.gate_check)
    gate_checks = _items(endpoints.gates.gate_checks)
    create_calibration = _answer(endpoints.calibrations.create_calibration)
    calibration = _answer(endpoints.calibrations.calibration)
    calibrations = _items(endpoints.calibrations.calibrations)
    meta_evaluate = _answer(endpoints.calibrations.meta_evaluate)
    create_board = _answer(endpoints.boards.create_board)
    boards = _answer(endpoints.boards.boards)
    board = _answer(endpoints.boards.board)
    delete_board = _answer(endpoints.boards.delete_board)
    create_suite = _answer(endpoints.suites.create_suite)
    suites = _answer(endpoints.suites.suites)
    suite = _answer(endpoints.suites.suite)
    suite_script = _answer(endpoints.suites.suite_script)
    delete_suite = _answer(endpoints.suites.delete_suite)
    pareto = _answer(endpoints.boards.pareto)
    create_controls = _answer(endpoints.boards.create_controls)

    create_annotation_project = _answer(endpoints.annotation.create_annotation_project)
    annotation_project = _answer(endpoints.annotation.annotation_project)
    annotation_projects = _items(endpoints.annotation.annotation_projects)
    close_annotation_project = _answer(endpoints.annotation.close_annotation_project)
    delete_annotation_project = _answer(endpoints.annotation.delete_annotation_project)
    add_annotator = _answer(endpoints.annotation.add_annotator)
    add_model_annotator = _answer(endpoints.annotation.add_model_annotator)
    annotators = _items(endpoints.annotation.annotators)
    delete_annotator = _answer(endpoints.annotation.delete_annotator)
    annotation_votes = _items(endpoints.annotation.annotation_votes)
    judged_items = _items(endpoints.annotation.judged_items)
    annotation_analysis = _answer(endpoints.annotation.annotation_analysis)
    annotation_skips = _items(endpoints.annotation.annotation_skips)
    import_votes = _answer(endpoints.vote_imports.import_votes)
    add_votes = _answer(endpoints.vote_imports.add_votes)
    export_annotation_project = _answer(endpoints.annotation.export_annotation_project)
    plan_study = _answer(endpoints.annotation.plan_study)
    study = _answer(endpoints.annotation.study)
    annotation_task = _answer(endpoints.annotating.annotation_task)
    next_item = _answer(endpoints.annotating.next_item)
    extend_lease = _answer(endpoints.annotating.extend_lease)
    vote = _answer(endpoints.annotating.vote)
    undo_vote = _answer(endpoints.annotating.undo_vote)
    skip_item = _answer(endpoints.annotating.skip_item)
    publish_scores = _answer(endpoints.people.publish_scores)
    judges = _answer(endpoints.people.judges)

    create_arena = _answer(endpoints.arenas.create_arena)
    arena = _answer(endpoints.arenas.arena)
    arenas = _items(endpoints.arenas.arenas)
    delete_arena = _answer(endpoints.arenas.delete_arena)
    arena_board = _answer(endpoints.arenas.arena_board)
    create_battle = _answer(endpoints.arenas.create_battle)
    create_turn = _answer(endpoints.arenas.create_turn)
    battle = _answer(endpoints.arenas.battle)
    vote_on_battle = _answer(endpoints.arenas.vote_on_battle)
    arena_votes = _items(endpoints.arenas.arena_votes)
    export_arena_votes = _folder(endpoints.arenas.export_arena_votes)

    train = _answer(endpoints.training.train)
    preview_training = _answer(endpoints.training.preview_training)
    training_job = _answer(endpoints.training.training_job)
    training_jobs = _items(endpoints.training.training_jobs)
    wait_training_job = _answer(endpoints.training.wait_training_job)
    pause_training_job = _answer(endpoints.training.pause_training_job)
    resume_training_job = _answer(endpoints.training.resume_training_job)
    cancel_training_job = _answer(endpoints.training.cancel_training_job)
    training_metrics = _answer(endpoints.training.training_metrics)
    training_logs = _answer(endpoints.training.training_logs)
    training_events = _stream(endpoints.training.training_events)
    checkpoints = _answer(endpoints.training.checkpoints)
    checkpoint = _answer(endpoints.training.checkpoint)
    download_checkpoint = _folder(endpoints.training.download_checkpoint)

    def _run(self, script: Script[T]) -> T:
        steps = persistent(script, self._retries)
        try:
            step = next(steps)
            while True:
                time.sleep(step.delay)
                step = steps.send(self._send(step.request))
        except StopIteration as end:
            result: T = end.value
            return result

    def _send(self, request: Request) -> Outcome:
        try:
            return reply(self._http.send(self._built(request)))
        except httpx.RequestError as error:
            return error

    def _built(self, request: Request) -> httpx.Request:
        body = request.content
        content = body.chunks() if isinstance(body, FileBody) else body
        return self._http.build_request(
            **arguments(request), content=content, timeout=self._timeout + request.patience
        )

    def _list(self, listing: Listing[T]) -> Iterator[T]:
        while not listing.finished:
            yield from self._run(listing.next_page())

    def _follow(self, source: Source[T]) -> Iterator[T]:
        attempts = Attempts(self._retries)
        while True:
            request, position = source.start(), source.position
            try:
                with closing(self._http.send(self._built(request), stream=True)) as response:
                    if response.is_success:
                        source.opened(str(response.url), response.headers)
                        for chunk in response.iter_bytes():
                            yield from source.feed(chunk)
                        if source.finished:
                            return
                        attempts = Attempts(self._retries)
                        continue
                    response.read()
                    outcome: Outcome = reply(response)
            except httpx.RequestError as error:
                outcome = error
            if source.position > position:
                attempts = Attempts(self._retries)
            time.sleep(attempts.after(request, outcome))

    def _download(self, download: Download) -> Path:
        with download:
            for _ in self._follow(download):
                pass
            return download.finish()
