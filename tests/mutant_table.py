"""The slips of `mutants.toml`, and the page made from them."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

_TABLE = Path(__file__).parent / "mutants.toml"
_HEAD = """\
# Mutants

A test that cannot fail says nothing. So the tests of the emitted SQL are tested: each line of this table is a slip that
somebody could make in a template, put into the SQL before it is installed. The test beside it passes on the SQL as the
compiler writes it, and must fail by an assertion of its own on the SQL with the slip. `pytest --mutants` tries all of
them, and CI does. The table stands in `tests/mutants.toml`; this page is made from it.

| mutant | what it breaks | what notices it, in `tests/database/` |
|---|---|---|"""


@dataclass(frozen=True, slots=True)
class Mutant:
    """One slip, and the test that must notice it."""

    name: str
    breaks: str
    test: str
    old: str
    new: str

    @property
    def module(self) -> str:
        """The file of the test, without its ending."""
        return self.test.partition(".")[0]

    @property
    def function(self) -> str:
        """The name of the test, without its parameters."""
        return self.test.partition("::")[2].partition("[")[0]

    @property
    def case(self) -> str:
        """Which one of a test with parameters; empty for one without."""
        return self.test.partition("[")[2].removesuffix("]")

    def __call__(self, text: str) -> str:
        """The SQL with the slip in it."""
        return text.replace(self.old, self.new)


MUTANTS = tuple(Mutant(**row) for row in tomllib.loads(_TABLE.read_text(encoding="utf-8"))["mutant"])


def page() -> str:
    """`docs/mutants.md`: `python tests/mutant_table.py > docs/mutants.md` writes it."""
    rows = (f"| {one.name} | {one.breaks} | `{one.test.partition('[')[0]}` |" for one in MUTANTS)
    return "\n".join([_HEAD, *rows, ""])


if __name__ == "__main__":
    print(page(), end="")
