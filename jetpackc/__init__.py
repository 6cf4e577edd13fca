"""jetpackc compiles .jet, a language for state machines, to plain Postgres."""

from importlib.metadata import version

__version__ = version("jetpackc")
