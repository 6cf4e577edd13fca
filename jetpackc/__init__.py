"""jetpackc compiles .jet, a language for state machines, to plain Postgres."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    __version__: str
else:

    def __getattr__(name: str) -> str:
        """Reading the package's metadata takes longer than checking a file, and few commands want it."""
        if name != "__version__":
            raise AttributeError(name)
        from importlib.metadata import version  # noqa: PLC0415

        return version("jetpackc")
