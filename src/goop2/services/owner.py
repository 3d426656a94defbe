"""The owner as one who calls the peer's own scripts, such as a schedule or the console does for them."""

from __future__ import annotations

from goop2.config import Settings
from goop2.folder.identity import Identity
from goop2.scripting.invocation import Caller


def owner_of(identity: Identity, settings: Settings) -> Caller:
    """Return the owner as a caller: under the label of the settings, or under the peer's id where they name none."""
    profile = settings.profile
    return Caller(identity.peer_id, profile.label or identity.peer_id, owner=True, email=profile.email)
