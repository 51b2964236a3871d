"""Opens the way to the cluster that a command is about."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager

from tpconfig.cluster.api import Api, open_api
from tpconfig.session.wish import ClusterChoice


def open_cluster(choice: ClusterChoice) -> AbstractAsyncContextManager[Api]:
    """Open the way to a cluster, through its bastion where it has one; nothing is sent to it yet.

    Raises:
        UsageError: the kubeconfig is missing or broken, or has no such context.
        NoPermissionError: the credentials cannot be had.
        UnreachableError: the bastion does not let us through.
    """
    return open_api(context=choice.context, kubeconfig=choice.kubeconfig, bastion=choice.bastion)
