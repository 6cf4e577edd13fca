"""Files in, a program out: the modules one by one, then the checks of how their machines move."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from jetpackc.check import modules
from jetpackc.check.declarations import declarations
from jetpackc.check.flow import check_flow
from jetpackc.check.imports import reach
from jetpackc.check.probe import check_probes
from jetpackc.check.report import Report
from jetpackc.check.spawning import check_spawning
from jetpackc.check.spawns import check_spawns
from jetpackc.check.subject import Subject
from jetpackc.check.survey import check_company
from jetpackc.check.tests import lower_tests
from jetpackc.check.trees import check_trees
from jetpackc.check.usage import check_declared_events
from jetpackc.diagnostics.model import Diagnostic, has_errors
from jetpackc.diagnostics.rules import flow, names, syntax
from jetpackc.ir import model as ir
from jetpackc.ir.kin import Kin
from jetpackc.records import dataclass
from jetpackc.syntax import ast

_BREAKS_FLOW = frozenset(
    rule.code
    for rule in (
        syntax.NOT_SUPPORTED_YET,
        names.UNKNOWN_STATE,
        names.DUPLICATE_NAME,
        flow.NO_INITIAL_STATE,
        flow.SEVERAL_INITIAL_STATES,
        flow.CONFLICTING_KINDS,
        flow.LIFECYCLE_EVENT,
        flow.CODE_AFTER_ARROW,
        flow.SECOND_TARGET,
        flow.ARROW_IN_EXIT,
    )
)
"""Rules whose breach leaves arrows out of a machine: what its flow checks said then would follow from that alone."""


@dataclass(frozen=True, slots=True)
class Result:
    """What came out: the program, None when a diagnostic is an error, and the diagnostics in the order of the text."""

    program: ir.Program | None
    diagnostics: tuple[Diagnostic, ...]


def check(files: Sequence[ast.File]) -> Result:
    """Check expanded files and turn them into a program."""
    report = Report()
    program = lower(files, report)
    return Result(None if has_errors(report.diagnostics) else program, report.diagnostics)


def lower(files: Iterable[ast.File], report: Report) -> ir.Program:
    """The program as far as it makes sense, and the report of what does not.

    What is in the report already is from the expansion. How a machine moves is not checked where that went wrong, in
    the machine or in an operator or a template that it may use.
    """
    faults = [found.span for found in report.diagnostics if found.is_error and found.span is not None]
    files = tuple(files)
    within = reach(files, report)
    gathered = modules.gather(files, report)
    declared = declarations(gathered, within, report)
    nodes = [node for parts in gathered.values() for node in parts.machines]
    anywhere = any(not any(fault in node.span for node in nodes) for fault in faults)
    sent = check_company(nodes, report) if all(node.template is None for node in nodes) else frozenset[str]()
    subjects: dict[str, Subject] = {}
    lowered = []
    for name, parts in sorted(gathered.items()):
        check_probes(parts.probes, declared[name].scope, report)
        found = modules.lower(parts, declared[name], report, _BREAKS_FLOW)
        enums = {enum.name: frozenset(enum.values) for enum in (*found.module.enums, *found.module.imported)}
        for each in found.whole:
            if not anywhere and not any(fault in each.machine.span for fault in faults):
                subject = Subject(each.machine, each.name, each.inherited, report, enums)
                subjects[f"{name}.{each.machine.name}"] = subject
        if found.complete:
            check_declared_events(found.module, sent, report)
            check_spawns(found.module, report)
        lowered.append(found.module)
    check_flow([*subjects.values()], report)
    check_spawning(subjects)
    if len(subjects) == sum(len(module.machines) for module in lowered):
        check_trees(subjects, Kin(ir.Program(tuple(lowered))))
    tests = lower_tests(gathered, declared, lowered, report)
    return ir.Program(tuple(each for each in lowered if not gathered[each.name].only_tests), tests)
