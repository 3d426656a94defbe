"""`goop2 call|send|peers|connect`: use other peers from a terminal, as the peer of a folder.

They go through the running peer when there is one. Otherwise the command joins the network itself, for as long as it takes.
"""

from __future__ import annotations

import asyncio
import math
import os
from collections.abc import Awaitable, Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from goop2.cli import logs, output, session
from goop2.cli.errors import CommandError
from goop2.cli.lua import stdin, unicode
from goop2.cli.main import EXIT_FAILED, EXIT_OK
from goop2.cli.options import FOLDER, folder_argument, json_option
from goop2.scripting.command_text import is_command

if TYPE_CHECKING:
    from goop2.control_socket import Answer, Request

FOLDER_VARIABLE: Final = "GOOP2_DIR"
STARTING_TRIES, STARTING_SECONDS = 20, 0.25
"""How long a peer that has just started may take to be on the network."""
ANSWER_SECONDS: Final = 75.0
"""Longer than any script may take, and the search for its peer."""

TROUBLE_MAX_CHARS: Final = 500
"""Of a sentence about what hinders finding others; a server's address stands in it."""

EMAIL_MAX_CHARS: Final = 80
"""Of a peer's e-mail address, which it makes up."""

FAILED_REPLIES: Final = {"Unknown command: ": "not_found", "Script error: ": "script_error", "Rate limit exceeded.": "rate_limited"}
"""How the reply of another peer begins that reports a failure (behaviour.md, "Chat commands") → the class."""

dir_option = click.option(
    "--dir",
    "folder",
    metavar="DIR",
    type=FOLDER,
    help=f"The peer to act as; without it ${FOLDER_VARIABLE}, else the nearest.",
)


@click.command("call")
@click.argument("peer", metavar="PEER")
@click.argument("function", metavar="FUNCTION")
@click.argument("params", metavar="[JSON]", default="{}")
@dir_option
@json_option
def call(peer: str, function: str, params: str, folder: Path | None, as_json: bool) -> int:
    """Call a data function of another peer; prints JSON.

    Example: goop2 call 12D3Koo… score-quiz '{"answers": ["B", "A"]}'

    PEER is an id, the label of a peer that is here, or an address like /ip4/192.0.2.7/tcp/4001/p2p/12D3Koo…. JSON is the function's
    parameters, "-" reads them from stdin. An error is one line on stderr, "class: message", and exit code 1; with --json it is also
    {"ok": false, "code": …, "message": …, "script": …, "line": …} on stdout.
    """
    text = stdin().decode("utf-8", "replace") if params == "-" else unicode(params)
    request = {"peer": peer, "function": unicode(function), "params": text}
    answer, code = ask(folder, "call", request, as_json)
    if answer is not None:
        output.answer_json(answer["result"])
    return code


@click.command("send")
@click.argument("peer", metavar="PEER")
@click.argument("text", metavar="TEXT")
@dir_option
@json_option
def send(peer: str, text: str, folder: Path | None, as_json: bool) -> int:
    """Send a direct message to another peer.

    The reply to a command is printed.

    Example: goop2 send Alice '!hello Bob'

    PEER is an id, the label of a peer that is here, or an address. The reply goes to stdout, whatever it says; the exit code is 1 when
    it reports a failure, or when the peer could not be reached.
    """
    answer, code = ask(folder, "send", {"peer": peer, "text": unicode(text)}, as_json)
    if answer is None:
        return code
    reply = str(answer.get("reply", ""))
    failed = next((code for beginning, code in FAILED_REPLIES.items() if reply.startswith(beginning)), "")
    if as_json:
        output.answer_json({**answer, **({"ok": False, "code": failed, "message": reply} if failed else {"ok": True})})
    elif reply:
        output.answer(reply)
    else:
        output.note(f"sent to {answer['to']}" + (", which has not replied yet" if is_command(text) else ""))
    return EXIT_FAILED if failed else EXIT_OK


@click.command("peers")
@click.argument("folder", metavar="[DIR]", type=FOLDER, required=False)
@click.option("--this", is_flag=True, help="Print this peer instead: its addresses, and whether others can dial it.")
@json_option
def peers(folder: Path | None, this: bool, as_json: bool) -> int:
    """List the peers that are here now.

    A line for each: its id, its label, and how it is connected: directly, with its address, or through a relay; how long a ping takes,
    there and back; its e-mail address, if it shares one with this peer; "avatar" if it has a picture. On stderr is said whether others can
    dial this peer, once somebody has tried.
    """
    if this:
        return _this(folder, as_json)
    answer, code = ask(folder, "peers", {}, as_json)
    found: Any = answer["peers"] if answer is not None else []
    troubles: Any = answer.get("troubles", ()) if answer is not None else ()
    for trouble in troubles:
        output.warn(output.one_line(str(trouble), TROUBLE_MAX_CHARS))
    if answer is not None and answer.get("reach") and not as_json:
        output.note(str(answer["reach"]))
    if as_json and answer is not None:
        output.answer_json(found)
    elif not found and answer is not None:
        output.note('nobody is here now; "goop2 connect DIR ADDRESS" reaches a peer that is elsewhere')
    for each in () if as_json else found:
        label = "(has not said its name)" if each["label"] == each["id"] else output.one_line(each["label"], 40)
        print("  ".join((each["id"], label, _way_shown(each), *_said_of_itself(each))))
    return code


def _said_of_itself(peer: Mapping[str, Any]) -> Iterator[str]:
    """Yield what a peer's line says beside its label, which is the peer's own claim."""
    if peer["email"]:
        yield output.one_line(peer["email"], EMAIL_MAX_CHARS)
    if peer["avatar_hash"]:
        yield "avatar"


def _way_shown(peer: Mapping[str, Any]) -> str:
    """Return how a peer is connected, as its line says it."""
    if not peer["connected"]:
        return "(not connected)"
    how = f"relayed through {peer['relay']}" if peer["way"] == "relayed" else f"direct, {peer['address']}"
    return how if peer["latency_ms"] is None else f"{how}, {peer['latency_ms']:.3g} ms"


def _this(folder: Path | None, as_json: bool) -> int:
    answer, code = ask(folder, "self", {}, as_json)
    if answer is None:
        return code
    shown: dict[str, Any] = {name: value for name, value in answer.items() if name != "ok"}
    if as_json:
        output.answer_json(shown)
        return code
    print(f"{shown['id']}  {output.one_line(shown['label'], 40)}")
    for address in shown["addresses"]:
        print(f"  {address}")
    print(shown["text"])
    return code


@click.command("connect")
@folder_argument
@click.argument("address", metavar="ADDRESS")
@click.option("--forget", is_flag=True, help="Forget the addresses of this peer instead; its id is enough.")
@json_option
def connect(folder: Path, address: str, forget: bool, as_json: bool) -> int:
    """Connect to a peer by its address, now and at every start.

    Example: goop2 connect mysite /ip4/192.0.2.7/tcp/4001/p2p/12D3Koo…
    """
    if forget:
        return _forget_address(folder, address, as_json)
    answer, code = ask(folder, "connect", {"address": address}, as_json)
    if answer is not None and as_json:
        output.answer_json(answer)
    elif answer is not None:
        output.note(f"connected to {output.one_line(str(answer['label']), 40)}, {answer['peer']}")
    return code


def _forget_address(folder: Path, address: str, as_json: bool) -> int:
    """Have the running peer forget it, or take it out of the file."""

    async def alone(chosen: Path, _op: str, request: Request) -> Answer:
        from goop2.control_socket import ControlError
        from goop2.net.address import named_peer
        from goop2.net.faults import NetworkError
        from goop2.peers.discovery.peers_file import RememberedPeers

        try:
            peer = named_peer(str(request["address"]))
            if not RememberedPeers(chosen).forget(peer):
                raise ControlError("not_found", f"no address of {peer} was typed in")
        except NetworkError as error:
            raise ControlError("bad_request", str(error)) from None
        return {"peer": peer}

    answer, code = ask(folder, "forget-address", {"address": address}, as_json, alone)
    if answer is not None and as_json:
        output.answer_json(answer)
    elif answer is not None:
        output.note(f"forgotten: the addresses of {answer['peer']}")
    return code


def ask(
    folder: Path | None, op: str, request: Request, as_json: bool, alone: Callable[[Path, str, Request], Awaitable[Answer]] | None = None
) -> tuple[Answer | None, int]:
    """Return the answer, or None after a failure was printed; and the exit code. `alone` answers where no peer runs."""
    from goop2.control_socket import ControlError

    chosen = _chosen(folder)
    try:
        return session.run(_through_whom(chosen, op, request, alone or _alone)), EXIT_OK
    except ControlError as error:
        wait = error.details.get("retry_after")
        output.note(f"{error.code}: {error}" + (f" (in {math.ceil(wait)} s)" if isinstance(wait, int | float) else ""))
        if as_json:
            output.answer_json({"ok": False, "code": error.code, "message": str(error), **error.details})
        return None, EXIT_FAILED
    except TimeoutError:
        raise CommandError(f"the running peer has not answered within {ANSWER_SECONDS:.0f} seconds") from None


def _chosen(folder: Path | None) -> Path:
    from goop2.cli.default_folder import nearest

    named = os.environ.get(FOLDER_VARIABLE)
    chosen = folder or (Path(named) if named else nearest())
    if chosen is None:
        raise CommandError(f"the current folder is no peer: go to one, or name it on the command line or in ${FOLDER_VARIABLE}")
    session.settings_of(chosen)
    return chosen


async def _through_whom(folder: Path, op: str, request: Request, alone: Callable[[Path, str, Request], Awaitable[Answer]]) -> Answer:
    from goop2.control_socket import ask as ask_running
    from goop2.folder.lock import FolderLockedError

    for _ in range(STARTING_TRIES):
        # The running peer first: two hosts with one identity would take each other's connections.
        answer = await ask_running(folder, op, request, ANSWER_SECONDS)
        if answer is not None:
            return answer
        try:
            return await alone(folder, op, request)
        except FolderLockedError as held:
            if held.passing or not held.held:
                raise
            # A peer runs, and its network is about to come up.
            await asyncio.sleep(STARTING_SECONDS)
    raise CommandError(f"the peer in {folder} runs, but is not on the network: its log says why")


async def _alone(folder: Path, op: str, request: Request) -> Answer:
    """Do an operation with a network of this command's own."""
    return await alone(folder, op, request, lambda _answer: True, lambda _answer: None)


async def alone(folder: Path, op: str, request: Request, is_done: Callable[[Answer], bool], tell: Callable[[Answer], object]) -> Answer:
    """Ask for an operation again and again until its answer `is_done`, with a network of this command's own; `tell` takes the others.

    The lock prevents two peers with one identity; commands take turns.
    """
    from goop2.app import join
    from goop2.peers.remote_control.operations import Remote

    logs.set_up(logs.ABOUT_OTHER_SCRIPTS)
    # A short hold of the lock ("passing"): a peer that starts now waits for it and does not fail.
    with await session.own(folder, passing=True):
        # Port 0: the configured port may belong to a peer that is starting.
        async with session.open_for(folder) as peer, join(peer, 0) as network:
            remote = Remote(peer, network)
            if op == "peers":
                await remote.settle()
            while not is_done(answer := await remote.operations[op](request)):
                tell(answer)
            return answer
