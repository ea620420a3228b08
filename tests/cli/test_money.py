from __future__ import annotations

from pathlib import Path

from tests.cli.conftest import Cli


def test_the_price_question(paid: Cli) -> None:
    ask = ("generate", "two for the price", "--duration", "1", "--variations", "2")
    piped = paid(*ask, code=1)
    assert "E-CONFIRM" in piped.stderr
    assert "$1.16" in piped.stderr
    assert "--confirm-usd" in piped.stderr
    assert piped.stdout == ""
    assert paid.json(*ask, code=1)["error"]["code"] == "E-CONFIRM"
    code, out, shown = paid.at_terminal(*ask, answer="n")
    assert (code, out) == (1, "")
    assert "Spend $1.16?" in shown
    code, out, shown = paid.at_terminal(*ask, answer="y")
    assert code == 0, shown
    assert len(out.splitlines()) == 2
    assert "Traceback" not in shown
    again = paid(*ask, "--confirm-usd", "1.16", code=1)
    assert "E-DOUBLE-PRESS" in again.stderr
    assert "--again" in again.stderr
    assert len(paid(*ask, "--confirm-usd", "1.16", "--again").stdout.splitlines()) == 2
    status = paid.json("status")
    assert status["running"] is True
    assert status["spent_today_usd"] == 2.32


def test_the_double_press_is_asked_about(paid: Cli) -> None:
    ask = ("generate", "once or twice", "--duration", "1")
    spent = paid.json("status")["spent_today_usd"]
    assert Path(paid(*ask).stdout.strip()).is_file()
    code, out, shown = paid.at_terminal(*ask, answer="y")
    assert code == 0, shown
    assert Path(out.strip()).is_file()
    assert "Make it once more?" in shown
    assert round(paid.json("status")["spent_today_usd"] - spent, 2) == 1.16


def test_the_limit_is_kept(paid: Cli) -> None:
    paid("generate", "not too dear", "--duration", "1")
    said = paid("generate", "too dear", "--variations", "8", "--confirm-usd", "4.64", code=1).stderr
    assert "E-LIMIT" in said
    assert "nothing was spent" in said


def test_prices(paid: Cli) -> None:
    listed = paid.json("price")
    assert {one["model"]: one["usd"] for one in listed}["stable-audio-2-0"] == 0.58
    assert "$0.58" in paid("price").stdout
    said = paid("price", "agree", "--usd", "0.10", "--model", "stable-audio-2-5", code=None)
    assert said.returncode in (1, 2)
    assert "Money: nothing was spent." in said.stderr


def test_the_key_is_checked_for_free(paid: Cli) -> None:
    answer = paid.json("key", "check")
    assert answer["valid"] is True
    assert answer["where"] == "file"
    assert "accepts the key" in paid("key", "check").stdout
