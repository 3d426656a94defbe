"""The settings: goop.json and the environment become frozen `Settings`, or one sentence that says what is wrong.

It must not know who uses a setting.

    types.py     what a value may be
    settings.py  every setting, declared once: type, default, bounds, reason
    loading.py   a folder and an environment become `Settings`, or one sentence that says what is wrong
    docs.py      the same declarations as docs/settings.md
"""

from goop2.config.loading import Loaded, SettingsError, load
from goop2.config.settings import ListenSettings, Lua, P2p, PresenceSettings, Profile, Settings, Viewer
from goop2.config.types import Address

__all__ = [
    "Address",
    "ListenSettings",
    "Loaded",
    "Lua",
    "P2p",
    "PresenceSettings",
    "Profile",
    "Settings",
    "SettingsError",
    "Viewer",
    "load",
]
