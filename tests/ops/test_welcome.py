"""What `make run` prints can be read in a narrow terminal and copied from it, with colours and without."""

import io
import stat
from pathlib import Path
from typing import Any, cast

import pytest
from rich.console import Console

from billing.identity.tokens import DEV_ISSUER, Signer, generate_key_set
from demo.shop import Shop, write_environment
from demo.welcome import welcome

COLUMNS = 100


class _Place:
    """Whatever is asked of it: an address, or a folder of logs."""

    url = endpoint_url = "http://127.0.0.1:65535"
    api_url = url
    log_folder = Path("/somewhere/logs")


@pytest.fixture
def shop() -> Shop:
    place: Any = _Place()
    signer = Signer({DEV_ISSUER: generate_key_set("dev")}, DEV_ISSUER)
    return Shop(cast(Any, place), *[place] * 8, signer)


@pytest.mark.parametrize("past", [True, False])
def test_the_greeting_is_narrow_without_tokens_and_without_colours_where_there_are_none(shop: Shop, past: bool) -> None:
    text = io.StringIO()
    welcome(shop, Console(file=text, highlight=False), Path("/state/env"), past=past)
    lines = text.getvalue().splitlines()
    assert max(map(len, lines)) <= COLUMNS
    assert "\x1b" not in text.getvalue()
    assert "eyJ" not in text.getvalue()
    assert "  source /state/env" in lines


def test_the_tokens_are_in_a_file_that_only_its_owner_reads(shop: Shop, tmp_path: Path) -> None:
    path = tmp_path / "env"
    write_environment(shop, path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_text().startswith("api=http://127.0.0.1:65535\nexport USER_TOKEN=eyJ")
