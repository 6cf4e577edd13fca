"""`worker`: runs handlers."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from jetpackc.cli.database import chosen, dsn_option
from jetpackc.cli.errors import Failure, Usage
from jetpackc.cli.handlers import HANDLERS_HELP, put_on_path
from jetpackc.cli.project import compile_or_fail, files_argument, find

if TYPE_CHECKING:
    from jetpack_runtime.health import Health
    from jetpack_runtime.telemetry import Telemetry

LEVELS = ("debug", "info", "warning", "error")


@click.command()
@files_argument
@dsn_option
@click.option("--handlers", metavar="PKG", help=f"Where the modules named by `run` are. {HANDLERS_HELP}")
@click.option("--concurrency", type=click.IntRange(min=1), default=100, show_default=True, help="Handlers at a time.")
@click.option("--lease", type=click.FloatRange(min=0, min_open=True), default=30.0, show_default=True, help="Seconds.")
@click.option("--grace", type=click.FloatRange(min=0), default=10.0, show_default=True, help="Seconds, at a stop.")
@click.option("--name", help="What it is called in histories [host:pid].")
@click.option("--until-idle", is_flag=True, help="End when no task is running or going to be, but for paused ones.")
@click.option("--health-port", type=click.IntRange(0, 65535), help="Serve /healthz, /readyz and /metrics.")
@click.option("--health-host", default="127.0.0.1", show_default=True, help="Where; 0.0.0.0 is for all who reach it.")
@click.option("--otel", is_flag=True, help="Traces and metrics for OpenTelemetry, whose SDK you set up.")
@click.option("--log-format", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.option("--log-level", type=click.Choice(LEVELS), default="info", show_default=True)
def worker(
    files: tuple[Path, ...],
    dsn: str | None,
    handlers: str | None,
    concurrency: int,
    lease: float,
    grace: float,
    name: str | None,
    until_idle: bool,
    health_port: int | None,
    health_host: str,
    otel: bool,
    log_format: str,
    log_level: str,
) -> int:
    """Run the handlers of the machines in FILEs, until stopped by SIGTERM or Ctrl-C (twice: at once).

    \b
    jetpackc worker --dsn postgresql://localhost/shop
    jetpackc worker workflows.jet --handlers src/shop --concurrency 20
    jetpackc worker --health-port 8080 --log-format json
    opentelemetry-instrument jetpackc worker --otel

    The modules that `run` names are imported from the current folder, from where PKG lies, or as installed.
    """
    from jetpack_runtime import Worker, run_worker

    from jetpackc.emit.manifest import machine_hash
    from jetpackc.ir import chart

    program, _ = compile_or_fail(files)
    put_on_path(handlers)
    telemetry = _telemetry(otel=otel)
    _log(log_format, log_level, telemetry)
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
            health=None if health_port is None else _health(health_host, health_port, telemetry),
            telemetry=telemetry,
        )
        return run_worker(made, until_idle=until_idle)


def _telemetry(*, otel: bool) -> list[Telemetry]:
    if not otel:
        return []
    try:
        from jetpack_runtime.otel import OpenTelemetry
    except ImportError:
        raise Usage(
            "`--otel` needs OpenTelemetry", "pip install 'jetpackc[otel]', and an SDK with an exporter"
        ) from None
    return [OpenTelemetry()]


def _health(host: str, port: int, telemetry: list[Telemetry]) -> Health:
    """What answers probes; where Prometheus can be had, it counts too."""
    from jetpack_runtime.health import Health

    try:
        from jetpack_runtime.prometheus import Prometheus
    except ImportError:
        metrics = None
    else:
        prometheus = Prometheus()
        telemetry.append(prometheus)
        metrics = prometheus.exposition
    try:
        health = Health(port, host, metrics=metrics)
    except OSError as error:
        raise Failure(f"cannot listen on {host}, port {port}: {error.strerror}", "give another --health-port") from None
    logging.getLogger("jetpack").info("health is told on %s, port %d", host, health.port)
    return health


def _log(format: str, level: str, telemetry: list[Telemetry]) -> None:
    number = logging.getLevelNamesMapping()[level.upper()]
    if format == "text":
        logging.basicConfig(level=number, format="%(asctime)s %(levelname)s %(message)s")
        return
    from jetpack_runtime.logs import Logs, json_handler

    more: Callable[[], dict[str, str]] | None = None
    if telemetry:
        from jetpack_runtime.otel import current_trace

        more = current_trace
    telemetry.append(Logs())
    logging.basicConfig(level=number, handlers=[json_handler(more=more)])
