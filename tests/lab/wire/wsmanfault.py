# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""WS-Management faults, with the codes of wsmerror.h. The wording is the lab's own: clients decide by the codes."""

from __future__ import annotations

from xml.sax.saxutils import escape

from . import soap

_DETAIL_URI = "http://schemas.dmtf.org/wbem/wsman/1/wsman/faultDetail/"
_WMI = "http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/MSFT_WmiError"

QUOTA_MAX_OPERATIONS = 0x803381A6
"""ERROR_WSMAN_QUOTA_MAX_OPERATIONS"""


class WSManFault(Exception):
    """Answers a request with HTTP 500 and a SOAP fault.

    ``wsman_code`` goes into f:WSManFault, ``wmi_code`` into p:MSFT_WmiError, which Windows uses for quota faults
    (ansible/ansible pull request 83656).
    """

    def __init__(
        self,
        subcode: str,
        reason: str,
        *,
        wsman_code: int | None = None,
        wmi_code: int | None = None,
        detail: str | None = None,
        receiver: bool = False,
    ) -> None:
        super().__init__(reason)
        self.subcode = subcode
        self.reason = reason
        self.wsman_code = wsman_code
        self.wmi_code = wmi_code
        self.detail = detail
        self.receiver = receiver

    def render(self, relates_to: str, machine: str) -> bytes:
        """The whole envelope of the fault; ``machine`` is the name or address that the client used."""
        reason = escape(self.reason)
        parts = []
        if self.detail is not None:
            parts.append(f"<w:FaultDetail>{_DETAIL_URI}{self.detail}</w:FaultDetail>")
        if self.wsman_code is not None:
            parts.append(
                '<f:WSManFault xmlns:f="http://schemas.microsoft.com/wbem/wsman/1/wsmanfault" '
                f'Code="{self.wsman_code}" Machine={soap.attribute(machine)}>'
                f"<f:Message>{reason}</f:Message></f:WSManFault>"
            )
        if self.wmi_code is not None:
            parts.append(
                f'<p:MSFT_WmiError xmlns:p="{_WMI}"><p:CIMStatusCode>27</p:CIMStatusCode>'
                f"<p:Message>{reason}</p:Message><p:MessageID>HRESULT 0x{self.wmi_code:08x}</p:MessageID>"
                f"<p:error_Category>30</p:error_Category><p:error_Code>{self.wmi_code}</p:error_Code>"
                f"<p:error_Type>HRESULT</p:error_Type>"
                f"<p:error_WindowsErrorMessage>{reason}</p:error_WindowsErrorMessage></p:MSFT_WmiError>"
            )
        body = (
            f"<s:Fault><s:Code><s:Value>s:{'Receiver' if self.receiver else 'Sender'}</s:Value><s:Subcode>"
            f"<s:Value>{self.subcode}</s:Value></s:Subcode></s:Code><s:Reason>"
            f'<s:Text xml:lang="en-US">{reason}</s:Text></s:Reason><s:Detail>{"".join(parts)}</s:Detail></s:Fault>'
        )
        return soap.reply(soap.FAULT_ACTION, relates_to, body.encode())


def timed_out() -> WSManFault:
    """Nothing happened within OperationTimeout; the client repeats a Receive after it (MS-WSMV 3.1.4.14)."""
    return WSManFault(
        "w:TimedOut", "The operation did not end within OperationTimeout.", wsman_code=0x80338029, receiver=True
    )


def shell_not_found(shell_id: str) -> WSManFault:
    """ERROR_WSMAN_UNEXPECTED_SELECTORS, as WinRb/WinRM issue 253 shows it."""
    return WSManFault(
        "w:InvalidSelectors",
        f"The shell with ShellId {shell_id} was not found on the server.",
        wsman_code=0x8033805B,
        detail="UnexpectedSelectors",
    )


def command_not_found(command_id: str) -> WSManFault:
    """The same subcode (diyan/pywinrm issue 259). That the code is the same too is an assumption."""
    return WSManFault(
        "w:InvalidSelectors",
        f"The command with CommandId {command_id} was not found in the shell.",
        wsman_code=0x8033805B,
        detail="UnexpectedSelectors",
    )


def access_denied() -> WSManFault:
    """ERROR_ACCESS_DENIED."""
    return WSManFault("w:AccessDenied", "Access is denied.", wsman_code=5)


def quota_exceeded() -> WSManFault:
    """Too many operations of this user; Ansible answers it with a new shell from ansible-core 2.18 on."""
    return WSManFault(
        "w:InternalError",
        "The user has reached the maximum number of concurrent operations.",
        wmi_code=QUOTA_MAX_OPERATIONS,
        receiver=True,
    )


def envelope_too_small(size: int) -> WSManFault:
    """ERROR_WSMAN_MIN_ENVELOPE_SIZE; MS-WSMV 3.1.4.1.7 demands it below 8192 octets."""
    return WSManFault(
        "w:EncodingLimit",
        f"MaxEnvelopeSize {size} is below 8192.",
        wsman_code=0x8033807E,
        detail="MinimumEnvelopeLimit",
    )


def unknown_resource(uri: str) -> WSManFault:
    """ERROR_WSMAN_INVALID_RESOURCE_URI; the lab has cmd's shell and the default PowerShell endpoint."""
    return WSManFault(
        "a:DestinationUnreachable",
        f"The resource {uri!r} does not exist here.",
        wsman_code=0x8033803B,
        detail="InvalidResourceURI",
    )


def unknown_action(action: str) -> WSManFault:
    """ERROR_WSMAN_ACTION_NOT_SUPPORTED."""
    return WSManFault("a:ActionNotSupported", f"The action {action!r} is not supported.", wsman_code=0x80338013)


def invalid_body(message: str) -> WSManFault:
    """ERROR_WSMAN_INVALID_SOAP_BODY."""
    return WSManFault("w:SchemaValidationError", message, wsman_code=0x80338027)


def unsupported_feature(message: str) -> WSManFault:
    """ERROR_WSMAN_UNSUPPORTED_FEATURE: something that Windows has and the lab has not."""
    return WSManFault("w:UnsupportedFeature", message, wsman_code=0x80338042)


def host_failed(message: str) -> WSManFault:
    """The simulated host itself broke; the lab's own mistake, made visible to the client."""
    printable = "".join(character if character.isprintable() else " " for character in message)
    return WSManFault("w:InternalError", f"The simulated host failed: {printable}", wsman_code=0x54F, receiver=True)
