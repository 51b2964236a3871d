"""Where callers of a workload's Services go, by the addresses that they see."""

from __future__ import annotations

import pytest

from tpconfig.model.observed import (
    ContainerFacts,
    NamedPort,
    ServiceFacts,
    ServicePort,
    WorkloadFacts,
)
from tpconfig.model.target import PodPort, Target
from tpconfig.planner.ports import called_at

HTTP = PodPort(8080)


@pytest.mark.parametrize(
    ("service", "expected"),
    [
        (ServiceFacts("web", (ServicePort(80, "http"),), addresses=("10.0.0.1",)), {80: HTTP}),
        (ServiceFacts("web", (ServicePort(80, 8080),), addresses=("10.0.0.1",)), {80: HTTP}),
        (ServiceFacts("web", (ServicePort(80, 9000),), addresses=("10.0.0.1",)), {}),
        (ServiceFacts("web", (ServicePort(80, "gone"),), addresses=("10.0.0.1",)), {}),
        (ServiceFacts("web", (ServicePort(53, 53, "udp"),), addresses=("10.0.0.1",)), {}),
        (ServiceFacts("headless", (ServicePort(80, "http"),)), {}),
    ],
    ids=["named", "number", "another container's", "unknown name", "datagrams", "headless"],
)
def test_each_port_of_each_service(service: ServiceFacts, expected: dict[int, PodPort]) -> None:
    """TCP ports of the named container only."""
    web = ContainerFacts("web", ports=(NamedPort(8080, "http"),))
    side = ContainerFacts("side", ports=(NamedPort(9000),))
    facts = WorkloadFacts(Target("shop", "deployment", "web"), 1, 1, (web, side), (service,))
    assert called_at(web, facts) == {("10.0.0.1", port): to for port, to in expected.items()}
