"""goop.transform in the worker: what a definition makes of rows. The peer reads definitions (services/transformations.py)."""

from __future__ import annotations

from goop2.sandbox.answers import Answer, json
from goop2.sandbox.transforms import FUNCTIONS, applied, transformation
from goop2.sandbox.worker_operations import decoded, operation


class TransformCalls:
    """The operations of goop.transform that need nothing but their arguments, so that they run in the worker."""

    @operation("transform.transforms")
    def _transform_names(self) -> Answer:
        return json(list(FUNCTIONS))

    @operation("transform.row")
    def _transform_row(self, definition: bytes, row: bytes) -> Answer:
        return json(applied(transformation(definition), [decoded(row) or {}])[0])

    @operation("transform.rows")
    def _transform_rows(self, definition: bytes, rows: bytes) -> Answer:
        return json(applied(transformation(definition), decoded(rows) or []))
