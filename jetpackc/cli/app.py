"""The table of commands. None is imported before it is called, so that `--help` answers at once."""

from __future__ import annotations

from importlib import import_module

import click

from jetpackc.cli.errors import Usage
from jetpackc.diagnostics.suggest import did_you_mean

GROUPS: dict[str, dict[str, tuple[str, str]]] = {
    "Projects": {
        "new": ("new", "Make a project that runs at once."),
        "dev": ("dev", "Run a project on a database of its own, and follow every save."),
    },
    "Compiler": {
        "check": ("check", "Find mistakes."),
        "fmt": ("fmt", "Lay files out."),
        "build": ("build", "Write the next migration and jet.lock."),
        "expand": ("check", "Print what templates, steps and operators become."),
        "ir": ("check", "Print the compiled program as canonical JSON."),
        "test": ("test", "Run the `test` blocks on a real database, in virtual time."),
        "run": ("step", "Step a machine through events, with no database."),
        "graph": ("graph", "Draw machines as Mermaid, Graphviz or SVG."),
        "schedules": ("schedules", "Tell schedules and their next runs; pause one."),
        "explain": ("check", "Explain a code such as J101."),
    },
    "Database": {
        "migrate": ("migrate", "Apply pending migrations."),
        "worker": ("worker", "Run handlers."),
    },
    "Tasks": {
        "viz": ("viz", "Show charts in the browser, with live counts."),
        "create": ("tasks", "Create a task; print its id."),
        "send": ("tasks", "Send an event to a task, or to many."),
        "cancel": ("tasks", "Send CANCEL to a task, or to many."),
        "ps": ("show", "Count tasks by state, and name the stuck ones."),
        "top": ("top", "Show queues, rates, leases and what holds vacuum back, live."),
        "history": ("show", "Tell what happened to a task."),
        "pause": ("pause", "Let no worker claim from a machine or a state."),
        "resume": ("pause", "Let workers claim again."),
        "drain": ("pause", "Pause, and wait until nothing is at work."),
        "retry": ("tasks", "Take a stuck task up again, or many."),
    },
}
COMMANDS = {name: entry for group in GROUPS.values() for name, entry in group.items()}


class Commands(click.Group):
    """A group whose commands live in modules of this package, under their own names."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """The names, for help and completion."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import a command."""
        if cmd_name not in COMMANDS:
            return None
        module = import_module(f"jetpackc.cli.{COMMANDS[cmd_name][0]}")
        found: click.Command = getattr(module, cmd_name)
        return found

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that is meant."""
        if not args[0].startswith("-") and args[0] not in COMMANDS:
            near = did_you_mean(args[0], COMMANDS)
            raise Usage(
                f"there is no command `{args[0]}`", f"did you mean `{near}`?" if near else "see jetpackc --help"
            )
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """The table, by group, without importing what it lists."""
        for title, commands in GROUPS.items():
            with formatter.section(title):
                formatter.write_dl([(name, text) for name, (_, text) in commands.items()])


@click.command(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="jetpackc COMMAND --help tells more, with examples.",
)
@click.version_option(package_name="jetpackc", message="jetpackc %(version)s")
def app() -> None:
    """Compiles .jet, a language for state machines, to plain Postgres, and runs what comes out."""
