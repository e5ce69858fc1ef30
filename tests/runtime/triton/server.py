"""A real Triton Inference Server, from the wheel of nvidia-pytriton in an environment of its own.

python -m venv triton-env
triton-env/bin/pip install nvidia-pytriton==0.7.0 onnxruntime 'numpy<2' pydantic pillow
SPIKEHALT_TRITON_PYTHON=triton-env/bin/python python -m pytest tests/runtime/triton
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path
from types import TracebackType

from tests.runtime.serve.server import free_port

ROOT = Path(__file__).parents[3]
PYTHON = os.environ.get("SPIKEHALT_TRITON_PYTHON")
REASON = "needs a Triton server: SPIKEHALT_TRITON_PYTHON names the python of an environment with it"
START_S, STOP_S = 120, 60
_ASK = (
    "import json, sys, sysconfig, pytriton; print(json.dumps([pytriton.__path__[0], "
    "sysconfig.get_config_var('LIBDIR'), sysconfig.get_path('purelib'), "
    "'%d.%d' % sys.version_info[:2]]))"
)


class TritonServer:
    """Triton on free ports of this machine; models are loaded when it is asked to.

    Args:
        repository: of its models.
        work: where its backend is put together.
    """

    def __init__(self, repository: Path, work: Path) -> None:
        assert PYTHON is not None
        done = subprocess.run([PYTHON, "-c", _ASK], capture_output=True, text=True, check=True)
        wheel, libraries, packages, version = json.loads(done.stdout.splitlines()[-1])
        home = Path(wheel) / "tritonserver"
        backends = _backends(home, version, work)
        path = f"{Path(packages) / 'nvidia_pytriton.libs'}:{libraries}"
        self.address = f"127.0.0.1:{free_port()}"
        self._log = (work / "triton.log").open("w")
        self.process = subprocess.Popen(
            [
                home / "bin" / "tritonserver",
                f"--model-repository={repository}",
                f"--backend-directory={backends}",
                "--model-control-mode=explicit",
                "--load-model=*",
                "--http-address=127.0.0.1",
                f"--http-port={self.address.split(':')[1]}",
                "--allow-grpc=false",
                "--allow-metrics=false",
                "--exit-on-error=false",
                "--exit-timeout-secs=5",
            ],
            env={
                **os.environ,
                "LD_LIBRARY_PATH": path,
                "PYTHONPATH": f"{ROOT}:{packages}",
                "PATH": f"{Path(PYTHON).parent}:{os.environ['PATH']}",
                "OMP_NUM_THREADS": "1",
            },
            stdout=self._log,
            stderr=subprocess.STDOUT,
        )

    @property
    def log(self) -> str:
        """What it has said."""
        return Path(self._log.name).read_text()

    def __enter__(self) -> TritonServer:
        begin = time.monotonic()
        while time.monotonic() - begin < START_S and self.process.poll() is None:
            try:
                urllib.request.urlopen(f"http://{self.address}/v2/health/live", timeout=5)
                return self
            except (urllib.error.URLError, OSError):
                time.sleep(0.2)
        self.__exit__(None, None, None)
        raise AssertionError(self.log[-4000:])

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(STOP_S)
        self._log.close()


def _backends(home: Path, version: str, work: Path) -> Path:
    """The Python backend with the stub of the running Python beside it."""
    folder = work / "backends" / "python"
    shutil.copytree(home / "backends" / "python", folder)
    stub = home / "python_backend_stubs" / version / "triton_python_backend_stub"
    shutil.copy2(stub, folder)
    (folder / stub.name).chmod(0o755)
    return folder.parent
