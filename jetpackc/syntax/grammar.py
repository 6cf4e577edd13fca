"""grammar/jet.lark, as tables to parse by and as lark's own parser, which says what is wrong with a text.

Both are kept between runs: to build them takes longer than most checks.
"""

from __future__ import annotations

import io
import json
import zlib
from collections.abc import Callable
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from jetpackc.cache import folder
from jetpackc.syntax import tables
from jetpackc.syntax.driver import Driver

if TYPE_CHECKING:
    from lark import Lark

T = TypeVar("T")


@cache
def driver() -> Driver:
    """What makes the tree of a text that parses."""
    kept = _kept(
        "json",
        lambda data: tables.from_json(json.loads(data)),
        lambda: tables.of_lark(parser()),
        lambda made: json.dumps(made).encode(),
    )
    return Driver(kept)


@cache
def parser() -> Lark:
    """lark's parser."""
    from lark import Lark, __version__

    return _kept(f"{__version__}.bin", lambda data: Lark.load(io.BytesIO(data)), lambda: _build(Lark), _saved)


def _text() -> str:
    return shipped("jet.lark")


def shipped(name: str) -> str:
    """A text of the package `jetpackc.grammar`. `importlib.resources` would take ten milliseconds to import."""
    (folder,) = import_module("jetpackc.grammar").__path__
    return (Path(folder) / name).read_text(encoding="utf-8")


def _build(lark: type[Lark]) -> Lark:
    return lark(_text(), parser="lalr", lexer="contextual", propagate_positions=False)


def _saved(built: Lark) -> bytes:
    buffer = io.BytesIO()
    built.save(buffer)
    return buffer.getvalue()


def _kept(kind: str, load: Callable[[bytes], T], build: Callable[[], T], save: Callable[[T], bytes]) -> T:
    """What stands in the user's cache directory, else what is built and put there if possible."""
    path = _cache_file(kind)
    if path is None:
        return build()
    try:
        return load(path.read_bytes())
    except Exception:  # missing, cut off, written by another version: whatever it is, build anew
        built = build()
        _keep(save(built), path)
        return built


def _cache_file(kind: str) -> Path | None:
    base = folder()
    digest = zlib.crc32(f"{tables.VERSION} {_text()}".encode())
    return base / f"grammar-{digest:08x}.{kind}" if base else None


def _keep(data: bytes, path: Path) -> None:
    """Write the file whole or not at all; a read-only home only costs time."""
    import tempfile

    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
            file.write(data)
        Path(file.name).replace(path)
    except OSError:
        return
