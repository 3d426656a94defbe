"""What the templates are made of, and how the demo is put together of them."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from goop2 import templates
from goop2.config import load
from goop2.folder import create
from goop2.storage.start import open_folder
from goop2.templates import DEMO, DEMO_SITES, TEMPLATES, Clash, files_of
from goop2.web.sdk import __path__ as _sdk  # noqa: F401
