# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a Lync server needs, from what is assigned and what lies in its store."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.enrolment.needs import (
    Asked,
    Held,
    Terms,
    plan_needs,
    superseded,
)
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.enrolment.wish import EnrolmentError
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.profiles.judge import judge_all
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.profiles.library import load
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.providers.catalogue import classify, lookup
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.record import (
    Certificate,
    Details,
    Key,
    PublicKey,
    Source,
    Template,
)

NOW = datetime(2026, 11, 22, 12, tzinfo=timezone.utc)
SCHANNEL = "Microsoft RSA SChannel Cryptographic Provider"
SOFTWARE_KSP = "Microsoft Software Key Storage Provider"
SERVER_AUTH = "1.3.6.1.5.5.7.3.1"
CLIENT_AUTH = "1.3.6.1.5.5.7.3.2"
OID = "1.3.6.1.4.1.311.21.8.1.2.3"


class Store:
    """Certificates of a store, judged together."""

    def __init__(self):
        self._rows = []

    def add(
        self,
        thumbprint,
        *,
        provider=SCHANNEL,
        names=("pool01.contoso.example", "fe01.contoso.example"),
        days=(-30, 335),
        usages=(),
        template=OID,
        cdp=("http://pki.contoso.example/ca.crl",),
        eku=(SERVER_AUTH,),
        size=2048,
        archived=False,
        self_signed=False,
    ):
        known = lookup(provider)
        certificate = Certificate(
            key=Key(
                classify(provider, known.provider_type),
                provider,
                known.provider_type,
                1 if known.kind == "csp" else 0,
                f"container-{thumbprint}",
                flags=0x20,
            ),
            source=Source("registry", "fe01"),
            thumbprint=thumbprint,
            subject=f"CN={names[0]},O=Contoso",
            issuer="CN=Contoso CA",
            not_before=NOW + timedelta(days=days[0]),
            not_after=NOW + timedelta(days=days[1]),
            friendly_name=f"name of {thumbprint}",
            archived=archived,
            template=Template(oid=template),
            details=Details(
                PublicKey("RSA", size),
                "sha256WithRSAEncryption",
                "1.2.840.113549.1.1.11",
                "SHA256",
                subject_alt_names=tuple(f"dns:{name}" for name in names),
                extended_key_usage=eku,
                key_usage=("digitalSignature", "keyEncipherment"),
                crl_distribution_points=cdp,
                self_signed=self_signed,
            ),
        )
        self._rows.append((certificate, tuple(usages)))
        return self

    @property
    def held(self):
        certificates = [certificate for certificate, _usages in self._rows]
        usages = {certificate.thumbprint: names for certificate, names in self._rows}
        verdicts = judge_all(certificates, load("lync_2013"), at=NOW, assignments=usages)
        return [
            Held(certificate, verdict, usages[certificate.thumbprint])
            for certificate, verdict in zip(certificates, verdicts, strict=True)
        ]

    def needs(self, **terms):
        return plan_needs(self.held, Terms(**terms), at=NOW)

    def need(self, **terms):
        (need,) = self.needs(**terms)
        return need


def test_a_suitable_certificate_is_all_that_is_needed():
    need = Store().add("A", usages=["Default", "WebServicesInternal"]).need()

    assert (need.state, need.types, need.current, need.reasons) == (
        "satisfied",
        ("Default", "WebServicesInternal"),
        "A",
        (),
    )


def test_a_cng_certificate_is_requested_anew_with_its_own_names():
    need = Store().add("A", provider=SOFTWARE_KSP, usages=["Default"], size=4096, eku=(CLIENT_AUTH,)).need()

    assert need.state == "request"
    assert need.current == "A"
    assert need.subject == "CN=pool01.contoso.example,O=Contoso"
    assert need.subject_alt_names == ("fe01.contoso.example", "pool01.contoso.example")
    assert need.template == OID
    assert need.provider == SCHANNEL
    assert need.key_length == 4096
    assert need.extended_key_usage == (CLIENT_AUTH, SERVER_AUTH)
    assert not need.exportable
    assert need.shared is None
    assert any("key_provider" in reason for reason in need.reasons)


def test_each_certificate_in_use_is_one_need():
    store = Store().add("A", provider=SOFTWARE_KSP, usages=["Default"])
    store.add("B", usages=["WebServicesInternal"], names=("web.contoso.example",))

    assert [(need.name, need.state) for need in store.needs()] == [
        ("default", "request"),
        ("webservicesinternal", "satisfied"),
    ]


def test_an_answer_in_the_store_is_assigned_and_not_requested_again():
    store = Store().add("A", provider=SOFTWARE_KSP, usages=["Default"])
    store.add("B", days=(-2, 700)).add("C", days=(-1, 700))

    need = store.need()

    assert (need.state, need.successor) == ("assign", "C")


def test_after_half_of_the_usages_changed_the_rest_follow():
    store = Store().add("A", provider=SOFTWARE_KSP, usages=["Default"]).add("B", usages=["WebServicesInternal"])

    default, web = store.needs()

    assert (default.state, default.successor) == ("assign", "B")
    assert web.state == "satisfied"


@pytest.mark.parametrize(
    "unfit",
    [
        {"names": ("pool01.contoso.example",)},
        {"provider": "Microsoft Strong Cryptographic Provider"},
        {"provider": SOFTWARE_KSP},
        {"archived": True},
        {"days": (-400, -1)},
    ],
    ids=["names", "provider", "ksp", "archived", "expired"],
)
def test_what_does_not_answer_is_passed_over(unfit):
    need = Store().add("A", provider=SOFTWARE_KSP, usages=["Default"], days=(-500, 100)).add("B", **unfit).need()

    assert (need.state, need.successor) == ("request", None)


def test_an_answer_that_cannot_be_used_blocks_a_further_request():
    store = Store().add("A", provider=SOFTWARE_KSP, usages=["Default"]).add("B", days=(-1, 700), cdp=())

    need = store.need()

    assert need.state == "blocked"
    assert "B answers it and cannot be used: crl_distribution_point" in need.reasons[0]


def test_an_older_unfit_certificate_blocks_nothing():
    store = Store().add("A", provider=SOFTWARE_KSP, usages=["Default"]).add("B", days=(-90, 700), cdp=())

    assert store.need().state == "request"


def test_further_names_of_a_certificate_do_no_harm():
    names = ("pool01.contoso.example", "fe01.contoso.example", "www.contoso.example")
    store = Store().add("A", provider=SOFTWARE_KSP, usages=["Default"]).add("B", names=names, days=(-1, 700))

    assert store.need().successor == "B"


@pytest.mark.parametrize(("days", "state"), [(0, "satisfied"), (20, "satisfied"), (40, "request")])
def test_a_certificate_near_its_end_is_renewed_when_asked_for(days, state):
    need = Store().add("A", usages=["Default"], days=(-330, 30)).need(renew_before_days=days)

    assert need.state == state
    if state == "request":
        assert need.reasons == ("It ends on 2026-12-22, in 30 days.",)


def test_an_expired_certificate_is_renewed_without_being_asked():
    assert Store().add("A", usages=["Default"], days=(-330, -3)).need().state == "request"


@pytest.mark.parametrize(("warnings", "state"), [(False, "satisfied"), (True, "request")])
def test_a_warning_is_reason_enough_when_asked_for(warnings, state):
    store = Store().add("A", provider="Microsoft Strong Cryptographic Provider", usages=["Default"])

    assert store.need(replace_warnings=warnings).state == state


@pytest.mark.parametrize(
    ("use", "shared"),
    [("AudioVideoAuthentication", "pool"), ("OAuthTokenIssuer", "global"), ("AccessEdgeExternal", None)],
)
def test_a_shared_certificate_is_exportable(use, shared):
    need = Store().add("A", provider=SOFTWARE_KSP, usages=[use]).need()

    assert (need.shared, need.exportable) == (shared, shared is not None)
    assert need.as_dict()["identity"] == ("global" if shared == "global" else None)


def test_the_template_of_the_terms_is_requested_and_not_compared():
    store = Store().add("A", provider=SOFTWARE_KSP, usages=["Default"]).add("B", usages=["External"])

    default, external = store.needs(template="LyncWebServer")

    assert (default.template, default.template_oid) == ("LyncWebServer", None)
    assert external.state == "satisfied"


def test_what_is_asked_for_takes_the_rest_from_what_is_assigned():
    asked = Asked(types=("Default",), subject_alt_names=("POOL01.contoso.example", "sip.contoso.example"))
    need = Store().add("A", usages=["Default", "External"]).needs(asked=(asked,))[1]

    assert need.state == "request"
    assert need.subject == "CN=pool01.contoso.example,O=Contoso"
    assert need.subject_alt_names == ("pool01.contoso.example", "sip.contoso.example")
    assert need.reasons == ("It lacks the names sip.contoso.example.",)


def test_what_is_asked_for_is_met_by_a_certificate_that_has_it():
    asked = Asked(types=("Default",), subject_alt_names=("FE01.contoso.example",))

    assert Store().add("A", usages=["Default"]).need(asked=(asked,)).state == "satisfied"


@pytest.mark.parametrize(("oid", "state"), [(OID, "satisfied"), (OID + ".9", "request")])
def test_a_template_that_is_asked_for_is_compared_by_its_oid(oid, state):
    asked = Asked(types=("Default",), template="LyncWeb", template_oid=oid)

    need = Store().add("A", usages=["Default"]).need(asked=(asked,))

    assert (need.state, need.template) == (state, "LyncWeb")


def test_a_usage_without_a_certificate_can_be_asked_for():
    asked = Asked(types=("XmppServer",), subject="CN=xmpp.contoso.example", subject_alt_names=("contoso.example",))

    need = Store().need(asked=(asked,))

    assert (need.state, need.current) == ("request", None)
    assert need.reasons == ("Nothing is assigned to XmppServer.",)


def test_a_usage_without_a_certificate_needs_a_subject():
    with pytest.raises(EnrolmentError, match="names no subject"):
        Store().needs(asked=(Asked(types=("XmppServer",)),))


def test_a_usage_cannot_be_asked_for_twice():
    with pytest.raises(EnrolmentError, match="default is asked for twice"):
        Store().needs(asked=(Asked(types=("Default",), subject="CN=a.b"), Asked(types=("default",), subject="CN=a.b")))


@pytest.mark.parametrize("pool", [None, "pool02.contoso.example"])
def test_a_default_certificate_without_the_name_of_the_pool_is_refused(pool):
    asked = Asked(types=("Default",), subject="CN=mail.contoso.example", subject_alt_names=("mail.contoso.example",))

    with pytest.raises(EnrolmentError, match=pool or "pool01.contoso.example"):
        Store().add("A", usages=["Default"]).needs(asked=(asked,), pool=pool)


def test_what_a_good_certificate_took_the_place_of_is_superseded():
    store = (
        Store()
        .add("A", provider=SOFTWARE_KSP, days=(-90, 300))
        .add("B", usages=["Default"], days=(-1, 700))
        .add("C", provider=SOFTWARE_KSP, days=(-90, 300), names=("other.contoso.example",))
        .add("D", days=(-90, 300))
        .add("E", provider=SOFTWARE_KSP, days=(0, 300))
    )
    held, needs = store.held, store.needs()

    assert superseded(held, needs, frozenset(), Terms(), at=NOW) == ("A",)
    assert superseded(held, needs, frozenset({"A"}), Terms(), at=NOW) == ()


@pytest.mark.parametrize(
    ("old", "new", "gone"),
    [
        ((SERVER_AUTH,), (SERVER_AUTH,), True),
        ((SERVER_AUTH,), (SERVER_AUTH, CLIENT_AUTH), True),
        ((SERVER_AUTH, CLIENT_AUTH), (SERVER_AUTH,), False),
        ((CLIENT_AUTH,), (SERVER_AUTH,), False),
        (None, (SERVER_AUTH,), False),
    ],
)
def test_what_serves_another_purpose_is_not_superseded(old, new, gone):
    store = (
        Store()
        .add("A", provider=SOFTWARE_KSP, days=(-90, 300), eku=old)
        .add("B", usages=["Default"], days=(-1, 700), eku=new)
    )

    assert superseded(store.held, store.needs(), frozenset(), Terms(), at=NOW) == (("A",) if gone else ())


@pytest.mark.parametrize("other", [{"self_signed": True}, {"names": ("fe01.contoso.example",)}])
def test_what_was_not_issued_for_the_same_subject_is_not_superseded(other):
    store = (
        Store().add("A", provider=SOFTWARE_KSP, days=(-90, 300), **other).add("B", usages=["Default"], days=(-1, 700))
    )

    assert superseded(store.held, store.needs(), frozenset(), Terms(), at=NOW) == ()


def test_what_the_terms_replace_they_also_retire():
    strong = "Microsoft Strong Cryptographic Provider"
    store = Store().add("A", provider=strong, days=(-90, 20)).add("B", usages=["Default"], days=(-1, 700))
    replaced = (Terms(replace_warnings=True), Terms(renew_before_days=30), Terms())

    found = [superseded(store.held, store.needs(), frozenset(), terms, at=NOW) for terms in replaced]

    assert found == [("A",), ("A",), ()]


def test_nothing_is_superseded_before_the_new_certificate_is_assigned():
    store = Store().add("A", provider=SOFTWARE_KSP, usages=["Default"]).add("B", days=(-1, 700))

    assert superseded(store.held, store.needs(), frozenset(), Terms(), at=NOW) == ()


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"subject": 'CN="pool01"'}, "subject"),
        ({"subject_alt_names": ("a.example&dns=b.example",)}, "subject_alt_names"),
        ({"template": "Web\\nSAN:dns=b.example"}, "template"),
        ({"key_length": 512}, "key_length"),
        ({"friendly_name": "a\nb"}, "friendly_name"),
        ({"extended_key_usage": ("serverAuth",)}, "extended_key_usage"),
    ],
)
def test_what_cannot_be_requested_is_refused_before_anything_is(asked, told):
    store = Store().add("A", usages=["Default"]).add("B", provider=SOFTWARE_KSP, usages=["WebServicesInternal"])

    with pytest.raises(EnrolmentError) as caught:
        store.needs(asked=(Asked(("Default",), **asked),))

    assert caught.value.place == f"the request for Default, the option '{told}'"
    assert caught.value.message.endswith("Nothing was requested.")
    assert caught.value.remedy
