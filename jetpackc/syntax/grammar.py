"""The LALR parser of grammar/jet.lark, its tables kept between runs: building them takes longer than most checks."""

from __future__ import annotations

import hashlib
import io
import os
import tempfile
from functools import cache
from importlib.resources import files
from pathlib import Path

from lark import Lark, __version__ as lark_version

from jetpackc.syntax.driver import Driver


@cache
def parser() -> Lark:
    """The parser, from the user's cache directory where it stands there, else built and put there if possible."""
    text = files("jetpackc.grammar").joinpath("jet.lark").read_text(encoding="utf-8")
    kept = _cache_file(text)
    if kept is None:
        return _build(text)
    try:
        return Lark.load(io.BytesIO(kept.read_bytes()))
    except Exception:  # missing, cut off, written by another user's lark: whatever it is, build anew
        built = _build(text)
        _keep(built, kept)
        return built


@cache
def driver() -> Driver:
    """The parser's tables, ready to make trees."""
    return Driver(parser())


def _build(text: str) -> Lark:
    return Lark(text, parser="lalr", lexer="contextual", propagate_positions=False)


def _cache_file(text: str) -> Path | None:
    """A file of this user's own: a pickle from a shared folder could be anybody's. None for a user without a home."""
    try:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    except RuntimeError:
        return None
    digest = hashlib.sha256(f"{lark_version} {text}".encode()).hexdigest()[:16]
    return base / "jetpackc" / f"grammar-{digest}.bin"


def _keep(built: Lark, path: Path) -> None:
    """Write the tables whole or not at all; a read-only home only costs time."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
            built.save(file)
        Path(file.name).replace(path)
    except OSError:
        return
