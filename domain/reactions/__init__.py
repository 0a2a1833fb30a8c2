"""What follows from an event, as data: one module per capability, here capabilities meet.

`after(event)` yields effects; a worker carries them out and reports back with a command.
"""

from domain.kernel.effect import Reaction
from domain.reactions import audit

REACTIONS: tuple[Reaction, ...] = (audit.REACTION,)
"""Every reaction of this release."""
