"""What no machine reads costs nothing: the SQL of machines that have nothing to do with messages is what it was."""

from __future__ import annotations

import pytest
from checking import program

from jetpackc.emit import emit

PLAIN = """\
machine order(n: int) {
  initial state open { on GO -> done { spawn parcel(n: n) spawn root parcel(n: n) } }
  final state done
}
machine parcel(n: int) is task { state running { run "x:y" } }
"""
READER = """\
machine other {
  initial state open { on GO -> waiting { spawn leaf() } }
  state waiting { on SUBTREE_FLUSHED when children.all(done) -> done on HEARD { send children STOP } }
  final state done
}
machine leaf {
  initial state open { on GO -> done { send parent HEARD } on STOP -> done }
  final state done
}
"""
WAITING = PLAIN.replace("-> done { spawn", "-> waiting { spawn").replace(
    "  final state done\n", "  state waiting { on SUBTREE_FLUSHED -> done } final state done\n", 1
)
OF_TREES = (
    *("_subtree", "_children", "_news", "_posts", "_log jsonb", "_told", "_deferred", "_result jsonb"),
    *("_post(", "_pump("),
)


def emitted(*texts: str) -> dict[str, str]:
    """Every object of the module by its name."""
    found = emit(program("module m\n" + "".join(texts)))
    return {f"{one.kind} {one.name}": one.create for one in found if one.kind not in {"support", "data"}}


def test_a_machine_among_readers_is_what_it_is_alone() -> None:
    alone, among = emitted(PLAIN), emitted(PLAIN, READER)
    own = {name: text for name, text in among.items() if name in alone and "_tick" not in name and "_pump" not in name}
    assert len(own) > 50
    assert own == {name: alone[name] for name in own}


@pytest.mark.parametrize("word", OF_TREES)
def test_nothing_of_trees_is_in_a_machine_that_does_not_use_them(word: str) -> None:
    assert not any(word in text for text in emitted(PLAIN).values())
    assert any(word in text for text in emitted(READER, DEFERRING).values())


DEFERRING = """\
machine late {
  initial state open { defer STOP on GO -> done }
  final state done { return 1 on STOP -> open }
}
machine counting {
  initial state open { on GO -> waiting { spawn self() spawn late() } }
  state waiting { on SUBTREE_UPDATE when children.some(failure) -> waiting on STOP -> done }
  final state done
}
"""


def test_a_child_of_a_reader_reports_and_is_else_what_it_was() -> None:
    before, after = emitted(PLAIN), emitted(WAITING)
    changed = {name for name in before if before[name] != after.get(name) and "parcel" in name}
    assert changed == {"function m._parcel_log"}
    assert {name for name in after if "parcel" in name} - before.keys() == {"function m._parcel_post"}
