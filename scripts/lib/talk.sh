# What the scripts say, what they ask, and how they become root. Sourced by scripts/start and scripts/test.
# shellcheck shell=bash

ASSUME_YES=${ASSUME_YES:-no} # yes: the person agreed beforehand (--yes)
DRY_RUN=${DRY_RUN:-no}       # yes: say what is missing, change nothing
MISSING=no                   # yes: a dry run found something to install

say() { printf '%s\n' "$*"; }

# fail CODE MESSAGE [HINT]: the form and the exit codes of the usenet command itself.
fail() {
    printf 'error: %s\n' "$2" >&2
    [ -z "${3:-}" ] || printf 'hint:  %s\n' "$3" >&2
    exit "$1"
}

is_root() { [ "$(id -u)" = 0 ]; }

as_root() { if is_root; then "$@"; else sudo "$@"; fi; }

# agreed WHAT BY_HAND: say what is about to happen. Root has agreed by running the script; anyone else is asked once,
# and where nobody can be asked the script ends with the command to run by hand. False in a dry run.
agreed() {
    if [ "$DRY_RUN" = yes ]; then
        MISSING=yes
        say "would do: $1"
        return 1
    fi
    is_root || sudo_is_agreed "$@"
    say "now: $1"
}

sudo_is_agreed() {
    command -v sudo >/dev/null || fail 5 "this needs root, and there is no sudo: $1" "run as root: $2"
    if [ "$ASSUME_YES" = yes ]; then
        sudo -n true 2>/dev/null || [ -t 0 ] || fail 5 "this needs root, and sudo wants a password: $1" "run: sudo $2"
        return
    fi
    [ -t 0 ] || fail 5 "this needs root, and there is no terminal to ask on: $1" "run: sudo $2, or add --yes"
    printf '%s: use sudo for this? [y/N] ' "$1" >&2
    local answer=n
    read -r answer || true
    case $answer in [yY] | [yY]es) ;; *) fail 5 "not done: $1" "run: sudo $2" ;; esac
}
