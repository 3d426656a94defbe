"""The command `goop2`: one module a group of commands, and main.py, which turns every error into a sentence and an exit code.

It must not know how a part works: it calls app.py, the folder and the control socket, and imports heavy modules inside functions.
"""
