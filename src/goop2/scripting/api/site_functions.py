"""The functions that scripts of existing sites begin with: goop.orm and its handle, goop.expr, goop.config, goop.group (existing-sites.md).

Part of functions.py, which says what a declaration here stands for.
"""

from __future__ import annotations

from typing import Final

from goop2.sandbox.messages import FailureForm
from goop2.scripting.api.declaration import ExecutionSite, Function, Parameter

_VM, _WORKER, _PEER = ExecutionSite.VM, ExecutionSite.WORKER, ExecutionSite.PEER
_NIL, _FALSE, _ZERO = FailureForm.NIL, FailureForm.FALSE, FailureForm.ZERO

_TABLE = Parameter("table", "string")
_OPTIONS = Parameter("options", "options", optional=True)
_ID = Parameter("id", "whole")
_COLUMN = Parameter("column", "string")
_ROW = Parameter("row", "row")


def _method(name: str, *parameters: Parameter, gives: str, failure: FailureForm, doc: str) -> Function:
    return Function(f"orm.{name}", parameters, gives=gives, failure=failure, place=_WORKER, doc=doc)


_METHODS = (
    _method("find", _OPTIONS, gives="rows", failure=_NIL, doc="Rows by where, args, order, limit, offset, fields. 1000 rows, 1 MB."),
    _method("find_one", _OPTIONS, gives="row or nil", failure=_NIL, doc="The first row of find, or nil."),
    _method("get", _ID, gives="row", failure=_NIL, doc="The row with this _id; that there is none is an error."),
    _method(
        "get_by",
        _COLUMN,
        Parameter("value", "value"),
        gives="row or nil",
        failure=_NIL,
        doc="The first row in which the column has this value.",
    ),
    _method(
        "list",
        Parameter("limit", "whole", optional=True),
        gives="rows",
        failure=_NIL,
        doc="Rows in order of _id; without a limit, or 0, all.",
    ),
    _method("count", _OPTIONS, gives="number", failure=_ZERO, doc="How many rows meet where and args; all without."),
    _method("exists", _OPTIONS, gives="boolean", failure=_FALSE, doc="Whether a row meets where and args; an error reads as false."),
    _method("pluck", _COLUMN, _OPTIONS, gives="values", failure=_NIL, doc="One column of the rows by where, args, order, limit."),
    _method(
        "distinct", _COLUMN, _OPTIONS, gives="values", failure=_NIL, doc="The different values of a column, ascending, by where, args."
    ),
    _method(
        "aggregate",
        Parameter("expr", "string"),
        _OPTIONS,
        gives="rows",
        failure=_NIL,
        doc="The rows of SELECT expr, such as `COUNT(*) AS n`, by where, args, group_by.",
    ),
    _method("insert", _ROW, gives="id", failure=_NIL, doc="Adds a row owned by the caller."),
    _method("update", _ID, Parameter("changes", "row"), gives="true", failure=_FALSE, doc="Changes columns of a row."),
    _method("delete", _ID, gives="true", failure=_FALSE, doc="Removes a row."),
    _method(
        "update_where",
        Parameter("changes", "changes"),
        _OPTIONS,
        gives="changed rows",
        failure=_ZERO,
        doc="Changes columns of the rows that meet where and args, to values or to a goop.expr. Without where it is an error.",
    ),
    _method(
        "delete_where", _OPTIONS, gives="removed rows", failure=_ZERO, doc="Removes the rows that meet where and args; where is needed."
    ),
    _method(
        "upsert",
        Parameter("key_column", "string"),
        _ROW,
        gives="id",
        failure=_NIL,
        doc="Changes the first row with the same value in key_column, or inserts it. An existing row keeps its owner.",
    ),
    _method(
        "seed",
        Parameter("rows", "options"),
        gives="number",
        failure=_ZERO,
        doc="Inserts rows when the table is empty; gives how many went in. Rows that fail are passed over.",
    ),
    _method("validate", _ROW, gives="true", failure=_FALSE, doc="Whether the row could be inserted."),
)

ORM: Final = (
    Function(
        "orm",
        (_TABLE,),
        gives="handle",
        failure=_NIL,
        place=_WORKER,
        doc="A typed table as an object: name, system_key, context, columns, access, and methods called with a colon.",
        functions_only=True,
        methods=_METHODS,
    ),
    Function(
        "expr",
        (Parameter("sql", "string"),),
        gives="marker",
        place=_VM,
        doc="An SQL expression as a value of update_where, such as `position + 1`: columns of the row, constants and "
        "functions, no sub-select. Its text is the script's own: join only numbers into it, never what a caller sent as text.",
    ),
    Function(
        "config",
        (_TABLE, Parameter("defaults", "table", optional=True)),
        gives="config",
        failure=_NIL,
        place=_VM,
        doc="Settings kept in a typed table: one of the columns key and value, or the newest row of any other. `config.NAME` is the stored "
        "value, else the default.",
        functions_only=True,
        methods=(
            Function(
                "config.set",
                (Parameter("key", "string"), Parameter("value", "value", optional=True)),
                gives="true",
                failure=_NIL,
                place=_VM,
                doc="Stores one value; a table of pairs stores text.",
            ),
            Function("config.save", (_ROW,), gives="true", failure=_NIL, place=_VM, doc="Stores several columns of a single row."),
        ),
    ),
)
"""They stand on the goop table itself, as `route` does."""

ORM_PRIVATE: Final = (
    Function("config.is_pairs", (_TABLE,), failure=_NIL, place=_WORKER, doc="Pairs, or a row?", functions_only=True, private=True),
    Function("config.rows", (_TABLE,), failure=_NIL, place=_WORKER, doc="What is stored.", functions_only=True, private=True),
    Function(
        "config.put",
        (_TABLE, Parameter("key", "string"), Parameter("value", "string")),
        failure=_NIL,
        place=_WORKER,
        doc="Stores a pair.",
        functions_only=True,
        private=True,
    ),
    Function("config.change", (_TABLE, _ROW), failure=_NIL, place=_WORKER, doc="Changes the row.", functions_only=True, private=True),
    Function("template", place=_WORKER, doc="The value of goop.template.", private=True),
    Function(
        "transform.row",
        (Parameter("definition", "string"), Parameter("row", "options")),
        failure=_NIL,
        place=_WORKER,
        doc="One row.",
        functions_only=True,
        private=True,
    ),
    Function(
        "transform.rows",
        (Parameter("definition", "string"), Parameter("rows", "options")),
        failure=_NIL,
        place=_WORKER,
        doc="Many.",
        functions_only=True,
        private=True,
    ),
)

_TRANSFORMATION = Parameter("name", "string")
TRANSFORM: Final = (
    Function(
        "transform.load",
        (_TRANSFORMATION,),
        gives="definition",
        failure=_NIL,
        place=_PEER,
        doc="The definition in transformations/NAME.json of the peer folder.",
        functions_only=True,
    ),
    Function(
        "transform.list",
        gives="definitions",
        failure=_NIL,
        place=_PEER,
        doc="{name, description, field_count} of each definition, by name.",
        functions_only=True,
    ),
    Function(
        "transform.apply",
        (_TRANSFORMATION, Parameter("row", "options")),
        gives="row",
        failure=_NIL,
        place=_VM,
        doc="What a definition makes of a row: a field is its constant, its first source, or what its transform makes of its sources.",
        functions_only=True,
    ),
    Function(
        "transform.apply_many",
        (_TRANSFORMATION, Parameter("rows", "options")),
        gives="rows",
        failure=_NIL,
        place=_VM,
        doc="The same of each of at most 1000 rows.",
        functions_only=True,
    ),
    Function(
        "transform.transforms",
        gives="names",
        failure=_NIL,
        place=_WORKER,
        doc="The transforms there are. Arguments: split {separator, index from 0}, join and concat {separator}, substring {start from 0, "
        "length}, round {places}, default, prefix and suffix {text}, replace {old, new}.",
        functions_only=True,
    ),
)

_GROUP = Parameter("id", "string")
_PEER_ID = Parameter("peer", "string")
_ROOM: Final = Parameter("id", "string")
CHAT: Final = (
    Function(
        "chat.create",
        (
            Parameter("name", "string"),
            Parameter("description", "string", default=""),
            Parameter("max", "whole", default=0),
            Parameter("context", "string", default=""),
        ),
        gives="room",
        failure=_NIL,
        place=_PEER,
        doc="Opens a chat room here, with this peer in it: {id, name, description}.",
    ),
    Function("chat.close", (_ROOM,), failure=FailureForm.MESSAGE, place=_PEER, doc="Ends a room hosted here."),
    Function(
        "chat.send",
        (_ROOM, Parameter("text", "string")),
        failure=FailureForm.MESSAGE,
        place=_PEER,
        doc="Says something in a room hosted here, as the caller; in another peer's room as the owner alone.",
    ),
    Function(
        "chat.state",
        (_ROOM,),
        gives="state",
        failure=_NIL,
        place=_PEER,
        doc="{id, name, description, members, messages}; the last 100 messages, oldest first, in memory only.",
    ),
    Function("chat.rooms", gives="rooms", place=_PEER, doc="{id, name, description, members} of each room this peer hosts or is in now."),
)

GROUP: Final = (
    Function("group.is_member", gives="boolean", place=_PEER, doc="Whether the caller is in the template group; the owner always is."),
    Function("group.owner", gives="peer id", place=_PEER, doc="The peer that hosts the template group."),
    Function(
        "group.create",
        (
            Parameter("name", "string"),
            Parameter("type", "string"),
            Parameter("context", "string", default=""),
            Parameter("max", "whole", default=0),
        ),
        gives="id",
        place=_PEER,
        doc="Opens a group hosted here, with this peer in it as its owner. Failures of this function and the next ones are raised.",
    ),
    Function("group.close", (_GROUP,), gives="true", place=_PEER, doc="Ends a group hosted here."),
    Function("group.add", (_GROUP, _PEER_ID), gives="true", place=_PEER, doc="Sends a peer an invitation to a group hosted here."),
    Function("group.remove", (_GROUP, _PEER_ID), gives="true", place=_PEER, doc="Removes a member."),
    Function(
        "group.set_role", (_GROUP, _PEER_ID, Parameter("role", "string")), gives="true", place=_PEER, doc="Gives a member another role."
    ),
    Function("group.send", (_GROUP, Parameter("payload", "json")), gives="true", place=_PEER, doc="Sends a message to all members."),
    Function("group.members", (_GROUP,), gives="members", place=_PEER, doc="{peer_id, role} of each member; none of an unknown group."),
    Function("group.list", gives="groups", place=_PEER, doc="{id, name, group_type} of each group hosted here."),
    Function("group.grouptypes", gives="names", place=_PEER, doc="The types of groups that programs know."),
    Function(
        "group.member.role",
        gives="role",
        place=_PEER,
        doc='The caller\'s role in the template group: "owner" for the owner, "" for who is not in it.',
    ),
)
