"""Whether a call came through CloudFront, and from which address.

CloudFront can add a secret header to each call to the API (`ORIGIN_KEY`). With it, the API's own address refuses
everybody else, and the caller's address that CloudFront gives can be trusted.
"""

import hmac
import os
from collections.abc import Mapping
from typing import Any

from billing.errors import NotAllowed

HEADER = "x-origin-key"


def check(headers: Mapping[str, str]) -> None:
    """Raises `NotAllowed` for a call that did not come through CloudFront, where only that is allowed."""
    key = os.environ.get("ORIGIN_KEY", "")
    key_sent = headers.get(HEADER, "").encode("utf-8", "surrogateescape")
    if key and not hmac.compare_digest(key_sent, key.encode()):
        raise NotAllowed("call the address of the pages")


def address_of(event: Mapping[str, Any], headers: Mapping[str, str]) -> str:
    """The caller's address; empty when it is not known: without the key anybody can send CloudFront's headers."""
    source = str(event.get("requestContext", {}).get("http", {}).get("sourceIp", ""))
    if os.environ.get("ORIGIN_KEY"):
        # CloudFront adds the address it sees at the end; API Gateway may add CloudFront's own behind it.
        named = [part.strip() for part in headers.get("x-forwarded-for", "").split(",")]
        others = [address for address in named if address and address != source]
        return others[-1] if others else source
    return "" if "x-amz-cf-id" in headers else source


def prefix_of(address: str) -> str:
    """The network of one household or company: the first 24 bits of an IPv4 address, 48 of IPv6.

    Empty for what is no address, and for a loopback address.
    """
    import ipaddress

    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return ""
    mapped = parsed.ipv4_mapped if isinstance(parsed, ipaddress.IPv6Address) else None
    parsed = mapped or parsed
    if parsed.is_loopback:
        return ""
    return str(ipaddress.ip_network((parsed, 24 if parsed.version == 4 else 48), strict=False))
