"""Expansion of whole files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import cast

from jetpackc.check.expansion.arguments import Definition, bind, substitute
from jetpackc.check.expansion.definitions import Named, definitions
from jetpackc.check.expansion.limits import TooMuchError, check_size
from jetpackc.check.expansion.merge import Member, merge, one_name_each
from jetpackc.check.expansion.operators import Operators
from jetpackc.check.expansion.steps import without_steps
from jetpackc.check.imports import from_outside, reach
from jetpackc.check.report import Report
from jetpackc.diagnostics.rules import expansion, names
from jetpackc.records import dataclass, replace
from jetpackc.source import Source
from jetpackc.syntax import ast, parse
from jetpackc.syntax.grammar import shipped
from jetpackc.syntax.rewrite import placed


def expand(files: Sequence[ast.File], report: Report) -> tuple[ast.File, ...]:
    """The files with plain machines only: no template, step or operator is left.

    Templates and operators are known in all files of their module, and by `module.name` in those that import it. One
    that a module defines itself stands in place of the prelude's of the same name.
    A machine whose template is unknown, or does not take its arguments, stays as it is; that was reported.
    """
    within = reach(files, report)
    written = {
        name: _Written.of(name, [file for file in files if file.module == name], report)
        for name in dict.fromkeys(file.module for file in files)
    }
    libraries = {
        name: _Library.of(own, [written[other] for other in within[name]], report) for name, own in written.items()
    }
    return tuple(libraries[file.module].file(file) for file in files)


@cache
def prelude() -> ast.File:
    """The standard library, from grammar/prelude.jet."""
    file, diagnostics = parse(Source("prelude.jet", shipped("prelude.jet")))
    assert not diagnostics, diagnostics
    return file


@dataclass(frozen=True)
class _Written:
    """The templates and operators that the files of a module define."""

    templates: Mapping[str, ast.Template]
    operators: Mapping[str, ast.Operator]
    declared: Mapping[str, frozenset[str]]
    module: str

    @classmethod
    def of(cls, module: str, files: Sequence[ast.File], report: Report) -> _Written:
        templates, operators = definitions(ast.Template, files, report), definitions(ast.Operator, files, report)
        items = [item for file in files for item in file.items]
        declared = {
            "enum": frozenset(item.name.text for item in items if isinstance(item, ast.Enum)),
            "machine": frozenset(item.name.text for item in items if isinstance(item, ast.Machine)),
            "operator": frozenset(operators),
        }
        return cls(templates, operators, declared, module)

    def outside(self, of: Mapping[str, Named]) -> dict[str, Named]:
        """Some of them as other modules see them, by their qualified names."""
        return {f"{self.module}.{name}": self._seen(one) for name, one in of.items()}

    def _seen(self, one: Named) -> Named:
        own = {param.name.text for param in one.params}
        if isinstance(one, ast.Template):
            own |= {member.name.text for member in one.members if isinstance(member, ast.Var)}
        return from_outside(one, self.module, self.declared, own)


@dataclass(frozen=True)
class _Library:
    """The templates and operators in reach of a module: its own, those of the prelude that it does not replace, and
    those of the modules that it imports."""

    templates: Mapping[str, ast.Template]
    shipped: frozenset[str]
    operators: Operators
    report: Report

    @classmethod
    def of(cls, own: _Written, others: Sequence[_Written], report: Report) -> _Library:
        templates = definitions(ast.Template, [prelude()], report)
        operators = definitions(ast.Operator, [prelude()], report)
        shipped = frozenset(templates.keys() - own.templates.keys())
        shipped_operators = frozenset(operators.keys() - own.operators.keys())
        templates |= own.templates
        operators |= own.operators
        for other in others:
            templates |= other.outside(other.templates)
            operators |= other.outside(other.operators)
        return cls(templates, shipped, Operators(operators, shipped_operators, report), report)

    def file(self, file: ast.File) -> ast.File:
        return replace(file, items=tuple(self._items(file)))

    def _items(self, file: ast.File) -> list[ast.Item]:
        kept = [item for item in file.items if not isinstance(item, ast.Template | ast.Operator)]
        return [self._machine(item) if isinstance(item, ast.Machine) else item for item in kept]

    def _machine(self, machine: ast.Machine) -> ast.Machine:
        own = self._plain(machine.members)
        base = self._base(machine) if machine.template else []
        if base is None:
            return machine
        members = cast("list[ast.MachineMember]", merge(own, base, self.report) if base else own)
        return replace(machine, template=None, arguments=(), members=tuple(members))

    def _plain(self, members: tuple[ast.MachineMember, ...]) -> list[Member]:
        """Without steps and operators, each state by itself."""
        return one_name_each(self.operators.members(without_steps(members, self.report)))

    def _base(self, machine: ast.Machine) -> list[Member] | None:
        """The members of the machine's template, with the arguments in place; None where that cannot be told."""
        name = machine.template
        assert name is not None
        template = self.templates.get(name.text)
        if template is None:
            self.report.unknown(names.UNKNOWN_TEMPLATE, "template", name.text, name.span, self.templates)
            return None
        definition = Definition("template", template.name, template.params, name.text in self.shipped)
        bound = bind(definition, machine.arguments, name.span, self.report)
        if bound is None:
            return None
        members = substitute(placed(template.members, name.span) if definition.shipped else template.members, bound)
        try:
            check_size(members)
        except TooMuchError as error:
            message, help = f"template `{name.text}` {error} here", "give it smaller arguments"
            self.report.add(expansion.ENDLESS_EXPANSION, message, name.span, "used here", help=help)
            return None
        return self._plain(members)
