"""The reference interpreter: what a program means, in Python, with no database.

It reads the IR and is written from `docs/language.md`, not from the SQL that the compiler emits, so that the two can be
held against each other. The word before the colon of a docstring is that page's heading. `world.py` tells what may be
done to tasks, `dispatch.py` what one event does to one task, `expressions.py` what names mean. What sums, casts and
texts come to is no matter of machines: `jetpackc.values` knows.

`docs/trust.md` tells how the two are compared, and of what the interpreter knows less than Postgres: years outside 1 to
9999, text forms other than ISO's.
"""

from jetpackc.interpret.model import Event, Hop, Sent, Task
from jetpackc.interpret.world import World
from jetpackc.values.errors import UndoneError

__all__ = ["Event", "Hop", "Sent", "Task", "UndoneError", "World"]
