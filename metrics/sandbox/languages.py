"""Languages whose interpreters programs may run in, where the machine has them.

Of each: the names its interpreter goes by, what stands between it and the program's file, and
what of the host it reads beside the shared libraries. bash has the usual small tools beside it.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
from dataclasses import dataclass
from functools import cache
from typing import Literal, get_args

from inference.errors import Unavailable
from inference.sentences import Sentence

Name = Literal["python", "bash", "javascript", "perl", "ruby", "lua", "php"]
NAMES: tuple[str, ...] = get_args(Name)
TOOLS = (
    "awk basename bc cat comm cut date dc dirname echo expr factor false find fold grep head join "
    "mktemp nl numfmt paste printf rev rm sed seq sleep sort split tac tail tee test tr true uniq "
    "wc xargs"
)


@dataclass(frozen=True, slots=True)
class Language:
    """How an interpreter is found and called.

    names      of its program, the first that is found counts
    install    Debian's package
    options    words between interpreter and file
    reads      files and folders of the host that it needs, where they exist
    tools      names of programs that may be called besides
    addresses  whether addresses may be bounded; some take more than they use
    hello      a program that copies a line from standard input to standard output
    asks       the word that has the interpreter tell its version
    """

    names: tuple[str, ...]
    install: str
    hello: str
    options: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()
    tools: tuple[str, ...] = ()
    addresses: bool = True
    asks: str = "--version"


LANGUAGES = {
    "bash": Language(
        ("bash",),
        "bash",
        'read -r x; echo "$x"',
        ("--noprofile", "--norc"),
        tools=(*TOOLS.split(),),
    ),
    "javascript": Language(
        ("node", "nodejs"),
        "nodejs",
        'console.log(require("fs").readFileSync(0, "utf8").trim())',
        ("--v8-pool-size=1",),  # else modules need more than 8 threads
        reads=("/usr/share/nodejs",),
        addresses=False,
    ),
    "perl": Language(("perl",), "perl", "print <STDIN>", reads=("/usr/share/perl", "/etc/perl")),
    "ruby": Language(
        ("ruby",), "ruby", "puts gets", ("--disable-gems",), reads=("/usr/share/ruby",)
    ),
    "lua": Language(
        ("lua", "lua5.4", "lua5.3"),
        "lua5.4",
        "print(io.read())",
        reads=("/usr/share/lua",),
        asks="-v",
    ),
    "php": Language(("php",), "php-cli", "<?php echo fgets(STDIN);", ("-n",)),
}


def interpreter(name: str) -> str:
    """The path of a language's interpreter; raises Unavailable where there is none."""
    language = LANGUAGES[name]
    found = next(filter(None, map(shutil.which, language.names)), None)
    if found is None:
        raise Unavailable(
            Sentence(
                "programs in {language} need its interpreter ({names}), which this machine lacks: "
                "install it (Debian, Ubuntu: apt-get install {package})",
                language=name,
                names=" or ".join(language.names),
                package=language.install,
            )
        )
    return os.path.realpath(found)


def tools(name: str) -> dict[str, str]:
    """The programs that a language may call, by the path where they are in the sandbox."""
    found = {f"/usr/bin/{tool}": shutil.which(tool) for tool in LANGUAGES[name].tools}
    return {inside: os.path.realpath(path) for inside, path in found.items() if path is not None}


@cache
def version(name: str) -> str:
    """Of a language's interpreter, as "5.36.0"; "absent" where there is none that tells one."""
    if name == "python":
        return ".".join(platform.python_version_tuple()[:2])
    try:
        asked = [interpreter(name), LANGUAGES[name].asks]
        told = subprocess.run(asked, capture_output=True, timeout=10, check=False)
    except (Unavailable, OSError, subprocess.TimeoutExpired):
        return "absent"
    found = re.search(rb"\d+(?:\.\d+)+", told.stdout + told.stderr)
    return found[0].decode() if found else "absent"
