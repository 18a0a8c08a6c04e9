"""The endpoint of an AWS service, and the root certificates for it."""

import re
import ssl
from collections.abc import Mapping
from typing import NamedTuple

from billing.errors import NotConfigured

# The suffixes of AWS's standard variables AWS_ENDPOINT_URL_<service>.
_SETTINGS = {"dynamodb": "DYNAMODB", "sqs": "SQS", "events": "EVENTBRIDGE", "secretsmanager": "SECRETS_MANAGER"}
_SETTINGS["kms"] = "KMS"
# Only the partition `aws`: others have other domains.
_REGION = re.compile(r"(?!cn-)[a-z]{2}-(north|south|east|west|central){1,2}-\d")
_ADDRESS = re.compile(
    r"http(?P<secure>s)?://([^/@]*@)?(?P<name>\[[0-9a-f:.]+\]|[a-z0-9_.-]+)(:(?P<port>\d{1,5}))?(/.*)?"
)
_LOOPBACK = ("127.0.0.1", "::1", "localhost")


class Endpoint(NamedTuple):
    """`shown` is the Host header, which is signed. `trusted`: the connection uses TLS or is local."""

    host: str
    port: int
    shown: str
    tls: ssl.SSLContext | None

    @property
    def trusted(self) -> bool:
        return self.tls is not None or self.host in _LOOPBACK


def endpoint(service: str, region: str, environ: Mapping[str, str]) -> Endpoint:
    """From AWS_ENDPOINT_URL_<service>, AWS_ENDPOINT_URL, or the region. Raises `NotConfigured` if unsupported."""
    url = environ.get(f"AWS_ENDPOINT_URL_{_SETTINGS[service]}") or environ.get("AWS_ENDPOINT_URL")
    if url and environ.get("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "").lower() != "true":
        return _of_url(url, environ)
    if not _REGION.fullmatch(region):
        raise NotConfigured(f"the region {region} needs an AWS_ENDPOINT_URL")
    for name in ("AWS_USE_FIPS_ENDPOINT", "AWS_USE_DUALSTACK_ENDPOINT"):
        if environ.get(name, "").lower() == "true":
            raise NotConfigured(f"{name} needs an AWS_ENDPOINT_URL")
    host = f"{service}.{region}.amazonaws.com"
    return Endpoint(host, 443, host, tls_context(environ, amazon=True))


def _of_url(url: str, environ: Mapping[str, str]) -> Endpoint:
    parts = _ADDRESS.fullmatch(url.lower())
    if parts is None:
        raise NotConfigured(f"AWS_ENDPOINT_URL is no http(s) address: {url}")
    usual = 443 if parts["secure"] else 80
    port = int(parts["port"] or usual)
    host = parts["name"].strip("[]")
    shown = parts["name"] if port == usual else f"{parts['name']}:{port}"
    amazon = host.endswith(".amazonaws.com")
    return Endpoint(host, port, shown, tls_context(environ, amazon=amazon) if parts["secure"] else None)


def tls_context(environ: Mapping[str, str], *, amazon: bool) -> ssl.SSLContext:
    """For Amazon's hosts, a context with only its five roots: loading all public roots takes many times longer.

    AWS_CA_BUNDLE or SSL_CERT_FILE override this.
    """
    bundle = environ.get("AWS_CA_BUNDLE") or environ.get("SSL_CERT_FILE")
    if bundle:
        return ssl.create_default_context(cafile=bundle)
    if not amazon:
        return ssl.create_default_context()
    return ssl.create_default_context(cafile=__file__.replace("endpoint.py", "amazon_roots.pem"))
