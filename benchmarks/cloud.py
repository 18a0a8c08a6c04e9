"""A stand-in for AWS with two plans, the secrets and no accounts: in this process, or as a server behind TLS."""

import datetime
import ipaddress
import json
import os
import re
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from unittest.mock import patch

from benchmarks.environment import ROOT, VARIABLES
from billing.aws import Aws
from billing.identity.tokens import DEV_ISSUER, Signer, Verifier, generate_key_set
from billing.intake.webhook import encode
from billing.providers import mock
from billing.rules.plans import Plan
from billing.store.plans import _plan_item
from local.deliveries import delivery

SECRET = "secret-of-the-benchmark"  # noqa: S105 opens nothing
USER = "usr_0123456789abcdef"
_FREE = {"plan_id": "free", "name": "Free", "price_cents": 0, "interval": "month"}
_PASS = {"plan_id": "tax-2026", "name": "Tax year", "price_cents": 4900, "interval": "once", "group": "tax-2026"}
PLANS = [
    Plan(**plan, version=1, currency="USD", features={"ai.insights": True})  # type: ignore[arg-type]  # values of several types
    for plan in (_FREE, _PASS)
]


class EmptyCloud:
    """Answers calls and records their operations in `calls`."""

    def __init__(self) -> None:
        keys, development = generate_key_set("own-1"), generate_key_set("dev-1")
        self.signer = Signer({DEV_ISSUER: development}, DEV_ISSUER)
        self.variables = {
            **VARIABLES,
            "TOKEN_PUBLIC_KEYS": json.dumps(Verifier({"own": keys}).jwks()),
            "TOKEN_SIGNING_KEYS": keys,
            "DEV_TOKEN_KEYS": development,
            "IDENTITY_PEPPER": SECRET,
            "VOUCHER_SECRET": SECRET,
            **dict.fromkeys(
                ("BILLING_WEBHOOK_SECRET", "STRIPE_WEBHOOK_SECRET", "BTCPAY_WEBHOOK_SECRET", "BITPAY_API_KEY"), SECRET
            ),
        }
        self.calls: list[str] = []

    def call(self, service: str, operation: str, **request: Any) -> dict[str, Any]:
        self.calls.append(operation)
        if operation in ("query", "scan"):
            return {"Items": [], "Count": 0, "ScannedCount": 0}
        if operation == "batch_get_item":
            (table,) = request["RequestItems"]
            return {"Responses": {table: [_plan_item(plan) for plan in PLANS]}, "UnprocessedKeys": {}}
        if operation == "get_item" and request["Key"].get("plan_id") == {"S": "#index"}:
            versions = json.dumps({plan.plan_id: plan.version for plan in PLANS})
            return {"Item": {"revision": {"N": "1"}, "versions": {"S": versions}}}
        if operation == "get_secret_value":
            return {"SecretString": SECRET, "Name": "x", "ARN": "arn:x", "VersionId": "x" * 32}
        if "salt" in request.get("UpdateExpression", ""):
            return {"Attributes": {"salt": {"S": "a salt of this day"}}}
        if "lease" in request.get("UpdateExpression", ""):  # a due lane of an endpoint that does not exist
            return {"Attributes": {"following": {"S": "0"}, "news": {"N": "0"}}}
        if operation == "get_queue_attributes":
            return {"Attributes": dict.fromkeys(request["AttributeNames"], "0")}
        return {"put_events": {"FailedEntryCount": 0, "Entries": []}}.get(operation, {})

    def count(self, invoke: Callable[[], Any]) -> list[str]:
        """The operations that an invocation calls."""
        self.calls.clear()
        invoke()
        return list(self.calls)


@contextmanager
def empty_cloud() -> Iterator[EmptyCloud]:
    cloud = EmptyCloud()
    with (
        patch.dict(os.environ, cloud.variables),
        patch.object(Aws, "connect", lambda self, service: None),
        patch.object(
            Aws, "call", lambda self, service, operation, **request: cloud.call(service, operation, **request)
        ),
    ):
        yield cloud


def recorded(path: str) -> dict[str, Any]:
    event: dict[str, Any] = json.loads((ROOT / "events" / path).read_text())
    return event


def event_for(function: str, cloud: EmptyCloud) -> dict[str, Any]:
    """A recorded event for a function, with a fresh signature or token where it needs one."""
    now = int(time.time())
    if function == "authorizer":
        token = cloud.signer.sign_session(USER, False, now, 600)
        return {**recorded("api/authorizer.json"), "identitySource": [f"Bearer {token}"]}
    if function.startswith("webhook_"):
        provider = function.removeprefix("webhook_")
        body = {
            "stripe": "stripe/invoice.paid.endive.json",
            "btcpay": "btcpay/InvoiceSettled.json",
            "bitpay": "bitpay/invoice_completed.json",
            "mock": "mock/purchase.updated.json",
        }[provider]
        return delivery(provider, (ROOT / "events" / body).read_bytes(), SECRET, now)
    if function == "process_payment_events":
        body_of_mock = (ROOT / "events" / "mock" / "purchase.updated.json").read_bytes()
        message = {"messageId": "m", "body": encode(mock.minimise(body_of_mock), now, "1", "hash")}
        return {"Records": [message]}
    paths = sorted((ROOT / "events").glob(f"*/{function}.*json"))
    return recorded(str(paths[0].relative_to(ROOT / "events")))


# --- behind TLS ------------------------------------------------------------------------------------------------------


@contextmanager
def served() -> Iterator[tuple[str, Path]]:
    """Serves the empty cloud from its own process; yields its URL and its certificate."""
    with tempfile.TemporaryDirectory() as folder:
        certificate = Path(folder) / "certificate.pem"
        _make_certificate(certificate)
        command = [sys.executable, "-m", "benchmarks.cloud", str(certificate)]
        path = os.pathsep.join([str(ROOT), str(ROOT / "ops"), str(ROOT / "layers" / "billing")])
        env = {**os.environ, "PYTHONPATH": path}
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=env) as server:
            try:
                assert server.stdout is not None
                yield server.stdout.readline().strip(), certificate
            finally:
                server.terminate()


def _make_certificate(path: Path) -> None:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now, now.replace(year=2040))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(private + made.public_bytes(pem))


def _serve(certificate: str) -> None:
    cloud = EmptyCloud()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    listening = socket.create_server(("127.0.0.1", 0), backlog=64)
    print(f"https://127.0.0.1:{listening.getsockname()[1]}", flush=True)
    while True:
        connection, _ = listening.accept()
        threading.Thread(target=_answer, args=(cloud, context, connection), daemon=True).start()


def _answer(cloud: EmptyCloud, context: ssl.SSLContext, plain: socket.socket) -> None:
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with (
        suppress(OSError),
        context.wrap_socket(plain, server_side=True) as connection,
        connection.makefile("rb") as read,
    ):
        while read.readline():
            headers = {}
            while line := read.readline().strip():
                name, _, value = line.decode().partition(":")
                headers[name.lower()] = value.strip()
            request = json.loads(read.read(int(headers["content-length"])))
            operation = re.sub(r"(?<!^)(?=[A-Z])", "_", headers["x-amz-target"].partition(".")[2]).lower()
            body = json.dumps(cloud.call("", operation, **request)).encode()
            head = f"HTTP/1.1 200 OK\r\ncontent-type: application/x-amz-json-1.0\r\ncontent-length: {len(body)}\r\n\r\n"
            connection.sendall(head.encode() + body)


if __name__ == "__main__":
    _serve(sys.argv[1])
