"""The link to a provider's customer portal. It gives access to the account there, so it is never stored."""

from collections.abc import Callable

from billing.errors import NotFound, ProviderError
from billing.providers import PROVIDERS
from billing.providers.interface import Client
from billing.store.accounts import AccountStore


def portal_link(accounts: AccountStore, client: Callable[[str], Client], return_url: str, user_id: str) -> str:
    """The provider's page for payment methods and invoices, for whoever has bought by card."""
    for provider, customer_id in accounts.load(user_id).customers:
        if not PROVIDERS[provider].renews:
            continue
        try:
            return client(provider).portal_url(customer_id, return_url)
        except ProviderError as refused:
            if refused.extensions.get("reason") != "customer_gone":
                raise  # a customer who was deleted there has no portal; an older one may
    raise NotFound("there is nothing to manage yet: no card payment was made")
