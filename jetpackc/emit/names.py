"""The names of everything that one machine becomes. What begins with `_` is internal: no `.jet` name can."""

from __future__ import annotations

from jetpackc.emit.sql import Sql, ident, qualified
from jetpackc.records import dataclass


@dataclass(frozen=True, slots=True)
class Names:
    """Qualified and unqualified names of the objects of one machine."""

    schema: str
    machine: str

    @property
    def table(self) -> Sql:
        """The table, one row a task."""
        return qualified(self.schema, self.machine)

    @property
    def label(self) -> str:
        """`shop.checkout`, as messages name the machine."""
        return f"{self.schema}.{self.machine}"

    def public(self, suffix: str) -> Sql:
        """A function or view of the public surface, qualified."""
        return qualified(self.schema, f"{self.machine}_{suffix}")

    def internal(self, suffix: str) -> Sql:
        """An internal table or function, qualified."""
        return qualified(self.schema, f"_{self.machine}_{suffix}")

    def bare(self, suffix: str) -> Sql:
        """A public name without its schema: constraints, indexes, and the label of a function's own arguments."""
        return ident(f"{self.machine}_{suffix}")

    def bare_internal(self, suffix: str) -> Sql:
        """An internal name without its schema."""
        return ident(f"_{self.machine}_{suffix}")
