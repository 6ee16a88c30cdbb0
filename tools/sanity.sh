#!/usr/bin/env bash
# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# ansible-test sanity on an installed collection, in a home of its own.
set -eu
installed=$1
home=$(cd "$(dirname "$0")/.." && pwd)/.build/home
cache=$home/.ansible/test/cache
mkdir -p "$cache"
# ansible-test downloads get-pip.py for its virtual environments. Where that cannot be reached, the pip that Python
# brings along does the same.
if [ ! -e "$cache/get_pip_24_2.py" ]; then
    cat >"$cache/get_pip_24_2.py" <<'PYTHON'
import subprocess
import sys

wanted = [word for word in sys.argv[1:] if word not in ("--no-setuptools", "--no-wheel")]
subprocess.check_call([sys.executable, "-m", "ensurepip"])
sys.exit(subprocess.call([sys.executable, "-m", "pip", "install", *wanted]))
PYTHON
fi
cd "$installed"
# Inside a checkout ansible-test asks git which files there are, and git ignores the whole of .build.
git init --quiet .
git add --all .
version=$(python -c 'import sys; print("%d.%d" % sys.version_info[:2])')
HOME=$home ansible-test sanity --color no --python "$version" "${@:2}"
