"""Many streams in one byte pipe: the protocol that both ends of a link speak.

Everything but ``aio``, ``transport`` and ``splice`` is pure: bytes in, events and bytes out. The
package travels into the Pod with the agent, so it imports ``tpconfig.names`` and the standard
library only.
"""
