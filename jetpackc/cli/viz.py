"""`viz`: charts in the browser, with live counts."""

from __future__ import annotations

import signal
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from errno import EADDRINUSE
from pathlib import Path
from typing import TYPE_CHECKING

import click

from jetpackc.cli.database import check_dsn, chosen, dsn_option
from jetpackc.cli.errors import Failure, Usage
from jetpackc.cli.output import say
from jetpackc.cli.project import compile_files, compile_or_fail, files_argument, find

if TYPE_CHECKING:
    from jetpackc.viz import Console, Sources


@click.command()
@files_argument
@dsn_option
@click.option("--port", type=click.IntRange(0, 65535), default=4329, show_default=True, help="0: any that is free.")
@click.option("--host", default="127.0.0.1", show_default=True, help="127.0.0.1 or ::1; others cannot reach it.")
def viz(files: tuple[Path, ...], dsn: str | None, port: int, host: str) -> int:
    """Show the charts of FILEs in the browser, with the number of tasks in each state, until stopped by Ctrl-C.

    \b
    jetpackc viz                                   # then open http://localhost:4329
    jetpackc viz examples/checkout --dsn postgresql://localhost/shop
    jetpackc viz --port 8080

    Nothing is written, and no other machine can connect. Charts follow each save. With a time picked, the counts are
    those of that time. Without a database there are charts alone.
    """
    compile_or_fail(files)
    paths = find(files)
    with _database(dsn, paths[0].parent) as found, _console(_compiler(paths), found, port, host) as console:
        name = "localhost" if host == "127.0.0.1" else f"[{host}]"
        say(f"{'charts and counts' if found else 'charts'} at http://{name}:{console.server_address[1]} (Ctrl-C ends)")
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        try:
            console.serve_forever()
        except KeyboardInterrupt:
            return 0
        finally:
            if console.counts is not None:
                console.counts.close()
    return 0


def _database(dsn: str | None, folder: Path) -> AbstractContextManager[str | None]:
    """The one named, else the project's own if it has one."""
    from jetpackc.postgres import has_database

    if dsn is None and not has_database(folder):
        return nullcontext(None)
    if dsn is not None:
        check_dsn(dsn)
    return chosen(dsn, folder)


def _console(compile: Callable[[], Sources], dsn: str | None, port: int, host: str) -> Console:
    """Raises Usage, Failure."""
    from jetpackc.graph import LayoutError, engine
    from jetpackc.viz import Charts, Console, Counts, NotLoopbackError

    try:
        engine()
        return Console(Charts(compile), Counts(dsn) if dsn else None, port, host)
    except LayoutError as error:
        raise Failure(str(error), error.help) from None
    except NotLoopbackError:
        help = "name 127.0.0.1 or ::1; from elsewhere, come through ssh: ssh -L 4329:localhost:4329 HOST"
        raise Usage(f"`{host}` can be reached by others, and viz asks for no password", help) from None
    except OSError as error:
        if error.errno != EADDRINUSE:
            raise
        raise Failure(f"port {port} is taken", "another viz may be running; choose one with --port") from None


def _compiler(paths: tuple[Path, ...]) -> Callable[[], Sources]:
    """What compiles the files now."""
    from jetpackc.diagnostics.render import FORMATS
    from jetpackc.viz import Sources

    def compile() -> Sources:
        try:
            compiled = compile_files(paths)
        except (Failure, OSError) as error:
            return Sources(None, str(error), paths)
        text = FORMATS["text"](compiled.diagnostics, compiled.sources, color=False)
        return Sources(compiled.program, text, compiled.paths)

    return compile
