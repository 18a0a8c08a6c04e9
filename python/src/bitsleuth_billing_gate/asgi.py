"""FastAPI and Starlette: endpoints that run only for users who have a feature.

@app.post("/report")
@requires_feature(gate, "tax.enhanced")
async def report(request: Request) -> Response: ...
"""

import functools
import inspect
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from bitsleuth_billing_gate.events import LONGEST_BODY, Receiver
from bitsleuth_billing_gate.gate import Caller, Gate, Refusal, Use

Endpoint = Callable[..., Any]


def requires_feature(
    gate: Gate, feature: str, *, meter: bool = False, amount: int = 1
) -> Callable[[Endpoint], Callable[..., Awaitable[Any]]]:
    """For an endpoint that takes the `Request`, `async` or not. A use that ends in an exception, in a stream that
    breaks off or in 5xx is free."""

    def guard(endpoint: Endpoint) -> Callable[..., Awaitable[Any]]:
        if inspect.isgeneratorfunction(endpoint) or inspect.isasyncgenfunction(endpoint):
            # FastAPI streams what such an endpoint yields: it has answered 200 before anybody can be refused.
            raise TypeError(f"{endpoint.__qualname__} yields: it has to return a StreamingResponse instead")

        @functools.wraps(endpoint)
        async def guarded(*args: Any, **kwargs: Any) -> Any:
            request = next((part for part in (*args, *kwargs.values()) if isinstance(part, Request)), None)
            if request is None:
                raise TypeError(f"{endpoint.__qualname__} has to take the Request: it says who is asking")
            # HTTP/2 may send each cookie in a header of its own.
            cookies = "; ".join(request.headers.getlist("cookie"))
            caller = Caller.of(request.headers.get("authorization"), cookies)
            verdict: Use | Refusal
            if not meter and gate.opens_from_memory(feature, caller):
                verdict = Use()
            else:
                # What may wait for the network does not wait in the event loop.
                verdict = await run_in_threadpool(gate.decide, feature, caller, meter=meter, amount=amount)
            if isinstance(verdict, Refusal):
                return Response(verdict.body, verdict.status, dict(verdict.headers))
            try:
                if inspect.iscoroutinefunction(endpoint):
                    made = await endpoint(*args, **kwargs)
                else:
                    made = await run_in_threadpool(endpoint, *args, **kwargs)
            except BaseException:
                verdict.end(False)
                raise
            good = getattr(made, "status_code", 200) < 500
            if good and hasattr(made, "body_iterator"):  # a StreamingResponse, or what other packages have in its place
                made.body_iterator = _watched(made.body_iterator, verdict.end)
            else:
                verdict.end(good)
            return made

        return guarded

    return guard


async def _watched(parts: AsyncIterable[Any], end: Callable[[bool], None]) -> AsyncIterator[Any]:
    whole = True  # who stops listening has used it
    try:
        async for part in parts:
            yield part
    except Exception:
        whole = False
        raise
    finally:
        end(whole)


def on_billing_event(receiver: Receiver) -> Callable[[Request], Awaitable[Response]]:
    """The endpoint of a POST route for the service's webhooks: `app.post("/billing/events")(on_billing_event(…))`."""

    async def receive(request: Request) -> Response:
        body = b""
        async for part in request.stream():
            body += part
            if len(body) > LONGEST_BODY:
                return Response(status_code=413)
        return Response(status_code=await run_in_threadpool(receiver.receive, request.headers, body))

    return receive
