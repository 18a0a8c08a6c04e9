"""The layout of the stand-ins' pages: plain HTML without scripts, usable by keyboard, light and dark."""

from datetime import UTC, datetime
from html import escape

from fakes.base import Answer, html_answer

_STYLE = """
:root { color-scheme: light dark; --line: #8886; --accent: #1a5fb4; --on-accent: #fff; --note: #f6d32d26; }
@media (prefers-color-scheme: dark) { :root { --accent: #99c1f1; --on-accent: #10202f; } }
* { box-sizing: border-box; }
body { font: 1rem/1.5 system-ui, sans-serif; margin: 0; padding: 1.5rem 1rem 3rem; }
main { max-width: 36rem; margin: 0 auto; }
.notice { background: var(--note); border: 1px solid var(--line); border-radius: .5rem; padding: .5rem .75rem; }
h1 { font-size: 1.5rem; line-height: 1.2; margin: 1.25rem 0 .5rem; }
h2 { font-size: 1.05rem; margin: 1.5rem 0 .5rem; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .25rem 1rem; margin: 1rem 0; }
dt { opacity: .75; } dd { margin: 0; overflow-wrap: anywhere; }
form { margin: 0; } .actions { display: flex; flex-wrap: wrap; gap: .5rem; }
button, .button { font: inherit; min-height: 2.75rem; padding: .4rem 1rem; border-radius: .5rem; cursor: pointer;
  border: 1px solid var(--line); background: transparent;
  color: inherit; text-decoration: none; display: inline-block; }
textarea { font: inherit; width: 100%; } input, select { font: inherit; max-width: 100%; }
button.primary { background: var(--accent); border-color: var(--accent); color: var(--on-accent); font-weight: 600; }
:is(button, a, input, textarea, select):focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
.status { font-weight: 600; font-size: 1.1rem; }
table { border-collapse: collapse; width: 100%; } th, td { text-align: left; padding: .35rem .5rem .35rem 0;
  border-bottom: 1px solid var(--line); overflow-wrap: anywhere; }
"""


def page(title: str, body: str, *, provider: str, status: int = 200) -> Answer:
    """A whole page; `body` is HTML with its values already escaped."""
    return html_answer(
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{_STYLE}</style></head>'
        f'<body><main><p class="notice">This is a local stand-in for {escape(provider)}. No money moves.</p>'
        f"<h1>{escape(title)}</h1>{body}</main></body></html>",
        status,
    )


def facts_list(rows: dict[str, str]) -> str:
    """A list of labels with values."""
    return "<dl>" + "".join(f"<dt>{escape(k)}</dt><dd>{escape(v)}</dd>" for k, v in rows.items()) + "</dl>"


def button(action: str, label: str, *, primary: bool = False, fields: dict[str, str] | None = None) -> str:
    """A form with one button that posts to `action`."""
    hidden = "".join(f'<input type="hidden" name="{escape(k)}" value="{escape(v)}">' for k, v in (fields or {}).items())
    kind = ' class="primary"' if primary else ""
    return f'<form method="post" action="{escape(action)}">{hidden}<button{kind}>{escape(label)}</button></form>'


def clock_time(moment: int) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d %H:%M UTC")


def actions(buttons: list[str]) -> str:
    return f'<div class="actions">{"".join(buttons)}</div>'
