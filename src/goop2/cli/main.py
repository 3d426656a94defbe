"""The `goop2` command from its start to its exit code, with the whole error policy.

    0  it did what was asked       1  a script, or its input, failed       2  the command, the folder or the machine is at fault
    130  Ctrl-C

Every error is one sentence; a traceback is shown only on request (GOOP2_TRACEBACK=1). Imports are inside functions, here and in all of
cli/: a command answers in a third of a second because it loads only what it uses, and Ctrl-C works from the first moment.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Final, NoReturn

EXIT_OK: Final = 0
EXIT_FAILED: Final = 1
EXIT_FAULT: Final = 2
EXIT_INTERRUPTED: Final = 130
"""128 + SIGINT, as shells have it."""

TRACEBACK_VARIABLE: Final = "GOOP2_TRACEBACK"


def main() -> NoReturn:
    """Run the `goop2` command and exit with its code."""
    code = run(sys.argv[1:])
    _finish()
    # Everything is closed, and written: stderr has no buffer longer than a line. Python taking apart what it loaded
    # would be half of the second in which a peer must end.
    os._exit(code)


def run(arguments: Sequence[str]) -> int:
    """Do what `arguments` ask for; return the exit code."""
    # Where something else has installed rich, structlog would load all of it, for pretty tracebacks that nobody here sees: a third of the
    # time to the first reply. None is how Python says "not to be had".
    sys.modules.setdefault("rich", None)  # type: ignore[arg-type]
    try:
        # Before anything is opened or imported that could take the free numbers.
        _open_standard_streams()
        _install_streams()
        return _flushed(_command(arguments))
    except KeyboardInterrupt:
        return _end_of_output(EXIT_INTERRUPTED)
    except BrokenPipeError:
        # Whoever read us has read enough (`| head -1`): nothing failed.
        return _end_of_output(EXIT_OK)
    except OSError as error:
        if os.environ.get(TRACEBACK_VARIABLE) and not _is_of_a_stream(error):
            raise
        return _unusable_stream(error)


def _install_streams() -> None:
    from goop2.cli import streams

    streams.install()


def _finish() -> None:
    from goop2.cli import streams

    streams.finish()


def _open_standard_streams() -> None:
    """Open the standard streams that were closed at the start; otherwise the next file or socket would get their number and output."""
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest free number: this one


def _command(arguments: Sequence[str]) -> int:
    from goop2.cli import output

    output.set_up()
    try:
        return _parse_and_run(arguments)
    # Not errors of the command; `run` turns them into exit codes.
    except (KeyboardInterrupt, BrokenPipeError):
        raise
    except Exception as error:
        if os.environ.get(TRACEBACK_VARIABLE) or _is_of_a_stream(error):
            raise
        return _report(error, "--json" in arguments)


def _parse_and_run(arguments: Sequence[str]) -> int:
    import click

    from goop2.cli.commands import goop2
    from goop2.cli.completion import COMPLETION_VARIABLE, answer
    from goop2.cli.default_folder import with_folder

    if instruction := os.environ.get(COMPLETION_VARIABLE):
        return answer(goop2, instruction)
    try:
        # Not click's own `main`: it has an error policy of its own.
        with goop2.make_context("goop2", with_folder(goop2, arguments)) as context:
            code = goop2.invoke(context)
    except click.exceptions.Exit as end:
        code = end.exit_code
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        code = EXIT_FAULT
    return code if isinstance(code, int) else EXIT_OK


def _report(error: Exception, as_json: bool) -> int:
    """Print one sentence on stderr, and with `--json` the same as a value on stdout; return the exit code."""
    from goop2.cli import output

    code, sentence = _code_and_sentence(error)
    output.fail(sentence)
    if as_json:
        output.answer_json({"ok": False, "code": code, "message": sentence})
    return EXIT_FAULT


def _code_and_sentence(error: Exception) -> tuple[str, str]:
    import click

    if isinstance(error, click.UsageError):
        return "usage", _usage(error.format_message(), error.ctx.command_path if error.ctx else "")
    kind = type(error)
    # Its class says that the message is a sentence for the owner, and gives the `code` of `--json`.
    code = getattr(kind, "owner_code", None)
    if isinstance(code, str):
        return code, str(error)
    if isinstance(error, OSError):
        return "system", _of_the_system(error)
    return "internal", f"goop2 made a mistake of its own, {kind.__name__}: {error}; {TRACEBACK_VARIABLE}=1 shows where, please report it"


def _of_the_system(error: OSError) -> str:
    """Return what the system refused, for which file if it says so, and what helps."""
    import errno

    remedies = {
        errno.EMFILE: "this process has no file descriptor left; a higher limit (ulimit -n) helps",
        errno.ENFILE: "this machine has no file descriptor left",
        errno.ENOSPC: "the disk is full",
        errno.EROFS: "the disk can only be read",
        errno.ENOMEM: "this machine has no memory left",
    }
    what = f"{error.filename!s}: " if error.filename is not None else "the system refused what goop2 needs: "
    remedy = remedies.get(error.errno or 0)
    return what + (error.strerror or str(error)) + (f"; {remedy}" if remedy else "")


def _usage(message: str, command: str) -> str:
    """Return click's message with its guess of what was meant, and where to find help."""
    import re

    guess = r"\.? \(?Did you mean (?:one of: )?(.*\?)\)?$"
    sentence, guesses = re.subn(guess, lambda found: f"; did you mean {found[1].replace(', ', ' or ')}", message.replace("''", "'"))
    help_command = f'"{command} --help" says how it is used' if command else ""
    return (" " if guesses else "; ").join(filter(None, (sentence.rstrip("."), help_command)))


def _flushed(code: int) -> int:
    if sys.stdout is not None:
        sys.stdout.flush()
    return code


def _end_of_output(code: int) -> int:
    """Write nothing more, not even in Python's own last flush, which would print an error; return `code`."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    # Both go to the null device, so that nothing written later can fail or block.
    for descriptor in (1, 2):
        os.dup2(nowhere, descriptor)
    return code


def _is_of_a_stream(error: Exception) -> bool:
    from goop2.cli.streams import StreamError

    return isinstance(error, StreamError)


def _unusable_stream(error: OSError) -> int:
    """Report that a standard stream cannot be used, because the disk behind it is full, for example."""
    from goop2.cli import output

    output.fail(f"stdin cannot be read, or stdout not be written: {error.strerror or error}")
    return _end_of_output(EXIT_FAULT)
