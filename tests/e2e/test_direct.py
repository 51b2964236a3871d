"""Two workloads of one file, both swapped: each other's Services are answered on this machine."""

from __future__ import annotations

import json

from tests.e2e import objects
from tests.e2e.cutting import network_of
from tests.e2e.place import Place


def test_two_swapped_workloads_talk_directly(place: Place) -> None:
    """By name as by address; by address even while there is no way to the cluster at all."""
    place.apply(objects.deployment("web"), objects.service("web"))
    place.apply(objects.deployment("other"), objects.service("other"))
    found = json.loads(place.kubectl("get", "service", "other", "-o", "json"))
    address = found["spec"]["clusterIP"]
    with network_of(place) as network:
        place.write(
            {"web": objects.swap(3000), "other": objects.swap(3001, name="other")},
            session={"ttl": "300s"},
        )
        place.ok("up", "-d")
        curl = ("run", "web", "--", "curl", "-sSm", "10")
        for url in ("http://other", f"http://{address}"):
            said = json.loads(place.ok(*curl, url))
            assert (said["name"], said["served_by"]) == ("other", "here")
        network.cut(refuse=True)
        try:
            for _ in range(3):
                said = json.loads(place.ok(*curl, f"http://{address}"))
                assert (said["name"], said["served_by"]) == ("other", "here")
        finally:
            network.mend()
        place.ok("down")
