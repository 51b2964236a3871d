"""``tp``: the commands by name, each imported when it is called, so that ``--help`` is quick."""

from __future__ import annotations

import importlib
import os
import sys

import click

import tpconfig
from tpconfig.cli.options import Common, common_options
from tpconfig.errors import ExitCode
from tpconfig.session.sweep import sweep

COMMANDS = {
    "up": "Swap the file's workloads for local processes, and hold that until Ctrl-C.",
    "down": "End the session and put the cluster back exactly as it was.",
    "plan": "Show what `tp up` would do, and change nothing.",
    "status": "Show the running session.",
    "ps": "Show the processes of the running session.",
    "logs": "Print what the processes wrote.",
    "events": "Print what has happened in the session.",
    "restart": "Restart processes of the running session.",
    "stop": "Stop processes; their workloads stay swapped.",
    "start": "Start processes that were stopped.",
    "wait": "Wait until the session is up, or has ended.",
    "run": "Run a command in a workload's world: its environment, names and network.",
    "shell": "Open a shell in a workload's world.",
    "env": "Print the environment that a workload's Pod and the file give.",
    "reload": "Apply the file to the running session, as saving it does.",
    "ls": "List the sessions of a namespace or of the whole cluster.",
    "restore": "Put back what dead sessions have left.",
    "doctor": "Examine everything that a session needs, and change nothing.",
    "bug-report": "Write a bundle for whoever is to help, with secrets masked.",
    "init": "Write a first file for workloads of the cluster, with comments.",
    "config": "Print what the files come to, a value of it, or the schema for editors.",
    "explain": "Say what the code of a diagnostic (TP104) means, and how to put it right.",
    "convert": "Make a file of mirrord's or compose's, or of a Telepresence 1 command line.",
    "rbac": "Print the Role that a session takes, or the janitors' account.",
    "completion": "Print what makes bash, zsh or fish complete `tp`.",
    "version": "Print the version, and what it runs on.",
}


OF_TELEPRESENCE_1 = {
    *("--swap-deployment", "--new-deployment", "--deployment", "--method", "--expose", "--to-pod"),
    *("--from-pod", "--env-json", "--env-file", "--also-proxy", "--mount", "--docker-mount"),
    *("--run", "--run-shell", "--docker-run", "--local-cluster", "--container-to-host"),
}
"""What fingers remember, and ``tp convert`` understands."""


class Commands(click.Group):
    """A group whose commands are modules of ``tpconfig.cli.commands``."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order of the day."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"tpconfig.cli.commands.{cmd_name.replace('-', '_')}")
        command: click.Command = module.command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; for a wrong name say which is near."""
        if args and args[0] not in COMMANDS and not ctx.resilient_parsing:
            from difflib import get_close_matches

            near = get_close_matches(args[0], COMMANDS, 1)
            hint = f" Did you mean `{near[0]}`?" if near else ""
            raise click.UsageError(f"There is no command `{args[0]}`.{hint}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


EPILOG = """\b
A first session:
  1. write a telepresence.yaml (tp init does, from what the cluster has):
       version: 1
       workloads:
         web:
           target: deployment/web
           expose: [3000:8080]
           run: {command: npm start}
  2. tp plan     what would be done, and which permissions it takes
  3. tp up       do it; Ctrl-C puts everything back
\b
Exit codes: 0 done, 1 failed, 2 wrong usage or file, 3 a bug in tp, 4 changes pending
(plan --exit-code), 5 conflict, 6 no permission, 7 cluster unreachable, 130 and 131 interrupted.
"""


@click.group(
    cls=Commands,
    epilog=EPILOG,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@common_options
@click.version_option(tpconfig.__version__, message="tp %(version)s")
@click.pass_context
def tp(ctx: click.Context, common: Common) -> None:
    """Telepresence as a committed file.

    A telepresence.yaml says which workloads of a Kubernetes cluster are swapped for processes on
    this machine. `tp up` does it, `tp down` puts the cluster back exactly as it was.
    """
    ctx.obj = common
    for line in sweep(os.environ):
        click.echo(f"tp: {line}", err=True)


def main() -> None:
    """Run the command line; Ctrl-C before a command has begun is an interrupt like any other."""
    try:
        code = tp.main(prog_name="tp", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        if isinstance(error, click.NoSuchOption) and error.option_name in OF_TELEPRESENCE_1:
            print(
                f"{error.option_name} is an option of Telepresence 1: `tp convert -- telepresence "
                f"{error.option_name} ...` makes a file of such a command line",
                file=sys.stderr,
            )
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        print("interrupted", file=sys.stderr)
        sys.exit(ExitCode.INTERRUPTED)
    sys.exit(code if isinstance(code, int) else ExitCode.DONE)
