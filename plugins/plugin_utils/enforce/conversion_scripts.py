# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The scripts around a conversion: look at the key, copy it into another provider, let the certificate point to it.

The two keys of a certificate stand in two stores of the collection's own while a conversion is under way, so that a run
that was cut finds both: a store holds a certificate once, with one key. X509Store.Open makes a store that does not
exist (reference of X509Store.Open), certutil then takes its name as any other.

The PFX exists between the export and the end of ``certutil -importPFX``, in a new directory that only SYSTEM and
Administrators can read. Its password is made on the controller for this one file and comes over standard input;
certutil has no other way to take it than its command line.

Windows writes the name of the key's container into the PFX, and an import gives it to the new container when it is
free, else a GUID (measured with PFXImportCertStore, said of Windows by a maintainer of .NET). So the import goes
without ``-f``: that may overwrite a container of the name, which can be that of another certificate, or the very one
that is copied where both providers share their containers.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..audit.store import SYSTEM_CERTIFICATES, query_statement
from ..enrolment.installed import SOFTWARE_KSP
from ..host.connection import native_call, quote
from ..host.courier import KEPT, caught, locked
from ..record import Key
from .installation import NTE_BAD_KEYSET
from .proof import OPEN_CERTIFICATE

STAGED = "KeyProviderStaged"
"""The store of keys that no certificate of My uses yet."""
FORMER = "KeyProviderFormer"
"""The store of keys that a certificate of My used before."""
ASIDE = (STAGED, FORMER)

MACHINE_KEYS = "Microsoft\\Crypto\\RSA\\MachineKeys"
"""Where legacy providers keep the machine's keys, beneath the directory of all users' application data."""
CNG_KEYS = "Microsoft\\Crypto\\Keys"
"""Where the Microsoft Software Key Storage Provider keeps them ("Key Storage and Retrieval", CNG)."""

QUERY_ASIDE = "".join(f"{query_statement(store)}\n" for store in ASIDE) + "'keyprovider exitaside 0'\n"
"""Prints the two stores, then ``exitaside``, without which some of it may be missing; reg.exe ends with 1 for a store
that does not exist, as it should."""

DIRECTORY = f"$d=[IO.Path]::Combine({KEPT},'conversion')\n"

_ONLY_ADMINISTRATORS = "D:P(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)"

_TELL = "'keyprovider {name} '+[Convert]::ToBase64String([Text.Encoding]::UTF8.GetBytes({value}))\n"

# .NET Framework 3.5 has CngKey, in an assembly that PowerShell 2.0 does not load by itself.
_OPEN_CNG = """\
[void][Reflection.Assembly]::LoadWithPartialName('System.Core')
$q=New-Object Security.Cryptography.CngProvider {provider}
$k=[Security.Cryptography.CngKey]::Open({container},$q,'MachineKey')
'keyprovider exitpolicy '+[int]$k.ExportPolicy
$u=$k.UniqueName
"""
_OPEN_LEGACY = """\
$i=$e[0].PrivateKey.CspKeyContainerInfo
if(!$i){{throw 'Windows gives no private key for it'}}
'keyprovider exitpolicy '+[int]$i.Exportable
$u=$i.UniqueKeyContainerName
"""
_KEY_FILE = """\
$f=[IO.Path]::Combine([IO.Path]::Combine([Environment]::GetFolderPath('CommonApplicationData'),{folder}),$u)
"""
# An empty name would be that of the directory with all keys.
_READ_ACCESS = (
    "if($u -and [IO.File]::Exists($f)){{\n"
    + _TELL.format(name="access", value="[IO.File]::GetAccessControl($f).GetSecurityDescriptorSddlForm('Access')")
    .replace("{", "{{")
    .replace("}", "}}")
    + "}}\n"
)
_WRITE_ACCESS = """\
if($u -and [IO.File]::Exists($f)){{
$a=New-Object Security.AccessControl.FileSecurity
$a.SetSecurityDescriptorSddlForm({sddl},'Access')
[IO.File]::SetAccessControl($f,$a)
}}
"""

_CLEAN = "foreach($x in [IO.Directory]::GetDirectories($d)){[IO.Directory]::Delete($x,$true)}\n"

_COPY = """\
$p=[Text.Encoding]::UTF8.GetString([Convert]::FromBase64String((@($input) -join '')))
{open}if($e.Count -eq 1){{
$b=$e[0].Export('Pfx',$p)
$n=New-Object Security.Cryptography.X509Certificates.X509Store({staged},'LocalMachine')
$n.Open('ReadWrite')
$q=$n.Certificates.Find('FindByThumbprint',{thumbprint},$false).Count
$n.Close()
if($q){{throw 'Another run has copied the key meanwhile'}}
'keyprovider exitexport 0'
{record}$w=[IO.Path]::Combine($d,[Guid]::NewGuid().ToString('N'))
$a=New-Object Security.AccessControl.DirectorySecurity
$a.SetSecurityDescriptorSddlForm('{acl}')
[void][IO.Directory]::CreateDirectory($w,$a)
try{{
$f=[IO.Path]::Combine($w,'key.pfx')
[IO.File]::WriteAllBytes($f,$b)
& 'certutil.exe' '-p' $p '-csp' {provider} '-importPFX' {staged} $f{modifiers}
'keyprovider exitimport '+$LASTEXITCODE
}}finally{{[IO.Directory]::Delete($w,$true)}}
}}
"""

_RECORD = """\
$o=New-Object Security.Cryptography.X509Certificates.X509Store({store},'LocalMachine')
$o.Open('ReadWrite')
$o.Add($e[0])
$o.Close()
"""

_RESOLVE = """\
$t=[Text.Encoding]::UTF8.GetString([Convert]::FromBase64String((@($input) -join '')))
$v=''
foreach($x in $t.Split("`n")){
try{$v+=(New-Object Security.Principal.NTAccount $x).Translate([Security.Principal.SecurityIdentifier]).Value}catch{}
$v+=' '
}
"""

# The former key in CNG may have the name of the one in use (see above). Whether the Software KSP would find the
# container of a legacy provider where its own is gone is not documented; the file tells whose it is.
_DELETE_CNG = (
    """\
$v={provider}
$c={container}
$g=1
try{{
[void][Reflection.Assembly]::LoadWithPartialName('System.Core')
$q=New-Object Security.Cryptography.CngProvider $v
$i=[Security.Cryptography.CngKey]::Open($c,$q,'MachineKey')
$u=$i.UniqueName
"""
    + _KEY_FILE
    + """\
$g=[IO.File]::Exists($f)
$i.Dispose()
}}catch{{}}
$r=0
if($g){{
{delete}}}
"""
)
_DELETE_KEY = """\
& 'certutil.exe' '-csp' {provider} '-delkey' {container}
$r=$LASTEXITCODE
'keyprovider exitkey{letter} '+$r
"""

_DROP_EMPTY = f"""\
foreach($x in {",".join(quote(store) for store in ASIDE)}){{
try{{
$o=New-Object Security.Cryptography.X509Certificates.X509Store($x,'LocalMachine')
$o.Open('ReadOnly,OpenExistingOnly,IncludeArchived')
$m=$o.Certificates.Count
$o.Close()
if($m -eq 0){{& 'reg.exe' 'delete' ({quote(SYSTEM_CERTIFICATES)}+'\\'+$x) '/f'}}
}}catch{{}}
}}
"""


def look_at_key(store: str, thumbprint: str, key: Key) -> str:
    """Tells whether a key may be exported (``exitpolicy``) and who may use it (``access``, SDDL). Changes nothing.

    ``exitpolicy`` is CngExportPolicies (1 AllowExport, 2 AllowPlaintextExport) of a key of CNG, else 1 or 0.

    Raises:
        HostError: a name cannot be passed.
    """
    return caught(_opened(store, thumbprint, key) + _READ_ACCESS.format())


def give_access(store: str, thumbprint: str, sddl: str, key: Key) -> str:
    """Sets who may use the key of a certificate, and tells what was read back (``access``).

    Raises:
        HostError: a name cannot be passed.
    """
    body = _opened(store, thumbprint, key)
    return caught(body + _WRITE_ACCESS.format(sddl=quote(sddl)) + _READ_ACCESS.format())


def _opened(store: str, thumbprint: str, key: Key) -> str:
    if key.kind == "ksp":
        body = _OPEN_CNG.format(container=quote(key.container or ""), provider=quote(key.provider or ""))
    else:
        body = OPEN_CERTIFICATE.format(store=quote(store), thumbprint=quote(thumbprint)) + _OPEN_LEGACY.format()
    return body + _KEY_FILE.format(folder=quote(CNG_KEYS if key.kind == "ksp" else MACHINE_KEYS))


def resolve_accounts() -> str:
    """Tells the SIDs of the accounts whose names the script reads, one a line, from its input (``sids``); of a name
    that is not known here it tells nothing between the blanks.
    """
    return caught(_RESOLVE + _TELL.format(name="sids", value="$v"))


def copy_key(thumbprint: str, provider: str, *, exchange: bool, exportable: bool) -> str:
    """Records the key that the certificate of My has, and imports a copy of it under another provider.

    The script reads the password of the PFX from its input. ``exitimport`` is certutil's code.

    Args:
        thumbprint: the certificate.
        provider: where the copy goes.
        exchange: give it the key specification AT_KEYEXCHANGE, which keys of legacy providers have.
        exportable: whether the copy may be exported.

    Raises:
        HostError: a name cannot be passed.
    """
    modifiers = ",".join([*(["AT_KEYEXCHANGE"] if exchange else []), *([] if exportable else ["NoExport"])])
    body = _COPY.format(
        open=OPEN_CERTIFICATE.format(store="'My'", thumbprint=quote(thumbprint)),
        record=_RECORD.format(store=quote(FORMER)),
        staged=quote(STAGED),
        thumbprint=quote(thumbprint),
        acl=_ONLY_ADMINISTRATORS,
        provider=quote(provider),
        modifiers=f" {quote(modifiers)}" if modifiers else "",
    )
    return locked(DIRECTORY, _CLEAN + body)


def record_key(thumbprint: str, store: str) -> str:
    """Records the key that the certificate of My has in one of the two stores (``exitrecorded``).

    Raises:
        HostError: a name cannot be passed.
    """
    opened = OPEN_CERTIFICATE.format(store="'My'", thumbprint=quote(thumbprint))
    record = _RECORD.format(store=quote(store))
    return caught(f"{opened}if($e.Count -eq 1){{\n{record}'keyprovider exitrecorded 0'\n}}\n")


def drop_keys(thumbprint: str, keys: Sequence[tuple[str, tuple[str, str] | None]]) -> str:
    """Removes what stands aside: for each the container, when one is given, and then the record of it; and stores that
    are empty then.

    A container that is gone already (NTE_BAD_KEYSET, or a key of CNG that is in no file of CNG) counts as removed; a
    record stays when its container could not be removed. ``exitkeya``, ``exitstorea`` and, of the second, ``exitkeyb``,
    ``exitstoreb`` are certutil's codes.

    Args:
        thumbprint: the certificate.
        keys: the store of each, with provider and container when the container is to go.

    Raises:
        HostError: a name cannot be passed.
    """
    body = _CLEAN
    for letter, (store, container) in zip("ab", keys, strict=False):
        forget = (
            f"{native_call('certutil.exe', '-delstore', store, thumbprint)}\n"
            f"'keyprovider exitstore{letter} '+$LASTEXITCODE\n"
        )
        if container:
            provider, name = map(quote, container)
            if container[0].casefold() == SOFTWARE_KSP.casefold():
                delete = _DELETE_KEY.format(provider="$v", container="$c", letter=letter)
                delete = _DELETE_CNG.format(provider=provider, container=name, folder=quote(CNG_KEYS), delete=delete)
            else:
                delete = _DELETE_KEY.format(provider=provider, container=name, letter=letter)
            forget = f"{delete}if($r -eq 0 -or $r -eq {NTE_BAD_KEYSET - (1 << 32)}){{\n{forget}}}\n"
        body += forget
    return locked(DIRECTORY, body + _DROP_EMPTY)
