"""The storages that the tests upload to: the imitation of S3, and real servers where this machine has them."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import time
from itertools import count
from pathlib import Path
from typing import Protocol
from urllib.parse import quote
from urllib.request import urlopen

import boto3
from botocore.config import Config

from usenet.recorder.upload.azure import Azure, AzurePlace
from usenet.recorder.upload.credentials import Secret

from . import azure_server
from .front import Front, quiet
from .s3_server import ACCESS, BUCKET, SECRET, Store, serve


class Server(Protocol):
    """A server with an empty bucket, behind a front."""

    front: Front

    def objects(self) -> dict[str, bytes]:
        """All that was made there, as the server gives it back."""

    def open_uploads(self) -> int:
        """How many uploads were begun and neither completed nor aborted."""

    def restart(self) -> None:
        """Stop it and start it again, with what it had."""

    def stop(self) -> None: ...


class StandIn:
    """The imitation."""

    def __init__(self, store: Store | None = None) -> None:
        self.store = store or Store()
        self._server = serve(self.store)
        self.front = Front(self._server.server_address[1])

    def objects(self) -> dict[str, bytes]:
        assert all(times == 1 for times in self.store.wrote.values()), "an object was overwritten"
        return {key: each.data for key, each in self.store.objects.items()}

    def open_uploads(self) -> int:
        return len(self.store.uploads)

    def restart(self) -> None:
        self._end()
        self._server = serve(self.store)
        self.front.behind = self._server.server_address[1]

    def stop(self) -> None:
        self.front.close()
        self._end()

    def _end(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class Program:
    """A server that is a program of its own, on a free port."""

    def __init__(self, command: list[str], environment: dict[str, str] | None = None, port: int = 0) -> None:
        self.port = port or free_port()
        self._command = [word.replace("PORT", str(self.port)) for word in command]
        self._environment = {**os.environ, **(environment or {})}
        self._start()

    def _start(self) -> None:
        self._process = subprocess.Popen(
            self._command, env=self._environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        deadline = time.monotonic() + 60
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                assert self._process.poll() is None, f"{self._command[0]} ended by itself"
                assert time.monotonic() < deadline, f"{self._command[0]} does not answer"
                time.sleep(0.05)

    def restart(self, number: int = signal.SIGKILL) -> None:
        self.stop(number)
        self._start()

    def stop(self, number: int = signal.SIGTERM) -> None:
        self._process.send_signal(number)
        self._process.wait(30)


# Real servers of S3: a program, its arguments, and what its environment must say.
REAL = {
    "versitygw": (["--port", "127.0.0.1:PORT", "posix", "DIRECTORY"], ("ROOT_ACCESS_KEY", "ROOT_SECRET_KEY")),
    "minio": (["server", "--address", "127.0.0.1:PORT", "DIRECTORY"], ("MINIO_ROOT_USER", "MINIO_ROOT_PASSWORD")),
}


class RealS3:
    """A server of S3 on a directory."""

    def __init__(self, program: str, directory: Path) -> None:
        directory.mkdir()
        words, (access, secret) = REAL[program]
        command = [program, *(str(directory) if word == "DIRECTORY" else word for word in words)]
        self._program = Program(command, {access: ACCESS, secret: SECRET})
        self.front = Front(self._program.port)
        self._client = boto3.client(
            "s3",
            endpoint_url=f"http://127.0.0.1:{self._program.port}",
            aws_access_key_id=ACCESS,
            aws_secret_access_key=SECRET,
            region_name="us-east-1",
            config=Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 8, "mode": "standard"}),
        )
        self._client.create_bucket(Bucket=BUCKET)

    def objects(self) -> dict[str, bytes]:
        found = self._client.list_objects_v2(Bucket=BUCKET).get("Contents", [])
        return {each["Key"]: self._client.get_object(Bucket=BUCKET, Key=each["Key"])["Body"].read() for each in found}

    def open_uploads(self) -> int:
        return len(self._client.list_multipart_uploads(Bucket=BUCKET).get("Uploads", []))

    def restart(self) -> None:
        self._program.restart()

    def stop(self) -> None:
        self.front.close()
        self._program.stop()


class AzureStandIn:
    """The imitation of Azure."""

    container = azure_server.CONTAINER

    def __init__(self) -> None:
        self.store = azure_server.Blobs()
        self._server = azure_server.serve(self.store)
        self.front = Front(self._server.server_address[1])

    def objects(self) -> dict[str, bytes]:
        blobs = self.store.blobs.items()
        return {name: b"".join(data for _, data in blob.committed) for name, blob in blobs if blob.committed}

    def open_uploads(self) -> int:
        return sum(bool(blob.uncommitted) for blob in self.store.blobs.values())

    def restart(self) -> None:
        self._end()
        self._server = azure_server.serve(self.store)
        self.front.behind = self._server.server_address[1]

    def stop(self) -> None:
        self.front.close()
        self._end()

    def _end(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class Azurite:
    """Microsoft's emulator. Anybody may read its container, so that tests need no key to look."""

    def __init__(self, directory: Path) -> None:
        account = {"AZURITE_ACCOUNTS": f"{azure_server.ACCOUNT}:{azure_server.KEY}"}
        command = ["azurite-blob", "--blobPort", "PORT", "--location", str(directory), "--silent"]
        self._program = Program([*command, "--disableTelemetry"], account)
        self.front = Front(self._program.port)
        self._at = f"http://127.0.0.1:{self._program.port}/{azure_server.ACCOUNT}"
        self._containers = count(1)

    def fresh(self) -> Azurite:
        """Itself, with a container that is empty and no trouble in front."""
        self.container, self.front.plan = f"{azure_server.CONTAINER}-{next(self._containers)}", quiet
        place = AzurePlace(azure_server.ACCOUNT, self.container, lambda: (Secret(azure_server.KEY), None), self._at)
        Azure("make", place)._ask("PUT", "", {"restype": "container"}, {"x-ms-blob-public-access": "container"})
        return self

    def objects(self) -> dict[str, bytes]:
        here = f"{self._at}/{self.container}"
        names = re.findall(r"<Blob><Name>([^<]+)</Name>", got(f"{here}?restype=container&comp=list").decode())
        return {name: got(f"{here}/{quote(name)}") for name in names}

    def open_uploads(self) -> int:
        here = f"{self._at}/{self.container}?restype=container&comp=list&include=uncommittedblobs"
        return len(re.findall("<Blob>", got(here).decode())) - len(self.objects())

    def restart(self) -> None:
        self._program.restart(signal.SIGTERM)  # killed, it would forget what it was told last

    def stop(self) -> None:
        self.front.close()
        self._program.stop()


def installed(program: str) -> bool:
    return shutil.which(program) is not None


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def got(url: str) -> bytes:
    with urlopen(url, timeout=30) as answer:
        return bytes(answer.read())
