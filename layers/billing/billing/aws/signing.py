"""Signature V4 for the requests of AWS's JSON services: POST, path "/", no query, a hashed body.

tests/aws/test_signing.py compares it byte by byte with botocore's signer.
"""

import hashlib
import hmac
import time
from collections.abc import Mapping

from billing.data import dataclass


@dataclass(frozen=True, slots=True)
class Credentials:
    access_key: str
    secret_key: str
    token: str = ""


class Signer:
    def __init__(self, credentials: Credentials, region: str, service: str) -> None:
        self._credentials = credentials
        self._place = f"{region}/{service}/aws4_request"
        self._day, self._key = "", b""

    def signed(self, headers: Mapping[str, str], body: bytes, now: float) -> dict[str, str]:
        """`headers` (names in lower case) with the signature headers added. `now` in Unix seconds."""
        moment = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
        day = moment[:8]
        complete = {**headers, "x-amz-date": moment}
        if self._credentials.token:
            complete["x-amz-security-token"] = self._credentials.token
        ordered = sorted(complete)
        names = ";".join(ordered)
        lines = "".join(f"{name}:{' '.join(complete[name].split())}\n" for name in ordered)
        request = f"POST\n/\n\n{lines}\n{names}\n{hashlib.sha256(body).hexdigest()}"
        scope = f"{day}/{self._place}"
        text = f"AWS4-HMAC-SHA256\n{moment}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
        signature = hmac.digest(self._key_of(day), text.encode(), "sha256").hex()
        complete["authorization"] = (
            f"AWS4-HMAC-SHA256 Credential={self._credentials.access_key}/{scope}, "
            f"SignedHeaders={names}, Signature={signature}"
        )
        return complete

    def _key_of(self, day: str) -> bytes:
        """The signing key of a day, cached: it takes four of the five HMACs of a signature."""
        if day != self._day:
            key = f"AWS4{self._credentials.secret_key}".encode()
            for part in (day, *self._place.split("/")):
                key = hmac.digest(key, part.encode(), "sha256")
            self._day, self._key = day, key
        return self._key
