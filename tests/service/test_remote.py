"""Commands and the service that they ask: the same words when there is none, or another."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from service.cli import app
from tests.service.live import Live

COMMANDS = {
    "board": (["board", "news", "chrf"], 1),
    "compare": (["compare", "eval_a", "eval_b"], 1),
    "gate": (["gate", "ship", "--evaluation", "eval_a"], 3),
    "import": (["import", __file__], 1),
}


class Stranger(BaseHTTPRequestHandler):
    """Answers everything, and is no service of ours."""

    def do_GET(self) -> None:
        self.rfile.read(int(self.headers.get("content-length", 0)))
        self.send_response(200)
        self.send_header("content-length", "2")
        self.end_headers()
        self.wfile.write(b"[]")

    do_POST = do_GET  # noqa: N815


@pytest.fixture
def stranger() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), Stranger) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def typed(command: list[str], url: str) -> Result:
    return CliRunner(env={"COLUMNS": "200"}).invoke(app, [*command, "--url", url])


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("url", ["http://127.0.0.1:9", "127.0.0.1:9", "http://127.0.0.1:x"])
def test_nobody_answers(name: str, url: str) -> None:
    command, status = COMMANDS[name]
    said = typed(command, url)
    assert said.exit_code == status
    assert said.output.startswith(f"assay: no service answers at {url} (")
    assert said.output.endswith("; `assay serve` starts one, --url names it\n")


@pytest.mark.parametrize("name", COMMANDS)
def test_the_environment_names_the_service(name: str) -> None:
    said = CliRunner(env={"ASSAY_URL": "http://127.0.0.1:9"}).invoke(app, COMMANDS[name][0])
    assert "no service answers at http://127.0.0.1:9" in said.output


@pytest.mark.parametrize("name", ["gate", "import"])
def test_somebody_else_answers(name: str, stranger: str) -> None:
    command, status = COMMANDS[name]
    said = typed(command, stranger)
    assert said.exit_code == status
    assert f"{stranger} answers what is no JSON object" in said.output
    assert "--url names another" in said.output


def test_a_file_of_any_name_is_sent(live: Live, tmp_path: Path) -> None:
    for name in ("итоги.txt".encode(), "итоги.txt".encode("cp1251")):
        path = os.fsdecode(os.fsencode(tmp_path) + b"/" + name)
        Path(path).write_text("nothing to import")
        said = typed(["import", path], live.base)
        assert (said.exit_code, "no column is taken for a score" in said.output) == (1, True)
