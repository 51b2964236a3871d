"""The client's end of the tunnel: links that come back, and what runs through them.

It knows nothing of Kubernetes: whoever opens a link hands over a ``connect()`` that gives a fresh
byte pipe to the agent, and the policy that says what goes which way.
"""
