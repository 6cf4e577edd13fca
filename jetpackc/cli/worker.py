"""`worker`: runs handlers."""

from __future__ import annotations

import logging
from pathlib import Path

import click

from jetpackc.cli.database import chosen, dsn_option
from jetpackc.cli.handlers import HANDLERS_HELP, put_on_path
from jetpackc.cli.project import compile_or_fail, files_argument, find


@click.command()
@files_argument
@dsn_option
@click.option("--handlers", metavar="PKG", help=f"Where the modules named by `run` are. {HANDLERS_HELP}")
@click.option("--concurrency", type=click.IntRange(min=1), default=100, show_default=True, help="Handlers at a time.")
@click.option("--lease", type=click.FloatRange(min=0, min_open=True), default=30.0, show_default=True, help="Seconds.")
@click.option("--grace", type=click.FloatRange(min=0), default=10.0, show_default=True, help="Seconds, at a stop.")
@click.option("--name", help="What it is called in histories [host:pid].")
@click.option("--until-idle", is_flag=True, help="End when no task is running or going to be.")
def worker(
    files: tuple[Path, ...],
    dsn: str | None,
    handlers: str | None,
    concurrency: int,
    lease: float,
    grace: float,
    name: str | None,
    until_idle: bool,
) -> int:
    """Run the handlers of the machines in FILEs, until stopped by SIGTERM or Ctrl-C (twice: at once).

    \b
    jetpackc worker --dsn postgresql://localhost/shop
    jetpackc worker workflows.jet --handlers src/shop --concurrency 20

    The modules that `run` names are imported from the current folder, from where PKG lies, or as installed.
    """
    from jetpack_runtime import Worker, run_worker

    from jetpackc.emit.manifest import machine_hash
    from jetpackc.ir import chart

    program, _ = compile_or_fail(files)
    put_on_path(handlers)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    expected = {
        f"{module.name}.{machine.name}": machine_hash(module, machine)
        for module in program.modules
        for machine in module.machines
        if chart.claimable(machine)
    }
    with chosen(dsn, find(files)[0].parent) as found:
        made = Worker(
            found,
            machines=expected,
            expected=expected,
            concurrency=concurrency,
            lease=lease,
            grace=grace,
            name=name,
        )
        return run_worker(made, until_idle=until_idle)
