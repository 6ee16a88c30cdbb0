# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judge a template by a profile: what certificates that are enrolled by it will be for the product.

Status, source and confidence of a result are those of the profile's finding; its texts speak of certificates, so the
texts here are of templates.
"""

from __future__ import annotations

from collections.abc import Callable

from ..profiles.kinds import ANY_EXTENDED_KEY_USAGE, usage_text
from ..profiles.model import Profile, Requirement
from ..profiles.verdict import Confidence, RequirementResult, RequirementStatus, Verdict, overall_status
from ..providers.catalogue import lookup
from ..record import AT_KEYEXCHANGE, AT_SIGNATURE
from .state import CATEGORY_TEXTS, TemplateState
from .wanted import RSA_SCHANNEL

_RANK: dict[RequirementStatus, int] = {"met": 0, "warning": 1, "unknown": 2, "unmet": 3}

_NOT_RSA_TYPES: dict[int | None, str] = {3: "DSA", 13: "DSA", 18: "DH"}
"""CSPs that make no RSA keys: PROV_DSS, PROV_DSS_DH, PROV_DH_SCHANNEL (wincrypt.h)."""

_MODULE = "winpki.keyprovider.template"


def judge_template(state: TemplateState, profile: Profile) -> Verdict:
    """Judge a template by those requirements of a profile that a template can answer.

    These are the provider, algorithm, size and specification of the key and the extended key usage. The rest is
    decided when a certificate is issued or installed, and is left out.

    Returns:
        the verdict; :func:`~..profiles.verdict.overall_status` says how it follows from the results.

    """
    results = []
    for requirement in profile.requirements:
        check = _CHECKS.get(requirement.name)
        result = check(state, requirement) if check else None
        if result is not None:
            results.append(result)
    return Verdict(profile.name, overall_status(results), tuple(results))


def _result(
    requirement: Requirement,
    finding: str,
    actual: str | None,
    reason: str,
    remedy: str,
    *,
    at_most: RequirementStatus = "unmet",
) -> RequirementResult:
    """The result that a finding leads to; ``at_most`` is the worst status that it can have."""
    meaning = requirement.findings[finding]
    status = min(meaning.status, at_most, key=lambda each: _RANK[each])
    return _told(requirement, status, actual, reason, remedy, meaning.source, meaning.confidence)


def _told(
    requirement: Requirement,
    status: RequirementStatus,
    actual: str | None,
    reason: str,
    remedy: str,
    source: str,
    confidence: Confidence,
) -> RequirementResult:
    met = status == "met"
    return RequirementResult(
        name=requirement.name,
        status=status,
        expected=requirement.expected,
        actual=actual,
        reason=None if met else reason,
        remedy=None if met else remedy,
        source=source,
        confidence=confidence,
    )


def _key_provider(state: TemplateState, requirement: Requirement) -> RequirementResult:
    actual = _providers_text(state)
    title, expected = requirement.title, requirement.expected
    if not state.consistent:
        return _told(
            requirement,
            "unmet",
            actual,
            f"The template contradicts itself: it asks for a {CATEGORY_TEXTS[state.category]} and lists providers of "
            f"the other kind. Clients are not expected to be able to enrol by it; no document says. Found: {actual}.",
            _provider_remedy(state),
            "certca.h (CTPKIsCNGTemplate) decides the category; MS-CRTD 2.8 (pKIDefaultCSPs)",
            "low",
        )
    findings = [(name, _provider_finding(state, name, requirement)) for name in state.providers] or [
        ("", finding) for finding in (("ksp",) if state.category == "ksp" else ("csp", "unknown_csp"))
    ]
    # What a client may choose counts, so the worst of them does.
    finding = max((each for name, each in findings), key=lambda each: _RANK[requirement.findings[each].status])
    names = ", ".join(repr(name) for name, each in findings if each == finding)
    works = f"{title} is known to work with {expected}."
    reasons = {
        "listed": f"The template lists {names}.",
        "csp": f"{works} The template lists {names}, which a client may choose.",
        "unknown_csp": f"The template lists {names}, not known here and not proven with {title}. A misspelt name "
        "leaves clients without a provider.",
        "token": f"The template lists {names}, which keeps keys on a smart card or token and may ask for a card or a "
        "PIN: a service that runs without a person cannot answer.",
        "ksp": f"{works} The template makes keys in a CNG key storage provider: {actual}.",
    }
    reason = reasons[finding]
    if state.any_provider and state.category == "csp":
        reason = f"{works} The template lists no provider: a client may choose any legacy CSP that it has."
    return _result(requirement, finding, actual, reason, _provider_remedy(state))


def _provider_finding(state: TemplateState, name: str, requirement: Requirement) -> str:
    known = lookup(name)
    if state.category == "ksp":
        finding = "ksp"
    elif known is None:
        return "unknown_csp"
    else:
        listed = {each.casefold() for each in requirement.parameters["providers"]}
        finding = "listed" if known.name.casefold() in listed else "csp"
    if known and known.token and requirement.findings[finding].status != "unmet":
        return "token"
    return finding


def _providers_text(state: TemplateState) -> str:
    kind = CATEGORY_TEXTS[state.category]
    return f"{', '.join(state.providers)} (category {kind})" if state.providers else f"any {kind}"


def _provider_remedy(state: TemplateState) -> str:
    if state.is_attested or state.is_hello:
        return (
            "The template asks for a key of a TPM or of Windows Hello, which no legacy provider makes: use another "
            "template for this product."
        )
    if state.schema_version == 1:
        return f"{_DUPLICATE} Set the providers of the duplicate with {_MODULE}, and let the CA offer it instead."
    if state.schema_version == 3:
        return (
            f"A template of schema version 3 cannot be for legacy providers. {_IF_ENROLLED}, run {_MODULE} with "
            "schema_3: supersede, which makes a duplicate that replaces it, or with schema_3: downgrade, which makes "
            "it one of schema version 2."
        )
    return (
        f"{_IF_ENROLLED}, run {_MODULE}, which makes it a template for legacy providers: {RSA_SCHANNEL} alone, unless "
        "you name others."
    )


_IF_ENROLLED = "If certificates for this product are enrolled by it"

_DUPLICATE = (
    "A template of schema version 1 cannot be edited: duplicate it in the Certificate Templates console, with the "
    "compatibility of Windows Server 2003 for a legacy provider."
)


def _edit(state: TemplateState, advice: str) -> str:
    if state.schema_version == 1:
        return f"{_DUPLICATE} Then in the duplicate: {advice}"
    return advice[0].upper() + advice[1:]


def _family(state: TemplateState) -> str:
    """The algorithm as records of keys name it: ``RSA``, ``EC``, ``DSA``, ``DH`` or whatever the template says."""
    if state.category == "csp" and state.providers:
        types = [known.provider_type if known else None for known in map(lookup, state.providers)]
        families = {_NOT_RSA_TYPES.get(each, "RSA") for each in types}
        return "RSA" if "RSA" in families else sorted(families)[0]
    return "EC" if state.algorithm.upper().startswith("EC") else state.algorithm


def _key_algorithm(state: TemplateState, requirement: Requirement) -> RequirementResult:
    family = _family(state)
    actual = state.algorithm if state.category == "ksp" else family
    finding = "ec" if family == "EC" else "other"
    if family in requirement.parameters["algorithms"]:
        finding = "listed"
    return _result(
        requirement,
        finding,
        actual,
        f"{requirement.title} asks for {requirement.expected} keys. The template makes keys of another algorithm: "
        f"{actual}.",
        _provider_remedy(state),
    )


def _key_size(state: TemplateState, requirement: Requirement) -> RequirementResult:
    family = _family(state)
    size = state.minimum_key_size
    title, expected = requirement.title, requirement.expected
    wanted = max(requirement.parameters["minimum"], requirement.parameters["recommended"])
    remedy = _edit(state, f"set the minimum key size to {wanted} ({_MODULE} with minimum_key_size: {wanted}).")
    if family != "RSA":
        reason = f"The documented sizes are those of RSA keys. The template makes keys of another algorithm: {family}."
        return _result(requirement, "not_rsa", f"{family}, at least {size} bits", reason, _provider_remedy(state))
    if size is None or size <= 0:
        reason = "The template names no minimum key size, so the client chooses."
        return _result(requirement, "not_shown", None, reason, remedy)
    actual = f"at least {size} bits"
    if size < requirement.parameters["minimum"]:
        reason = f"{title} needs {expected}. The template allows smaller keys: {actual}."
        return _result(requirement, "too_small", actual, reason, remedy, at_most="warning")
    if requirement.parameters["sizes"] and size not in requirement.parameters["sizes"]:
        reason = f"{title} supports {expected}. The smallest key of the template is not among these: {actual}."
        return _result(requirement, "not_listed", actual, reason, remedy)
    finding = "below_recommended" if size < requirement.parameters["recommended"] else "listed"
    return _result(requirement, finding, actual, f"{title} supports {expected}. The template has {actual}.", remedy)


def _key_spec(state: TemplateState, requirement: Requirement) -> RequirementResult | None:
    """The key specification; keys of a KSP have none, whatever the template says."""
    if state.category == "ksp":
        return None
    specs = {AT_KEYEXCHANGE: ("exchange", "AT_KEYEXCHANGE (1)"), AT_SIGNATURE: ("signature", "AT_SIGNATURE (2)")}
    spec = state.key_spec
    finding, actual = specs.get(spec or 0, ("other", f"KeySpec {spec}")) if spec is not None else ("not_shown", None)
    return _result(
        requirement,
        finding,
        actual,
        f"{requirement.title} needs keys with {requirement.expected}. The template has {actual or 'none recorded'}.",
        _edit(
            state,
            f"choose signature and encryption as its purpose; {_MODULE} sets AT_KEYEXCHANGE with the legacy provider.",
        ),
    )


def _enhanced_key_usage(state: TemplateState, requirement: Requirement) -> RequirementResult:
    usages = state.purposes
    wanted = requirement.parameters["usages"]
    hits = [usage in usages for usage in wanted]
    actual = ", ".join(usage_text(oid) for oid in usages) or "no usage named: any"
    if not usages:
        finding = "any_usage"
    elif any(hits) if requirement.parameters["match"] == "any" else all(hits):
        finding = "listed"
    else:
        finding = "any_named" if ANY_EXTENDED_KEY_USAGE in usages else "lacking"
    return _result(
        requirement,
        finding,
        actual,
        f"{requirement.title} asks for {requirement.expected}. Certificates by this template are for: {actual}.",
        _edit(
            state,
            "add the usage to the application policies on its Extensions tab, or use another template, such as a "
            "duplicate of Web Server.",
        ),
    )


_CHECKS: dict[str, Callable[[TemplateState, Requirement], RequirementResult | None]] = {
    "key_provider": _key_provider,
    "key_algorithm": _key_algorithm,
    "key_size": _key_size,
    "key_spec": _key_spec,
    "enhanced_key_usage": _enhanced_key_usage,
}
