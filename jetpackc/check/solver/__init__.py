"""What guards can be at all: a small decision procedure of our own. Expressions of the IR in, yes or no out.

It is sound one way: what it calls impossible is. What it does not understand it takes for possible.
"""

from jetpackc.check.solver.formulas import ANYTHING, NOTHING, Formula, Outcome, Terms
from jetpackc.check.solver.known import Known

__all__ = ["ANYTHING", "NOTHING", "Formula", "Known", "Outcome", "Terms"]
