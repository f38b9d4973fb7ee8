"""Engines' messages on failed pulls, as they came from real engines and registries, and what is made of them."""

from __future__ import annotations

import pytest

from usenet.domain.pulls import Why, answered, hint, why

SAID = {
    # engine 20.10 on a machine without a way out
    'Get "https://registry-1.docker.io/v2/": dial tcp: lookup registry-1.docker.io on 10.0.0.53:53: no such host': (
        Why.UNREACHABLE
    ),
    'Get "http://127.0.0.1:1/v2/": dial tcp 127.0.0.1:1: connect: connection refused': Why.UNREACHABLE,
    'Get "http://127.0.0.1:5067/v2/": context deadline exceeded (Client.Timeout exceeded while awaiting headers)': (
        Why.UNREACHABLE
    ),
    'Get "https://ghcr.io/v2/": net/http: TLS handshake timeout': Why.UNREACHABLE,
    'Get "https://ghcr.io/v2/": x509: certificate signed by unknown authority': Why.UNREACHABLE,
    'Get "https://ghcr.io/v2/": dial tcp 1.2.3.4:443: i/o timeout': Why.UNREACHABLE,
    'Get "https://ghcr.io/v2/": dial tcp 1.2.3.4:443: connect: no route to host': Why.UNREACHABLE,
    "received unexpected HTTP status: 503 Service Unavailable": Why.UNREACHABLE,
    # docker-registry 2.8
    "manifest for 127.0.0.1:5055/hb/none:1 not found: manifest unknown: manifest unknown": Why.NOT_FOUND,
    "manifest unknown: manifest unknown": Why.NOT_FOUND,
    # Docker Hub, of a repository that is not there or not for everybody
    "pull access denied for nobody/nothing, repository does not exist or may require 'docker login': denied: requested "
    "access to the resource is denied": Why.DENIED,
    "no matching manifest for linux/arm/v7 in the manifest list entries": Why.NOT_FOUND,
    "unauthorized": Why.DENIED,
    "denied": Why.DENIED,
    'Head "https://ghcr.io/v2/a/b/manifests/1": denied: denied': Why.DENIED,
    "toomanyrequests: You have reached your pull rate limit. You may increase the limit by authenticating": Why.LIMITED,
    "write /var/lib/docker/tmp/GetImageBlob1: no space left on device": Why.DISK_FULL,
    "failed to register layer: Error processing tar file(exit status 1): write /a: no space left on device": (
        Why.DISK_FULL
    ),
    "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?": Why.NO_ENGINE,
    "received unexpected HTTP status: 500 Internal Server Error": Why.OTHER,
}


@pytest.mark.parametrize(("said", "kind"), SAID.items(), ids=[kind.name for kind in SAID.values()])
def test_the_reason_is_told_from_the_message(said: str, kind: Why) -> None:
    assert why(said) is kind
    assert why(f"Error response from daemon: {said}") is kind


def test_a_registry_that_refuses_is_there_and_one_that_is_silent_is_not() -> None:
    assert {kind for said, kind in SAID.items() if answered(said)} == {Why.NOT_FOUND, Why.DENIED, Why.LIMITED}


def test_the_engine_s_own_refusals_count_too() -> None:
    assert answered("the engine refused: manifest unknown: manifest unknown")
    assert not answered("no container engine answers (no answer in time)")


@pytest.mark.parametrize("kind", Why)
def test_every_reason_has_a_cure_without_holes(kind: Why) -> None:
    text = hint(kind, reference="ghcr.io/a/b:1", registry="ghcr.io", service="b")
    assert text
    assert "{" not in text
