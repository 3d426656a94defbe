"""Policies as sentences: "anyone may read". The owner reads and chooses them so, in the console and in `goop2 data DIR policy`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

POLICY_SENTENCES: Final[Mapping[str, Mapping[str, str]]] = {
    "read": {
        "open": "anyone may read",
        "group": "members of the site's group may read",
        "email": "callers who give an e-mail address may read, and nobody checks the address",
        "owner": "callers may read the rows they added",
        "local": "you alone may read",
    },
    "insert": {
        "open": "anyone may add rows",
        "group": "members of the site's group may add rows",
        "email": "callers who give an e-mail address may add rows, and nobody checks the address",
        "owner": "you alone may add rows",
        "local": "you alone may add rows, and nobody else knows that they could",
    },
    "update": {
        "open": "anyone may change any row",
        "group": "members of the site's group may change any row",
        "email": "callers who give an e-mail address may change any row, and nobody checks the address",
        "owner": "callers may change the rows they added",
        "local": "you alone may change rows",
    },
    "delete": {
        "open": "anyone may delete any row",
        "group": "members of the site's group may delete any row",
        "email": "callers who give an e-mail address may delete any row, and nobody checks the address",
        "owner": "callers may delete the rows they added",
        "local": "you alone may delete rows",
    },
}
"""Operation → policy → what it means."""


def sentences(access: Mapping[str, str]) -> list[str]:
    """Return what the policies of a table mean, a sentence an operation."""
    return [POLICY_SENTENCES[operation][access[operation]] for operation in POLICY_SENTENCES if operation in access]
