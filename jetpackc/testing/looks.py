"""`children` and `subtree` in an expectation, asked of the rows: what no machine reads is not counted. Pure."""

from __future__ import annotations

from collections.abc import Callable

from jetpackc.emit.company import Company
from jetpackc.emit.names import Names
from jetpackc.emit.sql import Sql, literal
from jetpackc.ir import chart
from jetpackc.ir.model import Tree
from jetpackc.ir.news import News
from jetpackc.records import dataclass

_FOLDED = {
    "count": "count(*) filter (where k.wanted)",
    "some": "coalesce(bool_or(k.wanted), false)",
    "all": "coalesce(bool_and(k.wanted), true)",
}


@dataclass(frozen=True)
class Looks:
    """What a task of a machine (`module.name`) has below it."""

    news: News
    machine: str

    def look(self, tree: Tree, column: Callable[[str], Sql]) -> Sql:
        """The query for it; `column` reaches the task's own."""
        if tree.function == "results":
            return Company(self.machine, self.news).look(tree, column)
        kin = self.news.kin
        below = kin.children[self.machine] if tree.of == "children" else kin.below(self.machine)
        if not below:
            return Sql({"count": "0", "some": "false", "all": "true"}[tree.function])
        rows = " union all ".join(self._rows(one, tree) for one in below)
        folded, top = _FOLDED[tree.function], column("id")
        if tree.of == "children":
            return Sql(f"(select {folded} from ({rows}) k where k.parent = {top})")
        return Sql(
            f"(with recursive a as ({rows}), k as (select a.* from a where a.parent = {top}"
            f" union all select a.* from k join a on a.parent = k.id) select {folded} from k)"
        )

    def _rows(self, machine: str, tree: Tree) -> str:
        module, _, name = machine.partition(".")
        wanted = ", ".join(literal(leaf) for leaf in self._leaves(machine, tree)) or "null"
        chosen = f"coalesce(c.state in ({wanted}), false) as wanted"
        return f"select c.id, c.parent, {chosen} from {Names(module, name).table} c"

    def _leaves(self, machine: str, tree: Tree) -> list[str]:
        found: list[str] = []
        for asked in tree.names:
            if asked in ("final", "failure"):
                kinds = ("final", "failure") if asked == "final" else ("failure",)
                found += [leaf.name for leaf in chart.leaves(self.news.kin.machines[machine][1]) if leaf.kind in kinds]
            else:
                found += self.news.leaves(self.machine, machine, asked)
        return found
