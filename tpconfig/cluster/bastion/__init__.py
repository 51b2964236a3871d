"""The way to an API server behind an SSH jump host.

Nothing here is imported before a file asks for a bastion: paramiko costs 0.7 s.
"""
