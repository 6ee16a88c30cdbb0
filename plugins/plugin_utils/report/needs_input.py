# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The registered results of lync_certificate_plan, checked and put together with what is known of pending requests.

Nothing here stops a report: after an enforce run it is needed most when something went wrong.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .hosts import not_done
from .needs import PLAN_STATES

_RESULT_OPTION = "Give the name under which lync_certificate_plan is registered (option 'needs_register')."
_PENDING_OPTION = "Give the name of a dictionary of dictionaries (option 'pending_register')."
_LEFT = "The host left the play. What is told of it here was read before that."
_RUN_AGAIN = "See the output of the play, mend the cause, and run it again."


def with_needs(
    entries: Sequence[Mapping[str, Any]],
    task_vars: Mapping[str, Any],
    *,
    needs_register: str,
    pending_register: str | None,
    failure_register: str | None = None,
) -> list[dict[str, Any]]:
    """The hosts for ``build_report`` with their ``needs``; what is wrong with those of a host is a problem of it.

    A host without the variable gets none, and one with something else in it is ``unplanned``. Of a host with several
    entries the first one gets them.

    Args:
        entries: the hosts as :func:`hosts.play_entries` gives them.
        task_vars: the variables of a task of the play.
        needs_register: the name of the variable that holds each host's result of lync_certificate_plan.
        pending_register: the name of the variable with what is known of pending requests, by the name of their need.
        failure_register: the name of the variable with the message of the step that failed on the host.
    """
    in_play = {*task_vars.get("ansible_play_batch", ()), *task_vars.get("ansible_play_hosts", ())}
    seen: set[str] = set()
    found: list[dict[str, Any]] = []
    for entry in entries:
        name = entry["host"]
        variables = {} if name in seen else task_vars["hostvars"][name]
        seen.add(name)
        result = variables.get(needs_register)
        known = variables.get(pending_register) if pending_register else None
        failure = variables.get(failure_register) if failure_register else None
        if failure:
            entry = {**entry, "problems": [*(entry.get("problems") or ()), _problem(str(failure), None)]}
        if result is None or (isinstance(result, Mapping) and result.get("skipped")):
            found.append(dict(entry))
            continue
        needs, problems = _needs(result, known or {}, needs_register, pending_register)
        # A host without a result is told as such already.
        if name not in in_play and entry["status"] == "ok":
            problems.insert(0, _problem(_LEFT, _RUN_AGAIN))
        problems = [*(entry.get("problems") or ()), *problems]
        found.append({**entry, "needs": needs, "unplanned": needs is None, "problems": problems})
    return found


def _needs(
    result: Any, known: Any, needs_register: str, pending_register: str | None
) -> tuple[list[dict[str, Any]] | None, list[dict[str, Any]]]:
    """The needs of a host, each with its pending request, and the problems with them."""
    if isinstance(result, Mapping) and (outcome := not_done(result)):
        return None, [_problem(f"The plan of the host was not made ({outcome[0]}): {outcome[1]}", None)]
    if unclear := _unclear(result):
        told = f"The variable {needs_register!r} of the host is no result of lync_certificate_plan: {unclear}."
        return None, [_problem(told, _RESULT_OPTION)]
    problems = []
    if not isinstance(known, Mapping) or not all(isinstance(request, Mapping) for request in known.values()):
        told = f"The variable {pending_register!r} of the host does not tell pending requests by need."
        problems.append(_problem(told, _PENDING_OPTION))
        known = {}
    return [{**need, "pending": known.get(need.get("name"))} for need in result["needs"]], problems


def _problem(message: str, remedy: str | None) -> dict[str, Any]:
    return {"origin": None, "place": None, "message": message, "remedy": remedy}


def _unclear(result: Any) -> str | None:
    """Why a value is no plan; ``None`` when it is one."""
    if not isinstance(result, Mapping):
        return f"it is a value of the type {type(result).__name__}"
    needs = result.get("needs")
    if not isinstance(needs, (list, tuple)):
        return "it has no 'needs'"
    for number, need in enumerate(needs, 1):
        if not isinstance(need, Mapping) or not need.get("types") or not isinstance(need["types"], (list, tuple)):
            return f"need {number} has no 'types'"
        if need.get("state") not in PLAN_STATES:
            return f"need {number} has the unknown state {need.get('state')!r}"
        if not isinstance(need.get("reasons") or [], (list, tuple)):
            return f"the 'reasons' of need {number} are no list"
    return None
