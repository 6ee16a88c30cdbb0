# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The base of all actions: check the arguments, do the work, turn expected errors into a failure that helps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.utils.unsafe_proxy import wrap_var

from ..profiles.model import ProfileError
from ..record import EvidenceError
from .connection import RELEASE, HostError, HostUnreachable, WindowsHost

_TUPLES_ARE_CHEAPER = RELEASE < (2, 19)
"""Whether lists of a result are better handed over as tuples.

ansible-core up to 2.18 copies and cleans every list of a result, with all that is in it, but looks into no tuple; and
expressions see a list all the same, because templating makes one. Later releases show expressions the tuple.
"""


class KeyProviderAction(ActionBase):
    """An action of this collection. A subclass says what it takes and does; this says how all of them work."""

    TRANSFERS_FILES = False  # the base class would make a remote temporary directory first
    _supports_check_mode = True
    _supports_async = False

    ARGUMENT_SPEC: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    CONSTRAINTS: ClassVar[Mapping[str, Any]] = {}
    """Relations between options: ``mutually_exclusive``, ``required_one_of`` and the like."""

    def run(self, tmp: Any = None, task_vars: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Run the task; Ansible calls this."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        if result.get("skipped"):
            return result
        result["changed"] = False
        # Failures are returned, not raised: Ansible would add a traceback to an expected failure.
        try:
            _validation, arguments = self.validate_argument_spec(
                argument_spec=dict(self.ARGUMENT_SPEC), **self.CONSTRAINTS
            )
            result.update(untrusted(self.perform(arguments, task_vars or {})))
            for key in ("diff", "warnings"):
                # Ansible's own readers of these two know lists only, and show what is there.
                if told := list(result.pop(key, ())):
                    result[key] = told
        except AnsibleActionFail as exc:
            result.update(failed=True, msg=str(exc).replace(self._load_name, self._task.action))
        except HostUnreachable as exc:
            # The callback names the host of the task, and so does whoever remembers the message.
            other = f"{self._task.delegate_to}: " if self._task.delegate_to else ""
            result.update(unreachable=True, msg=f"{other}{exc.message} {exc.remedy}")
        except (EvidenceError, HostError, ProfileError) as exc:
            result.update(getattr(exc, "facts", {}))
            place = f"{exc.place}: " if exc.place else ""
            result.update(failed=True, msg=f"{place}{exc.message} {exc.remedy}".strip())
        return result

    def perform(self, arguments: Mapping[str, Any], task_vars: Mapping[str, Any]) -> dict[str, Any]:
        """Do the work and return the keys of the result."""
        raise NotImplementedError

    def windows_host(self) -> WindowsHost:
        """The host of the task.

        Raises:
            HostError: it is not a Windows host.
        """
        return WindowsHost(self._connection)

    def host_name(self, task_vars: Mapping[str, Any]) -> str:
        """The inventory name of the host that the task runs on, which ``delegate_to`` may have named."""
        return str(self._task.delegate_to or task_vars.get("inventory_hostname") or self._play_context.remote_addr)


def untrusted(value: Any, texts: dict[str, Any] | None = None) -> Any:
    """Mark every text of a result as unsafe for templates, equal texts as one object.

    Ansible marks them too, each anew in three passes, and a text of its own is pickled on the way to the main process
    for every one. Of 40 certificates that is 9,000 texts, of which some 600 differ: with them shared, 50 hosts took
    half the time (ansible-core 2.18).
    """
    if texts is None:
        texts = {}
    if isinstance(value, str):
        found = texts.get(value)
        if found is None:
            found = texts[value] = wrap_var(value)
        return found
    if isinstance(value, dict):
        return {untrusted(key, texts): untrusted(item, texts) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        items = [untrusted(item, texts) for item in value]
        return tuple(items) if _TUPLES_ARE_CHEAPER else items
    return value
