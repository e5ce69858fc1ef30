"""Object stores on this machine that speak S3 and Google Cloud Storage, from existing servers."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from tests.runtime.serve.server import START_S, free_port


@dataclass(frozen=True)
class Kind:
    """A kind of store, and a program that is one.

    Attributes:
        scheme: of its URIs.
        program: of the server, beside this Python or on PATH; None where it is not installed.
        options: of the program, before its port's.
        user: of the URIs, with an @.
        query: of the URIs, with the server's address as {}.
        creates: more of the query, that lets clients make buckets.
        environment: what clients ask for; no other machine is asked who this one is.
        reason: why a test is skipped that has no server.
    """

    scheme: str
    program: str | None
    options: tuple[str, ...]
    user: str
    query: str
    creates: str
    environment: Mapping[str, str]
    reason: str


def _program(name: str) -> str | None:
    return shutil.which(name, path=str(Path(sys.executable).parent)) or shutil.which(name)


# Small files are written by one request to S3: those in parts end in an answer of moto's that
# pyarrow takes for an error.
S3 = Kind(
    "s3", _program("moto_server"), ("-H", "127.0.0.1", "-p"), "",
    "endpoint_override=http://{}&allow_delayed_open=true", "&allow_bucket_creation=true",
    {
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    },
    "needs a server of S3: pip install 'moto[server]' in any environment, moto_server on PATH",
)  # fmt: skip
GCS = Kind(
    "gs", _program("gcp-storage-emulator"), ("start", "-H", "127.0.0.1", "--in-memory", "--port"),
    "anonymous@", "endpoint_override={}&scheme=http&retry_limit_seconds=5", "&project_id=p", {},
    "needs a server of Google's protocol: pip install gcp-storage-emulator",
)  # fmt: skip
KINDS = (S3, GCS)


class ObjectStore:
    """A server with one bucket, `bucket`; a client needs the kind's `environment`.

    Args:
        kind: what it speaks.
        log: a file for what it says.
    """

    def __init__(self, kind: Kind, log: Path) -> None:
        assert kind.program is not None, kind.reason
        self._kind = kind
        self._address = f"127.0.0.1:{free_port()}"
        command = [kind.program, *kind.options, self._address.rpartition(":")[2]]
        with log.open("w") as file:
            self._process = subprocess.Popen(command, stdout=file, stderr=file)

    def uri(self, path: str, more: str = "", bucket: str = "bucket") -> str:
        """Of a path in a bucket."""
        kind = self._kind
        query = kind.query.format(self._address) + more
        return f"{kind.scheme}://{kind.user}{bucket}/{path}?{query}"

    def fill(self, files: Mapping[str, bytes]) -> None:
        """Put files into the bucket."""
        from pyarrow import fs

        store, bucket = fs.FileSystem.from_uri(self.uri("", self._kind.creates))
        store.create_dir(bucket)
        for name, content in files.items():
            with store.open_output_stream(f"bucket/{name}") as file:
                file.write(content)

    def read(self, name: str) -> bytes:
        """A file of the bucket."""
        from pyarrow import fs

        store, path = fs.FileSystem.from_uri(self.uri(name))
        with store.open_input_file(path) as file:
            return bytes(file.read())

    def __enter__(self) -> ObjectStore:
        begin = time.monotonic()
        while True:
            try:
                urllib.request.urlopen(f"http://{self._address}/").close()
            except urllib.error.HTTPError:  # it answers, that there is nothing at /
                return self
            except OSError:
                assert time.monotonic() - begin < START_S and self._process.poll() is None
                time.sleep(0.05)
            else:
                return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.terminate()
        self._process.wait(30)
