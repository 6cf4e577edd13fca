"""Trees of tasks, seen whole: whether somebody can get what is sent, and whether what is counted can be there."""

from __future__ import annotations

from collections.abc import Mapping

from jetpackc.check import types
from jetpackc.check.report import listed
from jetpackc.check.spawn import BROKEN
from jetpackc.check.subject import Subject
from jetpackc.diagnostics.rules import flow as rules, names as name_rules, types as type_rules
from jetpackc.ir import chart, model as ir
from jetpackc.ir.kin import Kin, sends
from jetpackc.ir.news import News, trees

_FEW = 12
"""As many states as a help still lists."""


def check_trees(subjects: Mapping[str, Subject], kin: Kin) -> None:
    """Report sends that nobody can get, and counts of states that no descendant has. Machines go by `module.name`."""
    news = News(kin)
    for name, subject in subjects.items():
        for send in sends(subject.machine):
            _check_send(name, send, subject, kin)
        for tree in trees(subject.machine):
            _check_tree(name, tree, subject, news)


def _check_send(name: str, send: ir.Send, subject: Subject, kin: Kin) -> None:
    possible = kin.receivers(name, send)
    if not possible and any(kin.takes(one, send.event) for one in kin.machines):  # else that is said already
        message = f"no {_noun(send)} of `{subject.machine.name}` takes `{send.event}`"
        around = kin.company(name, send.kin)
        me = subject.machine.name
        alone = f"`{me}` spawns no child" if send.kin in {"children", "subtree"} else f"no machine spawns `{me}`"
        help = f"they may be of {' and '.join(f'`{one}`' for one in around)}" if around else alone
        subject.add(rules.UNHEARD_SEND, message, send.span, "nobody can get it", help=help)
    for receiver in possible:
        _check_payload(receiver, send, subject, kin)


def _noun(send: ir.Send) -> str:
    nouns = {"siblings": "sibling", "children": "child", "subtree": "descendant", "": "machine that a task"}
    return nouns.get(send.kin, send.kin)


def _check_payload(receiver: str, send: ir.Send, subject: Subject, kin: Kin) -> None:
    fields = {field.name: field for field in _taken(kin.machines[receiver][1], send.event)}
    given = dict(send.arguments)
    problems = [f"it has no field `{name}`" for name in given if name not in fields]
    problems += [
        f"its field `{name}` is `{types.show(field.type)}`, and this is `{types.show(given[name].type)}`"
        for name, field in fields.items()
        if name in given and given[name] is not BROKEN and not _fits(given[name].type, field)
    ]
    problems += [
        f"it needs field `{name}`"
        for name, field in fields.items()
        if name not in given and field.default is None and not field.type.optional
    ]
    for problem in problems:
        message = f"`{send.event}` does not fit machine `{receiver}`: {problem}"
        subject.add(type_rules.TYPE_MISMATCH, message, send.span, "does not fit")


def _taken(machine: ir.Machine, event: str) -> tuple[ir.Field, ...]:
    found = (each.fields for each in machine.signatures if each.event == event and not each.state)
    return next(found, ())


def _fits(found: ir.Type, field: ir.Field) -> bool:
    if field.default is not None:
        found = types.required(found)
    if found.kind == field.type.kind == "enum":
        return found.enum.rpartition(".")[2] == field.type.enum.rpartition(".")[2]
    return types.fits(found, field.type)


def _check_tree(name: str, tree: ir.Tree, subject: Subject, news: News) -> None:
    below = news.kin.children[name] if tree.of == "children" else news.kin.below(name)
    known = [leaf for one in below for leaf in chart.states(news.kin.machines[one][1])]
    for asked, span in zip(tree.names, tree.places, strict=True) if below else ():
        if asked not in {"final", "failure"} and not any(news.leaves(name, one, asked) for one in below):
            candidates = dict.fromkeys([*known, "final", "failure"])
            help = f"they may be in {listed(dict.fromkeys(known), 'and')}" if len(known) <= _FEW else ""
            subject.report.unknown(name_rules.UNKNOWN_STATE, "state", asked, span, candidates, help=help)
