"""Zips of one layout: members uncompressed, one after the other, with one fixed time.

Equal members make equal bytes, on every machine. A reader takes this layout and nothing else: what
is compressed, encrypted, named twice, laid over each other or hidden between members is refused,
and no file takes more room read than it has bytes. Any program that reads zips reads these.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import IO

from inference.errors import InputError

LOCAL = struct.Struct("<4s5H3I2H")
CENTRAL = struct.Struct("<4s6H3I5H2I")
END = struct.Struct("<4s4H2IH")
VERSION = 20  # of the format, without ZIP64
UTF8 = 0x800
TIME, DATE = 0, 0x21  # midnight of 1980-01-01, the first there is
CHUNK = 1 << 20

MOST_BYTES = 2**32 - 2  # of a zip without ZIP64
MOST_MEMBERS = 20_000
NAME = re.compile(r"[A-Za-z0-9_]+(?:[./-][A-Za-z0-9_]+)*", re.ASCII)
LONGEST_NAME = 100
PACKED = "is compressed, encrypted or packed by another program: no archive is, as it was written"


class UnreadableArchive(InputError):
    """The file is no archive, or was changed since it was written."""

    code = "unreadable_archive"


class TooLarge(InputError):
    """An archive would be larger than its format can hold."""

    code = "archive_too_large"


@dataclass(frozen=True, slots=True)
class Member:
    """A file within; its bytes begin at `start`."""

    name: str
    crc: int
    size: int
    start: int

    def local(self) -> bytes:
        """The header in front of its bytes."""
        name = self.name.encode()
        sizes = (self.crc, self.size, self.size)
        head = LOCAL.pack(b"PK\3\4", VERSION, UTF8, 0, TIME, DATE, *sizes, len(name), 0)
        return head + name

    def central(self) -> bytes:
        """Its entry in the list at the end."""
        name = self.name.encode()
        sizes = (self.crc, self.size, self.size)
        place = self.start - LOCAL.size - len(name)
        head = CENTRAL.pack(
            *(b"PK\1\2", VERSION, VERSION, UTF8, 0, TIME, DATE, *sizes, len(name)),
            *(0, 0, 0, 0, 0, place),
        )
        return head + name


class Writer:
    """Writes members to a file that can be read and sought."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file = file
        self.members: list[Member] = []

    def add(self, name: str, pieces: Iterable[bytes]) -> Member:
        """One more member. Raises TooLarge."""
        at = self.file.tell()
        start = at + LOCAL.size + len(name.encode())
        self.file.seek(start)
        crc, size = 0, 0
        for piece in pieces:
            size += len(piece)
            if start + size > MOST_BYTES:
                raise TooLarge(f"an archive holds {MOST_BYTES} bytes at most, and {name} is more")
            crc = zlib.crc32(piece, crc)
            self.file.write(piece)
        member = Member(name, crc, size, start)
        self.file.seek(at)
        self.file.write(member.local())
        self.file.seek(start + size)
        self.members.append(member)
        return member

    def close(self) -> None:
        """Write the list of members; nothing can be added after it."""
        self.file.write(_ending(self.members, self.file.tell()))


class Reader:
    """The members of a zip of this layout.

    Raises UnreadableArchive for any other file, naming the member at which it is different. That
    the members' bytes are what they were, `pieces` says once all of them are read.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self.file = file
        self.members = {member.name: member for member in _members(file)}

    def pieces(self, name: str) -> Iterator[bytes]:
        """The bytes of a member. Raises UnreadableArchive where their checksum is another."""
        member = self.members[name]
        crc, read = 0, 0
        while read < member.size:
            self.file.seek(member.start + read)
            piece = self.file.read(min(CHUNK, member.size - read))
            if not piece:
                raise UnreadableArchive(f"{name} ends early", name)
            crc = zlib.crc32(piece, crc)
            read += len(piece)
            yield piece
        if crc != member.crc:
            raise UnreadableArchive(f"{name} is not as it was written", name)

    def read(self, name: str, most: int) -> bytes:
        """A member as a whole. Raises UnreadableArchive where it is over `most` bytes."""
        size = self.members[name].size
        if size > most:
            raise UnreadableArchive(f"{name} has {size} bytes, and may have {most}", name)
        return b"".join(self.pieces(name))

    def lines(self, name: str) -> Iterator[bytes]:
        """A member's lines, each of which ends with a line feed."""
        rest = b""
        for piece in self.pieces(name):
            *lines, rest = (rest + piece).split(b"\n")
            yield from lines
        if rest:
            raise UnreadableArchive(f"{name} ends within a line", name)


def _members(file: IO[bytes]) -> list[Member]:
    """Raises UnreadableArchive where the file is not to the byte what `Writer` makes of them."""
    length = file.seek(0, 2)
    if length > MOST_BYTES:
        raise UnreadableArchive(f"the file has {length} bytes: no archive has over {MOST_BYTES}")
    file.seek(max(length - END.size, 0))
    ending = file.read(END.size)
    if len(ending) < END.size or not ending.startswith(b"PK\5\6"):
        raise UnreadableArchive("the file does not end as an archive does: is all of it there?")
    count, size, place = END.unpack(ending)[4:7]
    most = MOST_MEMBERS * (CENTRAL.size + LONGEST_NAME)
    if count > MOST_MEMBERS or size > most or place + size + END.size != length:
        raise UnreadableArchive("the archive's list of members is not as it was written")
    file.seek(place)
    members = _listed(file.read(size), count)
    at = 0
    for member in members:
        head = member.local()
        file.seek(at)
        if file.read(len(head)) != head or member.start != at + len(head):
            message = f"the header of {member.name} is not as it was written"
            raise UnreadableArchive(message, member.name)
        at = member.start + member.size
    file.seek(place)
    if at != place or file.read() != _ending(members, place):
        raise UnreadableArchive("the archive's list of members is not as it was written")
    return members


def _listed(entries: bytes, count: int) -> list[Member]:
    members: dict[str, Member] = {}
    at = 0
    for _ in range(count):
        if at + CENTRAL.size > len(entries):
            raise UnreadableArchive("the archive's list of members is cut off")
        fields = CENTRAL.unpack_from(entries, at)
        (flags, method), (crc, packed, size, length) = fields[3:5], fields[7:11]
        at += CENTRAL.size
        name = entries[at : at + length].decode("ascii", "backslashreplace")
        at += length
        shown = repr(name[:LONGEST_NAME])
        if length > LONGEST_NAME or not NAME.fullmatch(name):
            raise UnreadableArchive(f"a member is called {shown}: no archive has such a name")
        if name in members:
            raise UnreadableArchive(f"{name} is there twice", name)
        if method != 0 or packed != size or flags != UTF8:
            raise UnreadableArchive(f"{name} {PACKED}", name)
        place = fields[16]
        members[name] = Member(name, crc, size, place + LOCAL.size + length)
    return list(members.values())


def _ending(members: Iterable[Member], place: int) -> bytes:
    """The list of members, which begins at `place`, and the file's end."""
    entries = [member.central() for member in members]
    listed, count = b"".join(entries), len(entries)
    return listed + END.pack(b"PK\5\6", 0, 0, count, count, len(listed), place, 0)
