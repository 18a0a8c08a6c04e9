"""A host in FastAPI. `uvicorn fastapi_host:app`, with BILLING_API_URL; with BILLING_KEYS a yes needs no network, with
BILLING_EVENTS_SECRET what is revoked closes at once."""

import json
import os

from fastapi import FastAPI, Request

from bitsleuth_billing_gate import Gate
from bitsleuth_billing_gate.asgi import on_billing_event, requires_feature

keys = os.environ.get("BILLING_KEYS")
gate = Gate(os.environ["BILLING_API_URL"], keys=json.loads(keys) if keys else None)
app = FastAPI()


@app.post("/report")
@requires_feature(gate, "tax.enhanced")
async def report(request: Request) -> dict[str, str]:
    return {"report": "everything of the year"}


@app.post("/chat")
@requires_feature(gate, "ai.chat", meter=True)
def chat(request: Request) -> dict[str, str]:
    return {"answer": "0.0042 BTC"}


if secrets := os.environ.get("BILLING_EVENTS_SECRET"):
    app.post("/billing/events")(on_billing_event(gate.receiver(secrets.split(","))))
