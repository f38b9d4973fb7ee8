# The container engine: is one there, install it, start it, stop the one that we started.
# shellcheck shell=bash

ENGINE_PACKAGES=(docker.io iptables ca-certificates debootstrap)
ENGINE_PID=/run/usenet-dockerd.pid
ENGINE_LOG=/var/log/usenet-dockerd.log
STARTED_ENGINE=no # yes: this script started dockerd itself

engine_answers() { command -v docker >/dev/null && timeout 20 docker info >/dev/null 2>&1; }

# ensure_engine: an engine answers this user; installed and started where needed.
ensure_engine() {
    engine_answers && return
    [ -z "${DOCKER_HOST:-}" ] || fail 5 "no engine answers at DOCKER_HOST=$DOCKER_HOST" "unset DOCKER_HOST, or start that engine"
    if ! command -v docker >/dev/null || ! find_dockerd >/dev/null; then install_engine; fi
    engine_answers || socket_is_closed || start_engine
    ! socket_is_closed || fail 5 "an engine is there, and $(id -un) may not use it" \
        "run: sudo usermod -aG docker $(id -un), and log in again (members of that group have root's rights here)"
}

socket_is_closed() { [ -S /run/docker.sock ] && ! [ -w /run/docker.sock ]; }

find_dockerd() { PATH=$PATH:/usr/sbin:/sbin command -v dockerd; }

install_engine() {
    install_packages "a container engine" "${ENGINE_PACKAGES[@]}"
    # From Debian 13 on the command line client is a package of its own.
    if [ "$DRY_RUN" = no ] && ! command -v docker >/dev/null; then install_packages "the engine's client" docker-cli; fi
}

start_engine() {
    if [ -d /run/systemd/system ]; then
        agreed "start the engine (systemctl start docker)" "systemctl start docker" || return 0
        as_root systemctl start docker || fail 5 "the engine did not start" "see: journalctl -u docker"
    else
        agreed "start dockerd; its log: $ENGINE_LOG" "dockerd" || return 0
        STARTED_ENGINE=yes
        launch_dockerd
        # One that meets the containerd of a dockerd that is just stopping gives up after 15 s; then once more.
        engine_comes || launch_dockerd
    fi
    engine_comes || fail 5 "dockerd does not answer after a minute" "its log says why: $ENGINE_LOG"
}

launch_dockerd() { as_root sh -c "setsid '$(find_dockerd)' --pidfile $ENGINE_PID >>$ENGINE_LOG 2>&1 </dev/null &"; }

# engine_comes: within half a minute.
engine_comes() {
    for _ in $(seq 60); do
        if socket_is_closed || engine_answers; then return 0; fi
        sleep 0.5
    done
    return 1
}

# stop_engine: end the dockerd that start_engine started, and only that one; its containers end with it.
stop_engine() {
    [ $STARTED_ENGINE = yes ] || return 0
    local pid
    pid=$(cat $ENGINE_PID 2>/dev/null) || return 0
    is_dockerd "$pid" || return 0
    say "now: stop the dockerd that this run started (pid $pid)"
    as_root kill "$pid"
    for _ in $(seq 120); do
        is_dockerd "$pid" || return 0
        sleep 0.25
    done
    say "dockerd (pid $pid) is still stopping; its log: $ENGINE_LOG"
}

# A dead process that nobody waited for (state Z) keeps its entry in /proc; it counts as gone.
is_dockerd() {
    case $(cat "/proc/$1/stat" 2>/dev/null) in *"(dockerd) Z"*) return 1 ;; *"(dockerd) "*) return 0 ;; *) return 1 ;; esac
}
