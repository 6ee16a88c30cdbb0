# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Colours and layout of report.html.

Each colour of a text stands in a pair with the colour behind it, in both modes, and every pair has the contrast that
WCAG 2.1 level AA asks for (4.5 to 1). Verdicts differ in shape and sign too, so no colour is needed to tell them apart.
"""

from __future__ import annotations

PALETTES: dict[str, dict[str, str]] = {
    "light": {
        "page": "#f4f6f9",
        "card": "#ffffff",
        "text": "#1a2433",
        "soft": "#52606f",
        "line": "#d9dfe7",
        "link": "#0b5cad",
        "bad": "#b3202a",
        "on-bad": "#ffffff",
        "bad-text": "#a31621",
        "warn": "#f5b83d",
        "on-warn": "#3d2a00",
        "warn-text": "#7a4f00",
        "good": "#d3ebdd",
        "on-good": "#12512f",
        "good-text": "#17663c",
        "query-text": "#4b4b85",
    },
    "dark": {
        "page": "#10151c",
        "card": "#19202a",
        "text": "#e7ecf3",
        "soft": "#a7b3c2",
        "line": "#323d4b",
        "link": "#84bdff",
        "bad": "#f0716f",
        "on-bad": "#2b0507",
        "bad-text": "#ff9a96",
        "warn": "#e8b04a",
        "on-warn": "#2b1d00",
        "warn-text": "#f2c46d",
        "good": "#1f4733",
        "on-good": "#bdeccf",
        "good-text": "#8ed8ab",
        "query-text": "#b9b7f5",
    },
}

PAIRS = (
    ("text", "page"),
    ("text", "card"),
    ("soft", "page"),
    ("soft", "card"),
    ("link", "page"),
    ("link", "card"),
    ("on-bad", "bad"),
    ("bad-text", "page"),
    ("bad-text", "card"),
    ("on-warn", "warn"),
    ("warn-text", "page"),
    ("warn-text", "card"),
    ("on-good", "good"),
    ("good-text", "page"),
    ("good-text", "card"),
    ("query-text", "page"),
    ("query-text", "card"),
)
"""Which colour of a text stands on which."""

_LAYOUT = """
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%;scroll-behavior:smooth}
body{margin:0 auto;padding:1.5rem clamp(.9rem,3vw,2.5rem) 3rem;max-width:88rem;background:var(--page);color:var(--text);
font:1rem/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,"Noto Sans","Noto Sans JP",sans-serif;
overflow-wrap:anywhere}
h1,h2,h3,h4,p,ul,ol,dl,dd{margin:0;padding:0}
ul,ol{list-style:none}
h1{font-size:clamp(1.45rem,1.1rem + 1.8vw,2.3rem);line-height:1.2;letter-spacing:-.015em;text-wrap:balance;
font-weight:680;max-width:34ch;overflow-wrap:break-word}
h2{font-size:1.3rem;line-height:1.3;margin:2.75rem 0 .9rem;letter-spacing:-.01em}
h3{font-size:1.05rem;margin:1.75rem 0 .7rem}
h4{font-size:1rem;margin:0 0 .35rem}
.card>h3{margin-top:0}
a{color:var(--link);text-underline-offset:.15em}
:focus-visible{outline:3px solid var(--link);outline-offset:2px;border-radius:3px}
:target{outline:2px solid var(--link);outline-offset:3px;border-radius:3px;scroll-margin:1rem}
code{font-family:ui-monospace,"Cascadia Mono",Consolas,Menlo,"DejaVu Sans Mono",monospace;font-size:.86em}
small,.soft{color:var(--soft);font-size:.86rem}
.kicker{color:var(--soft);font-size:.95rem;margin-bottom:.6rem}
.asides{margin:.9rem 0 0;max-width:70ch}
.asides li{padding-left:1.1rem;text-indent:-1.1rem}
.asides li::before{content:"\\2013\\00a0\\00a0";color:var(--soft)}
.facts{display:flex;flex-wrap:wrap;gap:.5rem 2.2rem;margin-top:1.3rem}
.facts dt{color:var(--soft);font-size:.8rem}
.facts dd{font-weight:600}
.jump{display:flex;flex-wrap:wrap;gap:.2rem 1.3rem;margin-top:1.3rem;padding-top:.6rem;border-top:1px solid var(--line)}
.jump a{display:inline-block;padding:.25rem 0}
.card{background:var(--card);border:1px solid var(--line);border-radius:.7rem;padding:1rem clamp(.8rem,2vw,1.4rem)}
.card+.card{margin-top:1rem}

.bar{display:flex;gap:3px;height:2.1rem;margin-bottom:1.1rem}
.bar span{flex:1 1 0;min-width:1.9rem;display:grid;place-items:center;font-weight:650;font-size:.9rem;border-radius:4px}
.bar .u,.map .u{background:var(--bad);color:var(--on-bad)}
.bar .w{background:var(--warn);color:var(--on-warn)}
.bar .s,.map .s{background:var(--good);color:var(--on-good)}
.bar .q,.map .q{border:2px dashed var(--query-text);color:var(--query-text)}
.totals{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,8.2rem),1fr));gap:.8rem 1.4rem;
margin-bottom:1.3rem}
.totals b{display:block;font-size:1.7rem;line-height:1.15;font-weight:650;font-variant-numeric:tabular-nums}
.map{border-top:1px solid var(--line)}
.map>li{display:grid;grid-template-columns:minmax(9rem,15rem) 1fr;gap:.3rem 1rem;align-items:center;padding:.5rem 0;
border-bottom:1px solid var(--line)}
.map>li:last-child{border-bottom:0;padding-bottom:0}
.map>li>a{color:inherit;text-decoration:none;font-weight:600;line-height:1.3}
.map>li>a:hover{text-decoration:underline}
.map div{display:flex;flex-wrap:wrap;gap:4px;align-items:center}
.map div a{width:24px;height:24px;display:grid;place-items:center;text-decoration:none;font-weight:750;font-size:.82rem;
line-height:1;border-radius:3px}
.map div a:hover{box-shadow:0 0 0 2px var(--card),0 0 0 4px var(--text)}
.map .s{border-radius:50%}
.map .q{border-radius:7px}
.map .w{color:var(--on-warn);padding-top:7px;background:
linear-gradient(to bottom right,transparent 49.5%,var(--warn) 50%) 0 0/50% 100% no-repeat,
linear-gradient(to bottom left,transparent 49.5%,var(--warn) 50%) 100% 0/50% 100% no-repeat}
.note{font-size:.88rem;color:var(--bad-text);font-weight:600}
.map .note{margin-left:.35rem}
.map .soft{font-weight:400}

.v{font-weight:650;white-space:nowrap}
.v.u{color:var(--bad-text)}.v.q{color:var(--query-text)}.v.w{color:var(--warn-text)}.v.s{color:var(--good-text)}
.alert{border-left:5px solid var(--bad)}
.alert li+li{margin-top:.8rem}
.steps{counter-reset:step}
.steps>li{counter-increment:step;display:grid;grid-template-columns:2rem 1fr;gap:.2rem .6rem;padding:.85rem 0;
border-bottom:1px solid var(--line)}
.steps>li:first-child{padding-top:.1rem}
.steps>li:last-child{border-bottom:0;padding-bottom:.1rem}
.steps>li::before{content:counter(step);font-weight:700;font-size:1.2rem;line-height:1.3;color:var(--soft);
font-variant-numeric:tabular-nums}
.steps p{max-width:80ch}

table{width:100%;border-collapse:collapse;font-size:.92rem}
caption{text-align:left;color:var(--soft);font-size:.86rem;padding-bottom:.4rem}
th,td{text-align:left;vertical-align:top;padding:.6rem .9rem .6rem 0;border-bottom:1px solid var(--line)}
th:last-child,td:last-child{padding-right:0}
thead th{color:var(--soft);font-size:.8rem;font-weight:600;vertical-align:bottom;
white-space:nowrap}
tbody tr:last-child>*{border-bottom:0}
tbody th{font-weight:600}
tbody small{display:block;font-weight:400;margin-top:.15rem}
.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
.zero,.none{color:var(--soft);font-weight:400}
.hosts th:first-child{width:26%}
.certs{table-layout:fixed}
.certs th:nth-child(1){width:34%}
.certs th:nth-child(3){width:25%}
.certs th:nth-child(4){width:20%}
.certs th code{display:block;margin-top:.2rem;font-weight:400}
.certs b{font-weight:600}
.order{list-style:decimal;padding-left:1.3em}
.about{max-width:85ch;margin-bottom:1rem}
.about p+p,.steps p+p{margin-top:.35rem}
.certs.templates th:nth-child(1),.certs.templates th:nth-child(4){width:27%}
.group{margin-top:1rem}
.group.u{border-left:5px solid var(--bad)}
.group.w{border-left:5px solid var(--warn)}
.group.q{border-left:5px dashed var(--query-text)}
.group.s{border-left:5px solid var(--good)}
.finding{max-width:85ch;margin-bottom:1rem}
.finding p+p{margin-top:.35rem}
summary{cursor:pointer;padding:.45rem 0;font-weight:600;color:var(--link)}
footer{margin-top:3rem;padding-top:.9rem;border-top:1px solid var(--line)}

@media screen and (max-width:54rem){
.certs,.certs tbody,.certs caption{display:block}
.certs thead{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
.certs tr{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,14rem),1fr));gap:.45rem 1.4rem;
padding:.9rem 0;border-bottom:1px solid var(--line)}
.certs tr:last-child{border-bottom:0;padding-bottom:.2rem}
.certs tr>*{display:block;padding:0;border:0;min-width:0;width:auto!important}
.certs th{grid-column:1/-1}
.certs .none{display:none}
.hosts,.hosts tbody,.hosts caption{display:block}
.hosts thead{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
.hosts tr{display:flex;flex-wrap:wrap;gap:.15rem 1rem;padding:.7rem 0;border-bottom:1px solid var(--line)}
.hosts tr:first-child{padding-top:0}
.hosts tr:last-child{border-bottom:0;padding-bottom:0}
.hosts tr>*{display:block;padding:0;border:0}
.hosts th,.hosts td:nth-child(2){flex:1 1 100%;width:auto!important}
.hosts .zero{display:none}
.hosts .n::before{color:var(--soft);font-weight:400}
.hosts .n:nth-child(3)::before{content:"unsuitable "}
.hosts .n:nth-child(4)::before{content:"undetermined "}
.hosts .n:nth-child(5)::before{content:"warning "}
.hosts .n:nth-child(6)::before{content:"suitable "}
.hosts .n:nth-child(7)::before{content:"problems "}
}
@media screen and (max-width:40rem){
.map>li{grid-template-columns:1fr}
.totals{grid-template-columns:1fr 1fr;gap:.8rem .5rem}
.totals .v{font-size:.93rem}
}
@media print{
@page{margin:14mm}
html{font-size:8.5pt}
body{max-width:none;padding:0;background:none}
*{print-color-adjust:exact;-webkit-print-color-adjust:exact}
.jump,summary{display:none}
details::details-content{content-visibility:visible;display:block;block-size:auto}
.card{border-radius:0}
tr,.map>li,.steps>li,.finding,.alert li,.totals{break-inside:avoid}
h2,h3,h4,caption{break-after:avoid}
thead{display:table-header-group}
a{color:inherit;text-decoration:none}
}
"""


_NEEDS = """
.certs.needs th:nth-child(1){width:27%}
.certs.needs th:nth-child(2){width:17%}
.certs.needs th:nth-child(3){width:22%}
.certs.needs th:nth-child(4){width:34%}
.needs p+p{margin-top:.35rem}
@media screen and (max-width:54rem){
.certs.needs td:last-child{grid-column:1/-1}
}
"""


def stylesheet(*, needs: bool = False) -> str:
    """The style sheet: the palettes as custom properties (dark on screens that ask for it), then the layout.

    Args:
        needs: whether the page has a section on Lync usages.
    """
    light, dark = (
        "".join(f"--{name}:{value};" for name, value in PALETTES[mode].items()) for mode in ("light", "dark")
    )
    dark_mode = f"@media screen and (prefers-color-scheme:dark){{:root{{color-scheme:dark;{dark}}}}}"
    return f":root{{color-scheme:light;{light}}}\n" + dark_mode + _LAYOUT + (_NEEDS if needs else "")
