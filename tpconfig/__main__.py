"""``tp``, also as ``python -m tpconfig``."""

from tpconfig.cli import early


def main() -> None:
    """Run the command line; Ctrl-C is heard from here on."""
    early.hear()
    from tpconfig.cli.main import main as run

    run()


if __name__ == "__main__":
    main()
