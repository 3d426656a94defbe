"""services/schedules: what is due, missed, paused, too long or too many; time is faked."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec
import pytest
import structlog
from tests.clock import Clock
from tests.scripting.workshop import OWNER, script_of

from goop2.scripting.annotations import NO_ANNOTATIONS, parse
from goop2.scripting.catalog import Catalog, CatalogChange, Script
from goop2.scripting.invocation import Caller
from goop2.services.schedules.limits import AT_ONCE, CLOCK_BACK_SECONDS
from goop2.services.schedules.service import NoSuchScheduleError, ScheduleBusyError, Scheduler
from goop2.services.schedules.state_file import FILE, StateFile
from goop2.storage.run_record import Run

DAY = 86400.0


@dataclass
class Stage:
    """A catalog of scheduled scripts, and an engine that writes down what it is asked to run."""

    scripts: dict[str, Script] = field(default_factory=dict)
    began: list[tuple[str, dict[str, object]]] = field(default_factory=list)
    enabled: bool = True
    hold: asyncio.Event | None = None
    running: int = 0
    most: int = 0
    seen: asyncio.Event = field(default_factory=asyncio.Event)
    callback: Callable[[CatalogChange], None] | None = None

    def add(self, name: str, schedule: str) -> None:
        source = f"--- @{schedule}\nfunction run(event) end"
        script = script_of(source, "function", name, parse(source, f"{name}.lua"))
        self.scripts[name] = msgspec.structs.replace(script, event="schedule")
        if self.callback:
            self.callback(CatalogChange("loaded", "function", name, script.path))

    def subscribe(self, callback: Callable[[CatalogChange], None]) -> Callable[[], None]:
        self.callback = callback
        return lambda: None

    def listeners(self, event: str) -> list[Script]:
        assert event == "schedule"
        return [self.scripts[name] for name in sorted(self.scripts)]

    async def scheduled(self, owner: Caller, script: Script, event: bytes, recorded: Callable[[Run], None]) -> None:
        assert owner.owner
        self.began.append((script.name, json.loads(event)))
        self.seen.set()
        self.running += 1
        self.most = max(self.most, self.running)
        if self.hold is not None:
            await self.hold.wait()
        self.running -= 1
        recorded(Run(len(self.began), "schedule", script.name, owner.id, "ok", "", None, 0.0, 1.0, 0.0, 0))

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.began]


@pytest.fixture
def clock() -> Clock:
    return Clock()


def scheduler_of(stage: Stage, folder: Path, clock: Clock) -> Scheduler:
    catalog: Catalog = stage  # type: ignore[assignment]
    return Scheduler(
        catalog=catalog, scripts=stage, owner=lambda: OWNER, file=StateFile(folder), clock=clock, zone=ZoneInfo("Europe/Berlin")
    )


async def settle(scheduler: Scheduler) -> None:
    """Look, and let what began come to its end."""
    scheduler.look()
    for _ in range(50):
        await asyncio.sleep(0)


async def test_a_schedule_runs_at_its_pace_as_the_owner(tmp_path: Path, clock: Clock) -> None:
    stage = Stage()
    stage.add("tidy", "every 15m")
    scheduler = scheduler_of(stage, tmp_path, clock)
    assert scheduler.look() <= 20.0
    assert stage.began == []
    clock.now += 900
    await settle(scheduler)
    assert stage.began == [("tidy", {"due": 1900, "missed": 0, "by": "schedule"})]
    clock.now += 899
    await settle(scheduler)
    assert len(stage.began) == 1
    clock.now += 1
    await settle(scheduler)
    assert len(stage.began) == 2


async def test_what_was_missed_over_a_restart_is_told_and_made_up_once(tmp_path: Path, clock: Clock) -> None:
    stage = Stage()
    stage.add("tidy", "every 15m")
    before = scheduler_of(stage, tmp_path, clock)
    before.look()
    await before.save()
    clock.now += 3650  # due at 1900, 2800, 3700 and 4600
    with structlog.testing.capture_logs() as logged:
        after = scheduler_of(stage, tmp_path, clock)
        await settle(after)
        await settle(after)
    assert stage.began == [("tidy", {"due": 1900, "missed": 4, "by": "schedule"})]
    assert (logged[0]["event"], logged[0]["due"], logged[0]["times"]) == ("schedule missed", 1900.0, 4)
    (shown,) = after.listing()
    assert shown.next == 5500.0  # it keeps its pace
    assert shown.last is not None
    assert (shown.last.status, shown.last.missed) == ("ok", 4)


async def test_last_and_next_survive_a_restart_and_a_pause_does(tmp_path: Path, clock: Clock) -> None:
    stage = Stage()
    for name in ("one", "two"):
        stage.add(name, "cron 0 8 * * *")
    scheduler = scheduler_of(stage, tmp_path, clock)
    scheduler.pause("two")
    await scheduler.run_now("one")
    await scheduler.save()
    one, two = scheduler_of(stage, tmp_path, clock).listing()
    assert one.next == 7 * 3600.0  # 8:00 in Berlin
    assert one.last is not None
    assert (two.paused, two.next) == (True, None)
    assert (tmp_path / FILE).stat().st_mode & 0o077 == 0


async def test_a_schedule_that_never_ends_has_one_run_and_holds_one_place(tmp_path: Path, clock: Clock) -> None:
    stage = Stage(hold=asyncio.Event())
    stage.add("endless", "every 1s")
    scheduler = scheduler_of(stage, tmp_path, clock)
    scheduler.look()
    for _ in range(20):
        clock.now += 1
        await settle(scheduler)
    assert stage.names == ["endless"]
    with pytest.raises(ScheduleBusyError, match="one run at a time"):
        await scheduler.run_now("endless")
    assert stage.hold is not None
    stage.hold.set()
    await settle(scheduler)
    assert stage.names == ["endless"]  # what came due meanwhile is left out
    clock.now += 1
    await settle(scheduler)
    assert stage.names == ["endless", "endless"]


async def test_hundreds_at_one_second_run_in_turn(tmp_path: Path, clock: Clock) -> None:
    stage = Stage(hold=asyncio.Event())
    for number in range(500):
        stage.add(f"s{number:03}", "every 1m")
    scheduler = scheduler_of(stage, tmp_path, clock)
    scheduler.look()
    clock.now += 60
    await settle(scheduler)
    assert len(stage.began) == AT_ONCE
    assert stage.hold is not None
    stage.hold.set()
    for _ in range(100):
        await settle(scheduler)
    assert len(stage.began) == 500
    assert len(set(stage.names)) == 500
    assert stage.most == AT_ONCE


async def test_a_clock_that_jumps_ahead_makes_one_run(tmp_path: Path, clock: Clock) -> None:
    stage = Stage()
    stage.add("often", "every 1s")
    scheduler = scheduler_of(stage, tmp_path, clock)
    scheduler.look()
    clock.now += 365 * DAY
    await settle(scheduler)
    await settle(scheduler)
    assert len(stage.began) == 1
    assert stage.began[0][1]["missed"] == 1000  # not counted further


@pytest.mark.parametrize(("schedule", "most"), [("every 15m", 900.0), ("cron 0 * * * *", 3600.0)])
async def test_a_clock_that_goes_back_does_not_silence_a_schedule(tmp_path: Path, clock: Clock, schedule: str, most: float) -> None:
    stage = Stage()
    stage.add("tidy", schedule)
    scheduler = scheduler_of(stage, tmp_path, clock)
    clock.now += 10 * 365 * DAY
    scheduler.look()
    clock.now -= 10 * 365 * DAY
    scheduler.look()
    (shown,) = scheduler.listing()
    assert shown.next is not None
    assert shown.next - clock.now <= most


async def test_a_clock_set_back_a_little_runs_no_fixed_time_twice(tmp_path: Path, clock: Clock) -> None:
    stage = Stage()
    stage.add("daily", "cron 0 8 * * *")
    scheduler = scheduler_of(stage, tmp_path, clock)
    scheduler.look()
    clock.now = 7 * 3600.0
    await settle(scheduler)
    clock.now -= CLOCK_BACK_SECONDS / 2
    await settle(scheduler)
    clock.now = 7 * 3600.0 + 1
    await settle(scheduler)
    assert stage.names == ["daily"]


async def test_another_schedule_in_the_file_begins_anew(tmp_path: Path, clock: Clock) -> None:
    stage = Stage()
    stage.add("tidy", "every 1d")
    scheduler = scheduler_of(stage, tmp_path, clock)
    scheduler.look()
    stage.add("tidy", "every 5s")
    clock.now += 1
    scheduler.look()
    assert scheduler.listing()[0].next == clock.now + 5


async def test_a_paused_one_does_not_run_by_itself_but_when_asked_and_makes_nothing_up(tmp_path: Path, clock: Clock) -> None:
    stage = Stage()
    stage.add("tidy", "every 1m")
    scheduler = scheduler_of(stage, tmp_path, clock)
    scheduler.pause("tidy")
    clock.now += 3600
    await settle(scheduler)
    assert stage.began == []
    await scheduler.run_now("tidy")
    assert stage.began[0][1] == {"due": 4600, "missed": 0, "by": "owner"}
    scheduler.resume("tidy")
    await settle(scheduler)
    assert len(stage.began) == 1
    clock.now += 60
    await settle(scheduler)
    assert len(stage.began) == 2


async def test_nothing_runs_while_scripts_are_switched_off(tmp_path: Path, clock: Clock) -> None:
    stage = Stage()
    stage.add("tidy", "every 1m")
    scheduler = scheduler_of(stage, tmp_path, clock)
    scheduler.look()
    stage.enabled = False
    clock.now += 3600
    await settle(scheduler)
    assert stage.began == []


@pytest.mark.parametrize(
    "damage", [b"{", b'{"schedules": {"tidy": 7}}', b"\x00" * 100, b'{"schedules": {"tidy": {"schedule": "every 1m", "next": 1e999}}}']
)
async def test_a_damaged_file_is_told_and_written_again(tmp_path: Path, clock: Clock, damage: bytes) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / FILE).write_bytes(damage)
    stage = Stage()
    stage.add("tidy", "every 1m")
    with structlog.testing.capture_logs() as logged:
        scheduler = scheduler_of(stage, tmp_path, clock)
    assert "damaged" in logged[0]["warning"]
    scheduler.look()
    await scheduler.save()
    assert json.loads((tmp_path / FILE).read_text())["schedules"]["tidy"]["next"] == 1060.0


async def test_a_full_disk_is_told_and_schedules_go_on(tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("goop2.services.schedules.state_file.replace_whole", full)
    stage = Stage()
    stage.add("tidy", "every 1m")
    scheduler = scheduler_of(stage, tmp_path, clock)
    scheduler.look()
    with structlog.testing.capture_logs() as logged:
        await scheduler.save()
    assert "cannot be written (No space left on device)" in logged[0]["warning"]


async def test_a_name_that_has_no_schedule_is_said(tmp_path: Path, clock: Clock) -> None:
    stage = Stage()
    stage.add("tidy", "every 1m")
    scheduler = scheduler_of(stage, tmp_path, clock)
    with pytest.raises(NoSuchScheduleError, match="there is no schedule 'tidier'; there are: tidy"):
        scheduler.pause("tidier")


async def test_the_watch_runs_what_is_due_and_saves_at_its_end(tmp_path: Path) -> None:
    stage, stop = Stage(), asyncio.Event()
    stage.add("often", "every 1s")
    scheduler = Scheduler(catalog=stage, scripts=stage, owner=lambda: OWNER, file=StateFile(tmp_path))  # type: ignore[arg-type]
    watch = asyncio.create_task(scheduler.watch(stop))
    async with asyncio.timeout(10):
        await stage.seen.wait()
    stop.set()
    await watch
    assert (tmp_path / FILE).exists()


def test_no_annotation_is_no_schedule() -> None:
    assert NO_ANNOTATIONS.schedule is None
