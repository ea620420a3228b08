"""The settings: every fault at once and in words, the environment, the commented file, the command that writes."""

from __future__ import annotations

import json
import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import pytest
from pydantic import ValidationError

from bridge_daemon.domain import parameters
from bridge_daemon.errors import SettingsInvalid
from bridge_daemon.home.paths import Home
from bridge_daemon.settings import sections
from bridge_daemon.settings.file import SHOWN, add_binding, allow_path, create_default, default_text
from bridge_daemon.settings.load import Settings, _overlay, describe, masked, parse
from bridge_daemon.settings.sections import Preset, is_loopback, micro


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "Zoës home")
    home.prepare()
    return home


def faults(text: str, environ: Mapping[str, str] | None = None) -> list[str]:
    settings, found = parse(text, environ or {})
    assert (settings is None) == bool(found)
    return [str(fault) for fault in found]


def good(text: str, environ: Mapping[str, str] | None = None) -> Settings:
    settings, found = parse(text, environ or {})
    assert settings is not None, found
    return settings


class TestDefaults:
    def test_as_the_contract_has_them(self) -> None:
        data = Settings().model_dump()
        assert data["engine"] == {
            "name": "auto",
            "base_url": "https://api.empiriolabs.ai",
            "model": "stable-audio-2-0",
            "requests_per_minute": 50,
            "max_open_jobs": 8,
        }
        assert data["spend"] == {"per_day_usd": 10.0, "per_month_usd": 50.0, "confirm_above_usd": 2.0, "clients": ()}
        assert data["defaults"] == {"duration": 30.0, "strength": 0.5, "valid_for": 600.0}
        assert data["osc"] == {"enabled": True, "host": "127.0.0.1", "port": 9130}
        assert data["http"] == {"host": "127.0.0.1", "port": 9131}
        assert data["audio"] == {"library": None, "read_roots": ("~",), "measure": True, "keep_sources_days": 30}
        publish = {key: value for key, value in data["publish"].items() if value is not None}
        assert publish == {"method": "auto", "ttl_s": 86400, "source_port": 9132, "s3_prefix": "daw-bridge/"}
        assert data["midi"] == {
            "enabled": True,
            "arm_at_start": False,
            "arm_minutes": 60.0,
            "arm_budget_usd": 5.0,
            "clock_port": "",
            "bindings": (),
        }
        assert (data["folders"], data["presets"]) == ((), {})

    def test_defaults_keep_their_own_rules(self) -> None:
        assert good(tomlish(Settings().model_dump(mode="json"))) == Settings()

    def test_without_a_file(self, home: Home) -> None:
        assert Settings.load(home, {}) == Settings()

    def test_frozen(self) -> None:
        with pytest.raises(ValidationError, match="frozen"):
            Settings().spend.per_day_usd = 1000.0  # type: ignore[misc]

    def test_a_preset_holds_the_parameters_of_a_request(self) -> None:
        assert set(Preset.model_fields) == {"action", "source", "of", *parameters.names(set_by="preset")}


def tomlish(data: dict[str, Any]) -> str:
    lines = []
    for section, values in data.items():
        if isinstance(values, dict):
            lines.append(f"[{section}]")
            lines += [f"{key} = {json.dumps(value)}" for key, value in values.items() if value is not None]
    return "\n".join(lines)


class TestMoney:
    @pytest.mark.parametrize(
        ("usd", "whole"),
        [(0, 0), (0.58, 580_000), (10.0, 10_000_000), (0.1 + 0.2, 300_000), (1.0000019, 1_000_001), (1e6, 10**12)],
    )
    def test_micro_dollars_are_exact(self, usd: float, whole: int) -> None:
        assert micro(usd) == whole

    def test_helpers(self) -> None:
        settings = good("spend = {per_day_usd = 0.29, per_month_usd = 1.1, confirm_above_usd = 0}")
        assert settings.spend.per_day_micro == 290_000
        assert settings.spend.per_month_micro == 1_100_000
        assert settings.spend.confirm_above_micro == 0
        assert Settings().midi.arm_budget_micro == 5_000_000


class TestFile:
    def test_a_whole_one(self, home: Home) -> None:
        home.config.write_bytes(
            b"\xef\xbb\xbf"  # as the editor of Windows saves it
            + """
            spend.per_day_usd = 5    # a whole number is a number
            [engine]
            name = "empiriolabs"
            base_url = "http://127.0.0.1:8123/"
            [audio]
            library = "~/Takes für Zoë"
            [[midi.bindings]]
            name = "kick"
            port = "*nanoPAD*"
            preset = "drums"
            source = "folder:renders"
            light = {idle = 1, working = 64}
            [[folders]]
            name = "renders"
            path = "~/renders"
            preset = "drums"
            [presets.drums]
            action = "transform"
            prompt = "tight"
            steps = 6
            seed = 4294967294
            """.replace("\n", "\r\n").encode()
        )
        settings = Settings.load(home, {})
        assert settings.spend.per_day_usd == 5.0
        assert settings.engine.base_url == "http://127.0.0.1:8123"
        assert home.library(settings.audio.library) == Path.home() / "Takes für Zoë"
        assert settings.midi.bindings[0].light is not None
        assert settings.midi.bindings[0].light.working == 64
        assert settings.folders[0].max_batch == 3
        assert settings.presets["drums"].steps == 6

    def test_every_fault_at_once(self, home: Home) -> None:
        home.config.write_text(
            '[spend]\nper_day_us = 1\nper_month_usd = -1\n\n[htttp]\nport = 1\n[engine]\nname = "cloud"\nport = 1\n',
            encoding="utf-8",
        )
        with pytest.raises(SettingsInvalid) as caught:
            Settings.load(home, {"DAW_BRIDGE_OSC__PORT": "70000", "DAW_BRIDGE_OSC__PORTS": "1"})
        first, *lines = caught.value.message.splitlines()
        assert str(home.config) in first
        assert "7 faults" in first
        assert sorted(lines) == [
            "  DAW_BRIDGE_OSC__PORT: osc.port = 70000: must be a whole number, 0 to 65535",
            "  DAW_BRIDGE_OSC__PORTS: is not a setting; did you mean DAW_BRIDGE_OSC__PORT?",
            "  config.toml:2: spend.per_day_us = 1: is not a setting; did you mean per_day_usd?",
            "  config.toml:3: spend.per_month_usd = -1: must be a number, 0 to 1000000",
            '  config.toml:5: htttp = {"port": 1}: is not a section; did you mean http?',
            '  config.toml:8: engine.name = "cloud": must be "auto", "empiriolabs" or "sketch"',
            "  config.toml:9: engine.port = 1: is not a setting; it belongs in [osc] or [http] or [metrics]",
        ]
        assert caught.value.next_step

    @pytest.mark.parametrize(
        ("text", "told"),
        [
            ("[http]\nport = 1\nport = 2\n", "cannot overwrite a value (at line 3, column 9)"),
            ("[http\n", "(at line 1, column 6)"),
            ('[audio]\nlibrary = "C:\\Users\\Zoe"', "between 'single quotes'"),
            ('[audio]\nlibrary = "D:\\Music"', "between 'single quotes'"),
            ("x = " + "[" * 5000, "nested too deeply"),
        ],
    )
    def test_broken_toml(self, text: str, told: str) -> None:
        (fault,) = faults(text)
        assert fault.startswith("config.toml: is not TOML")
        assert told in fault

    def test_other_encodings_are_told(self, home: Home) -> None:
        home.config.write_bytes("# für Zoë".encode("latin-1"))
        with pytest.raises(SettingsInvalid, match="is not UTF-8"):
            Settings.load(home, {})
        home.config.write_bytes("[http]".encode("utf-16"))
        with pytest.raises(SettingsInvalid, match="is not UTF-8"):
            Settings.load(home, {})

    def test_a_folder_in_its_place_is_told(self, home: Home) -> None:
        home.config.mkdir()
        with pytest.raises(SettingsInvalid, match="cannot be read"):
            Settings.load(home, {})


LOOPBACK = "must be 127.0.0.1, ::1 or localhost. The bridge spends money"
MODELS = 'must be "stable-audio-2-0", "stable-audio-2-5" or another name that the service has'
BINDING = '[presets.p]\n[[midi.bindings]]\nname = "a"\nport = "x"\n'

_STUDIO = '[journal]\nurl = "postgresql://left@h/studio"\n'
FAULTS = [
    # unknown names
    ("[spent]\nx = 1", "spent = ", "is not a section; did you mean spend?"),
    ("port = 9131", "port = 9131", "is not a setting; it belongs in [osc] or [http]"),
    ("per_day_usd = 1", "per_day_usd = 1", "is not a setting; it belongs in [spend]"),
    ("[http]\nhots = 1", "http.hots = 1", "is not a setting; did you mean host?"),
    ("[http]\nzzz = 1", "http.zzz = 1", "is not a setting"),
    ("[osc]\nper_day_usd = 1", "osc.per_day_usd = 1", "it belongs in [spend]"),
    ("[[folders]]\nname='a'\npath='~'\npresets='b'", "folders[1].presets", "did you mean preset?"),
    ("[presets.a]\nconfirm_usd = 2", "presets.a.confirm_usd = 2", "is not a setting"),
    # secrets do not belong here, and are not repeated
    ('[engine]\napi_key = "sk-x"', "engine.api_key = [hidden]", "no secret is kept in config.toml"),
    ('[engine]\nauth = {api_key = "abc"}', 'engine.auth = {"api_key": "[hidden]"}', "is not a setting"),
    ('[publish]\ns3_secret_key = "abc"', "publish.s3_secret_key = [hidden]", "no secret is kept"),
    ('[engine]\nname = "sk-empiriolabs-123456"', 'engine.name = "sk-[hidden]"', "must be"),
    # types
    ("http = 3", "http = 3", "must be a table"),
    ('[http]\nport = "9131"', 'http.port = "9131"', "must be a whole number, 0 to 65535"),
    ("[http]\nport = 1.5", "http.port = 1.5", "must be a whole number"),
    ("[http]\nport = true", "http.port = true", "must be a whole number"),
    ('[osc]\nenabled = "yes"', 'osc.enabled = "yes"', "must be true or false"),
    ('[audio]\nread_roots = "~"', 'audio.read_roots = "~"', "must be a list of a whole path"),
    ("[audio]\nread_roots = ['~', 3]", "audio.read_roots[2] = 3", "must be a whole path"),
    ("[engine]\nmodel = 2", "engine.model = 2", MODELS),
    ("folders = 3", "folders = 3", "must be a list of tables"),
    ("[publish]\ntunnel_command = ''", 'publish.tunnel_command = ""', "must be text of 1 to 2000 characters"),
    # ports
    ("[http]\nport = -1", "http.port = -1", "0 to 65535"),
    ("[osc]\nport = 65536", "osc.port = 65536", "0 to 65535"),
    ("[publish]\nsource_port = 9131", "publish.source_port = 9131", "must differ from http.port"),
    ("[http]\nport = 9132", "publish.source_port = 9132", "must differ from http.port"),
    # money
    ("[spend]\nper_day_usd = -0.01", "spend.per_day_usd = -0.01", "must be a number, 0 to 1000000"),
    ("[spend]\nper_day_usd = inf", "spend.per_day_usd = Infinity", "must be a number"),
    ("[spend]\nper_month_usd = nan", "spend.per_month_usd = NaN", "must be a number"),
    ("[spend]\nconfirm_above_usd = 1e9", "spend.confirm_above_usd = 1000000000.0", "must be a number"),
    ("[midi]\narm_budget_usd = -1", "midi.arm_budget_usd = -1", "must be a number"),
    # the engine
    ("[engine]\nname = 'cloud'", "engine.name", 'must be "auto", "empiriolabs" or "sketch"'),
    ("[engine]\nmodel = 'stable audio 3'", "engine.model", MODELS),
    ("[engine]\nrequests_per_minute = 11", "engine.requests_per_minute = 11", "12 to 10000"),
    ("[engine]\nmax_open_jobs = 0", "engine.max_open_jobs = 0", "1 to 64"),
    ("[engine]\nmax_open_jobs = 65", "engine.max_open_jobs = 65", "1 to 64"),
    ("[engine]\nbase_url = 'http://api.empiriolabs.ai'", "engine.base_url", "must start with https://"),
    ("[engine]\nbase_url = 'http://127.0.0.1.evil.test'", "engine.base_url", "must start with https://"),
    ("[engine]\nbase_url = 'ftp://127.0.0.1'", "engine.base_url", "must be a web address"),
    ("[engine]\nbase_url = 'api.empiriolabs.ai'", "engine.base_url", "must be a web address"),
    ("[engine]\nbase_url = 'https://h:99999'", "engine.base_url", "must be a web address"),
    ("[engine]\nbase_url = 'https://[::1'", "engine.base_url", "must be a web address"),
    ("[engine]\nbase_url = 'https://'", "engine.base_url", "must be a web address"),
    ('[engine]\nbase_url = "https://a b"', "engine.base_url", "must be a web address"),
    ("[engine]\nbase_url = 'https://h/?a=b'", "engine.base_url", "without ? and #"),
    (
        "[journal]\nurl = 'postgresql://left:pw@h/studio'",
        'journal.url = "postgresql://[hidden]@h/studio"',
        "key studio",
    ),
    ("[journal]\nurl = 'postgresql://left@h/studio?password=pw'", "journal.url", "PGPASSFILE"),
    ("[journal]\nurl = 'mysql://left@h/studio'", "journal.url", "must be like postgresql://room@host/database"),
    ("[journal]\nurl = 'postgresql://left@h'", "journal.url", "must be like postgresql://room@host/database"),
    ("[store]\nurl = '~/studio'", "store.url", "is for the rooms of a studio"),
    (_STUDIO + "[store]\nurl = 's3://key:secret@bucket/x'", "store.url", "must be like s3://bucket/prefix"),
    (_STUDIO + "[store]\nurl = 's3://'", "store.url", "must be like s3://bucket/prefix"),
    (_STUDIO + "[store]\nurl = 'studio'", "store.url", "must be a whole path"),
    ("[journal]\nroom = 'Links oben'", "journal.room", "must be 1 to 40 of a-z, 0-9 and -"),
    ("[engine]\nbase_url = 'https://me:pw@h'", 'engine.base_url = "https://[hidden]@h"', "name or password"),
    # this machine only
    ("[http]\nhost = '0.0.0.0'", "http.host", LOOPBACK),
    ("[osc]\nhost = '192.168.1.5'", "osc.host", LOOPBACK),
    ("[http]\nhost = '::'", "http.host", LOOPBACK),
    ("[http]\nhost = 'studio.local'", "http.host", LOOPBACK),
    ("[http]\nhost = ''", "http.host", LOOPBACK),
    # defaults and publishing
    ("[defaults]\nduration = 0.5", "defaults.duration = 0.5", "a number, 1 to 190"),
    ("[defaults]\nstrength = 1.1", "defaults.strength = 1.1", "a number, 0 to 1"),
    ("[defaults]\nvalid_for = 0", "defaults.valid_for = 0", "more than 0 and at most 604800"),
    ("[publish]\nmethod = 'ftp'", "publish.method", '"auto", "s3", "public_url" or "upload"'),
    ("[publish]\nttl_s = 1", "publish.ttl_s = 1", "60 to 604800"),
    ("[publish]\npublic_base_url = 'x'", "publish.public_base_url", "must be a web address"),
    # folders and files
    ("[audio]\nlibrary = 'takes'", "audio.library", "must be a whole path, or start with ~/"),
    ("[audio]\nlibrary = ''", "audio.library", "must be a whole path"),
    ("[audio]\nread_roots = ['samples']", "audio.read_roots[1]", "must be a whole path"),
    ("[audio]\nkeep_sources_days = 0", "audio.keep_sources_days = 0", "1 to 36500"),
    ("[[folders]]\npath = '~'", "folders[1].name", "is required"),
    ("[[folders]]\nname='a'\npath='~'\npreset='x'", "folders[1].preset", "there is no [presets.x]"),
    ("[[folders]]\nname='a'\npath='~'\nmax_batch=0", "folders[1].max_batch", "1 to 100"),
    ("[[folders]]\nname='a'\npath='~'\nresults='x'", "folders[1].results", "must be a whole path"),
    (
        "[[folders]]\nname='a'\npath='~/a'\n[[folders]]\nname='a'\npath='~/b'",
        'config.toml:5: folders[2].name = "a"',
        "is used by number 1 already",
    ),
    # bindings
    (BINDING, "midi.bindings[1].preset", 'is required for action = "preset"'),
    (BINDING + "preset='q'", 'config.toml:5: midi.bindings[1].preset = "q"', "there is no [presets.q]"),
    (BINDING + "preset='P'", "midi.bindings[1].preset", "did you mean p?"),
    (BINDING + "preset='p'\nchannel=0", "midi.bindings[1].channel = 0", "a whole number, 1 to 16"),
    (BINDING + "preset='p'\nnumber=128", "midi.bindings[1].number = 128", "0 to 127"),
    (BINDING + "preset='p'\nlow=9\nhigh=8", "midi.bindings[1].low = 9", "must not be more than high (8)"),
    (BINDING + "preset='p'\nbits=8", "midi.bindings[1].bits = 8", "must be 7 or 14"),
    (BINDING + "preset='p'\nclient='Zoë'", "midi.bindings[1].client", "1 to 40 of a-z, 0-9 and -"),
    (BINDING + "preset='p'\nsource='mic'", "midi.bindings[1].source", 'must be "newest_take", "selection" or'),
    (BINDING + "preset='p'\nsource='folder:x'", "midi.bindings[1].source", 'there is no [[folders]] with name = "x"'),
    (BINDING + "preset='p'\nvelocity_to='strenght'", "midi.bindings[1].velocity_to", "did you mean strength?"),
    (BINDING + "preset='p'\nlight={idle=200}", "midi.bindings[1].light.idle = 200", "0 to 127"),
    (
        BINDING + "preset='p'\nbits=14\nnumber=32\nmessage='control_change'",
        "midi.bindings[1].bits = 14",
        "with a number of 0 to 31",
    ),
    (BINDING + "preset='p'\nmode='relative'", "midi.bindings[1].mode", 'and action = "set"'),
    (
        BINDING + "preset='p'\nmessage='program_change'\nconfirm='hold'",
        "midi.bindings[1].confirm",
        "is never let go of; use twice",
    ),
    (
        BINDING + "preset='p'\nmessage='program_change'\nvelocity_to='strength'",
        "midi.bindings[1].velocity_to",
        "has no velocity",
    ),
    (BINDING + "preset='p'\nmessage='program_change'\nlight={idle=1}", "midi.bindings[1].light", "is for notes"),
    (BINDING + "preset='p'\njob='x'", "midi.bindings[1].job", 'is for action = "deliver"'),
    (
        "[presets.t]\naction='transform'\n" + BINDING + "preset='t'",
        "midi.bindings[1].source",
        "is required: [presets.t] is a transform",
    ),
    (
        "[presets.g]\naction='generate'\n" + BINDING + "preset='g'\nsource='newest_take'",
        "midi.bindings[1].source",
        "is for transforms; [presets.g] generates",
    ),
    (BINDING + "action='set'", "midi.bindings[1].parameter", 'is required for action = "set"'),
    (BINDING + "action='set'\nparameter='prompt'", "midi.bindings[1].parameter", "must be one of duration"),
    (
        BINDING + "preset='p'\n[[midi.bindings]]\nname='a'\nport='x'\npreset='p'",
        "midi.bindings[2].name",
        "is used by number 1 already",
    ),
    ("[clock]\nmeter = '4'", 'clock.meter = "4"', "must be a time signature, such as 4/4 or 6/8"),
    ("[clock]\nmeter = '0/4'", "clock.meter", "must be a time signature"),
    ("[clock]\ntime_code_start = 86400", "clock.time_code_start", "a number"),
    ("[clock]\nlink = 'yes'", "clock.link", "must be true or false"),
    # presets
    ("[presets.a]\naction = 'make'", "presets.a.action", 'must be "generate" or "transform"'),
    ("[presets.a]\nduration = 191", "presets.a.duration = 191", "must be 1 to 190 for stable-audio-2-0"),
    ("[presets.a]\nmodel = '../x'", "presets.a.model", MODELS),
    ("[presets.a]\nmodel='stable-audio-2-5'\nsteps=50", "presets.a.steps = 50", "4 to 8 for stable-audio-2-5"),
    ("[presets.a]\naction='generate'\nsteps=6", "presets.a.steps = 6", "30 to 100"),
    ("[presets.a]\nsteps=5", "presets.a.steps = 5", "6 to 100"),
    ("[presets.a]\nseed = 4294967295", "presets.a.seed", "1 to 4294967294"),
    ("[presets.a]\nvariations = 9", "presets.a.variations = 9", "1 to 8"),
    ("[presets.a]\nprompt = 3", "presets.a.prompt = 3", "must be text"),
    ('[presets."a\\nb"]', "presets.", "printable characters"),
    ("[presets]\na = 1", "presets.a = 1", "must be a table"),
]


@pytest.mark.parametrize(("text", "name", "words"), FAULTS)
def test_fault(text: str, name: str, words: str) -> None:
    told = faults(text)
    assert len(told) == 1, told
    assert told[0].startswith("config.toml")
    assert name in told[0]
    assert words in told[0]


@pytest.mark.parametrize(
    "path", ["//server/renders", r"\\\\server\\renders", "C:/CON", "C:/renders:hidden", r"\\\\.\\COM1"]
)
def test_a_watched_folder_of_windows_has_a_letter(monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    """Of one without it, no render could be read: paths without a letter are refused with every request."""
    monkeypatch.setattr(sections, "_WINDOWS", True)
    test_fault(f"[[folders]]\nname='a'\npath=\"{path}\"", "folders[1].path", "must begin with the letter of a drive")


GOOD = [
    "[http]\nhost = 'LOCALHOST'\n[osc]\nhost = '127.1.2.3'",
    "[http]\nhost = '::1'\nport = 0\n[publish]\nsource_port = 0",
    "[spend]\nper_day_usd = 0\nper_month_usd = 0",
    "[engine]\nbase_url = 'http://[::1]:80/v'",
    "[publish]\nmethod = 's3'\ns3_bucket = 'b'\ns3_endpoint = 'http://nas.local:9000'",
    "[presets.'Drums, à la Zoë']",
    "[audio]\nread_roots = []",
    BINDING + "action = 'panic'",
    "[clock]\nlink = true\nmeter = '6/8'\ntime_code_start = 3600",
]


@pytest.mark.parametrize("text", GOOD)
def test_good(text: str) -> None:
    good(text)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.255.0.9", "::1", "localhost", "LocalHost"])
def test_loopback(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host", ["", "0.0.0.0", "::", "localhost.", "a.localhost", "127.0.0.1.evil", "127.1", "2130706433"]
)
def test_not_loopback(host: str) -> None:
    assert not is_loopback(host)


class TestEnvironment:
    def test_beats_the_file(self, home: Home, tmp_path: Path) -> None:
        home.config.write_text("[spend]\nper_day_usd = 1\nper_month_usd = 2\n", encoding="utf-8")
        settings = Settings.load(
            home,
            {
                "DAW_BRIDGE_SPEND__PER_DAY_USD": "0.5",
                "DAW_BRIDGE_ENGINE__BASE_URL": "http://localhost:1/",
                "DAW_BRIDGE_OSC__ENABLED": "no",
                "DAW_BRIDGE_HTTP__PORT": "0",
                "DAW_BRIDGE_AUDIO__READ_ROOTS": json.dumps(["~", str(tmp_path / "ä b")]),
                "DAW_BRIDGE_AUDIO__LIBRARY": str(tmp_path / "lib"),
                "DAW_BRIDGE_PUBLISH__S3_REGION": "",
                "daw_bridge_midi__clock_port": "",
                "PATH": "x",
            },
        )
        assert settings.spend.per_day_usd == 0.5
        assert settings.spend.per_month_usd == 2
        assert settings.engine.base_url == "http://localhost:1"
        assert settings.osc.enabled is False
        assert settings.http.port == 0
        assert settings.audio.read_roots == ("~", str(tmp_path / "ä b"))
        assert settings.audio.library == str(tmp_path / "lib")
        assert settings.publish.s3_region is None

    @pytest.mark.parametrize("text", ["true", "True", "1", "on", "YES"])
    def test_switches(self, text: str) -> None:
        assert good("", {"DAW_BRIDGE_MIDI__ARM_AT_START": text}).midi.arm_at_start is True

    def test_bindings_as_json(self) -> None:
        binding = {"name": "a", "port": "x", "action": "panic"}
        settings = good("", {"DAW_BRIDGE_MIDI__BINDINGS": json.dumps([binding])})
        assert settings.midi.bindings[0].name == "a"

    @pytest.mark.parametrize(
        ("variable", "value", "told"),
        [
            ("DAW_BRIDGE_HTTP__PORT", "many", 'http.port = "many": must be a whole number, 0 to 65535'),
            ("DAW_BRIDGE_HTTP__PORT", "", 'http.port = "": must be a whole number, 0 to 65535'),
            ("DAW_BRIDGE_SPEND__PER_DAY_USD", "nan", "must be a number"),
            ("DAW_BRIDGE_SPEND__PER_DAY_USD", "$5", "must be a number"),
            ("DAW_BRIDGE_OSC__ENABLED", "perhaps", "must be true or false"),
            ("DAW_BRIDGE_AUDIO__READ_ROOTS", "~", "must be a list of"),
            ("DAW_BRIDGE_AUDIO__READ_ROOTS", '{"a": 1}', "must be a list of"),
            ("DAW_BRIDGE_AUDIO__READ_ROOTS", '["~", "x"]', '[2] = "x": must be a whole path'),
            ("DAW_BRIDGE_AUDIO__READ_ROOTS", "[" * 100_000, "must be a list of"),
            ("DAW_BRIDGE_HTTP__PROT", "1", "is not a setting; did you mean DAW_BRIDGE_HTTP__PORT?"),
            ("DAW_BRIDGE_HTPT__PORT", "1", "did you mean DAW_BRIDGE_HTTP__PORT?"),
            ("DAW_BRIDGE_NONSENSE__XYZZY", "1", "is not a setting"),
            ("DAW_BRIDGE_PRESETS__RISER", "{}", "is not a setting"),
            ("DAW_BRIDGE_SPEND_PER_DAY_USD", "1", "did you mean DAW_BRIDGE_SPEND__PER_DAY_USD?"),
        ],
    )
    def test_faults(self, variable: str, value: str, told: str) -> None:
        (fault,) = faults("", {variable: value})
        assert fault.startswith(variable)
        assert told in fault

    def test_what_is_no_setting(self) -> None:
        good("", {"DAW_BRIDGE_HOME": "x", "DAW_BRIDGE_FAILPOINT": "a:1", "DAW_BRIDGE_FAILPOINT_LOG": "x"})
        good("", {"DAW_BRIDGE_SOMETHING": "of a script"})

    def test_a_broken_section_in_the_file_is_told_once(self) -> None:
        assert len(faults("http = 3", {"DAW_BRIDGE_HTTP__PORT": "1"})) == 1


SETTING = re.compile(r"^#([a-z0-9_]+ = .*|\[.*)$")


class TestDefaultText:
    def test_it_is_the_defaults(self) -> None:
        assert good(default_text()) == Settings()

    def test_each_line_taken_in_is_right(self) -> None:
        lines = [SETTING.sub(r"\1", line) for line in default_text().splitlines()]
        settings = good("\n".join(lines))
        assert sorted(settings.presets) == ["new-drums", "riser"]
        bare = settings.model_dump(exclude={"presets"})
        assert settings.audio.library == "~/Music/daw-bridge"
        bare["audio"]["library"] = None
        assert bare == Settings().model_dump(exclude={"presets"})

    def test_it_shows_what_there_is_and_nothing_else(self) -> None:
        lines = [SETTING.sub(r"\1", line) for line in default_text().splitlines()]
        data = tomllib.loads("\n".join(lines))
        del data["presets"]
        known = {(one.section, one.key) for one in describe()}
        shown = {(section, key) for section, values in data.items() for key in values}
        assert shown <= known
        for section, keys in SHOWN.items():
            wanted = {key for where, key in known if where == section} if keys is None else set(keys)
            assert {key for where, key in shown if where == section} == wanted
        assert not {"osc", "midi", "folders"} & set(data)

    def test_each_setting_has_its_sentence(self) -> None:
        text = default_text()
        for one in describe():
            if SHOWN.get(one.section, ()) is None or one.key in (SHOWN.get(one.section) or ()):
                assert f"# {one.description}" in text
        assert max(map(len, text.splitlines())) < 160

    def test_written_once(self, home: Home) -> None:
        assert create_default(home)
        assert home.config.read_text(encoding="utf-8") == default_text()
        home.config.write_text("# mine\n", encoding="utf-8")
        assert not create_default(home)
        assert home.config.read_text(encoding="utf-8") == "# mine\n"


class TestDescribe:
    def test_complete(self) -> None:
        documented = {(one.section, one.key): one for one in describe()}
        assert documented["spend", "per_day_usd"].allowed == "a number, 0 to 1000000"
        assert documented["spend", "per_day_usd"].default == 10.0
        assert documented["spend", "per_day_usd"].type == "number"
        assert documented["midi.bindings", "bits"].allowed == "7 or 14"
        assert documented["midi.bindings.light", "idle"].default is None
        assert documented["folders", "max_batch"].default == 3
        assert documented["presets.<name>", "prompt"].type == "text"
        assert documented["audio", "read_roots"].type == "list"
        for one in documented.values():
            assert one.description.endswith("."), one
            assert one.allowed, one
            assert "\n" not in one.description

    def test_every_field_is_there(self) -> None:
        def count(schema: dict[str, Any]) -> int:
            return sum(len(model.get("properties", {})) for model in schema["$defs"].values())

        assert (
            len(describe()) == count(Settings.model_json_schema()) - 3
        )  # bindings, light and clients stand as sections


class TestMasked:
    def test_credentials(self) -> None:
        settings = good(
            "[publish]\npublic_base_url = 'https://me:pw@tunnel.test/x'\n"
            "tunnel_command = 'cloudflared tunnel run --token eyJhIjoi'\n"
            "[presets.a]\nprompt = 'a riser with sk-empiriolabs-12345678 in it'"
        )
        data = masked(settings)
        text = json.dumps(data)
        assert data["publish"]["public_base_url"] == "https://[hidden]@tunnel.test/x"
        assert data["publish"]["tunnel_command"] == "cloudflared tunnel run --token [hidden]"
        assert "12345678" not in text
        assert data["engine"]["base_url"] == "https://api.empiriolabs.ai"
        assert data["audio"]["read_roots"] == ["~"]

    def test_nothing_else_changes(self) -> None:
        assert masked(Settings()) == Settings().model_dump(mode="json")


class TestAllowPath:
    def test_added_to_the_default_file(self, home: Home, tmp_path: Path) -> None:
        create_default(home)
        folder = tmp_path / "Samples für Zoë"
        folder.mkdir()
        assert allow_path(home, folder, {}) == ["~", str(folder)]
        assert Settings.load(home, {}).audio.read_roots == ("~", str(folder))
        before, after = default_text().splitlines(), home.config.read_text(encoding="utf-8").splitlines()
        assert [line for line in after if line not in before] == [
            f'read_roots = ["~", {json.dumps(str(folder), ensure_ascii=False)}]'
        ]
        assert len(after) == len(before)

    def test_again_writes_nothing(self, home: Home, tmp_path: Path) -> None:
        allow_path(home, tmp_path, {})
        home.config.chmod(0o400)
        inode = home.config.stat().st_ino
        assert allow_path(home, f"{tmp_path}/./", {}) == ["~", str(tmp_path)]
        assert home.config.stat().st_ino == inode

    @pytest.mark.parametrize(
        ("text", "left"),
        [
            ("", '[audio]\nread_roots = ["~", "FOLDER"]\n'),
            (
                "# mine\n[http] # port\nport = 1\n",
                '# mine\n[http] # port\nport = 1\n\n[audio]\nread_roots = ["~", "FOLDER"]\n',
            ),
            ("audio.library = '~/x'  # here\nhttp.port = 1\n", "audio.library = '~/x'  # here\n"),
            ("audio = {library = '~/x'}\n", "audio = {library = '~/x',"),
            ('[audio]\nread_roots = [\n  "~",  # all\n]\n', '[audio]\nread_roots = [\n  "~",  # all\n'),
            ("[audio]\r\nread_roots = []\r\n[http]\r\n", '[audio]\r\nread_roots = ["FOLDER"]\r\n[http]\r\n'),
        ],
    )
    def test_comments_and_order_stay(self, home: Home, tmp_path: Path, text: str, left: str) -> None:
        home.config.write_text(text, encoding="utf-8", newline="")
        roots = allow_path(home, tmp_path, {})
        written = home.config.read_bytes().decode("utf-8")
        assert left.replace('"FOLDER"', json.dumps(str(tmp_path))) in written
        assert list(Settings.load(home, {}).audio.read_roots) == roots
        assert roots[-1] == str(tmp_path)

    def test_tilde(self, home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HOME", str(tmp_path))
        monkeypatch.setenv("USERPROFILE", str(tmp_path))
        (tmp_path / "x").mkdir()
        assert allow_path(home, "~/x", {})[-1] == str(tmp_path / "x")
        assert allow_path(home, tmp_path, {}) == ["~", str(tmp_path / "x")]  # "~" is that folder

    @pytest.mark.parametrize("name", ["missing", "file"])
    def test_only_folders(self, home: Home, tmp_path: Path, name: str) -> None:
        (tmp_path / "file").write_text("", encoding="utf-8")
        with pytest.raises(SettingsInvalid, match="is no folder"):
            allow_path(home, tmp_path / name, {})
        assert not home.config.exists()

    def test_a_broken_file_is_left_alone(self, home: Home, tmp_path: Path) -> None:
        home.config.write_text("[http]\nport = 'x'\n", encoding="utf-8")
        with pytest.raises(SettingsInvalid, match="must be a whole number"):
            allow_path(home, tmp_path, {})
        assert home.config.read_text(encoding="utf-8") == "[http]\nport = 'x'\n"

    def test_the_environment_would_win(self, home: Home, tmp_path: Path) -> None:
        with pytest.raises(SettingsInvalid, match="no effect"):
            allow_path(home, tmp_path, {"DAW_BRIDGE_AUDIO__READ_ROOTS": "[]"})

    @pytest.mark.posix("links and modes of POSIX")
    def test_a_link_stays_a_link(self, home: Home, tmp_path: Path) -> None:
        real = tmp_path / "dotfiles.toml"
        real.write_text("# mine\n", encoding="utf-8")
        real.chmod(0o640)
        home.config.symlink_to(real)
        allow_path(home, tmp_path, {})
        assert home.config.is_symlink()
        assert real.stat().st_mode & 0o777 == 0o640
        assert str(tmp_path) in real.read_text(encoding="utf-8")

    def test_a_full_disk_leaves_the_old_file(self, home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        create_default(home)

        def full(*_: object) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "replace", full)
        with pytest.raises(OSError, match="No space"):
            allow_path(home, tmp_path, {})
        assert home.config.read_text(encoding="utf-8") == default_text()
        assert not list(home.path.glob(".*"))


class TestAddBinding:
    ARM: ClassVar = {"name": "arm", "port": "pad*", "number": 1, "action": "arm", "preset": None}

    @pytest.mark.parametrize(
        "text", ["", "# mine\n[midi] # here\narm_minutes = 5.0 # short\n\n[http]\nport = 1\n", "midi.enabled = true\n"]
    )
    def test_comments_and_order_stay(self, home: Home, text: str) -> None:
        home.config.write_text(text, encoding="utf-8")
        add_binding(home, self.ARM, {})
        add_binding(home, self.ARM | {"name": "two"}, {})
        written = home.config.read_text(encoding="utf-8")
        lines = iter(written.splitlines())
        assert all(line in lines for line in text.splitlines()), written
        assert [binding.name for binding in Settings.load(home, {}).midi.bindings] == ["arm", "two"]

    def test_into_the_default_file(self, home: Home) -> None:
        add_binding(home, self.ARM, {})
        assert home.config.read_text(encoding="utf-8").startswith(default_text())

    @pytest.mark.parametrize(
        ("text", "environ", "told"),
        [
            ("", {"DAW_BRIDGE_MIDI__BINDINGS": "[]"}, "DAW_BRIDGE_MIDI__BINDINGS"),
            ("midi.bindings = [{name='x', port='y', action='arm'}]", {}, "in one line"),
            ("[midi]\n[[midi.bindings]]\nname='arm'\nport='x'\naction='arm'\n", {}, "is used by number 1 already"),
            ("[nonsense]\n", {}, "nonsense"),
        ],
    )
    def test_what_would_be_wrong_is_not_written(
        self, home: Home, text: str, environ: dict[str, str], told: str
    ) -> None:
        home.config.write_text(text, encoding="utf-8")
        with pytest.raises(SettingsInvalid, match=re.escape(told)):
            add_binding(home, self.ARM, environ)
        assert home.config.read_text(encoding="utf-8") == text


@pytest.mark.parametrize(
    ("kind", "text", "read"),
    [
        ("whole number", "17", 17),
        ("number", "17", 17.0),
        ("true or false", "on", True),
        ("list", "[17]", [17]),
        ("text", "17", "17"),
    ],
)
def test_the_environment_reads_each_setting_as_the_type_that_the_docs_tell(kind: str, text: str, read: Any) -> None:
    single = Settings().model_dump()
    asked = [one for one in describe() if one.type == kind and one.key in single.get(one.section, {})]
    assert asked
    for one in asked:
        data, _, found = _overlay({}, {f"DAW_BRIDGE_{one.section}__{one.key}".upper(): text})
        value = data[one.section][one.key]
        assert (value, type(value), found) == (read, type(read), []), one
        if single[one.section][one.key] is None:
            data, _, _ = _overlay({}, {f"DAW_BRIDGE_{one.section}__{one.key}".upper(): ""})
            assert data[one.section][one.key] in (None, "")
