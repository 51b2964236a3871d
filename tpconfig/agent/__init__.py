"""The process in the Pod: dials, listens and resolves there what its peer asks for over one link.

It travels into whatever Python image the Pod gets, so it imports ``tpconfig.mux``,
``tpconfig.names`` and the standard library only. Nothing is *local* here: there is the Pod, and
there is the peer.
"""
