"""goop.json and the environment: what is read, what is refused and in which words, what is only a warning."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from goop2.config import Address, Lua, Settings, SettingsError, load
from goop2.config.settings import declared

Write = Callable[[object], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """A peer folder with this goop.json."""

    def write(document: object) -> Path:
        text = document if isinstance(document, str) else json.dumps(document)
        (tmp_path / "goop.json").write_text(text)
        return tmp_path

    return write


def refusal(folder: Path, environment: dict[str, str] | None = None) -> str:
    """The sentence with which a folder is refused."""
    with pytest.raises(SettingsError) as refused:
        load(folder, environment or {})
    return str(refused.value)


# What a good folder gives


def test_an_empty_object_gives_every_default(write: Write) -> None:
    loaded = load(write({}), {})
    assert loaded.settings == Settings()
    assert loaded.warnings == ()


def test_the_defaults_are_those_of_the_manual_and_the_behaviour() -> None:
    lua = Lua(max_workers=1)
    assert lua == Lua(
        enabled=False,
        script_dir="site/lua",
        timeout_seconds=5.0,
        max_memory_mb=10,
        rate_limit_per_peer=30,
        rate_limit_global=120,
        http_enabled=False,
        http_allow=(),
        kv_enabled=False,
        max_workers=1,
    )
    assert Settings().viewer.http_addr == Address("127.0.0.1", 8780)


@pytest.mark.parametrize(("cores", "workers"), [(1, 4), (2, 8), (8, 32), (64, 32), (None, 4)])
def test_there_are_four_workers_a_core_and_at_most_32(cores: int | None, workers: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: cores)
    assert Lua().max_workers == workers


def test_what_the_file_says_is_what_the_settings_are(write: Write) -> None:
    settings = load(
        write(
            {
                "lua": {"enabled": True, "timeout_seconds": 0.5e1, "max_memory_mb": 64, "http_allow": ["Box.lan:8123", "[::1]:80"]},
                "profile": {"label": "Zoë's peer"},
                "listen": {"media_dirs": ["music", "/srv/audio"]},
                "presence": {"rendezvous_wan": "https://example.org:8787"},
            }
        ),
        {},
    ).settings
    assert settings.lua.enabled
    assert settings.lua.timeout_seconds == 5
    assert settings.lua.max_memory_mb == 64
    assert settings.lua.http_allow == (Address("box.lan", 8123), Address("::1", 80))
    assert settings.profile.label == "Zoë's peer"
    assert settings.listen.media_dirs == ("music", "/srv/audio")
    assert settings.presence.rendezvous_wan == "https://example.org:8787"


def test_null_and_a_text_nobody_filled_in_mean_the_default(write: Write) -> None:
    folder = write({"lua": {"http_allow": None, "script_dir": ""}, "viewer": {"http_addr": ""}, "p2p": None})
    assert load(folder, {}).settings == Settings()


def test_a_port_alone_means_loopback_never_every_interface(write: Write) -> None:
    assert load(write({"viewer": {"http_addr": ":7778"}}), {}).settings.viewer.http_addr == Address("127.0.0.1", 7778)


def test_a_byte_order_mark_does_no_harm(tmp_path: Path) -> None:
    (tmp_path / "goop.json").write_bytes(b'\xef\xbb\xbf{"profile": {"label": "N"}}')
    assert load(tmp_path, {}).settings.profile.label == "N"


def test_a_folder_made_by_goop2_starts_unchanged_and_without_a_warning(write: Write) -> None:
    document = {
        "identity": {"key_file": "data/identity.key"},
        "paths": {"site_root": "site", "site_source": "site/src", "site_stage": "site/stage"},
        "p2p": {"listen_port": 0, "mdns_tag": "goop-mdns", "bridge_mode": False, "nacl_public_key": "E5g="},
        "presence": {
            "topic": "goop.presence.v1",
            "ttl_seconds": 20,
            "rendezvous_host": False,
            "rendezvous_port": 8787,
            "rendezvous_bind": "127.0.0.1",
            "rendezvous_wan": "",
            "rendezvous_only": False,
        },
        "profile": {"label": "EggMan", "email": "a@example.org", "verification_token": "", "bridge_token": ""},
        "viewer": {"http_addr": "127.0.0.1:39925", "debug": False, "theme": "dark", "active_template": ""},
        "lua": {"enabled": True, "script_dir": "site/lua", "timeout_seconds": 5, "max_memory_mb": 10, "kv_enabled": True},
    }
    folder = write(document)
    before = (folder / "goop.json").read_bytes()
    assert load(folder, {}).warnings == ()
    assert (folder / "goop.json").read_bytes() == before


# What is not a peer folder, or not JSON


def test_a_missing_folder_is_named_with_the_remedy(tmp_path: Path) -> None:
    folder = tmp_path / "x"
    assert refusal(folder) == f'{folder} does not exist: it should be a peer folder; "goop2 init {folder}" makes one'


def test_a_folder_without_goop_json_is_not_a_peer_folder(tmp_path: Path) -> None:
    file = tmp_path / "goop.json"
    assert refusal(tmp_path) == f'{file} is missing: {tmp_path} is not a peer folder; "goop2 init {tmp_path}" makes one'


def test_a_file_in_the_place_of_the_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "x").touch()
    assert refusal(tmp_path / "x") == f"{tmp_path / 'x'} is not a folder: a peer is a folder with a goop.json in it"


def test_a_goop_json_that_may_not_be_read_is_named(write: Write) -> None:
    folder = write({})
    (folder / "goop.json").unlink()
    # A link to itself fails to open for root too, which a mode of 000 does not.
    (folder / "goop.json").symlink_to("goop.json")
    assert refusal(folder).startswith(f"{folder / 'goop.json'} cannot be read (Too many levels of symbolic links): ")


@pytest.mark.parametrize("make", [lambda file: file.mkdir(), lambda file: os.mkfifo(file), lambda file: file.symlink_to("/dev/zero")])
def test_a_goop_json_that_is_no_regular_file_is_refused_without_reading_it(make: Callable[[Path], None], tmp_path: Path) -> None:
    make(tmp_path / "goop.json")
    assert refusal(tmp_path) == f"{tmp_path / 'goop.json'} is not a regular file: a peer's settings are a JSON file"


def test_a_file_that_is_not_utf_8_says_where(tmp_path: Path) -> None:
    (tmp_path / "goop.json").write_bytes(b'{"a": "\xff"}')
    assert refusal(tmp_path) == f"{tmp_path / 'goop.json'} is not UTF-8 text (byte 7): save it as UTF-8"


def test_a_syntax_error_says_line_and_column(write: Write) -> None:
    folder = write('{\n  "lua": {,}\n}')
    assert refusal(folder).startswith(f"{folder / 'goop.json'} is not JSON: ")
    assert refusal(folder).endswith(" at line 2, column 11")


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ('{"lua": {"enabled": true}, "lua": {"kv_enabled": true}}', "lua"),
        ('{"lua": {"enabled": true, "enabled": false}}', "lua.enabled"),
        ('{"paths": {"a": [{"b": 1, "b": 2}]}}', "paths.a[1].b"),
        ('{"x\\u001b": 1, "x\\u001b": 2}', '"x\\u001b"'),
    ],
)
def test_a_key_that_is_there_twice_is_refused(text: str, place: str, write: Write) -> None:
    folder = write(text)
    assert refusal(folder) == f"{folder / 'goop.json'}: {place} is there twice, and only one of the two would count: make one of them"


@pytest.mark.parametrize("text", ["[" * 200_000, '{"a": ' + "9" * 5000 + "}"])
def test_json_beyond_what_python_reads_has_a_sentence_too(text: str, write: Write) -> None:
    assert "is not JSON that can be read here" in refusal(write(text))


def test_the_top_level_must_be_an_object(write: Write) -> None:
    folder = write([1])
    assert refusal(folder) == f"{folder / 'goop.json'}: the whole file is [1]; allowed is an object, {{…}}"


def test_a_section_must_be_an_object(write: Write) -> None:
    assert refusal(write({"lua": True})).endswith("goop.json: lua is true; allowed is an object, {…}")


# Bad values


@pytest.mark.parametrize(
    ("section", "key", "value", "sentence"),
    [
        ("lua", "timeout_seconds", 90, "lua.timeout_seconds is 90; allowed is a number from 1 to 60"),
        ("lua", "timeout_seconds", 0.9, "lua.timeout_seconds is 0.9; allowed is a number from 1 to 60"),
        ("lua", "timeout_seconds", True, "lua.timeout_seconds is true; allowed is a number from 1 to 60"),
        ("lua", "timeout_seconds", "5", 'lua.timeout_seconds is "5"; allowed is a number from 1 to 60'),
        ("lua", "timeout_seconds", float("nan"), "lua.timeout_seconds is NaN; allowed is a number from 1 to 60"),
        ("lua", "timeout_seconds", "", 'lua.timeout_seconds is ""; allowed is a number from 1 to 60'),
        ("lua", "max_memory_mb", 1025, "lua.max_memory_mb is 1025; allowed is a whole number from 1 to 1024"),
        ("lua", "max_memory_mb", 1.5, "lua.max_memory_mb is 1.5; allowed is a whole number from 1 to 1024"),
        ("lua", "max_memory_mb", float("inf"), "lua.max_memory_mb is Infinity; allowed is a whole number from 1 to 1024"),
        ("lua", "max_workers", 257, "lua.max_workers is 257; allowed is a whole number from 1 to 256"),
        ("lua", "max_workers", True, "lua.max_workers is true; allowed is a whole number from 1 to 256"),
        ("lua", "rate_limit_per_peer", 0, "lua.rate_limit_per_peer is 0; allowed is a whole number from 1"),
        ("lua", "rate_limit_global", 0, "lua.rate_limit_global is 0; allowed is a whole number from 1"),
        ("lua", "enabled", 1, "lua.enabled is 1; allowed is true or false"),
        ("lua", "enabled", "true", 'lua.enabled is "true"; allowed is true or false'),
        ("p2p", "listen_on", "localhost", 'p2p.listen_on is "localhost"; allowed is an IPv4 or IPv6 address'),
        ("p2p", "listen_on", "[::1]", 'p2p.listen_on is "[::1]"; allowed is an IPv4 or IPv6 address'),
        (
            "viewer",
            "proxies",
            ["box"],
            'viewer.proxies is ["box"]; allowed is a list of IPv4 and IPv6 addresses, or networks such as 10.0.0.0/8',
        ),
        (
            "viewer",
            "proxies",
            ["10.0.0.1/8"],
            'viewer.proxies is ["10.0.0.1/8"]; allowed is a list of IPv4 and IPv6 addresses, or networks such as 10.0.0.0/8',
        ),
        (
            "viewer",
            "proxies",
            ["0.0.0.0/0"],
            'viewer.proxies is ["0.0.0.0/0"]; allowed is a list of IPv4 and IPv6 addresses, or networks such as 10.0.0.0/8',
        ),
        ("p2p", "listen_on", 0, "p2p.listen_on is 0; allowed is an IPv4 or IPv6 address"),
        ("lua", "script_dir", 5, "lua.script_dir is 5; allowed is text on one line"),
        ("lua", "script_dir", "a\x00b", 'lua.script_dir is "a\\u0000b"; allowed is text on one line'),
        ("lua", "http_allow", "box:80", 'lua.http_allow is "box:80"; allowed is a list of host:port, each with a port from 1 to 65535'),
        ("lua", "http_allow", ["box"], 'lua.http_allow is ["box"]; allowed is a list of host:port, each with a port from 1 to 65535'),
        ("lua", "http_allow", [":80"], 'lua.http_allow is [":80"]; allowed is a list of host:port, each with a port from 1 to 65535'),
        ("viewer", "http_addr", "localhost", 'viewer.http_addr is "localhost"; allowed is host:port with a port from 0 to 65535'),
        ("viewer", "http_addr", "a:65536", 'viewer.http_addr is "a:65536"; allowed is host:port with a port from 0 to 65535'),
        ("viewer", "http_addr", "http://a:1", 'viewer.http_addr is "http://a:1"; allowed is host:port with a port from 0 to 65535'),
        ("profile", "label", "a\nb", 'profile.label is "a\\nb"; allowed is text on one line'),
        ("profile", "label", "\ud800", 'profile.label is "\\ud800"; allowed is text on one line'),
        ("p2p", "listen_port", -1, "p2p.listen_port is -1; allowed is a whole number from 0 to 65535"),
        ("presence", "rendezvous_wan", "goop2.com", 'presence.rendezvous_wan is "goop2.com"; allowed is an http:// or https:// URL'),
        ("presence", "rendezvous_wan", "http://[", 'presence.rendezvous_wan is "http://["; allowed is an http:// or https:// URL'),
        ("listen", "media_dirs", [3], "listen.media_dirs is [3]; allowed is a list of paths"),
    ],
)
def test_a_bad_value_is_one_sentence(section: str, key: str, value: object, sentence: str, write: Write) -> None:
    folder = write({section: {key: value}})
    assert refusal(folder) == f"{folder / 'goop.json'}: {sentence}"


@pytest.mark.parametrize("value", [1, 60])
def test_the_bounds_themselves_are_allowed(value: int, write: Write) -> None:
    assert load(write({"lua": {"timeout_seconds": value}}), {}).settings.lua.timeout_seconds == value


def test_a_long_value_is_cut_in_the_sentence(write: Write) -> None:
    sentence = refusal(write({"lua": {"enabled": "x" * 1_000_000}}))
    assert len(sentence) < 300
    assert sentence.endswith("xxx…; allowed is true or false")


# The script folder


def test_the_script_folder_is_given_as_its_real_path(write: Write, tmp_path: Path) -> None:
    folder = write({"lua": {"script_dir": "scripts"}})
    (folder / "elsewhere").mkdir()
    (folder / "scripts").symlink_to("elsewhere")
    assert load(folder, {}).settings.script_dir(folder) == tmp_path.resolve() / "elsewhere"


def test_a_script_folder_that_is_a_link_out_of_the_peer_folder_is_refused_naming_both(
    write: Write, tmp_path_factory: pytest.TempPathFactory
) -> None:
    outside = tmp_path_factory.mktemp("outside").resolve()
    folder = write({})
    (folder / "site").mkdir()
    (folder / "site/lua").symlink_to(outside)
    assert refusal(folder) == (
        f'{folder / "goop.json"}: lua.script_dir is "site/lua", which is really {outside}; '
        f"allowed is a folder inside the peer folder {folder.resolve()}"
    )


@pytest.mark.parametrize("script_dir", ["..", "../other", "/etc", ".", "site/../..", "/"])
def test_a_script_folder_elsewhere_is_refused(script_dir: str, write: Write) -> None:
    assert "allowed is a folder inside the peer folder" in refusal(write({"lua": {"script_dir": script_dir}}))


def test_a_folder_whose_name_begins_like_the_peer_folder_is_not_inside_it(write: Write, tmp_path: Path) -> None:
    assert "allowed is a folder inside" in refusal(write({"lua": {"script_dir": f"../{tmp_path.name}-twin"}}))


def test_a_peer_folder_reached_through_a_link_is_fine(write: Write, tmp_path_factory: pytest.TempPathFactory) -> None:
    link = tmp_path_factory.mktemp("links") / "peer"
    link.symlink_to(write({}))
    assert load(link, {}).settings == Settings()


def test_a_script_folder_that_links_to_itself_stops_nothing_here(write: Write) -> None:
    folder = write({"lua": {"script_dir": "loop"}})
    (folder / "loop").symlink_to("loop")
    assert load(folder, {}).settings.script_dir(folder).name == "loop"


# Unknown keys


@pytest.mark.parametrize(
    ("document", "warning"),
    [
        ({"lua": {"timeout_second": 9}}, "lua.timeout_second is not a setting and is ignored; did you mean lua.timeout_seconds?"),
        ({"lua": {"zzz": 9}}, "lua.zzz is not a setting and is ignored"),
        ({"listen": {"media_dir": []}}, "listen.media_dir is not a setting and is ignored; did you mean listen.media_dirs?"),
        ({"viewer": {"http_adr": "a:1"}}, "viewer.http_adr is not a setting and is ignored; did you mean viewer.http_addr?"),
        ({"Lua": {}}, "Lua is not a setting and is ignored; did you mean lua?"),
        ({"x\x1b[2J": {}}, '"x\\u001b[2J" is not a setting and is ignored'),
    ],
)
def test_an_unknown_key_is_a_warning(document: object, warning: str, write: Write) -> None:
    folder = write(document)
    loaded = load(folder, {})
    assert loaded.warnings == (f"{folder / 'goop.json'}: {warning}",)
    assert loaded.settings == Settings()


# The environment


def test_every_setting_can_be_replaced_by_a_variable(write: Write) -> None:
    said = {
        "false": "yes",
        "true": "no",
        "[]": "box:1",
        '""': "http://a",
        "127.0.0.1:8780": "a:1",
        "site/lua": "s",
        "goop-mdns": "t",
        "worker": "call",
        "normal": "full",
        "7": "8",
        "data/identity.key": "k",
        "data/cluster.nk": "k",
        "auto": "all",
        "site": "public",
    }
    # What starts a rendezvous of Goop2 alone is refused (tests/config/test_goop2_folders.py).
    replaced = [setting for setting in declared() if setting.path != "presence.rendezvous_only"]
    environment = {setting.variable: said.get(setting.shown_default, "7") for setting in replaced}
    environment |= {"GOOP2_STORAGE_LINKS_OUT": "site", "GOOP2_P2P_LISTEN_ON": "::", "GOOP2_VIEWER_PROXIES": "10.0.0.0/8,::1"}
    environment |= {"GOOP2_CLUSTER_NATS": "tls://hub:4222", "GOOP2_BACKUP_TO": "file:///backup"}
    settings = load(write({}), environment).settings
    for setting in replaced:
        assert getattr(getattr(settings, setting.section), setting.key) != getattr(getattr(Settings(), setting.section), setting.key)


def test_the_environment_wins_over_the_file(write: Write) -> None:
    folder = write({"lua": {"timeout_seconds": 10}})
    assert load(folder, {"GOOP2_LUA_TIMEOUT_SECONDS": "20.5"}).settings.lua.timeout_seconds == 20.5


@pytest.mark.parametrize("text", ["a, b/c", '["a", "b/c"]'])
def test_a_list_is_json_or_parts_between_commas(text: str, write: Write) -> None:
    assert load(write({}), {"GOOP2_LISTEN_MEDIA_DIRS": text}).settings.listen.media_dirs == ("a", "b/c")


@pytest.mark.parametrize(("text", "value"), [("true", True), ("1", True), ("ON", True), ("no", False), ("0", False)])
def test_a_boolean_has_the_usual_words(text: str, value: bool, write: Write) -> None:
    folder = write({"lua": {"enabled": not value}})
    assert load(folder, {"GOOP2_LUA_ENABLED": text}).settings.lua.enabled is value


def test_an_empty_variable_says_nothing(write: Write) -> None:
    assert load(write({}), {"GOOP2_LUA_TIMEOUT_SECONDS": ""}).settings == Settings()


def test_text_that_looks_like_a_number_stays_text(write: Write) -> None:
    assert load(write({}), {"GOOP2_PROFILE_LABEL": "007"}).settings.profile.label == "007"


@pytest.mark.parametrize(
    ("variable", "text", "sentence"),
    [
        ("GOOP2_LUA_TIMEOUT_SECONDS", "soon", 'GOOP2_LUA_TIMEOUT_SECONDS is "soon"; allowed is a number from 1 to 60'),
        ("GOOP2_LUA_TIMEOUT_SECONDS", "90", "GOOP2_LUA_TIMEOUT_SECONDS is 90; allowed is a number from 1 to 60"),
        ("GOOP2_LUA_ENABLED", "maybe", 'GOOP2_LUA_ENABLED is "maybe"; allowed is true or false'),
        ("GOOP2_LISTEN_MEDIA_DIRS", "[1", 'GOOP2_LISTEN_MEDIA_DIRS is "[1"; allowed is a list of paths'),
    ],
)
def test_a_bad_variable_is_named(variable: str, text: str, sentence: str, write: Write) -> None:
    assert refusal(write({}), {variable: text}) == sentence


def test_a_script_folder_from_a_variable_that_leads_out_names_the_variable(write: Write) -> None:
    assert refusal(write({}), {"GOOP2_LUA_SCRIPT_DIR": "/etc"}).startswith('GOOP2_LUA_SCRIPT_DIR is "/etc", which is really /etc; ')


def test_a_variable_that_sets_nothing_is_a_warning(write: Write) -> None:
    warnings = load(write({}), {"GOOP2_LUA_TIMEOUT": "9", "GOOP2_OTHER": "1", "HOME": "/"}).warnings
    assert warnings == ("environment variable GOOP2_LUA_TIMEOUT is not a setting and is ignored; did you mean GOOP2_LUA_TIMEOUT_SECONDS?",)


# Links in the folder


@pytest.mark.parametrize(("name", "what"), [("site", "folder"), ("data.db", "file")])
def test_a_link_that_leads_out_is_refused_naming_the_setting_unless_it_allows_it(
    name: str, what: str, write: Write, tmp_path_factory: pytest.TempPathFactory
) -> None:
    outside = tmp_path_factory.mktemp("outside") / "place"
    folder = write({})
    (folder / name).symlink_to(outside)
    assert refusal(folder) == (
        f"{folder / name} is a link to {outside}, outside the peer folder: put the {what} itself there, "
        f'or allow it in goop.json, "storage": {{"links_out": ["{name}"]}}'
    )
    (outside / "lua").mkdir(parents=True)
    assert load(folder, {"GOOP2_STORAGE_LINKS_OUT": name}).settings.storage.links_out == (name,)
    write({"storage": {"links_out": [name]}})
    load(folder, {})
    (folder / name).unlink()
    (folder / name).symlink_to("elsewhere inside")
    write({})
    load(folder, {})


def test_data_may_be_no_link_out_whatever_is_allowed(write: Write, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = write({"storage": {"links_out": ["site", "data.db", "goop.json"]}})
    outside = tmp_path_factory.mktemp("outside")
    (folder / "data").symlink_to(outside)
    assert refusal(folder) == f"{folder / 'data'} is a link to {outside}, outside the peer folder: put the folder itself there"


def test_goop_json_itself_may_be_a_link_anywhere(write: Write, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = write({})
    real = tmp_path_factory.mktemp("elsewhere") / "settings.json"
    (folder / "goop.json").rename(real)
    (folder / "goop.json").symlink_to(real)
    real.write_text('{"lua": {"enabled": true}}')
    assert load(folder, {}).settings.lua.enabled


def test_a_goop_json_without_end_is_refused(write: Write) -> None:
    folder = write({})
    (folder / "goop.json").write_bytes(b" " * (1024 * 1024 + 1))
    assert refusal(folder) == f"{folder / 'goop.json'} cannot be read: it is larger than 1048576 bytes; a peer's settings are a JSON file"
