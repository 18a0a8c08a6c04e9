"""Checks of the server's set-up. Each says what is wrong and how to fix it."""

from collections.abc import Iterator

from billing.errors import ProviderError
from billing.providers.btcpay.client import BTCPay
from billing.providers.interface import Check

# The oldest supported version, and the first with webhooks for refunds.
OLDEST, TELLS_REFUNDS = (2, 1), (2, 4, 1)
# Permission → (level, "consequence without it: name of the permission in the server's settings").
_NEEDED = {
    "canviewinvoices": ("fail", "no invoice can be read: View invoices"),
    "cancreateinvoice": ("fail", "no invoice can be opened: Create an invoice"),
    "cancreatenonapprovedpullpayments": ("warn", "no refund can be made: Create non-approved pull payments"),
    "canviewpullpayments": ("warn", "refunds made at the server are not looked for: View pull payments"),
    "canmodifyinvoices": ("warn", "an invoice for another choice of plan runs out by itself: Modify invoices"),
}
# Permission → those that it includes.
_INCLUDES = {
    "unrestricted": ("canmodifystoresettings",),
    "canmodifystoresettings": ("canviewstoresettings", "canmodifyinvoices", "canmanagepullpayments"),
    "canviewstoresettings": ("canviewinvoices", "canviewpullpayments"),
    "canmodifyinvoices": ("canviewinvoices", "cancreateinvoice"),
    "canmanagepullpayments": ("cancreatepullpayments",),
    "cancreatepullpayments": ("cancreatenonapprovedpullpayments",),
    "cancreatenonapprovedpullpayments": ("canviewpullpayments",),
}


def check(client: BTCPay) -> Iterator[Check]:
    """Check the server, its version, the key and the store. Raises `ProviderError` if the server does not answer."""
    about = client.about()
    yield Check("ok", "server", f"answers as version {about.version or 'unknown'}")
    yield from _version(about.version)
    granted = [name for name, store in about.permissions if store in ("", client.store_id)]
    for name in granted:  # grows
        granted += _INCLUDES.get(name, ())
    for name, (level, without) in _NEEDED.items():
        if name in granted:
            continue
        what, _, words = without.partition(": ")
        yield Check("fail" if level == "fail" else "warn", "API key", what, f"give the key the permission “{words}”")
    try:
        client.opened_for("doctor")
    except ProviderError as refused:
        yield Check("fail", "store", refused.detail, "BTCPAY_STORE_ID, and a key of that store")
    else:
        yield Check("ok", "store", client.store_id)


def _version(version: str) -> Iterator[Check]:
    numbers = tuple(int(part) for part in version.split("-")[0].split(".") if part.isdigit())
    if not numbers:
        yield Check("warn", "version", "not told", "docs/bitcoin.md: 2.1 and newer are supported")
    elif numbers < OLDEST:
        yield Check("fail", "version", f"{version} is not supported", "update the server: 2.1 or newer")
    elif numbers < TELLS_REFUNDS:
        note = "no webhook tells of a refund made at the server: it is found by looking, within a week at the latest"
        yield Check("warn", "refunds", note, "update the server: 2.4.1 or newer")
    else:
        yield Check("ok", "refunds", "made at the server are told at once")
