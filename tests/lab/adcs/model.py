# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What certreq and certutil ask of a certification authority, and where they find it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

Disposition = Literal["issued", "pending", "denied"]


class CaUnreachable(Exception):
    """The CA does not answer. ``code`` is the HRESULT: 0x800706BA RPC_S_SERVER_UNAVAILABLE and the like."""

    def __init__(self, code: int) -> None:
        super().__init__(f"0x{code:08x}")
        self.code = code


class CaRefused(Exception):
    """The CA refuses a call and does nothing: an officer names an unknown request or one in another state.

    To a requester who asks for an unknown request, or for that of someone else, a CA answers with a signed failure.
    """

    def __init__(self, code: int) -> None:
        super().__init__(f"0x{code:08x}")
        self.code = code


@dataclass(frozen=True)
class CaAnswer:
    """What ICertRequest gives back for one request."""

    disposition: Disposition
    request_id: int
    code: int
    """The HRESULT of a denial; 0 otherwise."""
    message: str
    """The disposition message, in the language of the CA."""
    certificate: bytes | None
    """DER; only when issued."""
    chain: tuple[bytes, ...]
    """DER certificates from the issued one to the root; empty unless issued."""
    full_response: bytes
    """The CMC full response (MS-WCCE 2.2.2.8), DER, or whatever a scripted fault makes of it."""


class AuthorityService(Protocol):
    """One CA."""

    @property
    def config(self) -> str:
        r"""``HOST\CA name``, as ``-config`` takes it."""

    def submit(self, request: bytes, attributes: Mapping[str, str], requester: str, computer: bool) -> CaAnswer:
        """Take a request.

        :param request: PKCS#10 or CMC, DER.
        :param attributes: request attributes such as ``CertificateTemplate``.
        :param requester: a user or, with ``$`` at the end, a computer, with its domain before a backslash.
        :param computer: whether the requester is a computer account.

        Raises:
            CaUnreachable, CaRefused: nothing was done.
        """

    def retrieve(self, request_id: int, requester: str) -> CaAnswer:
        """What became of a request; unknown (0x80094004) and foreign ones (0x80070005) are denied.

        Raises:
            CaUnreachable, CaRefused: nothing was done.
        """


class Authorities(Protocol):
    """The CAs that a host can reach."""

    def find(self, config: str) -> AuthorityService | None:
        """The CA of a configuration string in any case, or None."""

    def local(self, host: str) -> AuthorityService | None:
        """The CA that runs on a host (its NetBIOS name), or None."""
