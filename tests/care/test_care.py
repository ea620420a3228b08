"""Doctor and support bundle."""

from __future__ import annotations

import json
import os
import re
import zipfile
from pathlib import Path

import pytest

from bridge_daemon.care import bundle, doctor
from bridge_daemon.care.finding import Examined
from bridge_daemon.home.paths import Home
from tests.app.test_daemon import press, running, until
from tests.fakes.service import Service

KEY = "sk-planted-0123456789abcdef"
S3_ID, S3 = "AKIAPLANTED012345678", "planted/s3+secret/0123456789abcdefghijkl"
CAPABILITY = "AbCdEf0123456789-_AbCdEf0123456789-_AbCdEf0.wav"
PLANTED = {
    "API key": KEY,
    "S3 id": S3_ID,
    "S3 secret": S3,
    "capability": CAPABILITY,
    "signature": "planted-signature-value",
    "password of a proxy": "proxy-passw0rd",
    "bearer": "planted.bearer.token",
    "user on Linux": "anna-lena",
    "user on Windows": "Böhm Anna",
    "prompt": "a prompt that is nobody's business",
}
LINES = f"""
GET https://x.example/a?X-Amz-Signature=planted-signature-value&b=1
source https://t.example/source/{CAPABILITY} and alone {CAPABILITY}
Authorization: Bearer planted.bearer.token
proxy http://me:proxy-passw0rd@proxy:3128
file /home/anna-lena/takes/x.wav, C:\\Users\\Böhm Anna\\x.wav, /Users/anna-lena/y
key {KEY} {S3_ID} {S3}
"""


#: Texts as logs of this and other programs have them, and what of them must not be read.
OTHERS = [
    ("connect to postgresql+asyncpg://studio:pg-Passw0rd!@db.example:5432/bridge", "pg-Passw0rd"),
    ("connection to postgres://u:p%40ss-pg@10.0.0.3/x failed", "ss-pg"),
    ("dsn host=db user=studio password=kv-pass-9876 dbname=x", "kv-pass"),
    ("postgresql://h/db?user=u&password=query-pass-77&sslmode=require", "query-pass"),
    ("Cookie: daw-bridge-9131=CookieValue1; other=oth3r", "CookieValue1"),
    ("set-cookie: daw-bridge-9131=SetCookie1; HttpOnly", "SetCookie1"),
    ("pair AKIAIOSFODNN7EXAMPLE wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "wJalrXUtnFEMI"),
    ("https://storage.example/b/o?X-Goog-Signature=goog-sig-1&X-Goog-Credential=c", "goog-sig"),
    ("https://acct.blob.example/c/b?sv=2020&sig=azure%2Bsig%3D&se=2026", "azure%2Bsig"),
    ("https://cdn.example/x.wav?Expires=1&Signature=cf-signature&Key-Pair-Id=K", "cf-signature"),
    ("GET https://api.example/v1?key=bare-key-2", "bare-key"),
    ("file /srv/takes/sk-live-abcdef0123456789.wav", "live-abcdef"),
    ("file /srv/takes/ghp_abcdefghijklmnopqrst.wav", "ghp_abc"),
    ("session eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.s5vWbXQ8lkXy9", "eyJzdWIi"),
    ("{'token': 'py-token-321', 'x': 1}", "py-token"),
    ('{"password": "json-pass-1", "secret_access_key": "json-s3"}', "json-"),
    ("ngrok http --authtoken 2abcNgrok 9132", "2abcNgrok"),
    ("cloudflared tunnel run --token cf-tok-5566", "cf-tok"),
    ("open http://127.0.0.1:9131/#code=UvoptYxBKwJZ", "UvoptYx"),
    ("-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkq\n-----END PRIVATE KEY-----", "MIIEvQ"),
    ("xoxb-1234-5678-slacktoken hf_abcdefGHIJKLmnop", "slacktoken"),
]
#: What helps, and stays.
HELPS = [
    "Submitted: generating (accepted) [job=qk4evd3kgv state=generating charge=confirmed]",
    "GET /api/jobs/qk4evd3kgv 200, 12 ms, user agent Chromium/120",
    "bridge_daemon.pipeline.submit: E-SUBMIT-UNKNOWN after 30 s",
    "The library is on /mnt/Audio/Takes2026/SessionsOfTheBand/Drums/Loops and full",
]


PORTS = "[http]\nport = 0\n[osc]\nport = 0\n[publish]\nsource_port = 0\n"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = Home(tmp_path / "höme")
    made.prepare()
    made.config.write_text(PORTS)  # the usual ones may be those of a bridge that runs here
    return made


async def test_every_check_says_how_it_is_without_a_daemon(home: Home) -> None:
    found = await doctor.examine(home)
    assert [one.key for one in found] == [key for key, _ in doctor.CHECKS]
    assert not [one for one in found if "could not be made" in one.text]
    assert all(one.fix for one in found if one.state != "ok")
    assert {one.key: one.state for one in found}["daemon"] == "warn"
    assert doctor.worst(found) == "warn"


async def test_a_damaged_journal_an_open_home_and_faulty_settings_fail(home: Home) -> None:
    home.journal.write_bytes(b"SQLite format 3\0" + b"x" * 4096)
    home.config.write_text(PORTS + "[spend]\nper_day = 3\n")
    modes = os.name == "posix"  # the lists of Windows: tests/util/test_access.py
    if modes:
        home.token_file.chmod(0o644)
    found = {one.key: one for one in await doctor.examine(home)}
    assert [key for key, one in found.items() if one.state == "fail"] == ["home"] * modes + ["settings", "journal"]
    assert not modes or "chmod 600" in found["home"].fix
    assert "did you mean" in found["settings"].text.lower() or "per_day_usd" in found["settings"].text


async def test_a_check_that_breaks_leaves_the_others(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: Examined) -> doctor.Finding:
        raise RuntimeError(KEY)

    monkeypatch.setattr(doctor, "CHECKS", (("broken", broken), doctor.CHECKS[0]))
    first, second = await doctor.examine(home)
    assert (first.key, first.state) == ("broken", "warn")
    assert KEY not in first.text
    assert second.state == "ok"


async def test_a_home_in_a_synchronised_folder_fails(tmp_path: Path) -> None:
    home = Home(tmp_path / "Dropbox" / "bridge")
    home.prepare()
    assert {one.key: one.state for one in await doctor.examine(home)}["journal_place"] == "fail"


async def test_with_a_daemon_and_no_secret_gets_into_the_bundle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", S3_ID)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", S3)
    monkeypatch.setenv("EMPIRIOLABS_API_KEY", KEY)
    async with Service() as service, running(tmp_path / "home", service) as daemon:
        await until(daemon, await press(daemon, prompt=PLANTED["prompt"]))
        status = daemon.about() | await daemon.actions.status()
        home = daemon.home
        findings = await doctor.examine(home, status=status)
        assert {one.key: one.state for one in findings}["daemon"] == "ok"
        home.logs.mkdir(exist_ok=True)
        (home.logs / "daemon.log").write_text(LINES + home.read_token(), encoding="utf-8")
        home.config.write_text(f'[publish]\ntunnel_command = "ngrok http --authtoken {KEY} {{port}}"\n')
        entries = await bundle.collect(home, findings, status)
        token = home.read_token()
    target = tmp_path / "bundle.zip"
    bundle.write(entries, target)
    assert os.name == "nt" or target.stat().st_mode & 0o077 == 0
    with zipfile.ZipFile(target) as written:
        assert written.namelist() == [one.name for one in entries]
        texts = {name: written.read(name).decode() for name in written.namelist()}
    assert "logs/daemon.log" in texts
    jobs = json.loads(texts["jobs.json"])
    assert jobs[0]["state"] == "placed"
    for what, secret in {**PLANTED, "token": token, "its first name": "Böhm"}.items():
        for name, text in texts.items():
            assert secret not in text, (what, name)
            assert json.dumps(secret)[1:-1] not in text, (what, name)
    assert re.search(r"/home/\[user\]/takes", texts["logs/daemon.log"])


@pytest.mark.parametrize(("text", "secret"), OTHERS)
def test_secrets_of_every_kind_are_taken_out(text: str, secret: str) -> None:
    assert secret in text
    for form in (text, json.dumps({"problem": text}), f"2026-11-28 INFO {text}\n2026-11-28 INFO next"):
        assert secret not in bundle.scrub(form, set())


@pytest.mark.parametrize("text", HELPS)
def test_what_helps_stays(text: str) -> None:
    assert bundle.scrub(text, set()) == text


def test_a_bundle_never_writes_over_a_file(tmp_path: Path) -> None:
    from bridge_daemon.errors import DiskTrouble

    target = tmp_path / "there.zip"
    target.write_text("mine")
    with pytest.raises(DiskTrouble):
        bundle.write([], target)
    assert target.read_text() == "mine"
