"""Identities: which account a key or login belongs to, refresh tokens, and proofs that were shown already.

Linked identities and refresh tokens lie in their user's collection (behind the records that decide access), so that
deleting an account deletes them too.
"""

from typing import Any

from billing.aws import Aws
from billing.data import dataclass
from billing.errors import Conflict
from billing.store.codec import item
from billing.store.dynamodb import LostRace, beginning, conditional_write, read_item, transact


@dataclass(frozen=True, slots=True)
class RefreshFamily:
    """The chain of refresh tokens that one sign-in began. Hashes only; times are Unix seconds."""

    current: str
    previous: str
    rotated_at: int
    ends_at: int


class IdentityStore:
    def __init__(self, aws: Aws, accounts_table: str) -> None:
        self._aws = aws
        self._table = accounts_table

    # --- accounts and the identities that open them ------------------------------------------------------------------

    def owner(self, identity: str) -> str | None:
        """The account an identity was linked to; None when it only opens its own."""
        link = read_item(self._aws, self._table, item({"user_id": f"identity#{identity}", "record": "identity"}))
        return None if link is None else str(link["owner"])

    def link(self, identity: str, user_id: str, now: int) -> None:
        """Lets an identity open an account. `Conflict` when it opens another one already, or has one of its own.

        The account that it opened by itself must be empty, which is part of the transaction: nothing is bought there
        while the key moves.
        """
        unlinked = "attribute_not_exists(user_id)"
        ours = "#owner = :user"
        index = {
            "TableName": self._table,
            "Item": item({"user_id": f"identity#{identity}", "record": "identity", "owner": user_id}),
            "ConditionExpression": f"{unlinked} OR {ours}",
            "ExpressionAttributeNames": {"#owner": "owner"},
            "ExpressionAttributeValues": item({":user": user_id}),
        }
        listed = {
            "TableName": self._table,
            "Item": item({"user_id": user_id, "record": f"~identity#{identity}", "linked_at": now}),
        }
        empty = {
            "TableName": self._table,
            "Key": item({"user_id": identity, "record": "entitlements"}),
            "ConditionExpression": "attribute_not_exists(user_id)",
        }
        checks = [{"ConditionCheck": empty}] if identity != user_id else []
        try:
            transact(self._aws, [{"Put": index}, {"Put": listed}, *checks])
        except LostRace as error:
            raise Conflict("this identity opens another account", code="identity_linked") from error

    def moved(self, user_id: str) -> bool:
        """Whether the key that opens this account opens another one now, and no other key opens this one."""
        return self.opened_by(user_id) is None

    def opened_by(self, user_id: str) -> str | None:
        """An identity that opens this account, its own first; None when that one moved and there is no other.

        A new account's own identity may still move away (`own_key_stays`); one that was linked to it never does.
        """
        if self.owner(user_id) in (None, user_id):
            return user_id
        linked = next(beginning(self._aws, self._table, user_id, "~identity#", ConsistentRead=True), None)
        return None if linked is None else linked["record"]["S"].removeprefix("~identity#")

    # --- proofs that must not be shown twice -------------------------------------------------------------------------

    def first_use(self, proof_id: str, now: int, keep: int) -> bool:
        """Whether a proof is new. It is remembered for `keep` seconds at least."""
        proof = item({"user_id": f"proof#{proof_id}", "record": "proof", "ttl": now + keep})
        unused = "attribute_not_exists(user_id)"
        return conditional_write(self._aws, "put_item", TableName=self._table, Item=proof, ConditionExpression=unused)

    # --- refresh tokens ----------------------------------------------------------------------------------------------

    def start_family(self, user_id: str, family_id: str, current: str, now: int, ends_at: int) -> None:
        family = {**_family_key(user_id, family_id), "current": current, "rotated_at": now, "ends_at": ends_at}
        self._aws.call("dynamodb", "put_item", TableName=self._table, Item=item({**family, "ttl": ends_at}))

    def family(self, user_id: str, family_id: str) -> RefreshFamily | None:
        stored = read_item(self._aws, self._table, item(_family_key(user_id, family_id)))
        if stored is None:
            return None
        return RefreshFamily(stored["current"], stored.get("previous", ""), stored["rotated_at"], stored["ends_at"])

    def rotate(self, user_id: str, family_id: str, used: str, successor: str, now: int) -> bool:
        """Replaces the current token's hash; False when `used` is not the current one, or the chain has ended."""
        names_the_current_one = "#current = :used"
        still_runs = "ends_at > :now"
        return conditional_write(
            self._aws,
            "update_item",
            TableName=self._table,
            Key=item(_family_key(user_id, family_id)),
            UpdateExpression="SET #current = :successor, previous = :used, rotated_at = :now",
            ConditionExpression=f"{names_the_current_one} AND {still_runs}",
            ExpressionAttributeNames={"#current": "current"},
            ExpressionAttributeValues=item({":used": used, ":successor": successor, ":now": now}),
        )

    def end_families(self, user_id: str) -> None:
        """Ends every sign-in of an account."""
        for session in list(beginning(self._aws, self._table, user_id, "~session#", ConsistentRead=True)):
            key = {name: session[name] for name in ("user_id", "record")}
            self._aws.call("dynamodb", "delete_item", TableName=self._table, Key=key)

    def end_family(self, user_id: str, family_id: str) -> None:
        self._aws.call("dynamodb", "delete_item", TableName=self._table, Key=item(_family_key(user_id, family_id)))


def own_key_stays(table: str, user_id: str) -> dict[str, Any]:
    """Part of a transaction that writes a new account: its own identity does not open another one meanwhile.

    Once it is written, `link` takes that identity no more.
    """
    unlinked = "attribute_not_exists(user_id)"
    opens_its_own = "#owner = :user"
    check = {
        "TableName": table,
        "Key": item({"user_id": f"identity#{user_id}", "record": "identity"}),
        "ConditionExpression": f"{unlinked} OR {opens_its_own}",
        "ExpressionAttributeNames": {"#owner": "owner"},
        "ExpressionAttributeValues": item({":user": user_id}),
    }
    return {"ConditionCheck": check}


def _family_key(user_id: str, family_id: str) -> dict[str, object]:
    return {"user_id": user_id, "record": f"~session#{family_id}"}
