"""Expansion of whole files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files as package_files
from typing import cast

from jetpackc.check.expansion.arguments import Definition, bind, substitute
from jetpackc.check.expansion.definitions import definitions
from jetpackc.check.expansion.limits import TooMuchError, check_size
from jetpackc.check.expansion.merge import Member, merge, one_name_each
from jetpackc.check.expansion.operators import Operators
from jetpackc.check.expansion.steps import without_steps
from jetpackc.check.report import Report
from jetpackc.diagnostics.rules import expansion, names
from jetpackc.source import Source
from jetpackc.syntax import ast, parse
from jetpackc.syntax.rewrite import placed


def expand(files: Sequence[ast.File], report: Report) -> tuple[ast.File, ...]:
    """The files with plain machines only: no template, step or operator is left.

    Templates and operators are known in all files of their module. One that a module defines itself stands in place of
    the prelude's of the same name.
    A machine whose template is unknown, or does not take its arguments, stays as it is; that was reported.
    """
    modules = dict.fromkeys(file.module for file in files)
    libraries = {name: _Library.of([file for file in files if file.module == name], report) for name in modules}
    return tuple(libraries[file.module].file(file) for file in files)


@cache
def prelude() -> ast.File:
    """The standard library, from grammar/prelude.jet."""
    text = package_files("jetpackc.grammar").joinpath("prelude.jet").read_text(encoding="utf-8")
    file, diagnostics = parse(Source("prelude.jet", text))
    assert not diagnostics, diagnostics
    return file


@dataclass(frozen=True)
class _Library:
    """The templates and operators in reach of a module: its own, and those of the prelude that it does not replace."""

    templates: Mapping[str, ast.Template]
    shipped: frozenset[str]
    operators: Operators
    report: Report

    @classmethod
    def of(cls, files: Sequence[ast.File], report: Report) -> _Library:
        templates = definitions(ast.Template, files, report)
        operators = definitions(ast.Operator, files, report)
        known = definitions(ast.Template, [prelude()], report) | templates
        known_operators = definitions(ast.Operator, [prelude()], report) | operators
        shipped = frozenset(known_operators.keys() - operators.keys())
        return cls(
            known, frozenset(known.keys() - templates.keys()), Operators(known_operators, shipped, report), report
        )

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
