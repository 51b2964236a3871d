"""Both ways of getting an agent: the real proxy image, and any image with Python."""

from __future__ import annotations

import pytest

from tests.e2e import objects
from tests.e2e.place import Place


@pytest.mark.parametrize("kind", ["proxy", "stock"])
def test_an_agent_runs_in_either_image(place: Place, kind: str, proxy_image: str) -> None:
    """The whole main path; the stock image gets the agent's code with its Pod."""
    place.apply(objects.service("web"), objects.deployment("web"), objects.client())
    before = place.exact("web")
    place.write({"web": objects.swap(3000)})
    image = proxy_image if kind == "proxy" else objects.BASE
    place.ok("up", "-d", TP_IMAGE=image)
    assert place.agents()[0]["spec"]["containers"][0]["image"] == image
    place.settled("web")
    assert place.load("http://web", seconds=1)["served_by"] == {"here": 50}
    place.ok("run", "web", "--", "curl", "-sSm", "9", "-o", "/dev/null", "http://web")
    place.ok("down")
    assert place.exact("web") == before
    place.nothing_left()
