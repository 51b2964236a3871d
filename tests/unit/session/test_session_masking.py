"""What a bug report leaves out."""

from __future__ import annotations

import json

import pytest

from tpconfig.session.masking import MASK, masked_file, masked_object

CANARY = "canary-0123456789abcdef"

OBJECTS = {
    "a variable": {"spec": {"containers": [{"env": [{"name": "KEY", "value": CANARY}]}]}},
    "an argument": {"spec": {"containers": [{"args": ["--password", CANARY]}]}},
    "a command": {"spec": {"containers": [{"command": ["sh", "-c", CANARY]}]}},
    "a probe's command": {"livenessProbe": {"exec": {"command": ["curl", CANARY]}}},
    "a Secret": {"kind": "Secret", "data": {"token": CANARY}, "stringData": {"b": CANARY}},
    "somebody's annotation": {
        "metadata": {"annotations": {"kubectl.kubernetes.io/last-applied-configuration": CANARY}}
    },
}


@pytest.mark.parametrize("found", OBJECTS.values(), ids=OBJECTS.keys())
def test_no_value_of_an_object_gets_out(found: object) -> None:
    """Also where it lies in a list; that there is one is still to be seen."""
    text = json.dumps(masked_object([found]))
    assert CANARY not in text
    assert MASK in text


def test_what_helps_stays() -> None:
    """Names, labels, numbers, our journal, and where a variable comes from."""
    found = {
        "metadata": {
            "name": "web",
            "labels": {"app": "web"},
            "annotations": {"tpconfig.dev/restore": "[]"},
        },
        "spec": {
            "replicas": 0,
            "env": [{"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "a", "key": "b"}}}],
        },
    }
    assert masked_object(found) == found


def test_a_file_keeps_its_keys_and_loses_what_it_sets() -> None:
    """Of every workload; keys of others' tools are left out as a whole."""
    written = {
        "version": 1,
        "x-deploy": {"token": CANARY},
        "workloads": {
            "web": {
                "target": "deployment/web",
                "env": {"set": {"KEY": CANARY}, "unset": ["HOME"]},
                "x-note": CANARY,
            }
        },
    }
    web = {"target": "deployment/web", "env": {"set": {"KEY": MASK}, "unset": ["HOME"]}}
    assert masked_file(written) == {"version": 1, "workloads": {"web": web}}
