"""Writes the files for editors that hold lists of tokens: `python editors/generate.py`. `--check` names stale ones."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

from jetpackc.check.types import SCALARS
from jetpackc.highlight import textmate, vim

FOLDER = Path(__file__).parent


def _textmate() -> str:
    return json.dumps(textmate.grammar(), indent=2, ensure_ascii=False) + "\n"


def _vim() -> str:
    return vim.syntax(tuple(SCALARS))


FILES: dict[str, Callable[[], str]] = {
    "vscode/syntaxes/jet.tmLanguage.json": _textmate,
    "vim/syntax/jet.vim": _vim,
}


def main(arguments: list[str]) -> int:
    """Write the files, or with `--check` name those that are stale and answer 3."""
    if arguments not in ([], ["--check"]):
        print("usage: python editors/generate.py [--check]", file=sys.stderr)
        return 2
    stale = [name for name, text in FILES.items() if not _is_fresh(FOLDER / name, text())]
    for name in stale:
        if arguments:
            print(f"editors/{name} is stale: run `python editors/generate.py`", file=sys.stderr)
        else:
            (FOLDER / name).write_text(FILES[name](), encoding="utf-8")
            print(f"wrote editors/{name}")
    return 3 if stale and arguments else 0


def _is_fresh(path: Path, text: str) -> bool:
    return path.exists() and path.read_text(encoding="utf-8") == text


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
