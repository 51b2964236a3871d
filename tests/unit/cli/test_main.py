"""The command line's own ways to end, before a command has begun."""

from __future__ import annotations

import click
import pytest

from tpconfig.cli import main


@pytest.mark.parametrize(
    ("ends", "code"),
    [
        (KeyboardInterrupt(), 130),
        (click.UsageError("no such option"), 2),
        (click.exceptions.Exit(0), 0),
        (SystemExit(5), 5),
        (None, 0),
    ],
    ids=["Ctrl-C", "usage", "help", "a command's own", "well"],
)
def test_exit_codes(monkeypatch: pytest.MonkeyPatch, ends: BaseException | None, code: int) -> None:
    """Ctrl-C is 130 and a wrong word 2, whoever notices it."""

    def invoke(self: object, ctx: click.Context) -> None:
        if ends is not None:
            raise ends

    monkeypatch.setattr("sys.argv", ["tp", "status"])
    monkeypatch.setattr(main.Commands, "invoke", invoke)
    with pytest.raises(SystemExit) as raised:
        main.main()
    assert raised.value.code == code


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["up", "--swap-deployment", "web"], True),
        (["--expose", "80"], True),
        (["up", "--wrong"], False),
    ],
)
def test_an_option_of_telepresence_1_is_known(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    said: bool,
) -> None:
    """Who types an option that is no more is told what makes a file of it."""
    monkeypatch.setattr("sys.argv", ["tp", *words])
    with pytest.raises(SystemExit) as left:
        main.main()
    assert left.value.code == 2
    found = capsys.readouterr().err
    assert "No such option" in found
    assert ("tp convert -- telepresence --" in found) is said
