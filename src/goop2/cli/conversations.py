"""`goop2 chat --conversations|--forget|--forget-strangers`: the saved messages, through the running peer or from the folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from goop2.cli import logs, output, session
from goop2.cli.peers import ask

if TYPE_CHECKING:
    from goop2.control_socket import Answer, Request


def show(folder: Path) -> int:
    """Print the conversations of the peer in `folder`, the latest first."""
    answer, code = _ask(folder, "conversations", {})
    listed: Any = answer["conversations"] if answer is not None else []
    for each in listed:
        label = f"  {output.one_line(each['label'], 40)}" if each["label"] else ""
        print(f"{each['peer']}{label}  {_messages(each['messages'])}")
    if answer is not None and not listed:
        output.note("there are no conversations")
    return code


def forget(folder: Path, peer: str) -> int:
    """Delete the conversation with `peer`, an id or the label of a peer that is here."""
    answer, code = _ask(folder, "forget", {"peer": peer})
    if answer is not None:
        output.note(f"deleted the conversation with {answer['peer']}, {_messages(answer['messages'])}")
    return code


def forget_strangers(folder: Path) -> int:
    """Delete every conversation in which the owner has written nothing."""
    answer, code = _ask(folder, "forget", {"strangers": True})
    if answer is not None:
        output.note(f"deleted {_messages(answer['messages'])} of peers you have never written to")
    return code


def _messages(number: object) -> str:
    return f"{number} message{'' if number == 1 else 's'}"


def _ask(folder: Path, op: str, request: Request) -> tuple[Answer | None, int]:
    return ask(folder, op, request, False, _alone)


async def _alone(folder: Path, op: str, request: Request) -> Answer:
    """Answer from the folder itself."""
    from goop2.peers.remote_control.chat import ChatRemote

    logs.set_up(logs.ABOUT_OTHER_SCRIPTS)
    with await session.own(folder, passing=True):
        async with session.open_for(folder) as peer:
            return await ChatRemote(peer.chat, lambda _peer: "").operations[op](request)
