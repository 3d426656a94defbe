"""Markdown of our documentation as HTML under the console's policy."""

from __future__ import annotations

from goop2.web.console.markdown import render

FILES = frozenset({"data.md", "growth.svg"})


def test_headings_have_the_names_that_links_use() -> None:
    page = render("# The page\n\n## Who is `calling`?\n\n## A-b, c_d\n\n## A-b, c_d\n", FILES)
    assert page.title == "The page"
    for name in ("the-page", "who-is-calling", "a-b-c_d", "a-b-c_d-1"):
        assert f'id="{name}"' in page.html


def test_links_between_pages_lead_to_the_pages_here_and_others_are_text() -> None:
    html = render("[a](data.md) [b](data.md#rows) [c](#here) [d](../README.md) [e](https://example.org/) [f *g*](nothing.md)", FILES).html
    assert 'href="/docs/data"' in html
    assert 'href="/docs/data#rows"' in html
    assert 'href="#here"' in html
    assert 'href="https://example.org/" rel="noopener noreferrer"' in html
    assert "README" not in html
    assert html.count("<a ") == html.count("</a>") == 4
    assert "f <em>g</em>" in html


def test_pictures_that_are_not_there_are_left_out() -> None:
    html = render("![growth](growth.svg) ![no](screenshots/no.png)", FILES).html
    assert 'src="/docs/growth.svg"' in html
    assert "no.png" not in html


def test_nothing_of_the_text_is_html_script_or_style() -> None:
    html = render("<script>alert(1)</script>\n\n[x](javascript:alert(1))\n\n| a | b |\n| --- | ---: |\n| <b>1</b> | 2 |\n", FILES).html
    assert "<script" not in html
    assert "javascript:" not in html or "<a" not in html
    assert "style=" not in html
    assert '<td class="right">2</td>' in html


def test_what_may_be_wider_than_the_page_scrolls_for_the_keyboard_too() -> None:
    html = render("```lua\nlocal a\n```\n\n    code\n\n| a |\n| --- |\n| b |\n", FILES).html
    assert html.count('<pre tabindex="0">') == 2
    assert '<table tabindex="0">' in html


def test_a_comment_is_not_shown_but_one_in_a_block_of_code_is() -> None:
    text = "# Title\n\n<!-- call: {} => 1 -->\n```html\n<!-- a page -->\n```\n"
    page = render(text, frozenset())
    assert "call:" not in page.html
    assert "a page" in page.html


def test_links_of_a_page_in_a_folder_begin_there() -> None:
    html = render("[a](poll.md) [b](../data.md#rows) ![c](../growth.svg) [d](../../README.md)", FILES | {"how-to/poll.md"}, "how-to").html
    assert 'href="/docs/how-to/poll"' in html
    assert 'href="/docs/data#rows"' in html
    assert 'src="/docs/growth.svg"' in html
    assert "README" not in html
