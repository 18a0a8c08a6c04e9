"""Identities: which account a key or login belongs to, refresh tokens, and proofs that were shown already.

Linked identities and refresh tokens lie in their user's collection (behind the records that decide access), so that
deleting an account deletes them too.
"""

from typing import Any

from billing.aws import Aws, AwsError
from billing.data import dataclass
from billing.errors import Conflict
from billing.store.codec import item, values
from billing.store.queries import all_items
from billing.store.transactions import LostRace, transact


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
        key = item({"user_id": f"identity#{identity}", "record": "identity"})
        answer = self._aws.call("dynamodb", "get_item", TableName=self._table, Key=key, ConsistentRead=True)
        return str(values(answer["Item"])["owner"]) if "Item" in answer else None

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
        if self.owner(user_id) in (None, user_id):
            return False
        request = {
            "TableName": self._table,
            "KeyConditionExpression": "user_id = :user AND begins_with(#record, :identities)",
            "ExpressionAttributeNames": {"#record": "record"},
            "ExpressionAttributeValues": item({":user": user_id, ":identities": "~identity#"}),
            "ConsistentRead": True,
        }
        return next(all_items(self._aws, request), None) is None

    # --- proofs that must not be shown twice -------------------------------------------------------------------------

    def first_use(self, proof_id: str, now: int, keep: int) -> bool:
        """Whether a proof is new. It is remembered for `keep` seconds at least."""
        proof = item({"user_id": f"proof#{proof_id}", "record": "proof", "ttl": now + keep})
        return self._succeeds(
            "put_item", TableName=self._table, Item=proof, ConditionExpression="attribute_not_exists(user_id)"
        )

    # --- refresh tokens ----------------------------------------------------------------------------------------------

    def start_family(self, user_id: str, family_id: str, current: str, now: int, ends_at: int) -> None:
        family = {**_family_key(user_id, family_id), "current": current, "rotated_at": now, "ends_at": ends_at}
        self._aws.call("dynamodb", "put_item", TableName=self._table, Item=item({**family, "ttl": ends_at}))

    def family(self, user_id: str, family_id: str) -> RefreshFamily | None:
        key = item(_family_key(user_id, family_id))
        answer = self._aws.call("dynamodb", "get_item", TableName=self._table, Key=key, ConsistentRead=True)
        if "Item" not in answer:
            return None
        found = values(answer["Item"])
        return RefreshFamily(found["current"], found.get("previous", ""), found["rotated_at"], found["ends_at"])

    def rotate(self, user_id: str, family_id: str, used: str, successor: str, now: int) -> bool:
        """Replaces the current token's hash; False when `used` is not the current one, or the chain has ended."""
        names_the_current_one = "#current = :used"
        still_runs = "ends_at > :now"
        return self._succeeds(
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
        request = {
            "TableName": self._table,
            "KeyConditionExpression": "user_id = :user AND begins_with(#record, :sessions)",
            "ExpressionAttributeNames": {"#record": "record"},
            "ExpressionAttributeValues": item({":user": user_id, ":sessions": "~session#"}),
            "ConsistentRead": True,
        }
        for found in list(all_items(self._aws, request)):
            key = {name: found[name] for name in ("user_id", "record")}
            self._aws.call("dynamodb", "delete_item", TableName=self._table, Key=key)

    def end_family(self, user_id: str, family_id: str) -> None:
        self._aws.call("dynamodb", "delete_item", TableName=self._table, Key=item(_family_key(user_id, family_id)))

    def _succeeds(self, operation: str, **request: Any) -> bool:
        try:
            self._aws.call("dynamodb", operation, **request)
        except AwsError as error:
            if error.code == "ConditionalCheckFailedException":
                return False
            raise
        return True


def _family_key(user_id: str, family_id: str) -> dict[str, object]:
    return {"user_id": user_id, "record": f"~session#{family_id}"}
