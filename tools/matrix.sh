#!/usr/bin/env bash
# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# The unit and integration tests with other releases of ansible-core, each in an environment of its own.
# Releases whose Python is not there are named and left out.
set -u
top=$(cd "$(dirname "$0")/.." && pwd)
results=$top/bench/results/matrix.md
mkdir -p "$top/.build/matrix" "$top/bench/results"
{
    echo "# Results of \`make matrix\`"
    echo
    echo "| ansible-core | Python | tests |"
    echo "|---|---|---|"
} >"$results"
failed=0
while read -r release python; do
    if ! "python$python" --version >/dev/null 2>&1; then
        echo "| $release | $python | not run: this Python is not there |" >>"$results"
        continue
    fi
    venv=$top/.build/matrix/${release%.\*}
    [ -d "$venv" ] || "python$python" -m venv "$venv"
    quiet=(--quiet --quiet --disable-pip-version-check)
    grep -vE '^(#|ansible-|antsibull-|molecule|mypy|ruff|types-|yamllint)' "$top/requirements-dev.txt" >"$venv/requirements.txt"
    "$venv/bin/pip" install "${quiet[@]}" "ansible-core==$release" -r "$venv/requirements.txt" || exit 1
    "$venv/bin/pip" install "${quiet[@]}" -r "$top/requirements-ldap.txt" 2>"$venv/python-ldap.log" ||
        echo "ansible-core $release: python-ldap could not be built (see $venv/python-ldap.log): no tests over LDAP."
    if summary=$(cd "$top" && PATH=$venv/bin:$PATH "$venv/bin/python" -m pytest -q -n 2 --dist loadfile tests/unit tests/integration 2>&1); then
        :
    else
        failed=1
        echo "$summary" | tail -n 40
    fi
    seen=$("$venv/bin/python" -c 'from ansible.release import __version__; print(__version__)')
    echo "| $seen | $python | $(echo "$summary" | tail -n 1) |" >>"$results"
done <<'RELEASES'
2.16.19 3.11
2.18.19 3.11
2.19.14 3.11
2.20.* 3.12
2.21.* 3.12
RELEASES
cat "$results"
exit $failed
