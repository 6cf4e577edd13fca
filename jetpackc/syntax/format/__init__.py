"""One way to lay .jet out.

text -> tokens, gaps     tokens.py: comments and line breaks stand in the gaps
text -> tree             tree.py: the parser's tree with all tokens in it
tree -> documents        layout.py: where a line may end, where it must, what is aligned
documents -> lines       doc.py
lines -> lines           align.py
"""

from __future__ import annotations

from collections.abc import Sequence

from jetpackc.diagnostics.model import Diagnostic
from jetpackc.memory import without_collection
from jetpackc.source import Source
from jetpackc.syntax.format.align import align
from jetpackc.syntax.format.doc import Line, render, sequence
from jetpackc.syntax.format.layout import Layout
from jetpackc.syntax.format.tokens import Gap, Tokens, scan
from jetpackc.syntax.format.tree import Completer, Node
from jetpackc.syntax.nodes import BYTE_ORDER_MARK
from jetpackc.syntax.parse import trees


def format_source(source: Source) -> tuple[str | None, tuple[Diagnostic, ...]]:
    """The text laid out, with its own line ends and byte order mark; None where it does not parse, and why.

    It has the tokens and comments that it had, in their order, but for commas at the ends of lists.
    """
    with without_collection():
        return _format(source)


def _format(source: Source) -> tuple[str | None, tuple[Diagnostic, ...]]:
    found, problems = trees(source)
    if problems:
        return None, tuple(problems)
    mark = BYTE_ORDER_MARK if source.text.startswith(BYTE_ORDER_MARK) else ""
    scanned = scan(source.text.removeprefix(BYTE_ORDER_MARK).rjust(len(source.text)))
    items = [item for tree in found for item in Completer(scanned).items(tree)]
    lines = _lines(items, scanned)
    align(lines)
    end = "\r\n" if source.text.partition("\n")[0].endswith("\r") else "\n"
    return mark + "".join(f"{' ' * line.indent}{line.text}{end}" for line in lines), ()


def _lines(items: Sequence[Node], scanned: Tokens) -> list[Line]:
    """The lines of a file: blank ones stay, and stand around what takes several."""
    layout = Layout(scanned)
    lines: list[Line] = []
    several = False
    for number, item in enumerate(items):
        following = layout.gap(items[number + 1]) if item is not items[-1] else scanned.gaps[-1]
        written = render(sequence((layout.node(item), *layout.trailing(following))))
        lines += [*_above(layout.gap(item), bool(lines), several or len(written) > 1), *written]
        several = len(written) > 1
    last = scanned.gaps[-1]
    return lines + _above(Gap(own=last.own), bool(lines), False)


def _above(gap: Gap, inner: bool, apart: bool) -> list[Line]:
    """The lines between two items, or an item and the end of the file: comments, and blank ones if they are `inner`."""
    blanks = [*(blank for blank, _ in gap.own), gap.blank]
    blanks[0] = inner and (blanks[0] or (apart and not any(blanks)))
    found: list[Line] = []
    for blank, (_, comment) in zip(blanks, gap.own, strict=False):
        found += [Line()] if blank else []
        found.append(Line(text=comment))
    return [*found, Line()] if blanks[-1] else found
