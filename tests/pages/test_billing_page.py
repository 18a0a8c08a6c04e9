"""The billing page through random histories of one account: every sentence with a date or an amount is compared with
what the API answers at that instant, in three languages and in a zone other than UTC; and that with the gate and the
card's provider.

One process of the front end's test runner renders them all: `histories.test.tsx` of billing-react.
"""

import json
import os
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from billing.api.answers.gate import EntitlementList
from billing.api.answers.payments import ReceiptList
from billing.api.answers.plans import QuoteList
from billing.api.answers.status import SubscriptionStatus
from billing.api.answers.vouchers import GiftList
from billing.api.answers.wallets import WalletList
from tests.pages.histories import Life
from tests.rules.test_status_histories import agrees_with_the_gate, moment

FRONTEND = Path(__file__).parents[2] / "frontend"
LIVES, STEPS = 36, 16
SHAPES: dict[str, Any] = {
    "/billing/subscription-status": SubscriptionStatus,
    "/billing/quotes": QuoteList,
    "/billing/entitlements": EntitlementList,
    "/billing/receipts": ReceiptList,
    "/billing/gifts": GiftList,
    "/billing/wallet": WalletList,
}


@pytest.mark.sweep
def test_every_sentence_with_a_date_or_an_amount_is_what_the_service_says(tmp_path: Path) -> None:
    documents = [document for seed in range(LIVES) for document in _lived(seed)]
    corpus = tmp_path / "histories.json"
    corpus.write_text(json.dumps(documents))
    ran = subprocess.run(
        ["node_modules/.bin/vitest", "run", "packages/billing-react/src/histories.test.tsx"],
        cwd=FRONTEND,
        env={**os.environ, "HISTORIES": str(corpus), "TZ": "Pacific/Auckland"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "1 passed" in ran.stdout


@cache
def _lived(seed: int) -> list[dict[str, Any]]:
    life, documents = Life(seed), []
    for step in range(STEPS):
        life.step()
        if step > 3 and life.chance.random() < 0.2:
            documents.append(life.document())
            for path, shape in SHAPES.items():
                shape.model_validate(documents[-1][path])
            agrees_with_the_gate(life.account, documents[-1]["/billing/subscription-status"], life.now)
    life.settle()
    _agrees_with_the_provider(life)
    return documents


def _agrees_with_the_provider(life: Life) -> None:
    """When all is heard, the next charge of a card is what its provider is going to charge, and when."""
    held = life.card.provider.objects
    for view in life.document()["/billing/subscription-status"]["subscriptions"]:
        mine = held[view["subscription_id"]]
        following = view["next"]
        if mine["status"] == "canceled":
            assert following["kind"] == "none"
        elif following["kind"] in ("renews", "first_charge", "changes", "moves"):
            coming = mine.get("scheduled") or mine
            assert (moment(following["at"]), following["amount_cents"]) == (
                mine["current_period_end"],
                coming["amount_cents"],
            )
            assert not mine["cancel_at_period_end"]
        elif following["kind"] == "ends":
            assert mine["cancel_at_period_end"]


def test_the_histories_come_to_what_they_are_about() -> None:
    """A corpus in which nothing happens would prove nothing."""
    met: set[str] = set()
    for seed in range(LIVES):
        for document in _lived(seed):
            status = document["/billing/subscription-status"]
            met |= {view["next"]["kind"] for view in status["subscriptions"]}
            met |= {
                f"{kind} {view['end_reason']}"
                for kind in ("subscriptions", "terms", "purchases", "vouchers")
                for view in status[kind]
            }
            met |= {view["invoice"]["state"] for view in [*status["terms"], *status["purchases"]] if view["invoice"]}
            met |= {f"wallet {wallet['state']}" for wallet in document["/billing/wallet"]["wallets"]}
    wanted = {"renews", "ends", "first_charge", "retries", "due", "paid", "held", "expired", "wallet waiting"}
    wanted |= {f"subscriptions {reason}" for reason in ("unpaid", "disputed", "canceled")}
    wanted |= {"terms expired", "purchases refunded", "vouchers expired"}
    assert wanted <= met, wanted - met
