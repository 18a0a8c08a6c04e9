"""What is sealed opens for what it was sealed for, and for nothing else."""

import base64
from dataclasses import replace
from typing import cast

import boto3
import pytest
from moto import mock_aws

from billing.aws import Aws
from billing.sealing import CannotOpen, Sealed, Sealer
from tests.acceptance.wallets import MemoryKms

TEXT = "nostr+walletconnect://abc?relay=wss%3A%2F%2Fr&secret=é"
ABOUT = {"purpose": "wallet", "user": "usr_1"}


@pytest.fixture
def sealer() -> Sealer:
    return Sealer(cast(Aws, MemoryKms()), "key")


def test_it_opens_again_and_shows_nothing_meanwhile(sealer: Sealer) -> None:
    sealed = sealer.seal(TEXT, ABOUT)
    assert sealer.open(sealed, ABOUT) == TEXT
    assert TEXT.encode() not in base64.b64decode(sealed.content)
    assert sealer.seal(TEXT, ABOUT) != sealed


@pytest.mark.parametrize("about", [{**ABOUT, "user": "usr_2"}, {"purpose": "wallet"}, {}])
def test_it_opens_for_nothing_else(sealer: Sealer, about: dict[str, str]) -> None:
    with pytest.raises(CannotOpen):
        sealer.open(sealer.seal(TEXT, ABOUT), about)


def test_what_was_changed_or_has_anothers_key_does_not_open(sealer: Sealer) -> None:
    one, other = sealer.seal(TEXT, ABOUT), sealer.seal(TEXT, ABOUT)
    changed = base64.b64encode(base64.b64decode(one.content)[:-1] + b"\0").decode()
    for wrong in (replace(one, content=changed), Sealed(one.content, other.data_key)):
        with pytest.raises(CannotOpen):
            sealer.open(wrong, ABOUT)


@mock_aws
def test_kms_is_asked_as_it_wants_to_be() -> None:
    """botocore on the one side, our own calls in between: both see the same blobs."""
    kms = boto3.client("kms", region_name="us-east-1")
    key_id = kms.create_key()["KeyMetadata"]["KeyId"]

    class Through:
        def call(self, service: str, operation: str, **asked: object) -> dict[str, object]:
            if "CiphertextBlob" in asked:
                asked["CiphertextBlob"] = base64.b64decode(str(asked["CiphertextBlob"]))
            answer = getattr(boto3.client(service, region_name="us-east-1"), operation)(**asked)
            return {k: base64.b64encode(v).decode() if isinstance(v, bytes) else v for k, v in answer.items()}

    sealer = Sealer(cast(Aws, Through()), key_id)
    assert sealer.open(sealer.seal(TEXT, ABOUT), ABOUT) == TEXT
