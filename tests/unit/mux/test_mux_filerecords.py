"""Files in a stream, byte by byte."""

from __future__ import annotations

import pytest

from tpconfig.mux import filerecords
from tpconfig.mux.filerecords import Reader, RecordError

WIRE = (
    filerecords.pack({"begin": "/v", "whole": True})
    + filerecords.pack({"name": "a\udcff", "size": 3}, 3)
    + b"one"
    + filerecords.pack({"name": "empty", "size": 0})
    + filerecords.pack({"end": "/v"})
)


@pytest.mark.parametrize("step", [1, 2, 7, len(WIRE)])
def test_records_come_whole_however_they_are_cut(step: int) -> None:
    """Headers and bytes keep their order; bytes may come in pieces."""
    reader = Reader()
    found = [one for at in range(0, len(WIRE), step) for one in reader.feed(WIRE[at : at + step])]
    headers = [one for one in found if isinstance(one, dict)]
    assert [next(iter(one)) for one in headers] == ["begin", "name", "name", "end"]
    assert headers[1]["name"] == "a\udcff"
    assert b"".join(one for one in found if isinstance(one, bytes)) == b"one"


@pytest.mark.parametrize(
    "wire",
    [b"\xff" * 8, b"\0\0\0\x02\0\0\0\0[]", b"\0\0\0\x01\0\0\0\0{"],
    ids=["too long", "no object", "no JSON"],
)
def test_what_are_no_records_is_an_error(wire: bytes) -> None:
    """Nothing is guessed."""
    with pytest.raises(RecordError):
        Reader().feed(wire)
