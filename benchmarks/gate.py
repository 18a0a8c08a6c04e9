"""The cost of the gate per request, in the Lambda authorizer and in Node, next to the usual library without a cache.

    python benchmarks/gate.py

It prints the median CPU time over all rounds; each round runs all variants, and ratios compare with the usual library
in the same round. The Node half needs the front end's packages: npm ci and npm run build in frontend/.
"""

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "layers" / "billing"))

import jwt

from billing.identity.authorizer import Authorizer
from billing.identity.callers import Callers
from billing.identity.tokens import SESSION_AUDIENCE, Signer, Verifier, generate_key_set
from billing.rules.entitlements import Snapshot, Source
from billing.rules.plans import Allowance

ROOT = Path(__file__).parents[1]
ROUNDS, CALLS = 15, 300
NOW = int(time.time())
ISSUER = "bitsleuth-billing"

COLD = """
import time, sys, json
began = time.process_time()
sys.path[:0] = {path!r}
from billing.identity.tokens import Verifier
verifier = Verifier({{"bitsleuth-billing": {keys!r}}})
imported = time.process_time()
verifier.verify_session({token!r}, {now})
print(json.dumps([(imported - began) * 1e3, (time.process_time() - imported) * 1e3]))
"""


class OneSnapshot:
    """Replaces the table with a read that costs nothing, so that only the gate's own work is measured."""

    def snapshot(self, user_id: str) -> Snapshot:
        source = Source(
            kind="subscription",
            id="sub_1",
            plan_id="plus",
            plan_version=1,
            start=0,
            until=None,
            reason="active",
            features={f"feature.{n}": True for n in range(9)} | {"ai.chat": Allowance(200)},
        )
        return Snapshot(user_id, 1, (source,))


def same(verifier: Verifier) -> Verifier:
    return verifier


def microseconds(call: Callable[[int], object]) -> float:
    began = time.process_time()
    for n in range(CALLS):
        call(n)
    return (time.process_time() - began) / CALLS * 1e6


def authorizer_event(token: str) -> dict[str, object]:
    return {"identitySource": [f"Bearer {token}"], "rawPath": "/billing/entitlements"}


def python() -> None:
    keys = generate_key_set("k1")
    signer = Signer({ISSUER: keys}, ISSUER)
    public = jwt.PyJWK(signer.jwks()["keys"][0])
    tokens = [signer.sign_session(f"usr_{n}", False, NOW, 900) for n in range(CALLS)]
    token, events = tokens[0], [authorizer_event(token) for token in tokens]
    warm = Verifier({ISSUER: keys})
    warm.verify_session(token, NOW)
    authorizer = Authorizer(Callers(lambda: warm), OneSnapshot())  # type: ignore[arg-type]  # only snapshot() is used
    authorizer.answer(events[0], NOW)

    def first_sight(verifier: Verifier, n: int) -> object:
        return verifier.verify_session(tokens[n], NOW)

    def answer(authorizer: Authorizer, n: int) -> object:
        return authorizer.answer(events[n], NOW)

    def usual(n: int) -> object:
        return jwt.decode(tokens[n], public, ["ES256"], audience=SESSION_AUDIENCE, issuer=ISSUER)

    rows: dict[str, list[float]] = {}
    for _ in range(ROUNDS):
        fresh, other = Verifier({ISSUER: keys}), Verifier({ISSUER: keys})
        unseen = Authorizer(Callers(partial(same, other)), OneSnapshot())  # type: ignore[arg-type]  # as above
        for name, call in {
            "PyJWT, no cache (the usual)": usual,
            "token verified, first sight": partial(first_sight, fresh),
            "token seen before": lambda _: warm.verify_session(token, NOW),
            "whole authorizer, both unseen": partial(answer, unseen),
            "whole authorizer, both seen": lambda _: authorizer.answer(events[0], NOW),
        }.items():
            rows.setdefault(name, []).append(microseconds(call))
    show("Python authorizer, per request", rows, "PyJWT, no cache (the usual)")
    script = COLD.format(path=sys.path[:1], keys=keys, token=token, now=NOW)
    cold = [json.loads(subprocess.check_output([sys.executable, "-c", script])) for _ in range(7)]
    imported, first = (statistics.median(values) for values in zip(*cold, strict=True))
    print(f"  cold: import and keys {imported:.0f} ms, first token {first:.1f} ms (CPU, once per environment)\n")


def show(title: str, rows: dict[str, list[float]], base: str) -> None:
    print(title)
    for name, values in rows.items():
        ratios = [value / usual for value, usual in zip(values, rows[base], strict=True)]
        print(f"  {name:<32} {statistics.median(values):9.2f} µs   × {statistics.median(ratios):.4f}")


def node() -> None:
    subprocess.run(["node", str(Path(__file__).with_name("gate.mjs"))], check=True, cwd=ROOT / "frontend")


if __name__ == "__main__":
    python()
    node()
