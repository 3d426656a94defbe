"""The scripts that are measured, each with the arguments it is called with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Workload:
    """One script and one call of it."""

    name: str
    kind: Literal["command", "function"]
    source: str
    argument: str
    target: float
    """Ours with two workers against the bare loop, as a ratio of calls a second."""


HELLO = """function handle(args)
return "Hello, " .. (args ~= "" and args or "world") .. "!"
end
"""

SCORE = """local key = { 2, 1, 3, 0, 2, 1, 1, 0, 3, 2, 2, 1, 3, 0, 2, 1, 1, 0, 3, 2 }
function call(request)
local answers = request.params.answers
local score = 0
for index, answer in ipairs(answers) do
  if answer == key[index] then score = score + 1 end
end
return { score = score, total = #answers }
end
"""

FIB = """local function fib(n)
  if n < 2 then return n end
  return fib(n - 1) + fib(n - 2)
end
function call(request) return fib(request.params.n) end
"""

STRINGS = """function call(request)
  local text = ""
  for index = 1, 10000 do
    text = string.format("%s-%d", string.sub(text, -60), index) .. "x"
  end
  return #text
end
"""

WORKLOADS = (
    Workload("hello", "command", HELLO, "Alice", 0.9),
    Workload("score", "function", SCORE, '{"answers":[2,1,3,0,2,1,1,0,3,2,0,0,0,0,0,0,0,0,0,0]}', 0.9),
    Workload("fib", "function", FIB, '{"n":24}', 1.6),
    Workload("strings", "function", STRINGS, "{}", 1.6),
)
