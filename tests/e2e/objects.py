"""The objects that the tests put into a cluster, as plain dictionaries."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

DEMO_IMAGE = os.environ.get("TP_TEST_DEMO_IMAGE", "localhost/demo:1")
BASE = os.environ.get("TP_TEST_BASE_IMAGE", "localhost/base:1")
PAUSE = os.environ.get("TP_TEST_PAUSE_IMAGE", "localhost/pause:1")
"""An image whose own user is not root, and that has no Python."""

PYTHON = "/usr/bin/python3"
HERE = Path(__file__).resolve().parents[1] / "rig" / "app" / "demo.py"
"""The demo application as a program of this machine."""


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


def external_name(name: str, target: str) -> dict[str, Any]:
    """Return a Service that is another name for something."""
    found = service(name, type="ExternalName", externalName=target)
    del found["spec"]["selector"], found["spec"]["ports"]
    return found


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


def restricted(found: dict[str, Any], uid: int | None = 12345) -> dict[str, Any]:
    """Make a Deployment acceptable to Pod Security ``restricted``; its root is read-only."""
    spec = found["spec"]["template"]["spec"]
    spec["securityContext"] = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    if uid is not None:
        spec["securityContext"]["runAsUser"] = uid
    for container in spec["containers"]:
        container["securityContext"] = {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
    return found


def secret(name: str, data: dict[str, str]) -> dict[str, Any]:
    """Return a Secret."""
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": data}


def swap(port: int = 3000, *, name: str = "web", **env: str) -> dict[str, Any]:
    """Return a workload of the file: the demo application here instead of a Deployment."""
    return {
        "target": f"deployment/{name}",
        "expose": [f"{port}:http"],
        "env": {"set": {"PORT": str(port), "SERVED_BY": "here", "DRAIN": "0", **env}},
        "run": {"command": [sys.executable, str(HERE)]},
    }


def idle(name: str = "web", **more: Any) -> dict[str, Any]:
    """Return a workload of the file that only holds its world open."""
    return {"target": f"deployment/{name}", "expose": [], "run": {"command": "sleep 600"}, **more}
