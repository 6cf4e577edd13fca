"""Which modules a module may name: those of the files that its own import, and what those import in turn."""

from __future__ import annotations

import posixpath
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from jetpackc.check.report import Report
from jetpackc.diagnostics.model import Fix
from jetpackc.diagnostics.rules import names as rules
from jetpackc.diagnostics.suggest import did_you_mean
from jetpackc.records import replace
from jetpackc.source import Source
from jetpackc.syntax import ast, parse
from jetpackc.syntax.rewrite import T, rewrite

Reach = Mapping[str, tuple[str, ...]]
"""For each module the others that it may name, in the order of their names."""


def imported(item: ast.Import, file: ast.File) -> str:
    """The path of an imported file, as the paths of sources are written: an import begins at the folder of its file."""
    return posixpath.normpath(posixpath.join(posixpath.dirname(file.path), item.path))


def imports(source: Source) -> tuple[str, ...]:
    """The paths of the files that one imports, as the paths of sources are written."""
    if "import" not in source.text:
        return ()
    file, _ = parse(source)
    return tuple(imported(item, file) for item in file.items if isinstance(item, ast.Import))


def reach(files: Sequence[ast.File], report: Report) -> Reach:
    """Follow the imports. One that leads to none of the files is reported."""
    by_path = {posixpath.normpath(file.path): file for file in files}
    direct: dict[str, set[str]] = {file.module: set() for file in files}
    for file in files:
        for item in file.items:
            if isinstance(item, ast.Import):
                found = by_path.get(imported(item, file))
                if found is not None:
                    direct[file.module].add(found.module)
                else:
                    _unknown(item, file, by_path, report)
    return {module: tuple(sorted(_closure(module, direct) - {module})) for module in direct}


def _closure(module: str, direct: Mapping[str, set[str]]) -> set[str]:
    found: set[str] = set()
    pending = [module]
    while pending:
        new = direct[pending.pop()] - found
        found |= new
        pending += new
    return found


def _unknown(item: ast.Import, file: ast.File, paths: Collection[str], report: Report) -> None:
    folder = posixpath.dirname(file.path) or "."
    near = did_you_mean(item.path, [posixpath.relpath(path, folder) for path in paths if path != file.path])
    inside = item.span
    fixes = (Fix(f'change to `import "{near}"`', inside, f'import "{near}"'),) if near else ()
    label = f"did you mean `{near}`?" if near else "no such file"
    help = "" if near else "write the path from the folder of this file, with forward slashes"
    report.add(rules.UNKNOWN_IMPORT, f"there is no file `{item.path}`", inside, label, help=help, fixes=fixes)


def from_outside(node: T, module: str, declared: Mapping[str, Collection[str]], own: Collection[str] = ()) -> T:
    """A template or an operator as it reads in other modules: what its own module declares is named with the module.

    `declared` has the names by kind: enum, machine, operator. `own` are names that mean something else in it.
    """

    def qualified(name: ast.Name, kind: str) -> ast.Name:
        return ast.Name(f"{module}.{name.text}", name.span) if name.text in declared[kind] else name

    def change(found: Any) -> Any:
        match found:
            case ast.Spawn():
                return replace(found, machine=qualified(found.machine, "machine"))
            case ast.TypeName():
                return replace(found, name=qualified(found.name, "enum"))
            case ast.Apply():
                return replace(found, operator=qualified(found.operator, "operator"))
            case ast.Member(base=ast.Variable(name=name)) if name in declared["enum"] and name not in own:
                where = found.base.span
                return replace(found, base=ast.Member(ast.Variable(module, where), ast.Name(name, where), where))
            case _:
                return found

    return rewrite(node, change)
