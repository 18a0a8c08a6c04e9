"""Cold starts: the cost of initialisation and first invocation of each function, next to a naive variant.

Our functions run as deployed: from the built layers, with no other packages. The naive variants use the same libraries,
installed by pip with bytecode. AWS is a process on this machine, behind TLS.
"""

import functools
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.cloud import SECRET, EmptyCloud, event_for, served
from benchmarks.environment import FUNCTIONS, ROOT, of_a_process
from local.build import build
from local.deliveries import delivery
from local.host import WORK

HOT = frozenset(
    "authorizer webhook_stripe webhook_bitpay webhook_btcpay entitlements subscription_status usage plans config jwks "
    "process_payment_events publish_changes".split()
)

# It measures after the import of the runtime client, which every Python function on Lambda loads first.
_CHILD = """
import sys
sys.modules["OpenSSL"] = sys.modules["awscrt"] = None  # a developer's tools bring them; no layer has them
import awslambdaric.bootstrap
import importlib, json, time
class Context:
    function_name = memory_limit_in_mb = invoked_function_arn = aws_request_id = "x"
    def get_remaining_time_in_millis(self): return 10_000
event, before = json.loads(sys.argv[2]), set(sys.modules)
began = time.process_time()
module = importlib.import_module(sys.argv[1])
initialised = time.process_time()
if sys.argv[1].endswith("consumer"):  # without its call to Stripe
    module.client.v1.subscriptions.retrieve = lambda id: type("Found", (), {"metadata": {"user_id": "usr_1"}})
module.handler(event, Context())
done = time.process_time()
resident = int(open("/proc/self/statm").read().split()[1]) * 4096 / 1e6
loaded = sys.modules.keys() - before
packages = sorted({name.partition(".")[0] for name in loaded} - sys.stdlib_module_names)
cpu = [(initialised - began) * 1e3, (done - initialised) * 1e3]
print(json.dumps([*cpu, len(loaded), resident, packages]))
"""


class Start(NamedTuple):
    """CPU milliseconds of initialisation and first invocation, number of modules, MB in memory, names of packages."""

    initialisation: float
    first: float
    modules: int
    resident: float
    packages: list[str]

    @property
    def cpu(self) -> float:
        return self.initialisation + self.first


def kind(function: str) -> str:
    """The naive variant that does the same work."""
    if function == "authorizer":
        return "authorizer"
    if function.startswith("webhook_"):
        return "webhook"
    behind = ("process_", "publish_", "poll_", "send_", "book_", "move_", "reconcile")
    return "consumer" if function.startswith(behind) else "api"


class Starts:
    """Measures starts against an AWS at `url`. Ours trust Amazon's root certificates, the naive variants certifi's."""

    def __init__(self, url: str, certificate: Path, folder: Path, layers: Sequence[Path]) -> None:
        import certifi

        self._cloud, self._url, self._layers = EmptyCloud(), url, layers
        own = certificate.read_text()
        amazon = (ROOT / "layers/billing/billing/aws/amazon_roots.pem").read_text()
        self._bundles = {False: folder / "amazon.pem", True: folder / "world.pem"}
        self._bundles[False].write_text(amazon + own)
        self._bundles[True].write_text(Path(certifi.where()).read_text() + own)

    def measure(self, module: str) -> Start:
        naive = module.startswith("benchmarks.")
        folders = [ROOT] if naive else [*self._layers, ROOT / "functions"]
        alone = ["-S"] if WORK / "runtime" in folders else []  # no site-packages: the layers must bring everything
        variables = {
            **self._cloud.variables,
            **of_a_process(*folders),
            "AWS_ENDPOINT_URL": self._url,
            "AWS_CA_BUNDLE": str(self._bundles[naive]),
            "BILLING_PROVIDER_MODE": "stripe,btcpay,bitpay,mock",
        }
        event = self._naive_event(module.rpartition(".")[2]) if naive else event_for(module, self._cloud)
        if naive:
            variables |= {"TOKEN_PUBLIC_KEYS": self._public_key(), "STRIPE_WEBHOOK_SECRET": "x"}
        done = subprocess.run(
            [sys.executable, *alone, "-c", _CHILD, module, json.dumps(event)],
            env=variables,
            cwd=ROOT / "benchmarks",  # a folder that holds no package of ours
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise SystemExit(f"{module} does not start:\n{done.stderr}")
        return Start(*json.loads(done.stdout.splitlines()[-1]))

    def _public_key(self) -> str:
        from cryptography.hazmat.primitives import serialization

        key = self._cloud.signer._private.public_key()
        return key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()

    def _naive_event(self, variant: str) -> dict[str, Any]:
        """The event for a naive variant: the same as for ours, with the fields that its library requires."""
        if variant == "authorizer":
            import jwt

            claims = {"sub": "usr_1", "exp": 4_000_000_000, "aud": "billing"}
            token = jwt.encode(claims, self._cloud.signer._private, "ES256")
            event = event_for("authorizer", self._cloud)
            return {**event, "headers": {**event["headers"], "authorization": f"Bearer {token}"}}
        if variant == "webhook":
            body = (
                ROOT / "events/stripe/refund.created.endive.json"
            ).read_bytes()  # one that the variant can serialise
            event = delivery("stripe", body, SECRET, int(time.time()))
            http = {
                "method": "POST",
                "path": "/billing/webhook/stripe",
                "protocol": "",
                "sourceIp": "",
                "userAgent": "",
            }
            return {**event, "requestContext": {**event["requestContext"], "http": http}}
        if variant == "api":
            return event_for("subscription_status", self._cloud)
        body = json.dumps({"id": "evt_1", "type": "x", "data": {"object": {"id": "sub_1"}}})
        attributes = {"ApproximateReceiveCount": "1", "SentTimestamp": "1", "SenderId": "x"}
        attributes |= {"ApproximateFirstReceiveTimestamp": "1"}
        record = {
            "messageId": "m",
            "receiptHandle": "h",
            "body": body,
            "attributes": attributes,
            "messageAttributes": {},
            "md5OfBody": "x",
            "eventSource": "aws:sqs",
            "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:queue",
            "awsRegion": "us-east-1",
        }
        return {"Records": [record]}


@functools.cache
def _layers() -> list[Path]:
    built = build()
    # Only some functions have the Nostr layer; for the others one more folder on the path costs nothing.
    names = ("DependenciesLayer", "BillingLayer", "NostrLayer")
    return [*(built.artifact(name) / "python" for name in names), WORK / "runtime"]


def report(rounds: int, functions: Sequence[str] = FUNCTIONS) -> None:
    naive = {name: f"benchmarks.naive.{name}" for name in sorted({kind(f) for f in functions})}
    modules = [*functions, *naive.values()]
    with served() as (url, certificate), tempfile.TemporaryDirectory() as folder:
        starts = Starts(url, certificate, Path(folder), _layers())
        for module in modules:
            starts.measure(module)  # compiles what is not compiled yet
        seen: dict[str, list[Start]] = {module: [] for module in modules}
        for _ in range(rounds):
            for module, measured in seen.items():
                measured.append(starts.measure(module))
    print(f"Cold start, after the runtime client: CPU ms, median of {rounds} rounds; • marks functions on hot paths")
    print(f"{'':30}{'init':>7}{'first':>7}{'naive':>7}{'ratio':>8}{'modules':>9}{'naive':>7}{'MB':>6}")
    for function in functions:
        ours, other = seen[function], seen[naive[kind(function)]]
        ratio = statistics.median(n.cpu / o.cpu for o, n in zip(ours, other, strict=True))
        middle = Start(*(statistics.median(s[n] for s in ours) for n in range(4)), ours[0].packages)
        print(
            f"{'•' if function in HOT else ' '} {function:28}{middle.initialisation:7.0f}{middle.first:7.1f}"
            f"{statistics.median(o.cpu for o in other):7.0f}{ratio:7.1f}×{middle.modules:9.0f}"
            f"{statistics.median(o.modules for o in other):7.0f}{middle.resident:6.0f}"
        )
