"""A Goop2 peer in Python: a folder becomes a site whose Lua scripts answer strangers, behind a wall.

The worker process imports this file too, so it imports nothing.
"""

__version__ = "0.2.0"
