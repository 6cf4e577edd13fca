"""Runs the `test` blocks of a program on a real database, in virtual time. `questions` and `paths` are pure."""

from jetpackc.testing.model import Failure, Outcome
from jetpackc.testing.run import run_tests

__all__ = ["Failure", "Outcome", "run_tests"]
