"""Tokens of Lua."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from goop2.scripting.checks.lua_tokens import TokenKind, tokens


def test_each_kind_of_token_is_known() -> None:
    found = [(token.kind, token.text) for token in tokens("local x=[==[ a ]] ]==] .. 'b\\'c' -- d\n--[[ e\nf ]] 0x1F 1e-5 ~= §")]
    assert found == [
        (TokenKind.KEYWORD, "local"),
        (TokenKind.NAME, "x"),
        (TokenKind.SYMBOL, "="),
        (TokenKind.STRING, "[==[ a ]] ]==]"),
        (TokenKind.SYMBOL, ".."),
        (TokenKind.STRING, "'b\\'c'"),
        (TokenKind.COMMENT, "-- d"),
        (TokenKind.COMMENT, "--[[ e\nf ]]"),
        (TokenKind.NUMBER, "0x1F"),
        (TokenKind.NUMBER, "1e-5"),
        (TokenKind.SYMBOL, "~="),
        (TokenKind.UNKNOWN, "§"),
        (TokenKind.END, ""),
    ]


@given(st.text(max_size=300))
def test_tokens_stand_where_they_say_and_in_order(source: str) -> None:
    end = 0
    for token in tokens(source):
        assert source[token.start : token.end] == token.text
        assert token.start >= end
        end = token.end
