"""The janitor: puts back what a session changed when nobody renews its Lease any more.

One small Pod per session and namespace. Its code travels with it as the agent's does, so it
imports the standard library, ``names`` and two pure modules of ``cluster``, and talks to the API
server by itself.
"""
