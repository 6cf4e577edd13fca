"""`jetpackc graph`: what a picture shows, and that it can be read."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
from told import Cli, Told

from jetpackc.check import compile_sources
from jetpackc.diagnostics.render import FORMATS
from jetpackc.graph import Chart, charts_of, dot, drawing, mermaid
from jetpackc.graph.engine import engine, laid_out
from jetpackc.graph.layout import Box, Layout, answer, label_size, question
from jetpackc.source import Source

ROOT = Path(__file__).parents[1]
NESTED = """
module deep

event GO(n: int)
event STOP
event PING

machine child(n: int) is task { state running { run "work:child" } }

machine deep(urgent: bool, name: text) {
  var n: int = 0
  on KILL -> dead

  initial state idle {
    on GO when urgent and n > 0 -> active { set n = event.n }
    on GO { when n > 3 { -> dead } else when urgent { -> review } else { spawn child(n: n) } }
  }
  state active {
    on STOP -> idle
    on GO   -> second
    on PING { set n = n + 1 }
    initial state first { on NEXT when name == "<b>&\\"" or n + 1 > 100000 -> second }
    state second {
      initial state inner { on DEEP -> innermost  enter { spawn root child(n: 1) } }
      step innermost(max_attempts: 3, backoff: 1s..1m) {
        run "work:dig"
        timeout 20s
        on SUCCESS   -> review
        on ABANDONED -> dead
      }
    }
  }
  state review { on OK -> done  on NO { fail "never" }  ignore PING }
  final state done
  failure state dead { on REVIVE -> active }
}
"""


def charts(text: str) -> list[Chart]:
    source = Source("workflows.jet", text)
    result = compile_sources([source])
    assert result.program is not None, FORMATS["text"](result.diagnostics, {source.path: source})
    return list(charts_of(result.program))


def deep() -> Chart:
    return next(chart for chart in charts(NESTED) if chart.name == "deep.deep")


def arrows(chart: Chart) -> dict[tuple[str, str], list[str]]:
    return {(arrow.source, arrow.target): [label.text for label in arrow.labels] for arrow in chart.arrows}


def big(states: int) -> str:
    """A long machine with composites, steps and ways back."""
    lines = ["module big", "machine big(n: int) {", "  on ABORT -> aborted"]
    for place in range(states):
        after = f"s{place + 1}" if place + 1 < states else "finished"
        back = f"on BACK{place % 7} when n in (1, 2, {place}) -> s{place * 7 % (place + 1)}"
        first = "initial " if place == 0 else ""
        if place % 5 == 2:
            lines.append(
                f'  step s{place}(max_attempts: 3) {{ run "w:f" on SUCCESS -> {after} on ABANDONED -> broken }}'
            )
        elif place % 5 == 4:
            inner = f"initial state s{place}a {{ on IN -> s{place}b }} state s{place}b {{ on OUT -> {after} }}"
            lines.append(f"  state s{place} {{ {inner} on CANCEL -> broken {back if place % 2 else ''} }}")
        else:
            lines.append(f"  {first}state s{place} {{ on NEXT -> {after} {back if place % 3 == 0 and place else ''} }}")
    return "\n".join([*lines, "  final state finished, aborted", "  failure state broken", "}"])


def placed(chart: Chart) -> Layout:
    return answer(chart, laid_out(question(chart)))


# ---------------------------------------------------------------- what is shown


def test_each_way_out_of_a_state_is_an_arrow_with_event_guard_and_delay() -> None:
    found = arrows(deep())
    assert found["idle", "first"] == ["GO [urgent and n > 0]"]
    assert found["idle", "dead"] == ["GO [else and n > 3]"]
    assert found["idle", "review"] == ["GO [else and urgent]"]
    assert found["dead", "first"] == ["REVIVE"]
    assert found["innermost.running", "innermost.ready"] == [
        "ERROR [attempts < 3] in backoff(1s, attempts, 1m)",
        "RELEASED",
        "SNOOZE in delay",
    ]


def test_what_a_composite_or_the_machine_answers_leads_away_from_any() -> None:
    found = arrows(deep())
    assert found["*any", "dead"] == ["KILL"]
    assert found["*any active", "idle"] == ["STOP"]
    assert found["*any active", "inner"] == ["GO"]
    assert found["*any innermost", "dead"] == ["ABANDONED"]


def test_a_spawn_is_an_arrow_of_its_own_kind_to_the_machine() -> None:
    spawned = [
        (arrow.source, arrow.target, [label.text for label in arrow.labels])
        for arrow in deep().arrows
        if arrow.kind == "spawn"
    ]
    assert spawned == [
        ("idle", "*machine child", ["GO [else]: spawn"]),
        ("inner", "*machine child", ["enter: spawn root"]),
    ]


TELLING = """
module trips
event UNDO
event UNDONE(what: text)
machine trip(note: bigint?) {
  initial state open {
    enter { spawn hotel() as room  spawn flight() }
    on FAILED when note is not null -> undoing { send note UNDO }
  }
  state undoing {
    enter { send room UNDO  send children UNDO }
    on UNDONE -> undone
  }
  final state undone
}
machine hotel {
  initial state booked { on UNDO -> free }
  final state free { enter { send parent UNDONE(what: "hotel") } }
}
machine flight { initial state booked { on UNDO { send siblings UNDO  send parent UNDONE(what: "") } } final state flown
  on FLY -> flown }
"""


def test_a_message_is_an_arrow_to_each_machine_that_may_take_it() -> None:
    found = {
        chart.name: [
            (arrow.source, arrow.target, [label.text for label in arrow.labels])
            for arrow in chart.arrows
            if arrow.kind == "send"
        ]
        for chart in charts(TELLING)
    }
    assert found == {
        "trips.flight": [
            ("booked", "*machine flight", ["UNDO: send siblings UNDO"]),
            ("booked", "*machine hotel", ["UNDO: send siblings UNDO"]),
            ("booked", "*machine trip", ["UNDO: send parent UNDONE"]),
        ],
        "trips.hotel": [("free", "*machine trip", ["enter: send parent UNDONE"])],
        "trips.trip": [
            ("open", "*machine hotel", ["FAILED [note is not null]: send note UNDO"]),
            ("open", "*machine flight", ["FAILED [note is not null]: send note UNDO"]),
            ("undoing", "*machine hotel", ["enter: send room UNDO", "enter: send children UNDO"]),
            ("undoing", "*machine flight", ["enter: send children UNDO"]),
        ],
    }
    lines = {node.id: node.lines for chart in charts(TELLING) for node in chart.nodes if chart.name == "trips.flight"}
    assert lines["booked"] == ("UNDO stays",)


def test_what_kind_an_arrow_is_can_be_seen() -> None:
    (chart,) = (chart for chart in charts(TELLING) if chart.name == "trips.trip")
    assert "style=dotted" in dot([chart])
    assert "style=dashed" in dot([chart])
    assert ": enter#58; send room UNDO<br/>enter#58; send children UNDO\n" in mermaid([chart])
    kinds = [group.get("class") for group in ElementTree.fromstring(drawing([chart])).iter() if group.get("class")]
    assert {"arrow", "spawn", "send"} <= set(kinds)


def test_what_leads_nowhere_stands_in_the_box() -> None:
    lines = {node.id: node.lines for node in deep().nodes}
    assert lines["active"] == ("PING stays",)
    assert lines["review"] == ('NO fails: "never"', "ignore PING")
    assert lines["innermost.running"] == ("run work:dig", "timeout 20s", "ERROR [else] raises ABANDONED")


def test_marks_of_states() -> None:
    nodes = {node.id: node for node in deep().nodes}
    assert [id for id, node in nodes.items() if node.initial] == ["idle", "first", "inner", "innermost.ready"]
    assert [id for id, node in nodes.items() if node.claimable] == ["innermost.ready"]
    assert [id for id, node in nodes.items() if node.running] == ["innermost.running"]
    assert {nodes["done"].kind, nodes["dead"].kind} == {"final", "failure"}
    assert nodes["innermost.ready"].parent == "innermost"
    assert nodes["innermost"].parent == "second"


def test_a_long_guard_is_cut_and_whole_in_the_tip() -> None:
    (label,) = next(arrow.labels for arrow in deep().arrows if arrow.source == "first")
    assert label.full == r'NEXT [name == "<b>&\"" or n + 1 > 100000]'
    assert label.text == r'NEXT [name == "<b>&\"" or n + 1 > 1…]'


# ---------------------------------------------------------------- how it is written


def test_mermaid_is_one_diagram_of_one_machine_and_a_page_of_several() -> None:
    text = mermaid([deep()])
    assert text.startswith("stateDiagram-v2\n")
    assert "  [*] --> s2\n" in text
    assert "s2 --> s5 : GO #91;urgent and n #62; 0#93;\n" in text
    page = mermaid(charts(NESTED))
    assert page.count("```mermaid\nstateDiagram-v2\n") == 2
    assert page.startswith("## deep.")


def test_graphviz_takes_the_dot_text() -> None:
    text = dot(charts(NESTED))
    again = subprocess.run([engine(), "-Tcanon"], input=text, capture_output=True, encoding="utf-8", check=True).stdout
    for told in ("deep.child", "innermost.running", "GO [urgent and n > 0]", "enter: spawn root"):
        assert told in text
        assert told in again


def test_the_drawing_is_xml_and_says_each_word_that_the_chart_has() -> None:
    chart = deep()
    root = ElementTree.fromstring(drawing([chart]))
    texts = root.iter("{http://www.w3.org/2000/svg}text")
    words = {text[0].tail if len(text) else text.text for text in texts}
    boxes = {group.get("data-box") for group in root.iter() if group.get("data-box")}
    assert {node.title for node in chart.nodes if node.title} <= words
    assert boxes == {node.id for node in chart.nodes if node.kind != "start"}
    assert 'NEXT [name == "<b>&\\"" or n + 1 > 1…]' in words
    assert "<b>" not in drawing([chart])


def test_the_same_program_gives_the_same_bytes(tmp_path: Path) -> None:
    (tmp_path / "workflows.jet").write_text(NESTED)
    outs = set()
    for seed in ("0", "1"):
        for form in ("svg", "dot", "mermaid"):
            command = [sys.executable, "-m", "jetpackc", "graph", "--format", form]
            env = {**os.environ, "PYTHONHASHSEED": seed}
            outs.add(subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, check=True).stdout)
    assert len(outs) == 3


# ---------------------------------------------------------------- that it can be read


def overlap(one: Box, other: Box) -> bool:
    return (
        one.x < other.x + other.width
        and other.x < one.x + one.width
        and one.y < other.y + other.height
        and other.y < one.y + one.height
    )


def holds(outer: Box, inner: Box) -> bool:
    return (
        outer.x <= inner.x
        and outer.y <= inner.y
        and inner.x + inner.width <= outer.x + outer.width
        and inner.y + inner.height <= outer.y + outer.height
    )


@pytest.mark.parametrize("states", [3, 10, 40])
def test_boxes_and_words_have_room(states: int) -> None:
    (chart,) = charts(big(states))
    layout = placed(chart)
    leaves = [node for node in chart.nodes if node.kind != "composite"]
    boxes = [layout.boxes[node.id] for node in leaves]
    words = [
        Box(curve.label[0] - width / 2, curve.label[1] - height / 2, width, height)
        for arrow, curve in zip(chart.arrows, layout.curves, strict=True)
        if curve.label
        for width, height in [label_size(arrow)]
    ]
    assert len(leaves) >= states
    assert not [pair for pair in itertools.combinations(boxes, 2) if overlap(*pair)]
    assert not [(word, box) for word in words for box in boxes if overlap(word, box)]
    assert all(holds(Box(-0.5, -0.5, layout.width + 1, layout.height + 1), box) for box in (*boxes, *words))


@pytest.mark.parametrize("states", [10, 40])
def test_a_composite_holds_its_states_and_no_others(states: int) -> None:
    (chart,) = charts(big(states))
    boxes = placed(chart).boxes
    parents = {node.id: node.parent for node in chart.nodes}
    for outer in (node.id for node in chart.nodes if node.kind == "composite"):
        for id, parent in parents.items():
            if parent == outer:
                assert holds(boxes[outer], boxes[id])
            elif parent is None and id != outer:
                assert not overlap(boxes[outer], boxes[id])


def test_it_goes_down_in_the_order_of_the_source() -> None:
    (chart,) = charts(big(40))
    layout = placed(chart)
    tops = [layout.boxes[f"s{place}"].y for place in range(40) if place % 5 in (0, 1, 3)]
    assert tops == sorted(tops)


def test_an_arrow_ends_at_its_box() -> None:
    (chart,) = charts(big(10))
    layout = placed(chart)
    for arrow, curve in zip(chart.arrows, layout.curves, strict=True):
        box = layout.boxes[arrow.target]
        near = Box(box.x - 3, box.y - 3, box.width + 6, box.height + 6)
        assert holds(near, Box(*curve.tip, 0, 0)), arrow


# ---------------------------------------------------------------- the command


def test_graph_writes_what_the_ending_says(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "workflows.jet").write_text(NESTED)
    assert cli("graph", "-o", "a.svg") == Told(0, "", "wrote a.svg\n")
    assert cli("graph", "-o", "a.dot", "--machine", "deep").code == 0
    assert (tmp_path / "a.svg").read_text().startswith("<svg ")
    assert (tmp_path / "a.dot").read_text().startswith("digraph ")
    assert cli("graph", "--machine", "deep.child").out.startswith("stateDiagram-v2\n")


def test_graph_draws_nothing_into_a_file_of_another_kind(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "workflows.jet").write_text(NESTED)
    told = cli("graph", "-o", "a.png")
    assert (told.code, "nothing is known to draw as `.png`" in told.err) == (2, True)
    assert not (tmp_path / "a.png").exists()
    assert cli("graph", "-o", "a.png", "--format", "dot").code == 0


def test_graph_tells_of_a_machine_that_is_not_there(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "workflows.jet").write_text(NESTED)
    told = cli("graph", "--machine", "depe")
    assert (told.code, told.err) == (2, "error: there is no machine `depe`\n  = help: did you mean `deep`?\n")


def test_graph_tells_of_mistakes_and_draws_nothing(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "workflows.jet").write_text(NESTED.replace("-> second", "-> secnd"))
    told = cli("graph", "-o", "a.svg")
    assert told.code == 1
    assert "J101" in told.err
    assert not (tmp_path / "a.svg").exists()


def test_the_picture_in_the_documents_is_of_the_example_as_it_is() -> None:
    (chart,) = [
        one for one in charts((ROOT / "examples/checkout/workflows.jet").read_text()) if one.name == "shop.checkout"
    ]
    told = [
        ElementTree.fromstring(text) for text in ((ROOT / "docs/images/checkout.svg").read_text(), drawing([chart]))
    ]
    shown, now = ([text.text for text in root.iter("{http://www.w3.org/2000/svg}text")] for root in told)
    assert shown == now
