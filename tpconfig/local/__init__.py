"""On the developer's machine: network namespaces, redirected traffic, processes, environment."""
