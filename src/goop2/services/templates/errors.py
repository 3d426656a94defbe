"""The errors of templates; each message is one sentence for the owner."""

from __future__ import annotations

from typing import ClassVar


class TemplateError(Exception):
    """The template cannot be applied, and nothing was changed."""

    code: ClassVar = "bad_request"
    owner_code: ClassVar = "template"


class TemplateChangedError(TemplateError):
    """What would be done is no longer what was shown."""

    code: ClassVar = "conflict"


class NothingToUndoError(TemplateError):
    """No template was applied here that could be taken back."""

    code: ClassVar = "not_found"
