# Docker's plugins compose (version 2) and buildx: from the system's packages where it has them, else unpacked from
# Debian 13's packages into ~/.docker/cli-plugins. The system's own package sources are never changed.
# shellcheck shell=bash

PLUGINS=${DOCKER_CONFIG:-$HOME/.docker}/cli-plugins

has_plugin() { docker "$1" version >/dev/null 2>&1; }

# ensure_plugins: `docker compose` and `docker buildx` work.
ensure_plugins() {
    local to_unpack=() package name
    for name in compose buildx; do
        has_plugin "$name" && continue
        package=$(packaged "$name")
        if [ -n "$package" ]; then install_packages "docker $name" "$package"; else to_unpack+=("docker-$name"); fi
    done
    [ ${#to_unpack[@]} -eq 0 ] || unpack_plugins "${to_unpack[@]}"
    [ "$DRY_RUN" = yes ] || has_plugin compose || fail 5 "docker compose does not work" "see what it says: docker compose version"
}

# packaged NAME: the package of this system that holds the plugin; nothing where only Compose 1 is to be had.
packaged() {
    local package
    has_apt || return 0
    for package in "docker-$1-plugin" "docker-$1-v2" "docker-$1"; do
        case "$1 $(candidate "$package")" in "$1 " | "compose 1."*) continue ;; esac
        printf '%s\n' "$package"
        return
    done
}

unpack_plugins() {
    local mirror
    { has_apt && command -v dpkg >/dev/null; } ||
        fail 5 "missing: $*" "put Docker's plugins of that name into $PLUGINS, or install your distribution's packages"
    mirror=$(debian_mirror)
    if [ "$DRY_RUN" = yes ]; then
        MISSING=yes
        say "would do: unpack $* from Debian 13's packages ($mirror) into $PLUGINS"
        return
    fi
    say "now: unpack $* from Debian 13's packages ($mirror) into $PLUGINS"
    (
        work=$(mktemp -d)
        trap 'rm -rf "$work"' EXIT
        private_apt "$work" "$mirror" "$@" || fail 5 "could not fetch $* from $mirror" "the lines above say why"
        for package; do dpkg -x "$work/$package"_*.deb "$work/tree"; done
        mkdir -p "$PLUGINS"
        for package; do place "$(find "$work/tree/usr" -type f -name "$package" -path '*cli-plugins*' | head -n 1)"; done
    )
}

# Renamed into place, so that a half-copied plugin is never run.
place() { install -m 0755 "$1" "$PLUGINS/.${1##*/}.new" && mv -f "$PLUGINS/.${1##*/}.new" "$PLUGINS/${1##*/}"; }

# private_apt DIR MIRROR PACKAGE…: download packages of Debian 13 with apt's lists and cache in DIR; needs no root.
private_apt() {
    local work=$1 mirror=$2
    shift 2
    mkdir -p "$work/lists/partial" "$work/cache/archives/partial"
    printf 'deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] %s trixie main\n' "$mirror" >"$work/sources.list"
    local options=(
        -o "Dir::Etc::SourceList=$work/sources.list" -o "Dir::Etc::SourceParts=/dev/null"
        -o "Dir::State::Lists=$work/lists" -o "Dir::Cache=$work/cache"
        -o "APT::Sandbox::User=$(id -un)" -o "APT::Update::Post-Invoke-Success=" -o "Acquire::Languages=none"
    )
    apt-get "${options[@]}" -qq update </dev/null && (cd "$work" && apt-get "${options[@]}" -qq download "$@" </dev/null >/dev/null)
}
