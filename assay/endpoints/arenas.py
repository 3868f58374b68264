"""Arenas: people ask, two models answer, people vote."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from assay.arena_models import Arena, ArenaBoard, ArenaVote, Battle, DeletedArena
from assay.exchange import Script, address, ask, create, delete, get, post
from assay.models import Page
from assay.streams import FileDownload, Listing

ROOT = "/v1/arenas"
ANSWERED = 120.0  # seconds within which models answer, or the service says that they did not


def create_arena(
    name: str,
    models: Sequence[str],
    *,
    max_tokens: int | None = None,
    temperature: float | None = None,
    system: str | None = None,
    language: str | None = None,
    idempotency_key: str | None = None,
) -> Script[Arena]:
    """Have models answer people, two at a time.

    Args:
        models: two or more that can be chatted with: registered ones, folders, checkpoints.
        max_tokens: of an answer; default: 256.
        temperature: default: 0.7.
        system: said to each model before the prompt.
        language: of the instructions for voters, en (default) or ru.
    """
    fields = {
        "name": name,
        "models": list(models),
        "max_tokens": max_tokens,
        "temperature": temperature,
        "system": system,
        "language": language,
    }
    body = {name: value for name, value in fields.items() if value is not None}
    return ask(create(ROOT, body, idempotency_key), Arena)


def arena(arena: str) -> Script[Arena]:
    """An arena, with what voters should know."""
    return ask(get(ROOT, arena), Arena)


def arenas(*, order: str = "desc", limit: int | None = None) -> Listing[Arena]:
    """All arenas, newest first."""
    return Listing(Page[Arena], ROOT, query={"order": order}, limit=limit)


def delete_arena(arena: str) -> Script[DeletedArena]:
    """Delete an arena with its battles and votes."""
    return ask(delete(ROOT, arena), DeletedArena)


def arena_board(arena: str) -> Script[ArenaBoard]:
    """Strengths, win rates and ranks by all votes so far."""
    return ask(get(ROOT, arena, "board"), ArenaBoard)


def create_battle(arena: str, prompt: str, *, idempotency_key: str | None = None) -> Script[Battle]:
    """Two models' answers to a prompt, `a` and `b`; vote on them next."""
    request = create(address(ROOT, arena, "battles"), {"prompt": prompt}, idempotency_key)
    return ask(replace(request, patience=ANSWERED), Battle)


def create_turn(
    arena: str, battle: str, prompt: str, *, idempotency_key: str | None = None
) -> Script[Battle]:
    """Ask both models again, before the vote; each sees its own answers so far."""
    path = address(ROOT, arena, "battles", battle, "turns")
    request = create(path, {"prompt": prompt}, idempotency_key)
    return ask(replace(request, patience=ANSWERED), Battle)


def battle(arena: str, battle: str) -> Script[Battle]:
    """A battle; whose answers they are, once there is a vote."""
    return ask(get(ROOT, arena, "battles", battle), Battle)


def vote_on_battle(
    arena: str, battle: str, choice: str, *, voter: str | None = None
) -> Script[Battle]:
    """Vote, once; the answer tells whose answers they were.

    Args:
        choice: a, b, tie or both_bad.
        voter: by which votes of one person are known as such; a digest is kept.
    """
    body = {"choice": choice, **({} if voter is None else {"voter": voter})}
    return ask(post(ROOT, arena, "battles", battle, "vote", body=body), Battle)


def arena_votes(arena: str, *, limit: int | None = None) -> Listing[ArenaVote]:
    """All votes of an arena, oldest first, with what was said."""
    return Listing(Page[ArenaVote], ROOT, arena, "votes", limit=limit)


def export_arena_votes(arena: str, path: str | Path) -> FileDownload:
    """All votes of an arena as one file, which `import_votes` reads.

    Args:
        path: of the file, which is replaced once all of it has come. What does not end in .csv or
            .parquet is JSON Lines.
    """
    suffix = Path(path).suffix.lower()
    query = {"format": suffix[1:] if suffix in {".csv", ".parquet"} else "jsonl"}
    return FileDownload(get(ROOT, arena, "votes", query=query), path, None)
