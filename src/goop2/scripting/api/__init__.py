"""The goop table, declared once: the name of every function, its arguments and results, and where its work is done.

From these declarations come the Lua stubs of every VM (stubs.py), the checks of arguments and callers on both sides of the wall
(sandbox/calls.lua reads the signatures, rules.py has the peer's), the reference page and the editor types (docs.py).
"""

from goop2.scripting.api.declaration import ExecutionSite, Function, Parameter
from goop2.scripting.api.functions import FUNCTIONS, PRIVATE

__all__ = ["FUNCTIONS", "PRIVATE", "ExecutionSite", "Function", "Parameter"]
