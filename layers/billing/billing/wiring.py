"""Builds stores and use cases from the settings, lazily: a function imports and builds only what it uses.

A function names at import what it will use (`refunds = Wiring(os.environ).refunds`), so it is built while Lambda
initialises it. The functions on the hot path build their few collaborators themselves.
"""

import time
from collections.abc import Mapping
from functools import cached_property, partial
from typing import TYPE_CHECKING

from billing.aws import Aws
from billing.settings import Settings

if TYPE_CHECKING:
    from billing.hosts.outbox import Wakes
    from billing.intake.applier import Applier
    from billing.log import Log
    from billing.nostr.messenger import Messenger
    from billing.providers import Clients
    from billing.sealing import Sealer
    from billing.selling.calendars import Calendars
    from billing.selling.checkout import Checkouts
    from billing.selling.message_round import MessageRound
    from billing.selling.messages import Envelopes, Messages
    from billing.selling.receipts import Receipts
    from billing.selling.refunds import Refunds
    from billing.selling.subscriptions import Subscriptions
    from billing.selling.vouchers import Following, Vouchers
    from billing.selling.wallet_connections import WalletConnections
    from billing.selling.wallet_over_nostr import NostrWallet
    from billing.selling.wallet_renewals import WalletRenewals
    from billing.selling.wallet_vault import Vault
    from billing.store.accounts import AccountStore
    from billing.store.audit import AuditLog
    from billing.store.counters import CounterStore
    from billing.store.customers import CustomerIndex
    from billing.store.due import DueStore
    from billing.store.erasure import ErasureStore
    from billing.store.host_events import HostEventStore
    from billing.store.identities import IdentityStore
    from billing.store.limits import Limits
    from billing.store.messages import MessageStore
    from billing.store.metrics import MetricsStore
    from billing.store.moves import MoveStore
    from billing.store.notes import NoteStore
    from billing.store.payment_events import PaymentEventStore
    from billing.store.plans import PlanStore
    from billing.store.vouchers import VoucherStore


class Wiring:
    """`services`: the AWS services that every invocation calls. `aws`: a client to use instead of a new one, such as an
    operator's."""

    def __init__(self, env: Mapping[str, str], *services: str, aws: Aws | None = None) -> None:
        self.aws = aws or Aws(*(services or ("dynamodb",)))
        self.settings = Settings(env, self.aws.fetch_secret)

    @property
    def _accounts(self) -> str:
        return self.settings.accounts_table

    @cached_property
    def client(self) -> "Clients":
        from billing.providers import Clients

        return Clients(self.settings)

    @cached_property
    def accounts(self) -> "AccountStore":
        from billing.store.accounts import AccountStore

        return AccountStore(self.aws, self._accounts, self.settings.optional("PAYMENT_EVENTS_TABLE"))

    @cached_property
    def plans(self) -> "PlanStore":
        from billing.store.plans import PlanStore

        return PlanStore(self.aws, self.settings.plans_table)

    @cached_property
    def events(self) -> "PaymentEventStore":
        from billing.store.payment_events import PaymentEventStore

        return PaymentEventStore(self.aws, self.settings.payment_events_table)

    @cached_property
    def audit(self) -> "AuditLog":
        from billing.store.audit import AuditLog

        return AuditLog(self.aws, self._accounts)

    @cached_property
    def counters(self) -> "CounterStore":
        from billing.store.counters import CounterStore

        return CounterStore(self.aws, self._accounts)

    @cached_property
    def customers(self) -> "CustomerIndex":
        from billing.store.customers import CustomerIndex

        return CustomerIndex(self.aws, self._accounts, self.accounts)

    @cached_property
    def due(self) -> "DueStore":
        from billing.store.due import DueStore

        return DueStore(self.aws, self._accounts)

    @cached_property
    def erasure(self) -> "ErasureStore":
        from billing.store.erasure import ErasureStore

        return ErasureStore(self.aws, self._accounts, self.events)

    @cached_property
    def host_events(self) -> "HostEventStore":
        from billing.store.host_events import HostEventStore

        return HostEventStore(self.aws, self.settings.required("HOST_EVENTS_TABLE"))

    def wakes(self, logger: "Log") -> "Wakes":
        from billing.hosts.outbox import Wakes

        return Wakes(self.aws, self.settings.required("HOST_EVENTS_QUEUE_URL"), logger)

    @cached_property
    def identities(self) -> "IdentityStore":
        from billing.store.identities import IdentityStore

        return IdentityStore(self.aws, self._accounts)

    @cached_property
    def limits(self) -> "Limits":
        from billing.store.limits import Limits

        return Limits(self.aws, self._accounts)

    @cached_property
    def metrics(self) -> "MetricsStore":
        from billing.store.metrics import MetricsStore

        return MetricsStore(self.aws, self.settings.metrics_table, self.settings.optional("ACCOUNTS_TABLE"))

    @cached_property
    def moves(self) -> "MoveStore":
        from billing.store.moves import MoveStore

        return MoveStore(self.aws, self._accounts)

    @cached_property
    def notes(self) -> "NoteStore":
        from billing.store.notes import NoteStore

        return NoteStore(self.aws, self._accounts)

    @cached_property
    def applier(self) -> "Applier":
        from billing.intake.applier import Applier

        return Applier(self.accounts, self.plans, self.client)

    @cached_property
    def calendars(self) -> "Calendars":
        from billing.selling.calendars import Calendars
        from billing.store.calendars import CalendarStore

        settings = self.settings
        store = CalendarStore(self.aws, self._accounts)
        urls = settings.public_url, self._billing_page
        return Calendars(self.accounts, self.plans, store, *urls, max(settings.reminder_days))

    @cached_property
    def checkouts(self) -> "Checkouts":
        from billing.selling.checkout import Checkouts

        return Checkouts(
            self.accounts,
            self.plans,
            self.client,
            self.settings.providers,
            self.settings.portal_url,
            self.identities.opened_by,
            self._voucher_secret if self.settings.optional("VOUCHER_SECRET") else None,
        )

    def _voucher_secret(self) -> str:
        return self.settings.secrets("VOUCHER_SECRET")[0]

    @cached_property
    def voucher_store(self) -> "VoucherStore":
        from billing.store.vouchers import VoucherStore

        return VoucherStore(self.aws, self._accounts)

    @cached_property
    def vouchers(self) -> "Vouchers":
        from billing.selling.vouchers import Vouchers

        secrets = partial(self.settings.secrets, "VOUCHER_SECRET")
        portal_url, opened_by = self.settings.portal_url, self.identities.opened_by
        return Vouchers(self.accounts, self.plans, self.voucher_store, secrets, portal_url, opened_by)

    @cached_property
    def following(self) -> "Following":
        from billing.selling.vouchers import Following

        secrets = partial(self.settings.secrets, "VOUCHER_SECRET")
        return Following(self.accounts, self.plans, self.voucher_store, secrets)

    @cached_property
    def receipts(self) -> "Receipts":
        from billing.selling.receipts import Receipts

        return Receipts(self.accounts, self.plans, self.client, self.settings.seller)

    @cached_property
    def refunds(self) -> "Refunds":
        from billing.selling.refunds import Refunds

        return Refunds(self.accounts, self.plans, self.applier, self.client)

    @cached_property
    def subscriptions(self) -> "Subscriptions":
        from billing.selling.subscriptions import Subscriptions
        from billing.store.previews import PreviewStore

        return Subscriptions(
            self.accounts, self.plans, PreviewStore(self.aws, self._accounts), self.applier, self.client
        )

    @cached_property
    def _nostr_wallet(self) -> "NostrWallet":
        from billing.nostr.relays import Relays
        from billing.nostr.wallet import Wallets
        from billing.selling.wallet_over_nostr import NostrWallet

        relays = Relays.of(self.settings)
        return NostrWallet(Wallets(relays), local=relays.reach.local)

    @cached_property
    def _vault(self) -> "Vault":
        from billing.selling.wallet_vault import Vault
        from billing.store.wallets import WalletStore

        return Vault(WalletStore(self.aws, self._accounts), self._sealer, self._nostr_wallet)

    @cached_property
    def wallets(self) -> "WalletConnections":
        from billing.selling.wallet_connections import WalletConnections

        return WalletConnections(
            self.accounts,
            self.plans,
            self._vault,
            self._nostr_wallet,
            self.settings.providers,
            self.settings.integer("WALLET_RENEWAL_DAYS", 3),
            self.identities.opened_by,
        )

    @cached_property
    def messages(self) -> "Messages":
        from billing.selling.messages import Messages

        return Messages(
            self.accounts,
            self.plans,
            *self._correspondence,
            self.limits,
            self._billing_page,
            self.settings.reminder_days,
            self.identities.moved,
        )

    @property
    def _correspondence(self) -> "tuple[MessageStore, Envelopes, Messenger]":
        """What sending direct messages to buyers takes."""
        from billing.nostr.messenger import Messenger
        from billing.selling.messages import Envelopes
        from billing.store.messages import MessageStore

        return MessageStore(self.aws, self._accounts), Envelopes(self._sealer), Messenger.of(self.settings)

    @property
    def _sealer(self) -> "Sealer":
        from billing.sealing import Sealer

        return Sealer(self.aws, self.settings.required("WALLET_KEY_ARN"))

    @property
    def _billing_page(self) -> str:
        return f"{self.settings.portal_url}/account/billing"

    def message_round(self, logger: "Log") -> "MessageRound":
        from billing.selling.message_round import MessageRound

        return MessageRound(
            self.accounts,
            self.plans,
            self.due,
            *self._correspondence,
            self._billing_page,
            lambda: int(time.time()),
            logger,
        )

    def wallet_renewals(self, logger: "Log") -> "WalletRenewals":
        from billing.selling.wallet_renewals import WalletRenewals

        return WalletRenewals(
            self.accounts,
            self.plans,
            self.due,
            self.checkouts,
            self.applier,
            self.client,
            self.settings.providers,
            self._vault,
            self._nostr_wallet,
            lambda: int(time.time()),
            logger,
            live=self.settings.livemode,
        )
