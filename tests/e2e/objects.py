"""The objects that the tests put into a cluster, as plain dictionaries."""

from __future__ import annotations

import os
from typing import Any

DEMO_IMAGE = os.environ.get("TP_TEST_DEMO_IMAGE", "localhost/demo:1")
BASE = os.environ.get("TP_TEST_BASE_IMAGE", "localhost/base:1")
PYTHON = "/usr/bin/python3"


def deployment(name: str, *, replicas: int = 1, **container: Any) -> dict[str, Any]:
    """Return a Deployment of the demo application; it drains when it is told to end."""
    labels = {"app": name}
    env = [{"name": "NAME", "value": name}, {"name": "DRAIN", "value": "1"}]
    one = {
        "name": name,
        "image": DEMO_IMAGE,
        "ports": [{"name": "http", "containerPort": 8080}],
        "readinessProbe": {"httpGet": {"path": "/healthz", "port": 8080}, "periodSeconds": 1},
        **container,
        "env": [*env, *container.get("env", [])],
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [one]}},
        },
    }


def service(name: str, **spec: Any) -> dict[str, Any]:
    """Return a Service: port 80 goes to the container's port named ``http``."""
    ports = [{"name": "web", "port": 80, "targetPort": "http"}]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {"selector": {"app": name}, "ports": ports, **spec},
    }


def client() -> dict[str, Any]:
    """Return the Deployment that sends the tests' requests."""
    found = deployment("client")
    container = found["spec"]["template"]["spec"]["containers"][0]
    container["command"] = [PYTHON, "/app/demo.py", "sleep"]
    del container["readinessProbe"]
    return found


def config_map(name: str, data: dict[str, str]) -> dict[str, Any]:
    """Return a ConfigMap."""
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def secret(name: str, data: dict[str, str]) -> dict[str, Any]:
    """Return a Secret."""
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": data}
