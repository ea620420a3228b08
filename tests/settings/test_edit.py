"""config.toml changed for a page: all or nothing, with comments, and never what a browser must not change."""

from __future__ import annotations

import tomllib

import pytest

from bridge_daemon.errors import InvalidRequest, SettingsInvalid, WrongState
from bridge_daemon.home.paths import Home
from bridge_daemon.settings import edit
from bridge_daemon.settings.load import Settings

TEXT = """\
# mine
[spend]
per_day_usd = 3.0  # not more
per_month_usd = 20.0

[publish]
tunnel_command = "mytunnel --token abc"

[midi]
arm_minutes = 5.0

# the big pad
[[midi.bindings]]
name = "one"
port = "Pad*"  # any of them
preset = "riser"

[[midi.bindings]]
name = "two"
port = "Pad*"
action = "panic"

[presets.riser]
action = "generate"
prompt = "riser"
duration = 8.0  # short
"""


@pytest.fixture
def home(tmp_path):
    made = Home(tmp_path / "home")
    made.prepare()
    made.config.write_text(TEXT, encoding="utf-8")
    return made


def change(home, patch, *, by_session=True, environ=None, revision=None):
    return edit.change(home, patch, by_session=by_session, environ=environ or {}, revision=revision)


def data(home):
    return tomllib.loads(home.config.read_text(encoding="utf-8"))


def test_comments_and_order_are_kept(home):
    change(home, {"spend": {"per_day_usd": 5}, "presets": {"riser": {"duration": 6.0}}, "defaults": {"duration": 12.0}})
    text = home.config.read_text(encoding="utf-8")
    for comment in ("# mine", "# not more", "# any of them", "# short", "# the big pad"):
        assert comment in text
    assert data(home)["spend"] == {"per_day_usd": 5, "per_month_usd": 20.0}
    assert data(home)["presets"]["riser"]["duration"] == 6.0
    assert data(home)["defaults"] == {"duration": 12.0}


LAST = """\
# mine
[[midi.bindings]]
name = "two"
port = "Pad*"
action = "panic"

# another hand
#   its second line
"""


@pytest.mark.parametrize("bindings", [[], None])
def test_lines_of_a_person_outlive_what_is_removed_before_them(home, bindings):
    home.config.write_text(LAST, encoding="utf-8")
    for patch in ({"midi": {"bindings": bindings}}, {"spend": {"per_day_usd": 4.0}}):
        change(home, patch)
        lines = [line.strip() for line in home.config.read_text(encoding="utf-8").splitlines()]
        for line in ("# mine", "# another hand", "#   its second line"):
            assert lines.count(line) == 1, lines


def test_null_takes_out(home):
    bindings = [{"name": "two", "port": "Pad*", "action": "panic"}]
    change(home, {"spend": {"per_month_usd": None}, "presets": {"riser": None}, "midi": {"bindings": bindings}})
    assert data(home)["spend"] == {"per_day_usd": 3.0}
    assert "riser" not in data(home).get("presets", {})
    assert data(home)["midi"] == {"arm_minutes": 5.0, "bindings": bindings}


def test_members_of_lists_are_known_by_their_name(home):
    bindings = [
        {"name": "two", "port": "Pad*", "action": "panic"},
        {"name": "one", "port": "Pad*", "preset": "riser", "number": 36, "light": {"idle": 1, "done": None}},
        {"name": "three", "port": "Keys", "action": "arm"},
    ]
    change(home, {"midi": {"bindings": bindings, "arm_at_start": True}})
    found = data(home)["midi"]
    assert [binding["name"] for binding in found["bindings"]] == ["two", "one", "three"]
    assert found["bindings"][1] == {
        "name": "one",
        "port": "Pad*",
        "preset": "riser",
        "number": 36,
        "light": {"idle": 1},
    }
    assert found["arm_at_start"] is True
    assert "# any of them" in home.config.read_text(encoding="utf-8")


def test_all_faults_at_once_and_nothing_is_written(home):
    with pytest.raises(InvalidRequest) as caught:
        change(home, {"spend": {"per_day_usd": -1, "per_dya_usd": 1}, "nonsense": 1, "defaults": {"duration": "long"}})
    named = {fault.field for fault in caught.value.faults}
    assert named == {"spend.per_day_usd", "spend.per_dya_usd", "nonsense", "defaults.duration"}
    assert home.config.read_text(encoding="utf-8") == TEXT


@pytest.mark.parametrize(
    ("patch", "field"),
    [
        ({"publish": {"tunnel_command": "sh -c 'curl evil'"}}, "publish.tunnel_command"),
        ({"engine": {"base_url": "https://evil.example"}}, "engine.base_url"),
        ({"publish": {"tunnel_command": "mytunnel --token [hidden]"}}, "publish.tunnel_command"),
        ({"publish": {"public_base_url": "https://a:[hidden]@example.com"}}, "publish.public_base_url"),
    ],
)
def test_what_a_browser_must_not_change(home, patch, field):
    with pytest.raises(InvalidRequest) as caught:
        change(home, patch)
    assert field in {fault.field for fault in caught.value.faults}
    assert "evil" not in caught.value.message
    assert home.config.read_text(encoding="utf-8") == TEXT


def test_a_known_tunnel_may_be_chosen_and_the_token_may_do_more(home):
    change(home, {"publish": {"tunnel_command": "cloudflared"}})
    assert data(home)["publish"]["tunnel_command"] == "cloudflared"
    change(home, {"publish": {"tunnel_command": "my tunnel {port}"}}, by_session=False)
    assert data(home)["publish"]["tunnel_command"] == "my tunnel {port}"


def test_what_the_environment_sets_is_not_written(home):
    with pytest.raises(InvalidRequest, match="DAW_BRIDGE_SPEND__PER_DAY_USD"):
        change(home, {"spend": {"per_day_usd": 5}}, environ={"DAW_BRIDGE_SPEND__PER_DAY_USD": "1"})


def test_a_file_that_was_changed_meanwhile_is_not_overwritten(home):
    seen = edit.told(home, Settings(), {})["revision"]
    home.config.write_text(TEXT + "# by hand\n", encoding="utf-8")
    with pytest.raises(WrongState):
        change(home, {"spend": {"per_day_usd": 5}}, revision=seen)
    assert "# by hand" in home.config.read_text(encoding="utf-8")


def test_a_file_that_is_no_toml_is_left_alone(home):
    home.config.write_text("[spend", encoding="utf-8")
    with pytest.raises(SettingsInvalid):
        change(home, {"spend": {"per_day_usd": 5}})
    told = edit.told(home, Settings(), {})
    assert told["given"] is None
    assert told["faults"]


def test_a_fault_in_the_file_can_be_mended(home):
    home.config.write_text("[spend]\nper_day_usd = -5\n", encoding="utf-8")
    change(home, {"spend": {"per_day_usd": 5}})
    assert data(home)["spend"] == {"per_day_usd": 5}


def test_no_credential_is_told(home):
    told = edit.told(home, Settings.load(home, {}), {})
    assert "abc" not in str(told)
    locked = {f"{one['section']}.{one['key']}" for one in told["fields"] if one["locked"]}
    assert locked == set(edit.LOCKED)
