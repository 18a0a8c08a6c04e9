"""Lightning invoices, held to the examples of BOLT-11."""

import json
from pathlib import Path

import pytest

from billing.nostr.bolt11 import BadInvoice, decode

EXAMPLES = json.loads((Path(__file__).parent / "vectors" / "bolt11.json").read_text())
PAYEE = "03e7156ae33b0a208d0744199163177e909e80176e55d97a2f221ede0f934dd9ad"
HASH = "0001020304050607080900010203040506070809000102030405060708090102"
# Millisatoshis by what the amount is in the text.
AMOUNTS = {
    "lnbc2500u": 250_000_000,
    "lnbc20m": 2_000_000_000,
    "lntb20m": 2_000_000_000,
    "lnbc25m": 2_500_000_000,
    "lnbc10m": 1_000_000_000,
    "lnbc9678785340p": 967_878_534,
    "lnbc": None,
}


@pytest.mark.parametrize("name", EXAMPLES["valid"])
def test_the_published_invoices(name: str) -> None:
    text = EXAMPLES["valid"][name]
    found = decode(text)
    assert found.amount_msat == AMOUNTS[text.lower().rpartition("1")[0]]
    assert found.network == ("testnet" if "testnet" in name else "mainnet")
    weekly, minute = "within one week" in name, "within one minute" in name
    assert found.expires_at - found.created_at == (604_800 if weekly else 60 if minute else 3_600)
    assert found.created_at == (1_572_468_703 if weekly else 1_496_314_658)
    assert (found.payment_hash == HASH) is not weekly
    assert (found.payee == PAYEE) is not ("high-S" in name)  # the same letters, another signature: another key


def test_there_are_as_many_as_were_published() -> None:
    assert (len(EXAMPLES["valid"]), len(EXAMPLES["invalid"])) == (16, 10)


@pytest.mark.parametrize("name", EXAMPLES["invalid"])
def test_the_published_ones_that_must_not_be_paid(name: str) -> None:
    with pytest.raises(BadInvoice):
        decode(EXAMPLES["invalid"][name])


@pytest.mark.parametrize("text", ["", "lnbc", "ln1", "é", "lnbc1" + "q" * 8_000, "lnbc0251qqqqqq", "nothing"])
def test_what_is_no_invoice(text: str) -> None:
    with pytest.raises(BadInvoice):
        decode(text)


def test_any_changed_letter_is_noticed() -> None:
    text = EXAMPLES["valid"]["Same, but all upper case."].lower()
    for at in range(len(text)):
        with pytest.raises(BadInvoice):
            decode(text[:at] + ("q" if text[at] != "q" else "p") + text[at + 1 :])


def test_a_preimage_proves_its_own_invoice_alone() -> None:
    found = decode(EXAMPLES["valid"]["Same, but all upper case."])
    for preimage in ("", "00" * 32, "0x", None, 5, "0" * 63):
        assert not found.proves(preimage)
