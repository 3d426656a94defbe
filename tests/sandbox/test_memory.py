"""A script that keeps 7 of 10 MB alive and makes garbage runs to its end, whatever the sizes of its strings and tables."""

from __future__ import annotations

from typing import Final

import pytest
from tests.sandbox.machines import run

KILOBYTE: Final = 1024

LIVES: Final = {
    "small tables": "{i, tostring(i)}",
    "strings of 100 bytes": "('x'):rep(100) .. i",
    "strings of 1 kB": "('x'):rep(1000) .. i",
    "strings of 30 kB": "('x'):rep(30000) .. i",
    "strings of 500 kB": "('x'):rep(500000) .. i",
}
"""What is alive → one piece of it."""

CHURN: Final = {
    "string.rep": "local s = ('y'):rep(size) .. i",
    "..": "local s = piece .. i",
    "tables": "local t = {} for k = 1, size / 32 do t[k] = k end",
    "table.concat": "parts[1] = i .. '' local s = table.concat(parts)",
    "string.gsub": "local s = piece:gsub('y', 'w')",
    "string.format": "local s = ('%%s%%d'):format(piece, i)",
}
CHURN_BYTES: Final = 12_000_000

SOURCE: Final = (
    """
function call(request)
  local size, parts, keep, i = %d, {}, {}, 0
  local piece = ('yz'):rep(size / 2)
  for k = 1, 10 do parts[k] = ('z'):rep(size / 10) .. k end
  local whole = 7 * 1024 - 2 * size / 1024
  while collectgarbage('count') < whole do i = i + 1 keep[i] = %s end
  local rounds = math.max(20, math.min(%d / size, 30000))
"""
    + "\n".join(f"  for i = 1, rounds do {work} end" for work in CHURN.values())
    + """
  return #keep
end"""
)


@pytest.mark.parametrize("live", LIVES)
@pytest.mark.parametrize("size", [50, 1000, 10 * KILOBYTE, 100 * KILOBYTE, 400 * KILOBYTE])
def test_seven_megabytes_alive_and_garbage_of_any_size_fit_into_ten(flavour: str, live: str, size: int) -> None:
    ran = run(flavour, SOURCE % (size, LIVES[live], CHURN_BYTES), b"{}", "function")
    assert ran.code == "ok", ran.text


HONEST: Final = {
    "a page joined row by row": """
        local rows = {} for i = 1, 2000 do rows[i] = {title = "Title " .. i, body = ("lorem ipsum "):rep(20)} end
        local html = "" for _, row in ipairs(rows) do html = html .. row.title .. row.body end return #html""",
    "small tables, then strings of 100 kB": """
        local keep = {} for i = 1, 9000 do keep[i] = {i, tostring(i)} end
        for i = 1, 400 do local s = ("y"):rep(100000) .. i end return #keep""",
    "many tables, then strings of 10 kB": """
        local keep = {} for i = 1, 45000 do keep[i] = {i, tostring(i)} end
        for i = 1, 4000 do local s = ("y"):rep(10000) .. i end return #keep""",
    "one string that grows": 'local s, piece = "", ("z"):rep(100) for i = 1, 9000 do s = s .. piece end return #s',
    "an array that grows beside garbage": "local t = {} for i = 1, 200000 do t[i] = i local s = 'x' .. i end return #t",
    "a large result after garbage": """
        local keep = {} for i = 1, 3000 do keep[i] = ("x"):rep(300) .. i end
        for i = 1, 40 do local s = ("y"):rep(200000) .. i end return keep""",
}


@pytest.mark.parametrize("what", HONEST)
def test_an_honest_page_fits(flavour: str, what: str) -> None:
    ran = run(flavour, f"function call(request) {HONEST[what]} end", b"{}", "function")
    assert ran.code == "ok", ran.text


def test_a_collection_is_begun_in_time_in_coroutines_and_after_a_memory_error_too(flavour: str) -> None:
    body = """
      pcall(function() local t = {} while true do t[#t + 1] = {} end end)
      local function overwrite(...) local a, b, c, d, e, f, g, h = ... return a end -- plain Lua marks what dead slots of the stack hold
      overwrite()
      local keep, i = {}, 0
      while collectgarbage('count') < 6500 do i = i + 1 keep[i] = ('x'):rep(1000) .. i end
      coroutine.wrap(function() for i = 1, 100 do local s = ('y'):rep(200000) .. i end end)()
      return #keep"""
    ran = run(flavour, f"function call(request) {body} end", b"{}", "function")
    assert ran.code == "ok", ran.text
