"""All targets, by name; importing this module fills the table."""

from __future__ import annotations

from proof.fuzz import documents, messages, sql, web, wire
from proof.fuzz.target import TARGETS

__all__ = ["TARGETS", "documents", "messages", "sql", "web", "wire"]
