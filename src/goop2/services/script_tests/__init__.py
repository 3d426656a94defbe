"""Tests of scripts: `tests/*_test.lua` of a folder, run by the peer's own machinery on a copy of its files and its database."""
