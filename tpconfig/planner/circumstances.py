"""What a workload's circumstances mean for a swap: a word to the user, or a reason not to begin."""

from __future__ import annotations

from typing import Final

from tpconfig.errors import Problem
from tpconfig.model import codes
from tpconfig.model.desired import Workload
from tpconfig.model.observed import Circumstance, What, WorkloadFacts
from tpconfig.model.plan import Blocker, Fault, Notice
from tpconfig.model.target import Change

FLUX_RECONCILE = ("metadata", "annotations", "kustomize.toolkit.fluxcd.io/reconcile")


_ALWAYS: Final = {
    What.FRESH_VOLUME: "volume {name} is ephemeral: the agent's Pod gets a fresh, empty one",
    What.HOST_NETWORK: "{target} uses its node's network: so does the agent, with that node's "
    "address",
    What.UNKNOWN_USER: "container {name} names no user, and the cluster does not tell its image's: "
    "the agent runs as {detail}",
    What.PDB: "{name} covers the agent's Pod as well: a drain of its node may wait until the "
    "session has ended",
    What.PAUSED: "{target} is paused: the agent is built from its template, which its Pods may not "
    "have yet; it stays paused",
    What.ROLLING_OUT: "{target} is being rolled out ({detail} Pods updated): the agent is built "
    "from the new template, and the rollout goes on afterwards",
}
_OF_A_SWAP: Final = {
    What.RUNNING_JOB: "{name} runs already and is left to finish",
    What.HPA: "{name} scales it ({detail}): it does nothing at 0 replicas, and goes on when the "
    "original is back",
    What.KEDA_PAUSED: "KEDA's scaledobject/{name} is paused, and stays so",
    What.ARGO_CD: "Argo CD's application {name} shows it as OutOfSync meanwhile; no self-heal was "
    "seen, do not sync it while you are up",
    What.FLUX: "Flux's kustomization {name} reconciles it: paused for this object in the same "
    "request, and resumed with it",
    What.FLUX_HELM: "Flux's Helm release {name} owns it: with drift correction it would start the "
    "original again; `flux suspend helmrelease {name}` prevents that",
    What.HELM: "Helm's release {name} owns it: do not upgrade it while you are up",
}
"""What is not in either table is a reason not to begin: ``_problem``."""


def notices(workload: Workload, facts: WorkloadFacts) -> tuple[Notice, ...]:
    """Say of each circumstance what will happen and what is done about it."""
    swap = workload.mode == "swap"
    words = {**_ALWAYS, **(_OF_A_SWAP if swap else {})}
    found = [
        words[one.what].format(target=facts.target, name=one.name, detail=one.detail)
        for one in facts.circumstances
        if one.what in words
    ]
    if facts.target.kind == "cronjob" and swap:
        found.append(
            f"{facts.target} is suspended meanwhile; a run that it has missed may start as soon as "
            "it is back (startingDeadlineSeconds limits that)"
        )
    return tuple(Notice(text, workload.target_source) for text in found)


def blockers(workload: Workload, facts: WorkloadFacts) -> list[Blocker]:
    """Refuse what would be fought over, or cannot run."""
    problems = [_problem(one, workload, facts) for one in facts.circumstances]
    return [Blocker(Fault.USAGE, one) for one in problems if one is not None]


def paused_with_it(facts: WorkloadFacts) -> tuple[Change, ...]:
    """Return what keeps a reconciler off the workload, written in the claim's own request."""
    return tuple(
        Change(FLUX_RECONCILE, one.detail or None, "disabled")
        for one in facts.circumstances
        if one.what is What.FLUX and one.detail != "disabled"
    )


def _problem(one: Circumstance, workload: Workload, facts: WorkloadFacts) -> Problem | None:
    target = facts.target
    if one.what is What.WINDOWS:
        return Problem(
            codes.WINDOWS,
            f"{target} runs on Windows nodes, where the agent cannot",
            workload.target_source,
            hint="name a workload of Linux nodes",
        )
    if workload.mode != "swap":
        return None
    if one.what is What.KEDA:
        return Problem(
            codes.KEDA,
            f"{target} is scaled by KEDA's scaledobject/{one.name}, which would start it again",
            workload.target_source,
            hint=f"pause it: kubectl annotate scaledobject {one.name} -n {target.namespace} "
            "autoscaling.keda.sh/paused=true",
        )
    if one.what is What.ARGO_CD_HEALS:
        return Problem(
            codes.ARGO_CD,
            f"{target} is healed by Argo CD's application {one.name}, which would undo the swap",
            workload.target_source,
            hint=f"pause that: argocd app set {one.name} --self-heal=false",
        )
    return None
