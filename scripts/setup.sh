#!/usr/bin/env bash
# Makes .venv from the lock: `scripts/setup.sh run` what Retinue needs, `scripts/setup.sh dev` also
# the tools that check it. What Debian or Ubuntu lacks is installed when that is allowed, else named.
set -euo pipefail
cd "$(dirname "$0")/.."

kind=${1:-run}
lock=requirements/$kind.lock
stamp=.venv/installed-$kind

say() { printf 'setup: %s\n' "$*"; }
fail() {
    printf 'setup: %s\n' "$@" >&2
    exit 1
}

fingerprint() { cat "$lock" pyproject.toml scripts/setup.sh | sha256sum | cut -d' ' -f1; }

works() { "$1" -c 'import sys; raise SystemExit(sys.version_info < (3, 11))' 2>/dev/null; }

find_python() {
    local name
    for name in ${PYTHON:-} python3.11 python3.12 python3.13 python3; do
        if works "$name"; then
            command -v "$name"
            return
        fi
    done
}

missing_packages() {
    local python
    python=$(find_python)
    if [ -z "$python" ]; then
        echo python3 python3-venv
    elif [ ! -x .venv/bin/pip ] && ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
        "$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])'
    fi
    command -v bwrap >/dev/null || echo bubblewrap
    [[ $(PATH=$PATH:/sbin ldconfig -p) == *libgomp.so.1* ]] || echo libgomp1
}

install_packages() {
    local needed=$*
    local root=()
    command -v apt-get >/dev/null || fail "missing here: $needed" \
        "install the programs of these Debian packages with your system's package manager"
    if [ "$(id -u)" -ne 0 ]; then
        root=(sudo)
        if ! command -v sudo >/dev/null || { [ ! -t 0 ] && ! sudo -n true 2>/dev/null; }; then
            fail "missing here: $needed" "install it as root: apt-get install $needed"
        fi
    fi
    say "installing Debian packages: $needed"
    "${root[@]}" apt-get update -q
    # shellcheck disable=SC2086 -- one word per package
    "${root[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get install -q -y --no-install-recommends $needed
}

packages=$(missing_packages | xargs)
[ -z "$packages" ] || install_packages "$packages"

print=$(fingerprint)
if [ "$(cat "$stamp" 2>/dev/null)" = "$print" ] && works .venv/bin/python; then
    exit 0
fi

python=$(find_python)
[ -n "$python" ] || fail "Python 3.11 or newer is needed; the newest here is" \
    "$(python3 --version 2>&1)" "install one, or name it: PYTHON=/path/to/python3.11 make …"

if ! works .venv/bin/python || [ ! -x .venv/bin/pip ]; then
    say "1/3 making .venv with $("$python" --version) ($python)"
    "$python" -m venv --clear .venv
else
    say "1/3 .venv is there ($(.venv/bin/python --version))"
fi

pip=(.venv/bin/python -m pip --disable-pip-version-check --no-input install)
say "2/3 installing $(grep -c '^[a-z].*==' "$lock") locked packages from $lock"
"${pip[@]}" --require-hashes -r "$lock" | { grep --line-buffered '^Collecting' || true; }

say "3/3 installing retinue itself"
"${pip[@]}" -q --no-deps --no-build-isolation -e .
echo "$print" >"$stamp"
say "done; the command is .venv/bin/retinue"
