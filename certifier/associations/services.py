"""The one write of this room: asking for a comparison."""

from __future__ import annotations

from certifier.accounts import permissions
from certifier.accounts.models import User
from certifier.ops import jobs
from certifier.ops.models import Job

from .selectors import KIND, key_of


def ask(*, actor: User, defect: str = "", element: str = "") -> Job:
    """Let a worker compare; whoever may read. A job that waits or runs already stays."""
    permissions.require(permissions.can_view(actor))
    arguments = {"defect": defect} if defect else {"element": element}
    return jobs.start(KIND, key=key_of(defect=defect, element=element), arguments=arguments, actor=actor)
