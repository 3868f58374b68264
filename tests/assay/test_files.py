"""What is unpacked of a checkpoint's archive, and what is refused."""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path

import pytest

from assay import AssayError, Client
from assay.files import UnsafeArchive, unpack
from tests.assay.failing import Planned, answering


def entry(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    """A member of an archive; a plain file of four bytes where nothing else is said."""
    member = tarfile.TarInfo(name)
    member.type = kind
    member.linkname = link
    member.size = 4 if kind == tarfile.REGTYPE else 0
    return member


def archive(*members: tarfile.TarInfo) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for member in members:
            tar.addfile(member, io.BytesIO(b"0123"))
    return out.getvalue()


SAFE = entry("ckpt/config.json")
UNSAFE = {
    "parent": [entry("ckpt/../../x")],
    "parent first": [entry("../x")],
    "parent last": [entry("ckpt/..")],
    "absolute": [entry("/tmp/x")],
    "absolute, of many slashes": [entry("///tmp/x")],
    "Windows' parent": [entry("ckpt/..\\x")],
    "Windows' drive": [entry("ckpt/C:x")],
    "no folder": [entry("x")],
    "NUL": [entry("ckpt/ы\0y")],  # beyond ASCII, it is kept
    "link out of the folder": [entry("ckpt/x", tarfile.SYMTYPE, "../../outside")],
    "link to an absolute path": [entry("ckpt/x", tarfile.SYMTYPE, "/etc/passwd")],
    "link inside the folder": [entry("ckpt/x", tarfile.SYMTYPE, "config.json")],
    "link, and a file behind it": [entry("ckpt/x", tarfile.SYMTYPE, ".."), entry("ckpt/x/y")],
    "hard link": [entry("ckpt/x", tarfile.LNKTYPE, "ckpt/config.json")],
    "hard link out of the folder": [entry("ckpt/x", tarfile.LNKTYPE, "../outside")],
    "device": [entry("ckpt/x", tarfile.CHRTYPE)],
    "pipe": [entry("ckpt/x", tarfile.FIFOTYPE)],
    "the same file twice": [entry("ckpt/x"), entry("ckpt/x")],
    "a file below a file": [entry("ckpt/x"), entry("ckpt/x/y")],
    "a file where a folder is": [entry("ckpt/x/y"), entry("ckpt/x")],
}


@pytest.mark.parametrize("members", UNSAFE.values(), ids=UNSAFE.keys())
def test_unsafe_archives_are_refused(members: list[tarfile.TarInfo], tmp_path: Path) -> None:
    tar = tmp_path / "files.tar"
    tar.write_bytes(archive(SAFE, *members))
    into = tmp_path / "deep" / "inside" / "model"
    into.parent.mkdir(parents=True)
    with pytest.raises(UnsafeArchive):
        unpack(tar, into)
    outside = {path.name for path in tmp_path.rglob("*") if not path.is_relative_to(into)}
    assert outside == {"files.tar", "deep", "inside"}
    assert not Path("/tmp/x").exists()


@pytest.mark.parametrize("members", UNSAFE.values(), ids=UNSAFE.keys())
def test_nothing_is_kept_of_them(members: list[tarfile.TarInfo], tmp_path: Path) -> None:
    unsafe = Planned(content=archive(SAFE, *members))
    with answering(unsafe) as server, Client(server.url) as assay:
        with pytest.raises(AssayError, match="nothing was unpacked") as refused:
            assay.download_checkpoint("ckpt_1", tmp_path / "model")
        assert refused.value.code == "unsafe_archive"
    assert list(tmp_path.iterdir()) == []
    assert len(server.asked) == 1


def test_plain_files_come_without_their_topmost_folder(tmp_path: Path) -> None:
    folder = entry("ckpt", tarfile.DIRTYPE)
    evil = entry("../outside", tarfile.DIRTYPE)  # folders are made for files only
    executable = entry("ckpt/deep/er/model.safetensors")
    executable.mode = 0o6777
    tar = tmp_path / "files.tar"
    tar.write_bytes(archive(folder, evil, SAFE, executable, entry("ckpt/имя..json")))
    unpack(tar, tmp_path / "model")
    files = [path for path in (tmp_path / "model").rglob("*") if path.is_file()]
    assert {str(path.relative_to(tmp_path / "model")) for path in files} == {
        "config.json",
        "deep/er/model.safetensors",
        "имя..json",
    }
    assert {path.read_bytes() for path in files} == {b"0123"}
    assert not any(os.access(path, os.X_OK) for path in files)
    assert {path.name for path in tmp_path.iterdir()} == {"files.tar", "model"}
