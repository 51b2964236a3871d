"""The only user of Kubernetes: looks, waits and carries out the plan's cluster actions."""
