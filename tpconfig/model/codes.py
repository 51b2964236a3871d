"""The codes of what stands in the way of a plan; those of a file alone are in ``config.codes``.

A code is never given another meaning. Each has a page, which ``tp explain`` prints.
"""

from __future__ import annotations

from typing import Final

NO_SUCH_PORT: Final = "TP301"
PORT_OF_SERVICE: Final = "TP302"
PORT_TWICE: Final = "TP303"
NO_SUCH_CONTAINER: Final = "TP304"
WHICH_CONTAINER: Final = "TP305"
NO_SUCH_NAMESPACE: Final = "TP306"
NO_SUCH_OBJECT: Final = "TP307"
MANAGED: Final = "TP308"
HELD: Final = "TP309"
METHOD_IMPOSSIBLE: Final = "TP310"
NO_SUCH_COMMAND: Final = "TP311"
LOCAL_PORT_TAKEN: Final = "TP312"
UNFIT_KIND: Final = "TP313"
PORT_OF_JOB: Final = "TP314"
WINDOWS: Final = "TP315"
KEDA: Final = "TP316"
ARGO_CD: Final = "TP317"
SERVICE_WITHOUT_WORKLOAD: Final = "TP318"
DENIED: Final = "TP320"
JANITOR_DENIED: Final = "TP321"
QUEUED: Final = "TP322"
EXPORT_TRACKED: Final = "TP323"
FORWARDS_ALONE: Final = "TP324"
FORWARD_PORT_TAKEN: Final = "TP325"

MEANINGS: Final[dict[str, str]] = {
    NO_SUCH_PORT: "The container has no port of that name.",
    PORT_OF_SERVICE: "The number is a port of a Service, not of the container.",
    PORT_TWICE: "Two entries of `expose` come to one port of the container.",
    NO_SUCH_CONTAINER: "The workload has no container of that name.",
    WHICH_CONTAINER: "The workload has several containers, and nothing tells which one is meant.",
    NO_SUCH_NAMESPACE: "The cluster has no such namespace.",
    NO_SUCH_OBJECT: "The namespace has no such object.",
    MANAGED: "Another object manages the target, and would undo the swap.",
    HELD: "Another session holds the target.",
    METHOD_IMPOSSIBLE: "The method does not work on this machine.",
    NO_SUCH_COMMAND: "The program that `run.command` names is not on this machine.",
    LOCAL_PORT_TAKEN: "Somebody listens on a local port that the workload's process needs.",
    UNFIT_KIND: "The target is a Pod or Job, which cannot be brought back.",
    PORT_OF_JOB: "A CronJob's Pods have no callers, so no port of theirs can come here.",
    WINDOWS: "The target runs on Windows nodes.",
    KEDA: "KEDA scales the target, and would start it again.",
    ARGO_CD: "Argo CD heals the target, and would undo the swap.",
    SERVICE_WITHOUT_WORKLOAD: "The Service that the target names stands for no single workload.",
    DENIED: "You lack a permission in the cluster.",
    JANITOR_DENIED: "`session.janitor: required`, and you may not create one.",
    QUEUED: "Others wait for the target, and came first.",
    EXPORT_TRACKED: "Git tracks a file that `env.export` would write secrets to.",
    FORWARDS_ALONE: "`forwards` or `socks` without a workload whose Pod could carry them.",
    FORWARD_PORT_TAKEN: "Somebody listens on a local port of `forwards` or `socks`.",
}
