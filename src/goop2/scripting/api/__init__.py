"""The goop table, declared once: what every function is called, takes, gives, and where its work is done.

From these declarations come the Lua stubs of every VM (`render.stubs`), the argument checks
(sandbox/calls.lua reads the signatures), the author's reference page and the editor types.
"""

from goop2.scripting.api.declaration import ExecutionSite, Function, Parameter
from goop2.scripting.api.functions import FUNCTIONS

__all__ = ["FUNCTIONS", "ExecutionSite", "Function", "Parameter"]
