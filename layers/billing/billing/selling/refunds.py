"""Refunds: previews of their effect on access, and the payment itself, by the provider that took the money.

The amount is reserved on the account by a conditional write before the provider is asked, so that however many ask at
once, no more than was paid goes back. The request's id stands on the provider's object: the answer, a webhook or a
later reading settles it, whichever comes first. A refusal gives the reservation back. When the provider did not answer,
or this process died, the request stays open and is asked again under the same id: by whoever repeats the key, or by
`settle`.
"""

from collections.abc import Callable, Mapping
from typing import Any

from billing import deadline
from billing.data import dataclass, replace
from billing.errors import Conflict, NotAllowed, NotFound, ProviderError, ProviderUnavailable
from billing.intake.applier import Applier
from billing.log import Log
from billing.providers import PREPAID, PROVIDERS, prepaid_client
from billing.providers.interface import Client, RefundParts
from billing.rules.consequences import Consequences, consequences
from billing.rules.entitlements import evaluate, sources
from billing.rules.history import By
from billing.rules.past import filed
from billing.rules.plans import Catalogue
from billing.rules.records import (
    SURPLUS,
    Account,
    Payment,
    Purchase,
    Refund,
    RefundRequest,
    RequestStatus,
    Subscription,
)
from billing.rules.refunds import (
    open_requests,
    parts_of,
    refundable_cents,
    request_id,
    request_of,
    reserved_cents,
)
from billing.store.accounts import AccountStore
from billing.store.due import DueStore
from billing.store.plans import PlanStore

# Seconds in which nobody else asks the provider for the same request: longer than the function that asks may run.
ASKING = 90
# Seconds until an open request is asked again, by how often it was asked.
_AGAIN = (120, 300, 900, 3600, 6 * 3600)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A refund as it was asked for. `payment`: any name of the payment. `amount_cents` None: all that is left.
    `undecided`: only while the bitcoin payment waits for a decision, which somebody else may make at the same
    moment. `most_cents`: how much of the payment whoever asks may give back, all its refunds together; None: no
    limit."""

    user_id: str
    provider: str
    payment: str
    amount_cents: int | None = None
    reason: str = "requested_by_customer"
    undecided: bool = False
    most_cents: int | None = None

    @property
    def surplus(self) -> bool:
        return self.reason == SURPLUS


class Refunds:
    """`client(provider)` gives the calls toward a provider."""

    def __init__(
        self, accounts: AccountStore, plans: PlanStore, applier: Applier, client: Callable[[str], Client]
    ) -> None:
        self._accounts = accounts
        self._plans = plans
        self._applier = applier
        self._client = client

    def preview(self, wanted: Wanted, now: int) -> Mapping[str, Any]:
        """What a refund would do; nothing is written and no provider is called."""
        account = self._accounts.load(wanted.user_id, whole=True)
        record, payment = _payment(account, wanted)
        amount, left = _amount(account, record, payment, wanted)
        return _effect(wanted.provider, payment, left, amount, dry_run=True) | {
            "features_lost": features_lost(account, record, payment, amount, self._plans.catalogue(), now)
        }

    def refund(self, wanted: Wanted, key: str, admin: str, now: int) -> Mapping[str, Any]:
        """Gives back what is wanted, once per user, payment and key, and says what went back.

        The audit log has it under the admin's name together with the reservation, before the provider is asked.
        Raises `Conflict` with the code not_refundable, idempotency_key_reused, refund_in_progress or already_accepted;
        `NotAllowed` beyond `most_cents`;
        `ProviderError` when the provider refused all of it; `ProviderUnavailable` when it is not known yet.
        """
        before, request = self._reserve(wanted, key, admin, now)
        record, payment = _payment(before, wanted)
        lost = features_lost(before, record, payment, request.amount_cents, self._plans.catalogue(), now)
        left = refundable_cents(before, record, payment, surplus=wanted.surplus)
        answer = self._ask(wanted.user_id, request, now) if request.status == "reserved" else RefundParts()
        account = self._accounts.load(wanted.user_id, whole=True)
        _, payment = _payment(account, wanted)
        after = request_of(account, request.provider, request.request_id) or request
        parts = parts_of(payment, after)
        if after.status == "refused" and not parts:
            raise ProviderError(after.error or "the provider refused this refund", reason="refused_before")
        made = sum(part.amount_cents for part in parts if part.status != "failed")
        refund_id = parts[-1].refund_id if parts else None
        return {
            **_effect(wanted.provider, payment, left, made, dry_run=False),
            "asked_cents": after.amount_cents,
            "features_lost": lost,
            "refund_id": refund_id,
            "parts": [_part(part) for part in parts],
            "outcome": "made" if made >= after.amount_cents else "partly_made" if made else "refused",
            "error": after.error,
            "outside_cents": answer.outside_cents,
            "claim_url": self._claim_url(after.provider, refund_id),
        }

    def settle(self, due: DueStore, now: int, limit: int, logger: Log) -> int:
        """Asks again for refunds whose end is unknown; how many requests were settled."""
        settled = 0
        for record in due.due("settle", now, limit):
            if deadline.over():
                break
            request = self._take(record.user_id, record.record, now)
            if request is None:
                continue
            where = {"provider": request.provider, "request": request.request_id, "tries": request.tries}
            try:
                self._ask(record.user_id, request, now)
                logger.info("refund settled", extra=where)
            except ProviderUnavailable as silent:
                logger.warning("refund still open", extra={**where, "why": silent.detail})
                continue
            except ProviderError as refused:
                logger.error("refund refused", extra={**where, "why": refused.detail})
            settled += 1
        return settled

    def _take(self, user_id: str, record: str, now: int) -> RefundRequest | None:
        """An open request to ask the provider for; None when it is settled, or somebody else is asking."""
        taken: list[RefundRequest] = []

        def decide(before: Account) -> Consequences | None:
            taken.clear()
            request = before.records.get(record)
            if not isinstance(request, RefundRequest) or request.status != "reserved" or request.asked_until > now:
                return None
            taken.append(_taken(request, now))
            return self._noting(before, taken[0], now)

        self._accounts.change(user_id, decide)
        return taken[0] if taken else None

    # --- reserve, ask, settle or give back ---------------------------------------------------------------------------

    def _reserve(self, wanted: Wanted, key: str, admin: str, now: int) -> tuple[Account, RefundRequest]:
        """The account before, and the request in it: a new one, or the one that was made under this key."""
        reserved: list[tuple[Account, RefundRequest]] = []

        def decide(before: Account) -> Consequences | None:
            record, payment = _payment(before, wanted)
            own_id = request_id(wanted.user_id, wanted.provider, payment.payment_id, key)
            existing = request_of(before, wanted.provider, own_id)
            if existing is not None:
                _check_same(existing, wanted)
                request = existing if existing.status != "reserved" else _taken(existing, now)
                reserved[:] = [(before, request)]
                return self._noting(before, request, now)
            amount, _ = _amount(before, record, payment, wanted)
            request = RefundRequest(
                request_id=own_id,
                provider=wanted.provider,
                payment_id=payment.payment_id,
                amount_cents=amount,
                currency=payment.currency,
                reason=wanted.reason,
                requested_by=admin,
                requested_at=now,
                whole=wanted.amount_cents is None,
                asked_until=now + ASKING,
                settle_at=now + _AGAIN[0],
            )
            reserved[:] = [(before, request)]
            by = By(actor=admin, action="refund", reason=wanted.reason, subject=wanted.user_id)
            return self._noting(before, request, now, by)

        self._accounts.change(wanted.user_id, decide)
        return reserved[0]

    def _noting(self, before: Account, request: RefundRequest, now: int, by: By | None = None) -> Consequences | None:
        if request_of(before, request.provider, request.request_id) == request:
            return None
        return consequences(before, before.put(request), self._plans.catalogue(), now, by)

    def _ask(self, user_id: str, request: RefundRequest, now: int) -> RefundParts:
        """Asks the provider and stores the outcome."""
        # A bitcoin provider makes a claim of any size, so the amount left has to be named.
        named = request.provider in PREPAID or not request.whole
        try:
            answer = self._client(request.provider).refund(
                request.payment_id,
                request.amount_cents if named else None,
                request.currency,
                reason=request.reason,
                key=request.request_id,
            )
        except ProviderUnavailable as silent:
            raise ProviderUnavailable(
                f"{silent.detail}. The amount stays reserved, and the refund is asked for again by itself",
                retry_after=ASKING,
                request_id=request.request_id,
            ) from silent
        except ProviderError as refused:
            self._close(user_id, request, "refused", refused.detail, now)
            raise
        facts = answer.facts
        if request.provider in PREPAID:  # dated by our clock, as whatever is read of it later
            facts = tuple(replace(fact, observed_at=now) for fact in facts)
        self._applier.apply(user_id, request.provider, facts, now)
        words = list(answer.refused)
        if answer.outside_cents:
            words.append(f"{answer.outside_cents} was paid past the provider, which cannot give it back")
        error = "; ".join(words) or None
        self._close(user_id, request, "made" if answer.facts else "refused", error, now)
        return answer

    def _close(self, user_id: str, request: RefundRequest, status: RequestStatus, error: str | None, now: int) -> None:
        """Stores the end of a request and releases what it still reserved."""

        def decide(before: Account) -> Consequences | None:
            stored = request_of(before, request.provider, request.request_id)
            if stored is None or stored.status != "reserved":
                return None
            return self._noting(before, replace(stored, status=status, error=error, settle_at=None), now)

        self._accounts.change(user_id, decide)

    def _claim_url(self, provider: str, refund_id: str | None) -> str | None:
        if refund_id is None or not PROVIDERS[provider].claims:
            return None
        try:
            return prepaid_client(self._client, provider).refund_url(refund_id)
        except ProviderError:
            return None  # the refund is made; reading the invoice gives its link again


def _check_same(existing: RefundRequest, wanted: Wanted) -> None:
    """A key stands for one refund."""
    whole = wanted.amount_cents is None
    same_amount = existing.whole if whole else not existing.whole and existing.amount_cents == wanted.amount_cents
    if not same_amount or existing.reason != wanted.reason:
        raise Conflict("this key was used for another refund of this payment", code="idempotency_key_reused")


def _taken(request: RefundRequest, now: int) -> RefundRequest:
    """An open request, now asked for by us, unless somebody else is asking."""
    if request.asked_until > now:
        raise Conflict(
            "this refund is being asked for at this moment: ask again with the same key",
            code="refund_in_progress",
            retry_after=request.asked_until - now,
        )
    again = _AGAIN[min(request.tries, len(_AGAIN) - 1)]
    return replace(request, tries=request.tries + 1, asked_until=now + ASKING, settle_at=now + again)


def features_lost(
    account: Account, record: Subscription | Purchase, payment: Payment, amount: int, catalogue: Catalogue, now: int
) -> list[str]:
    """The features that are open now and would not be after this refund."""
    imagined = Refund(refund_id="imagined", amount_cents=amount, status="succeeded", observed_at=now)
    after = replace(payment, refunds={**payment.refunds, imagined.refund_id: imagined})
    if isinstance(record, Subscription):
        then = filed(account, record, after)
    else:
        then = account.put(replace(record, payment=after))
    return sorted(evaluate(sources(account, catalogue), now).keys() - evaluate(sources(then, catalogue), now).keys())


def _payment(account: Account, wanted: Wanted) -> tuple[Subscription | Purchase, Payment]:
    record_and_payment = account.payment(wanted.provider, wanted.payment)
    if record_and_payment is None:
        raise NotFound(f"this user has no payment {wanted.payment} at {wanted.provider}")
    return record_and_payment


def _amount(account: Account, record: Subscription | Purchase, payment: Payment, wanted: Wanted) -> tuple[int, int]:
    """The amount of this refund, and the most that could go back. Raises `Conflict` where it cannot be made, and
    `NotAllowed` beyond what may be given back."""
    decided = payment.accepted_by
    if isinstance(record, Purchase) and not record.undecided:
        decided = record.accepted_by
    if wanted.undecided and decided:
        raise Conflict(f"{decided} has accepted this payment", code="already_accepted")
    left = refundable_cents(account, record, payment, surplus=wanted.surplus)
    amount = left if wanted.amount_cents is None else wanted.amount_cents
    if not 0 < amount <= left:
        others = sum(1 for _ in open_requests(account, record.provider, payment))
        reserved = "; another refund of it is on its way" if others else ""
        raise Conflict(
            f"at most {left} can be refunded{reserved}", code="not_refundable", refundable_cents=left, open=others
        )
    gone = payment.given_back_cents + reserved_cents(account, record.provider, payment)
    if wanted.most_cents is not None and gone + amount > wanted.most_cents:
        raise NotAllowed(
            "this is more than your role may give back of one payment: ask an admin",
            code="beyond_role",
            most_cents=wanted.most_cents,
        )
    return amount, left


def _effect(provider: str, payment: Payment, left: int, amount: int, *, dry_run: bool) -> dict[str, Any]:
    return {
        "dry_run": dry_run,
        "provider": provider,
        "payment_id": payment.payment_id,
        "refund_id": None,
        "amount_cents": amount,
        "asked_cents": amount,
        "refundable_cents": left,
        "currency": payment.currency,
        "outcome": "preview",
        "parts": [],
        "error": None,
        "outside_cents": 0,
        "claim_url": None,
    }


def _part(part: Refund) -> dict[str, Any]:
    return {"refund_id": part.refund_id, "amount_cents": part.amount_cents, "status": part.status}
