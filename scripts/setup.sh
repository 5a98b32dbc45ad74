#!/usr/bin/env bash
# Makes .venv from requirements.lock, and does nothing when it is up to date. Any Python from 3.11 on will do; PYTHON
# names another one.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

stamp=.venv/.installed
# The Python that makes .venv must not be its own, which the Makefile puts first.
PATH=${PATH//"$PWD/.venv/bin:"/}

# A stamp names the folder: scripts in .venv hold absolute paths, and a folder that was moved needs new ones.
has_all_packages() {
    [[ -f $stamp && $(<"$stamp") == "$PWD" && ! requirements.lock -nt $stamp ]] && .venv/bin/python -c '' 2>/dev/null
}

make_venv() {
    local python
    python=$(find_python)
    need_venv "$python"
    echo "setup: installing into .venv with $python; this takes about a minute, once"
    rm -rf .venv
    "$python" -m venv .venv
    install --require-hashes -r requirements.lock
}

install() {
    .venv/bin/python -m pip install --quiet --no-input --disable-pip-version-check "$@" </dev/null
}

find_python() {
    local candidate
    for candidate in ${PYTHON:-python3 python3.11 python3.12 python3.13 python3.14 python}; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            command -v "$candidate"
            return
        fi
    done
    echo "setup: no Python 3.11 or later was found among ${PYTHON:-python3, python3.11 to python3.14}; install one," \
        "or name it: PYTHON=/path/to/python3 make demo" >&2
    return 1
}

# Debian and Ubuntu keep what makes virtual environments in a package of its own.
need_venv() {
    local python=$1 package
    "$python" -c 'import ensurepip, venv' 2>/dev/null && return
    package=$("$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')
    if [[ $(id -u) == 0 && -n ${CI:-} ]] && command -v apt-get >/dev/null; then
        echo "setup: installing $package"
        apt-get update -qq
        DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "$package" >/dev/null
        return
    fi
    echo "setup: $python cannot make virtual environments; on Debian and Ubuntu run: sudo apt-get install $package" >&2
    return 1
}

if has_all_packages; then
    [[ pyproject.toml -nt $stamp ]] || exit 0
else
    make_venv
fi
install --no-deps --no-build-isolation -e .
echo "$PWD" >"$stamp"
