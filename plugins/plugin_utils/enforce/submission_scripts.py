# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The scripts of a submission, and how they fail.

All of them work in the directory of the submission, in which ``ca.txt`` and ``request.req`` tell what was begun and
``response.rsp`` what came of it. certreq gets all four paths: it would ask for a missing one at the screen, and derive
the name of a missing response file from the certificate's, where an older file makes it fail with 0x80070050 after the
CA has issued (measured by others on Server 2019 to 2025).
"""

from __future__ import annotations

from ..enrolment.hresult import explain, shown
from ..enrolment.requested import request_pem
from ..enrolment.submission import Kept
from ..host.connection import HostError, WindowsHost, native_call, quote
from ..host.courier import KEPT, Answer, carry, caught, locked

_DIRECTORY = "$d=[IO.Path]::Combine({kept},'submissions\\{identity}')\n"
_TELL_FILE = (
    "$f=$d+'\\{file}'\n"
    "if([IO.File]::Exists($f)){{'keyprovider {key} '+[Convert]::ToBase64String([IO.File]::ReadAllBytes($f))}}\n"
)
_FILES = {
    "response": "response.rsp",
    "certificate": "certificate.cer",
    "chain": "chain.p7b",
    "output": "output.txt",
    "ca": "ca.txt",
}
_TELL_FILES = "".join(_TELL_FILE.format(key=key, file=file) for key, file in _FILES.items())
_TELL_NAMES = """\
'keyprovider directory '+[Convert]::ToBase64String([Text.Encoding]::UTF8.GetBytes($d))
'keyprovider computer '+[Convert]::ToBase64String([Text.Encoding]::UTF8.GetBytes([Environment]::MachineName))
if([IO.Directory]::Exists($d)){'keyprovider kept MQ=='}
"""
_LOCAL_CA = native_call(
    "reg.exe", "query", r"HKLM\SYSTEM\CurrentControlSet\Services\CertSvc\Configuration", "/v", "Active"
)
_UNANSWERED = "if([IO.File]::Exists($d+'\\response.rsp')){throw 'Another run got an answer meanwhile'}\n"
_SUBMIT = """\
{unanswered}'keyprovider begun'
$b=[Convert]::FromBase64String((@($input) -join ''))
[IO.File]::WriteAllText($d+'\\ca.txt',{ca})
[IO.File]::Delete($d+'\\response.rsp')
[IO.File]::Delete($d+'\\certificate.cer')
[IO.File]::Delete($d+'\\chain.p7b')
[IO.File]::Delete($d+'\\output.txt')
[IO.File]::WriteAllBytes($d+'\\request.req',$b)
$o=@(& 'certreq.exe' '-submit' '-q' '-f'{options} '-config' {ca}{attributes} ($d+'\\request.req') {outputs})
$c=$LASTEXITCODE
$o
'keyprovider exit '+$c
[IO.File]::WriteAllText($d+'\\output.txt',($o -join "`r`n"))
"""
# What was kept gives way to the new answer by a change of names, for which a full disk has room.
_TELL_CA = "[IO.File]::WriteAllText($d+'\\ca.txt',{ca})\n"
_RETRIEVE = """\
{tell_ca}$r=$d+'\\retrieved.rsp'
[IO.File]::Delete($r)
& 'certreq.exe' '-retrieve' '-q' '-f'{options} '-config' {ca} '{request_id}' {outputs}
$c=$LASTEXITCODE
'keyprovider exit '+$c
if({taken} -and [IO.File]::Exists($r) -and [IO.File]::ReadAllBytes($r).Length){{
[IO.File]::Delete($d+'\\response.rsp')
[IO.File]::Move($r,$d+'\\response.rsp')
'keyprovider retrieved MQ=='
[IO.File]::WriteAllText($d+'\\output.txt','RequestId: {request_id}')
}}
[IO.File]::Delete($r)
"""
UNKNOWN_REQUEST = 0x80094004
"""CERTSRV_E_PROPERTY_EMPTY: what certreq -retrieve ends with for a request id that the CA does not know."""
# With a signed response, too, the CA then says nothing of this request: that, and E_ACCESSDENIED.
_OF_THIS_REQUEST = f"$c -ne {0x80070005 - (1 << 32)} -and $c -ne {UNKNOWN_REQUEST - (1 << 32)}"
_GOOD_NEWS = "$c -eq 0"
_REMOVE = "if([IO.Directory]::Exists($d)){[IO.Directory]::Delete($d,$true)}\n"

_COLUMNS = "Request.RequestID,Request.Disposition,Request.RawRequest"

NOTHING_DONE = frozenset(
    {
        0x80070005,  # E_ACCESSDENIED
        0x80070057,  # E_INVALIDARG
        0x80070422,  # ERROR_SERVICE_DISABLED
        0x80070424,  # ERROR_SERVICE_DOES_NOT_EXIST
        0x80070426,  # ERROR_SERVICE_NOT_ACTIVE
        0x800704DC,  # ERROR_NOT_AUTHENTICATED
        0x8007052E,  # ERROR_LOGON_FAILURE
        0x800706BA,  # RPC_S_SERVER_UNAVAILABLE
        0x800706BB,  # RPC_S_SERVER_TOO_BUSY
        0x800706BF,  # RPC_S_CALL_FAILED_DNE
        0x800706D3,  # RPC_S_UNKNOWN_AUTHN_SERVICE
        0x800706D9,  # EPT_S_NOT_REGISTERED
        0x80070721,  # RPC_S_SEC_PKG_ERROR
        0x80080005,  # CO_E_SERVER_EXEC_FAILURE
        0x80094011,  # CERTSRV_E_ENROLL_DENIED: of the CA as such, before it makes a row (MS-WCCE 3.2.1.4.2.1)
    }
)
"""What certreq -submit ends with, without a response, when the CA took nothing (without a row, and without a response:
measured by others for 0x800706BA and 0x800706BF)."""

DENIALS = frozenset({0x80094012, 0x80094014, 0x80094016, 0x80094017, *range(0x80094800, 0x80094820)})
"""Codes with which the CA answered and issued nothing: the template or a manager denied, the key is too weak or not
attested, and those of the policy module."""

_ACCESS = (0x80070005, 0x800704DC, 0x80070721)


class SubmissionHost:
    """A host from which a CA is asked, and the directory there in which a submission is kept."""

    def __init__(self, host: WindowsHost, name: str, identity: str, *, admin_force_machine: bool) -> None:
        """Take the host of a task, its name, and the name of the directory."""
        self._host = host
        self.name = name
        self._directory = _DIRECTORY.format(kept=KEPT, identity=identity)
        self._options = " '-AdminForceMachine'" if admin_force_machine else ""
        self._admin_force_machine = admin_force_machine

    def read(self, *, local_ca: bool) -> Answer:
        """What is kept, and the registry's word on the CA of the host when it is asked for.

        Raises:
            HostError: the script did not run to its end.
        """
        query = f"{_LOCAL_CA}\n" if local_ca else ""
        answer = self._run(_TELL_NAMES + _TELL_FILES + query + "'keyprovider exit 0'\n")
        if answer.error or "exit" not in answer.codes:
            raise self.failure(
                f"What is kept of the submission could not be read: {answer.error or answer.complaint}",
                "Check that the account may use its profile on the host, and that PowerShell runs there in Full"
                " Language Mode.",
                "reading",
            )
        return answer

    def submit(self, request: bytes, ca: str, attributes: str | None, *, answered: bool) -> Answer:
        """Hand a request (DER) to a CA.

        The line ``begun`` is missing when another run is at work on the request or has got an answer.

        Args:
            request: PKCS #10 or CMC.
            ca: the configuration string.
            attributes: the argument of ``-attrib``.
            answered: whether an answer was kept when it was decided to submit; else there must be none now.
        """
        script = _SUBMIT.format(
            ca=quote(ca),
            attributes=f" '-attrib' {quote(attributes)}" if attributes else "",
            options=self._options,
            outputs=_outputs("response.rsp"),
            unanswered="" if answered else _UNANSWERED,
        )
        return self._alone(script + _TELL_FILES, request_pem(request).replace("\n", "\r\n").encode("ascii"))

    def retrieve(self, request_id: int, ca: str, *, known: bool, by_hand: bool = False) -> Answer:
        """Ask a CA what became of a request. What is kept gives way to its answer.

        Args:
            request_id: its number.
            ca: the configuration string.
            known: whether the CA is noted; a full disk would leave nothing of a note that is written anew.
            by_hand: whether a user gave the number, which may be that of another request: its denial is not kept.
        """
        script = _RETRIEVE.format(
            ca=quote(ca),
            tell_ca="" if known else _TELL_CA.format(ca=quote(ca)),
            request_id=request_id,
            taken=_GOOD_NEWS if by_hand else _OF_THIS_REQUEST,
            options=self._options,
            outputs=_outputs("retrieved.rsp"),
        )
        return self._alone(script + _TELL_FILES)

    def look(self, ca: str, restriction: str) -> Answer:
        """The rows of the CA database that keep to a restriction."""
        call = native_call("certutil.exe", "-config", ca, "-view", "-restrict", restriction, "-out", _COLUMNS)
        return self._run(f"{call}\n'keyprovider exit '+$LASTEXITCODE\n")

    def remove(self) -> None:
        """Remove the directory, so that the next run begins anew."""
        self._run(_REMOVE)

    def refused(
        self,
        what: str,
        code: int,
        answer: Answer,
        consequence: str,
        step: str = "submission",
        status: str | None = None,
    ) -> HostError:
        """The failure for an exit code of certreq or certutil."""
        meaning, remedy = explain(code)
        if self._admin_force_machine and code in _ACCESS:
            remedy = f"admin_force_machine needs an account that is administrator of the host. {remedy}"
        return self.failure(
            " ".join(filter(None, (f"{what}: {shown(code)}.", meaning, answer.complaint, consequence))),
            remedy or "Read what the tool said.",
            step,
            status,
        )

    def failure(self, message: str, remedy: str, step: str, status: str | None = None) -> HostError:
        """A failure that names the host and the step, and the status of the request where that is known."""
        facts = {"status": status} if status else {}
        return HostError(message, remedy=remedy, place=f"{self.name}, {step}", facts=facts)

    def _alone(self, statements: str, data: bytes | None = None) -> Answer:
        return carry(self._host, self.name, locked(self._directory, statements), data)

    def _run(self, statements: str, data: bytes | None = None) -> Answer:
        return carry(self._host, self.name, caught(self._directory + statements), data)


def kept_of(answer: Answer, *, directory: bool) -> Kept:
    """What the host keeps of the submission."""
    return Kept(
        directory=directory,
        response=answer.told.get("response"),
        certificate=answer.told.get("certificate"),
        chain=answer.told.get("chain"),
        output=answer.text("output"),
        ca=answer.text("ca").strip() or None,
    )


def _outputs(response: str) -> str:
    return " ".join(f"($d+'\\{file}')" for file in ("certificate.cer", "chain.p7b", response))
