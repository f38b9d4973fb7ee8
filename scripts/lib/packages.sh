# System packages: which are missing, which can be had, and how they are installed. Debian and its children only.
# shellcheck shell=bash

LISTS_ARE_FRESH=no

has_apt() { command -v apt-get >/dev/null; }

is_installed() { [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }

# install_packages WHY PACKAGE…: say it, then install those of the packages that are not there yet.
install_packages() {
    local why=$1 missing=() package
    shift
    has_apt || fail 5 "missing for $why: $* (and this is no Debian)" "install these with your distribution's tools, then run this again"
    for package; do is_installed "$package" || missing+=("$package"); done
    [ ${#missing[@]} -gt 0 ] || return 0
    agreed "install ${missing[*]} (for $why)" "apt-get install ${missing[*]}" || return 0
    refresh_lists
    as_root env DEBIAN_FRONTEND=noninteractive DEBCONF_NOWARNINGS=yes \
        apt-get install -qq -y --no-install-recommends "${missing[@]}" </dev/null >/dev/null ||
        fail 5 "apt-get could not install ${missing[*]}" "run it by hand to see why: apt-get install ${missing[*]}"
}

refresh_lists() {
    [ $LISTS_ARE_FRESH = no ] || return 0
    as_root apt-get update -qq </dev/null || fail 5 "apt-get update failed" "look at /etc/apt/sources.list and the network"
    LISTS_ARE_FRESH=yes
}

# candidate PACKAGE: the version that apt would install, or nothing.
candidate() { apt-cache policy "$1" 2>/dev/null | sed -n 's/^ *Candidate: *//p' | grep -vFx '(none)' || true; }

# debian_mirror: where this machine takes Debian from.
debian_mirror() {
    local uri
    # shellcheck disable=SC2016  # apt's own variables
    uri=$(apt-get indextargets --format '$(ORIGIN) $(LABEL) $(REPO_URI)' 2>/dev/null |
        sed -n 's/^Debian Debian //p' | head -n 1)
    printf '%s\n' "${uri:-http://deb.debian.org/debian}"
}
