"""Which proxy a server is asked through, as the environment says, read in one way for every request of this library.

An address of this machine (127.0.0.0/8, ::1, localhost) never goes through one. What can't be read in NO_PROXY is
passed over, a proxy of a kind that can't be used is the user's to mend. Knows no HTTP.
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from urllib.parse import SplitResult, urlsplit

from pdr_dspy.errors import EndpointError

_USABLE = ("http", "https")
GATEWAY_STATUS = frozenset({407, 502, 503, 504})
"""HTTP statuses that a proxy answers with itself where it can't, or won't, ask the server."""


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy on the way to a server.

    Attributes:
        url: Its address, perhaps with credentials.
        variable: The environment variable that names it.
        host: The server's host, as NO_PROXY would name it.
    """

    url: str = field(repr=False)
    variable: str
    host: str

    def __str__(self) -> str:
        return f"the proxy {_shown(urlsplit(self.url))} ({self.variable})"

    @property
    def mend(self) -> str:
        """What to do where it is in the way."""
        return f"Correct {self.variable}, or add {self.host} to NO_PROXY"


def proxies_of(urls: Iterable[str], environ: Mapping[str, str] | None = None) -> dict[str, Proxy]:
    """The proxies of those addresses that have one.

    Raises:
        EndpointError: one that can't be used.
    """
    found = ((url, _proxy(url, os.environ if environ is None else environ)) for url in urls)
    return {url: proxy for url, proxy in found if proxy is not None}


def is_local(host: str) -> bool:
    """Whether a host is this machine."""
    name = host.lower().rstrip(".")
    if name == "localhost" or name.endswith(".localhost"):
        return True
    address = _address(name)
    return address is not None and (address.is_loopback or address.is_unspecified)


def _proxy(url: str, environ: Mapping[str, str]) -> Proxy | None:
    server = urlsplit(url)
    host = server.hostname or ""
    if is_local(host):
        return None
    port = server.port or (443 if server.scheme == "https" else 80)
    if any(_names(entry, host, port) for entry in _setting("no_proxy", environ)[1].replace(",", " ").split()):
        return None
    for name in (f"{server.scheme}_proxy", "all_proxy"):
        variable, value = _setting(name, environ)
        if value:
            return Proxy(_usable(value, variable, host), variable, host)
    return None


def _setting(name: str, environ: Mapping[str, str]) -> tuple[str, str]:
    """(Variable, value): the lower-case variable, where it is set at all, else the upper-case one."""
    variable = name if name in environ else name.upper()
    if variable == "HTTP_PROXY" and "REQUEST_METHOD" in environ:
        return variable, ""  # in a CGI script it is a header that anybody may send
    return variable, environ.get(variable, "").strip()


def _usable(value: str, variable: str, host: str) -> str:
    mend = f"Write {variable} as http://host:port, or add {host} to NO_PROXY"
    url = value if "://" in value else f"http://{value}"
    try:
        parts = urlsplit(url)
        known = bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        known = False
    if not known:
        raise EndpointError("proxy", f"{variable} is an address that can't be read", mend)
    if parts.scheme.lower() not in _USABLE:
        raise EndpointError("proxy", f"{variable} is {_shown(parts)}, and such a proxy can't be used here", mend)
    return url


def _shown(parts: SplitResult) -> str:
    """An address without credentials."""
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return f"{parts.scheme}://{host}{f':{parts.port}' if parts.port else ''}"


def _names(entry: str, host: str, port: int) -> bool:
    """Whether an entry of NO_PROXY names a host."""
    if entry == "*":
        return True
    entry = entry.rpartition("://")[2].lower().strip("/") if "://" in entry else entry.lower()
    address = _address(host)
    if address is not None:
        return any(_holds(network, address, port) for network in (entry, *_with_port(entry)))
    name, colon, wanted = entry.partition(":")
    name = name.removeprefix("*").lstrip(".")
    if not name or (colon and wanted != str(port)):
        return False
    return host.lower() == name or host.lower().endswith(f".{name}")


def _with_port(entry: str) -> tuple[str, ...]:
    """An entry `address:port` as `address port`."""
    name, _, port = entry.rpartition(":")
    return (f"{name} {port}",) if name and port.isdigit() else ()


def _holds(entry: str, address: ipaddress.IPv4Address | ipaddress.IPv6Address, port: int) -> bool:
    name, _, wanted = entry.partition(" ")
    if wanted and wanted != str(port):
        return False
    try:
        return address in ipaddress.ip_network(name.replace("[", "").replace("]", ""), strict=False)
    except ValueError:
        return False


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None
