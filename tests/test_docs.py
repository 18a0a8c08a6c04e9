"""The docs name what there is: every setting, every command they show, every page they link to."""

import re
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.core import TyperGroup

from billing.providers.stripe.translate import EVENTS
from billing.rules import access
from billing_cli.__main__ import app

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
TEXTS = {page.name: page.read_text() for page in PAGES}


def test_every_alarm_has_its_page_and_says_where(template: dict[str, Any]) -> None:
    """The row of the table, a heading for its link, and the same page in what the alarm itself says."""
    page = (ROOT / "docs" / "operations.md").read_text()
    rows = dict(re.findall(r"^\| (\w+Alarm) \|.*\(#([a-z-]+)\) \|$", page, re.MULTILINE))
    headings = {title.lower().replace(" ", "-") for title in re.findall(r"^## (.+)$", page, re.MULTILINE)}
    alarms = {
        name: resource["Properties"]
        for name, resource in template["Resources"].items()
        if resource["Type"] == "AWS::CloudWatch::Alarm"
    }
    assert rows.keys() == alarms.keys()
    for name, anchor in rows.items():
        assert anchor in headings
        assert alarms[name]["AlarmDescription"].endswith(f"See docs/operations.md, {anchor.replace('-', ' ')}.")
        assert alarms[name]["AlarmActions"] == ["Alarms"]


def variables(template: dict[str, Any]) -> set[str]:
    functions = [r["Properties"] for r in template["Resources"].values() if r["Type"] == "AWS::Serverless::Function"]
    own = [f.get("Environment", {}).get("Variables", {}) for f in functions]
    every = {name for names in own for name in names} | set(template["Globals"]["Function"]["Environment"]["Variables"])
    return set(every)


def test_every_variable_and_parameter_is_documented(template: dict[str, Any]) -> None:
    documented = TEXTS["configuration.md"] + TEXTS["bitcoin.md"]
    named = set(re.findall(r"`(\w+)`", documented))
    assert variables(template) | set(template["Parameters"]) <= named


def test_the_policy_of_access_on_its_page_is_the_one_in_the_code() -> None:
    def rows(text: str) -> list[list[str]]:
        table = re.search(r"^\| record .*\n(?:\|.*\n)+", text, re.MULTILINE)
        assert table
        return [[cell.strip(" -") for cell in line.split("|")] for line in table[0].splitlines()]

    assert rows(TEXTS["stripe.md"]) == rows(access.__doc__ or "")


def test_every_event_of_stripe_that_has_an_effect_is_on_its_page() -> None:
    names = set(re.findall(r"`([\w.*…]+)`", TEXTS["stripe.md"]))
    short = {name.lstrip(".…") for name in names}

    def is_documented(event: str) -> bool:
        family, _, word = event.rpartition(".")
        return event in names or f"{family}.*" in names or word in short or any(word.endswith(s) for s in short if s)

    assert [event for event in EVENTS if not is_documented(event)] == []


@pytest.mark.parametrize("page", TEXTS)
def test_every_link_leads_somewhere(page: str) -> None:
    folder = ROOT if page == "README.md" else ROOT / "docs"
    targets = {t.partition("#")[0] for t in re.findall(r"\]\(([^)]+)\)", TEXTS[page]) if "://" not in t}
    targets |= {f"../{t}" if folder != ROOT else t for t in re.findall(r"(?<![\w/])docs/[\w-]+\.md", TEXTS[page])}
    assert {t for t in targets if t and not (folder / t).exists()} == set()


@pytest.mark.parametrize("page", TEXTS)
def test_every_command_shown_exists(page: str) -> None:
    root = typer.main.get_command(app)
    for shown in re.findall(r"ops/billing(?: --stack \S+)? ([a-z][a-z -]*)", TEXTS[page]):
        command: Any = root
        for word in shown.split():
            if not isinstance(command, TyperGroup):
                break
            assert word in command.commands, f"ops/billing {shown.strip()}: there is no {word}"
            command = command.commands[word]


@pytest.mark.parametrize("page", ["frontend.md", "protecting-a-backend.md"])
def test_code_shown_of_the_example_host_is_its_code(page: str) -> None:
    host = ROOT / "frontend" / "examples" / "next-host"
    shown = re.findall(r"^```tsx? (\S+)\n(.*?)^```", TEXTS[page], re.MULTILINE | re.DOTALL)
    assert shown
    for path, block in shown:
        code = " ".join((host / path).read_text().split())
        for part in re.split(r"^ *…$", block, flags=re.MULTILINE):
            assert " ".join(part.split()) in code, f"{path}: {part}"
