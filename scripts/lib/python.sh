# Python 3.11 or later, and the virtual environment of the checkout.
# shellcheck shell=bash

VENV=$ROOT/.venv

# find_python: the first Python that is new enough and can make a virtual environment with pip in it; or nothing.
find_python() {
    local name
    for name in "${PYTHON:-}" python3 python3.14 python3.13 python3.12 python3.11; do
        if [ -n "$name" ] && command -v "$name" >/dev/null && "$name" -c "$NEW_ENOUGH" 2>/dev/null; then
            printf '%s\n' "$name"
            return
        fi
    done
}
NEW_ENOUGH='import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))'

# ensure_venv runtime|dev: .venv holds usenet (dev: and what its tests need), as pyproject.toml says now.
ensure_venv() {
    local stamp=$VENV/.installed-$1
    if [ "$(cat "$stamp" 2>/dev/null)" = "$(wanted)" ] && "$VENV/bin/python" -c '' 2>/dev/null; then return 0; fi
    ensure_python
    if [ "$DRY_RUN" = yes ]; then
        MISSING=yes
        say "would do: install usenet and its Python packages into .venv ($1)"
        return 0
    fi
    say "now: install usenet and its Python packages into .venv ($1)"
    "$VENV/bin/python" -m pip --version >/dev/null 2>&1 || "$(find_python)" -m venv --clear "$VENV"
    if [ "$1" = dev ]; then
        pip_install --upgrade 'pip>=25.1' # the first that reads dependency groups
        pip_install --editable "$ROOT" --group "$ROOT/pyproject.toml:dev"
        wanted >"$VENV/.installed-runtime"
    else
        pip_install --editable "$ROOT"
    fi
    wanted >"$stamp"
}

# wanted: what the venv was made from; a venv that was moved with its checkout does not work, so the place counts too.
wanted() { printf '%s\n' "$ROOT" | cat - "$ROOT/pyproject.toml" | sha256sum; }

ensure_python() {
    [ -n "$(find_python)" ] && return
    install_packages "Python 3.11 or later" python3 python3-venv ca-certificates
    [ "$DRY_RUN" = yes ] || [ -n "$(find_python)" ] ||
        fail 5 "python3 here is older than 3.11" "install Python 3.11 or later and say where: PYTHON=/path/to/python3 $0"
}

pip_install() {
    "$VENV/bin/python" -m pip install --quiet --disable-pip-version-check "$@" ||
        fail 5 "pip could not install: $*" "the lines above say why; a proxy or mirror goes into pip's own configuration"
}
