"""The reference interpreter: what a program means, in Python, with no database.

It reads the IR and is written from `docs/language.md`, not from the SQL that the compiler emits, so that the two can be
held against each other. `world.py` is where to begin; `docs/trust.md` tells how they are compared, and of what the
interpreter knows less than Postgres: years outside 1 to 9999, text forms other than ISO's.
"""

from jetpackc.interpret.errors import UndoneError
from jetpackc.interpret.model import Hop, Sent, Task
from jetpackc.interpret.world import World

__all__ = ["Hop", "Sent", "Task", "UndoneError", "World"]
