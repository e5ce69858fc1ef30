"""An object store on this machine that speaks S3: moto's server, from wherever it is installed."""

from __future__ import annotations

import shutil
import subprocess
import time
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

from tests.runtime.serve.server import START_S, free_port

PROGRAM = shutil.which("moto_server")
REASON = "needs a server of S3: pip install 'moto[server]' in any environment, moto_server on PATH"
# What clients ask the environment for; no other machine is asked who this one is.
ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "key",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
}


class ObjectStore:
    """A server of S3 with one bucket, `bucket`; a client needs `ENVIRONMENT`.

    Args:
        log: a file for what it says.
    """

    def __init__(self, log: Path) -> None:
        assert PROGRAM is not None, REASON
        self._port = free_port()
        with log.open("w") as file:
            self._process = subprocess.Popen(
                [PROGRAM, "-H", "127.0.0.1", "-p", str(self._port)], stdout=file, stderr=file
            )

    def uri(self, path: str, more: str = "") -> str:
        """Of a path in the bucket.

        Small files are written by one request: those in parts end in an answer that pyarrow takes
        for an error.
        """
        options = f"endpoint_override=http://127.0.0.1:{self._port}&allow_delayed_open=true{more}"
        return f"s3://bucket/{path}?{options}"

    def fill(self, files: Mapping[str, bytes]) -> None:
        """Put files into the bucket."""
        from pyarrow import fs

        store, bucket = fs.FileSystem.from_uri(self.uri("", "&allow_bucket_creation=true"))
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
                urllib.request.urlopen(f"http://127.0.0.1:{self._port}/moto-api/").close()
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
