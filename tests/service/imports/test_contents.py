"""Archives that are uploaded: what is in them is read, or refused in words."""

from __future__ import annotations

import struct
import tarfile
import zipfile
from io import BytesIO

import pytest

from service.errors import ApiError
from service.imports import contents


def zipped(method: int = 0, flags: int = 0) -> BytesIO:
    """A zip of one line whose headers claim another packing."""
    packed = BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("samples.jsonl", '{"id": "1"}\n')
    content = bytearray(packed.getvalue())
    directory = content.rindex(b"PK\1\2")
    for at in (6, directory + 8):  # where the flags stand, and behind them the method
        struct.pack_into("<HH", content, at, flags, method)
    return BytesIO(bytes(content))


@pytest.mark.parametrize(
    ("packed", "why"),
    [(zipped(method=97), "compression method"), (zipped(flags=1), "encrypted")],
    ids=["a method that is not known", "a password"],
)
def test_a_zip_packed_otherwise_is_refused(packed: BytesIO, why: str) -> None:
    inside = contents.opened(packed, "upload", 10**6)
    with pytest.raises(ApiError) as refused:
        list(inside.lines("samples.jsonl"))
    assert (refused.value.status, refused.value.code) == (422, "unreadable_file")
    assert why in refused.value.message


def test_files_of_a_tar_are_read_in_any_order() -> None:
    packed = BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name in ("a", "b"):
            info = tarfile.TarInfo(f"run/{name}.jsonl")
            line = f'{{"id": "{name}"}}\n'.encode()
            info.size = len(line)
            archive.addfile(info, BytesIO(line))
    inside = contents.opened(packed, "upload", 10**6)
    read = [value["id"] for name in reversed(inside.names) for _, value in inside.lines(name)]
    assert read == ["b", "a"]
