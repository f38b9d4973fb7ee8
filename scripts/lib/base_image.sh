# The image that images are made on where no registry answers: made by usenet itself, and kept as a file for next time.
# shellcheck shell=bash

BASE=usenet/base:bookworm
CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/usenet-test

# ensure_base_image: the engine holds $BASE. Needs the venv.
ensure_base_image() {
    docker image inspect "$BASE" >/dev/null 2>&1 && return
    local recipe=$ROOT/usenet/adapters/base_image.py file
    file=$CACHE/base-$(sha256sum "$recipe" | cut -c 1-16)-$(uname -m).tar
    if [ -s "$file" ]; then
        say "now: load $BASE from $file"
        docker load --quiet --input "$file" >/dev/null
        return
    fi
    PATH=$PATH:/usr/sbin:/sbin command -v debootstrap >/dev/null || install_packages "the base image" debootstrap
    agreed "make $BASE with debootstrap, kept in $file" "debootstrap"
    as_root "$VENV/bin/python" -c 'from usenet.adapters import base_image; base_image.make()'
    mkdir -p "$CACHE"
    docker save --output "$file.new" "$BASE" && mv -f "$file.new" "$file"
}
