"""One graph's engine with its buffers: stage the inputs, launch, fetch the answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from numpy.typing import NDArray

from runtime.backends.cuda.driver import Cuda
from runtime.backends.cuda.graphs import GraphCache
from runtime.backends.cuda.memory import Shape, Staged, StateSet, byte_count
from runtime.backends.lagged import PADDING
from runtime.backends.ports import NEXT_STATE, ROWS, STATE
from runtime.backends.tensorrt.engine import Tensor, TensorRTEngine
from runtime.bundle.engine_manifest import EngineSidecar
from runtime.errors import BackendError
from spikehalt.errors import ConfigError

Arrays = Mapping[str, NDArray[Any]]


class TensorRTGraph:
    """Runs one graph for any number of images its engine takes.

    Images are padded to a bucket, so that shapes repeat and CUDA graphs can be replayed.

    Args:
        engine: of the graph.
        sidecar: of the engine.
        cuda: the GPU.
        stream: what everything runs on.
        use_graphs: replay CUDA graphs.
    """

    def __init__(
        self,
        engine: TensorRTEngine,
        sidecar: EngineSidecar,
        cuda: Cuda,
        stream: int,
        *,
        use_graphs: bool,
    ) -> None:
        self._engine, self._sidecar = engine, sidecar
        self._cuda, self._stream = cuda, stream
        self._buckets = batch_buckets(sidecar.batch, sidecar.profiles)
        self._contexts: dict[int, Any] = {}
        self._scratch = 0
        self._staged: dict[str, Staged] = {}
        self._graphs = GraphCache(cuda, stream, use_graphs)
        try:
            for tensor in engine.tensors.values():
                if not is_state(tensor.name):
                    largest = self._shape(tensor, self._buckets[-1], sidecar.rows)
                    self._staged[tensor.name] = Staged(cuda, largest, tensor.dtype)
        except BaseException:
            self.close()
            raise

    def state_sizes(self) -> dict[str, int]:
        """Bytes per state input; states come in buffers of the largest size."""
        return {
            tensor.name: byte_count(tensor.dims, tensor.dtype)
            for tensor in self._engine.tensors.values()
            if tensor.is_input and is_state(tensor.name)
        }

    def run(
        self, inputs: Arrays, images: int, before: StateSet | None, after: StateSet
    ) -> dict[str, NDArray[Any]]:
        """Run the graph and wait for it.

        Args:
            inputs: by name, all but the states.
            images: how many there are.
            before: states to go on from, None for the first graph.
            after: where the next states go.

        Returns:
            Every output but the states, for these images.

        Raises:
            ConfigError: more images than the engine takes.
            BackendError: the library failed.
        """
        bucket = self._bucket(images)
        rows = {n: self._row_bucket(n, len(a)) for n, a in inputs.items() if n.startswith(ROWS)}
        shapes = {t.name: self._shape(t, bucket, rows) for t in self._tensors(is_input=True)}
        for name, shape in shapes.items():
            padding = PADDING if name.startswith(ROWS) else 0
            self._staged[name].fill(inputs[name], shape, padding)
        key = (bucket, *sorted(rows.items()), before and before.number, after.number)
        self._graphs.run(
            key,
            lambda context: self._launch(context, shapes, bucket, before, after),
            self._shared_context(bucket),
            lambda: self._new_context(self._profile(bucket)),
        )
        self._cuda.synchronize(self._stream)
        return {
            t.name: self._staged[t.name].view(self._shape(t, bucket, rows))[:images].copy()
            for t in self._tensors(is_input=False)
        }

    def close(self) -> None:
        """Give everything back."""
        self._graphs.close()
        self._contexts.clear()
        while self._staged:
            self._staged.popitem()[1].free()
        scratch, self._scratch = self._scratch, 0
        if scratch:
            self._cuda.free(scratch)
        self._engine.close()

    def _launch(
        self,
        context: Any,
        shapes: Mapping[str, Shape],
        bucket: int,
        before: StateSet | None,
        after: StateSet,
    ) -> None:
        """Copies in, the engine, copies out; all on the stream."""
        for tensor in self._engine.tensors.values():
            self._bind(context, tensor, shapes, before, after)
        for name, staged in self._staged.items():
            if name in shapes:
                staged.upload(shapes[name], self._stream)
        self._engine.check(context.execute_async_v3(self._stream), "running")
        for tensor in self._tensors(is_input=False):
            self._staged[tensor.name].download(self._shape(tensor, bucket, {}), self._stream)

    def _bind(
        self,
        context: Any,
        tensor: Tensor,
        shapes: Mapping[str, Shape],
        before: StateSet | None,
        after: StateSet,
    ) -> None:
        name = tensor.name
        if name.startswith(STATE):
            address = before.addresses[name] if before else 0
        elif name.startswith(NEXT_STATE):
            address = after.addresses[name.removeprefix("next.")]  # state.X goes on as next.state.X
        else:
            address = self._staged[name].device
        if tensor.is_input and tensor.is_free:
            done = context.set_input_shape(name, shapes[name])
            self._engine.check(done, f"setting the shape of {name} to {shapes[name]}")
        self._engine.check(context.set_tensor_address(name, address), f"binding {name}")

    def _tensors(self, *, is_input: bool) -> list[Tensor]:
        """Inputs or outputs that are not states."""
        each = self._engine.tensors.values()
        return [t for t in each if t.is_input == is_input and not is_state(t.name)]

    def _shape(self, tensor: Tensor, bucket: int, rows: Mapping[str, int]) -> Shape:
        """The tensor's shape; a free axis is the bucket, or the rows of a row list."""
        free = rows.get(tensor.name, bucket)
        return tuple(free if dim == -1 else dim for dim in tensor.dims)

    def _bucket(self, images: int) -> int:
        for bucket in self._buckets:
            if bucket >= images:
                return bucket
        raise ConfigError(
            f"the engines take up to {self._buckets[-1]} images at once, not {images}: pass "
            f"max_batch={self._buckets[-1]}, or build them for more (--batch)"
        )

    def _row_bucket(self, name: str, rows: int) -> int:
        step, most = self._sidecar.row_step, self._sidecar.rows.get(name, 0)
        padded = -(-rows // max(step, 1)) * max(step, 1)
        if padded > most:
            raise BackendError(f"{name} has {rows} rows, the engine takes up to {most}")
        return padded

    def _profile(self, bucket: int) -> int:
        """The profile that holds the bucket."""
        return next(i for i, most in enumerate(self._sidecar.profiles) if bucket <= most)

    def _shared_context(self, bucket: int) -> Any:
        """The context of the bucket's profile, for every launch that is not replayed."""
        profile = self._profile(bucket)
        if profile not in self._contexts:
            self._contexts[profile] = self._new_context(profile)
        return self._contexts[profile]

    def _new_context(self, profile: int) -> Any:
        """A context; all share one scratch memory, since they run one after the other."""
        if not self._scratch and self._engine.scratch_bytes:
            self._scratch = self._cuda.allocate(self._engine.scratch_bytes)
        return self._engine.context(profile, self._stream, self._scratch)


def is_state(name: str) -> bool:
    """Whether a tensor stays on the GPU between chunks."""
    return name.startswith((STATE, NEXT_STATE))


def batch_buckets(batch: Sequence[int], profiles: Sequence[int]) -> list[int]:
    """Numbers of images that get shapes of their own, ascending: powers of two, and profiles' ends.

    Args:
        batch: smallest, typical, largest.
        profiles: largest of every profile.
    """
    smallest, _, largest = batch
    powers = {2**n for n in range(largest.bit_length()) if smallest <= 2**n <= largest}
    return sorted({smallest, largest, *profiles} | powers)
