"""The peer's folder on disk: identity, lock, templates, files of the site and of scripts, and the one safe way to open a file.

It must not know what a script or a setting means, nor any transport.
"""

from typing import Final

SETTINGS_FILE: Final = "goop.json"
"""Where a peer's settings stand; a folder with it is a peer's."""
