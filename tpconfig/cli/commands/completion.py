"""``tp completion``."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from tpconfig.cli.options import Common, common_options

SHELLS = ("bash", "zsh", "fish")
VARIABLE = "_TP_COMPLETE"


@click.command("completion", short_help="Print what makes a shell complete `tp`.")
@click.argument("shell", type=click.Choice(SHELLS))
@common_options
def command(shell: str, common: Common) -> None:
    """Print what makes a shell complete `tp`: commands, options, workloads, contexts.

    \b
    For good:
      bash  echo 'eval "$(tp completion bash)"' >> ~/.bashrc
      zsh   echo 'eval "$(tp completion zsh)"' >> ~/.zshrc
      fish  tp completion fish > ~/.config/fish/completions/tp.fish
    """
    from tpconfig.cli.main import tp

    found = get_completion_class(shell)
    assert found is not None
    # `source()` would ask the bash of the PATH for its version first.
    completing = found(tp, {}, "tp", VARIABLE)
    click.echo(completing.source_template % completing.source_vars())
