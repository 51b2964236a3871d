"""tp: Telepresence as a committed file.

Swaps workloads of a Kubernetes cluster for local processes, as a ``telepresence.yaml`` says, and
puts the cluster back exactly as it was.
"""

__version__ = "0.1.0"
