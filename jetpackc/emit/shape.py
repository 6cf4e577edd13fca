"""What all templates of one machine share: its names, its lists of states, its columns as the templates print them."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

from jetpackc.check.walk import is_constant
from jetpackc.emit.company import Company
from jetpackc.emit.expressions import Scope, top
from jetpackc.emit.names import Names
from jetpackc.emit.sql import (
    Sql,
    array_literal,
    from_json,
    ident,
    json_literal,
    json_object,
    kind_name,
    literal,
    sql_type,
)
from jetpackc.emit.statements import Context
from jetpackc.ir import chart, model as ir
from jetpackc.ir.kin import Kin
from jetpackc.ir.news import News

SETTINGS = Sql(
    "\nset search_path = pg_catalog, pg_temp set timezone = 'UTC' set datestyle = 'ISO' set intervalstyle = 'postgres'"
)
# A plan made while the table was empty, or before a load, must not become a scan of it all: reach rows by key. Where a
# disabled scan is the only one, its cost would call for JIT compilation, up to 300 ms for a statement of one.
PINNED = Sql(
    "\nset enable_seqscan = off set enable_bitmapscan = off set enable_hashjoin = off set enable_mergejoin = off"
    "\nset plan_cache_mode = force_generic_plan set jit = off"
)
# The same where a batch is joined with what its caller says of it: by hash, as large as it may be.
KEYED = Sql(
    "\nset enable_seqscan = off set enable_bitmapscan = off set enable_nestloop = off set enable_mergejoin = off"
    "\nset plan_cache_mode = force_generic_plan set jit = off"
)
# For functions that look at one task.
SINGLE = Sql(f"{SETTINGS}\nset enable_seqscan = off set jit = off")
CONTROLS = ("_delay", "_run_at", "_priority", "_key")
FAMILY = ("_parent", "_root", "_depth", "_at", "_by")


def shown(type_: ir.Type) -> str:
    """The type as it is written in the source."""
    return f"{kind_name(type_)}{'[]' if type_.array else ''}{'?' if type_.optional else ''}"


@dataclass(frozen=True)
class Shape:
    """One machine of one module, ready for the templates."""

    module: ir.Module
    machine: ir.Machine
    news: News
    names: Names = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "names", Names(self.module.name, self.machine.name))

    @cached_property
    def row_scope(self) -> Scope:
        """Inside the step function: columns of NEW."""
        return Scope(self.module.name, lambda name: Sql(f"new.{ident(name)}"), look=self.company.look)

    @cached_property
    def task_scope(self) -> Scope:
        """In a query over the table under the alias `t`."""
        return Scope(self.module.name, lambda name: Sql(f"t.{ident(name)}"), look=self.company.look)

    @cached_property
    def context(self) -> Context:
        """For the statements of the step function."""
        return Context(self.module, self.machine, self.row_scope, hears=self.company.hears)

    @property
    def plain(self) -> bool:
        """Whether claims and ends of work may go without the general machinery."""
        return not (self.company.queues or self.company.flushes)

    @property
    def applied(self) -> Sql:
        """Whether what an update sent was taken: where other events may have followed it, that is kept apart."""
        return Sql("(t._told is not null)" if self.company.queues else "t._applied")

    @property
    def taken(self) -> Sql:
        """What an update sent, as it was taken."""
        return Sql("t._told" if self.company.queues else "t._event")

    @property
    def kin(self) -> Kin:
        """The machines of the program."""
        return self.news.kin

    @cached_property
    def company(self) -> Company:
        """What it has to do with other tasks."""
        return Company(self.names.label, self.news)

    def of(self, name: str) -> Shape | None:
        """The shape of another machine of the program."""
        found = self.kin.machines.get(name)
        return Shape(*found, self.news) if found else None

    def same(self, name: str, value: Sql) -> str:
        """Equal, or both null: spelled so that an index serves it."""
        column = f"t.{ident(name)}"
        optional = next(one.type.optional for one in self.columns if one.name == name)
        return f"({column} = {value} or {column} is null and {value} is null)" if optional else f"{column} = {value}"

    @property
    def named(self) -> bool:
        """Whether somebody gives its tasks an id before they are made."""
        return self.names.label in self.kin.named or self.news.may_meet(self.names.label)

    @property
    def family(self) -> tuple[str, ...]:
        """What a spawn says of a new task besides its params."""
        return (*FAMILY, "_as") if self.named else FAMILY

    def type(self, type_: ir.Type) -> Sql:
        """A column's type."""
        return sql_type(type_, self.module.name)

    @cached_property
    def columns(self) -> tuple[ir.Field, ...]:
        """Params, then vars."""
        return self.machine.params + self.machine.vars

    def column(self, field_: ir.Field) -> Sql:
        """`amount numeric not null`."""
        return Sql(f"{ident(field_.name)} {self.type(field_.type)}{'' if field_.type.optional else ' not null'}")

    def constant(self, field_: ir.Field) -> Sql | None:
        """The default as a constant, where it is one."""
        if field_.default is not None and is_constant(field_.default):
            return top(field_.default, self.row_scope)
        return Sql("null") if field_.default is None and field_.type.optional else None

    @cached_property
    def leaves(self) -> tuple[ir.State, ...]:
        """All states a task can be in."""
        return chart.leaves(self.machine)

    @cached_property
    def claimable(self) -> tuple[str, ...]:
        """The leaves that workers claim from."""
        return tuple(leaf.name for leaf in chart.claimable(self.machine))

    @cached_property
    def running(self) -> tuple[ir.State, ...]:
        """The leaves that a handler works in."""
        return chart.running(self.machine)

    @cached_property
    def works(self) -> bool:
        """Whether there is anything for a worker."""
        return bool(self.claimable)

    @cached_property
    def starts_claimable(self) -> bool:
        """Whether a new task waits for a worker."""
        return self.machine.initial in self.claimable

    @cached_property
    def ended(self) -> tuple[str, ...]:
        """The final and failure leaves."""
        return tuple(leaf.name for leaf in self.leaves if leaf.kind != "plain")

    def listed(self, names: tuple[str, ...]) -> Sql:
        """`'a', 'b'`, for `in (…)`; `null`, which nothing is in, when there are none."""
        return Sql(", ".join(literal(name) for name in names) or "null")

    @property
    def claimable_list(self) -> Sql:
        """For `state in (…)`."""
        return self.listed(self.claimable)

    @property
    def running_list(self) -> Sql:
        """For `state in (…)`."""
        return self.listed(tuple(leaf.name for leaf in self.running))

    @cached_property
    def error_list(self) -> Sql:
        """The leaves that take ERROR."""
        return self.listed(tuple(leaf.name for leaf in self.leaves if chart.clauses(self.machine, leaf.name, "ERROR")))

    @cached_property
    def was(self) -> Sql:
        """How the history keeps the vars as they stood before a dispatch that changed some."""
        return self.was_of("n", "o")

    def was_of(self, new: str, old: str) -> Sql:
        """The same, of two rows."""
        if not self.machine.vars:
            return Sql("null")
        whole = json_object([(var.name, f"{old}.{ident(var.name)}") for var in self.machine.vars])
        return Sql(f"case when {new}._changed is not null or {new}._hops is not null then\n      {whole} end")

    def var_value(self, var: ir.Field, container: str) -> Sql:
        """A var out of a jsonb object."""
        return from_json(container, var.name, var.type, self.module.name)

    def spec(self, fields: tuple[ir.Field, ...]) -> Sql:
        """What `jet.misfit` checks fields against."""
        return json_literal([self._spec(one) for one in fields])

    def _spec(self, one: ir.Field) -> dict[str, object]:
        found: dict[str, object] = {
            "name": one.name,
            "type": f"{kind_name(one.type)}{'[]' if one.type.array else ''}",
            "required": not one.type.optional and one.default is None,
        }
        if one.type.kind == "enum":
            found["values"] = list(
                next(enum.values for enum in (*self.module.enums, *self.module.imported) if enum.name == one.type.enum)
            )
        return found

    def described(self, fields: tuple[ir.Field, ...]) -> Sql:
        """`amount: numeric, method: text?`, for a hint."""
        parts = (f"{one.name}: {shown(one.type)}" for one in fields)
        return literal(", ".join(parts) or "none")

    @property
    def controls(self) -> Sql:
        """The members of a task object that are no params."""
        return array_literal(CONTROLS + self.family)

    @property
    def known(self) -> Sql:
        """All members that a caller may give."""
        return array_literal(tuple(param.name for param in self.machine.params) + CONTROLS)
