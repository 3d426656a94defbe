"""The peer's folder: identity, lock, creating a peer, the files of its site and scripts, and how any file in it is opened."""

from typing import Final

SETTINGS_FILE: Final = "goop.json"
"""Where a peer's settings stand; a folder with it is a peer's."""
