"""``python -m tpconfig`` is ``tp``."""

from tpconfig.cli.main import main

if __name__ == "__main__":
    main()
