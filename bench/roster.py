"""Who may take part: the files in `contestants/`, each of which says at its top what it needs and how it is counted.

What it says is inline script metadata, as in PEP 723: `dependencies`, exact versions from PyPI or npm, and a table
`tool.bench` with the fields of `Entry`.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field, replace
from pathlib import Path

FOLDER = Path(__file__).parent / "contestants"
OURS, FLOOR = "jetpack", "floor-history"


@dataclass(frozen=True)
class Entry:
    """One contestant. `left` counts unfinished jobs, `done` finished ones where they are kept; a job of a kind leaves
    `rows` of those, or one. `history` counts rows of history, of which a job of a kind leaves `hops`. `jobs`, `chains`
    and `fans`: how many are made in a measurement, about a second of work; none: it cannot. `later`: it can hold jobs
    back. `claim`: a part of the statement that claims, lower case. `here`: it runs in the project's environment."""

    name: str
    path: Path
    dependencies: tuple[str, ...]
    batch: int
    jobs: int
    chains: int
    left: str
    fans: int = 0
    later: bool = False
    done: str = ""
    history: str = ""
    rows: dict[str, int] = field(default_factory=dict)
    hops: dict[str, int] = field(default_factory=dict)
    claim: str = ""
    here: bool = False

    @property
    def file(self) -> str:
        """The name without a batch."""
        return self.name.partition("@")[0]


class RosterError(Exception):
    """A contestant that there is not."""


def entries() -> dict[str, Entry]:
    """All contestants by name."""
    paths = [path for path in sorted(FOLDER.iterdir()) if path.suffix in {".py", ".mjs"} and path.stem != "protocol"]
    found = (_read(path) for path in paths)
    return {entry.name: entry for entry in found}


def find(names: list[str]) -> list[Entry]:
    """Contestants by name; `name@50` has batches of 50 in place of its own. Raises RosterError."""
    known, found = entries(), []
    for name in dict.fromkeys(names):
        base, _, batch = name.partition("@")
        if base not in known or (batch and not batch.isdecimal()):
            raise RosterError(f"there is no contestant `{name}`; there are {', '.join(known)}")
        found.append(replace(known[base], name=name, batch=int(batch)) if batch else known[base])
    return found


def _read(path: Path) -> Entry:
    lines = path.read_text().splitlines()
    mark = "# " if path.suffix == ".py" else "// "
    start, end = lines.index(f"{mark}/// script"), lines.index(f"{mark}///")
    told = tomllib.loads("\n".join(line.removeprefix(mark) for line in lines[start + 1 : end]))
    name = path.stem.removeprefix("peer_").replace("_", "-")
    return Entry(name, path, tuple(told["dependencies"]), **told["tool"]["bench"])
