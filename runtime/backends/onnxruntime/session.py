"""ONNX Runtime, the embedded default: states stay in its own tensors (OrtValue, IO binding)."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from runtime.backends import ports as graph_io
from runtime.backends.base import BackendInfo, ChunkOutputs, Inputs, SessionOptions, refuse_closed
from runtime.backends.contract import wire
from runtime.backends.facts import Facts, Shape
from runtime.backends.onnxruntime import cuda as onnxruntime_cuda
from runtime.backends.onnxruntime.files import own_files
from runtime.backends.onnxruntime.forks import never_destroy_in_children
from runtime.backends.onnxruntime.inline import with_names_in_memory, with_weights
from runtime.backends.onnxruntime.messages import MESSAGES
from runtime.backends.onnxruntime.native_ops import choose_native_ops
from runtime.backends.onnxruntime.protobuf import fields
from runtime.backends.ports import Ports, Wiring
from runtime.bundle import FIRST_GRAPH, NEXT_GRAPH, Bundle
from runtime.errors import (
    BackendError,
    BackendMissingError,
    DeviceError,
    OutOfMemoryError,
)
from spikehalt.errors import SpikehaltError
from spikehalt.extras import install_command, require_extra

PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}
PROVIDER_OPTIONS = {"cpu": {}, "cuda": dict(onnxruntime_cuda.PROVIDER_OPTIONS)}
_MEMORY_WORDS = ("allocate memory", "bad_alloc", "out of memory", "bfcarena", "available memory")

# int8 graphs add bytes, which 1.20 cannot.
UPDATE = " (bundles are made for ONNX Runtime 1.22 and newer: update it)"

LOADING_ADVICE = "use fewer threads (threads=), or a machine with more memory"
RUNNING_ADVICE = "pass fewer images at once (max_batch=)"

_OP_TYPE = 4  # field of NodeProto
_ANSWERS = (graph_io.LOGITS, graph_io.HALT_SCORE, graph_io.LIVE_TOKENS)

States = Mapping[str, Any]  # state output name -> OrtValue


class OnnxRuntimeSession:
    """Both graphs of a bundle in ONNX Runtime.

    Args:
        bundle: an opened bundle.
        options: threads, spinning, device ("cpu" or "cuda") and native ops.
        reason: why this backend was chosen, for `info`.

    Raises:
        BackendMissingError: onnxruntime is not installed, or native ops are wanted that cannot be
            used.
        DeviceError: the device is not there.
        BundleFormatError: the graphs do not follow the contract.
        BackendError: ONNX Runtime refuses a graph.
    """

    def __init__(self, bundle: Bundle, options: SessionOptions, reason: str = "") -> None:
        self._ort, self._closed = _import(), False
        self._device = options.device or "cpu"
        check_device(self._device)
        if self._device == "cuda":
            onnxruntime_cuda.load_libraries(self._ort)
        manifest, weights = bundle.manifest, _Weights(bundle)
        self._ops = choose_native_ops(
            self._ort, wanted=options.native_ops, device=self._device, precision=manifest.precision
        )
        models = {name: bundle.read(name) for name in _graphs(bundle)}
        sessions = {
            name: self._load(bundle, name, model, options, weights)
            for name, model in models.items()
        }
        never_destroy_in_children(self)
        self._first, self._next = sessions[FIRST_GRAPH], sessions.get(NEXT_GRAPH)
        ports = {name: _ports(session, models[name]) for name, session in sessions.items()}
        self._wirings = wire(manifest, ports[FIRST_GRAPH], ports.get(NEXT_GRAPH))
        operations = (graph_io.MAC_OPS, graph_io.AC_OPS) if manifest.instrumented else ()
        self._answers = (*_ANSWERS, *operations)
        self._masks = graph_io.live_masks(manifest.blocks) if manifest.live_masks else ()
        merged = tuple(graph_io.merged(manifest))
        known = set(merged) <= set(ports[FIRST_GRAPH].outputs)  # bundles of older releases lack it
        self._merged = merged if known else ()
        self.info = BackendInfo(
            name="onnxruntime" if self._device == "cpu" else f"onnxruntime-{self._device}",
            version=self._ort.__version__,
            device=self._device,
            reason=reason,
            options={
                "threads": options.threads or "library default",
                "spin": options.spin,
                "native ops": self._ops.why,
            },
        )

    def run(self, inputs: Inputs, states: Any, *, last: bool, masks: bool) -> ChunkOutputs:
        """Run one chunk; see `runtime.backends.base.Session.run`."""
        session, wiring = self._pick(states)
        merged = self._merged if masks and states is None else ()
        names = [*self._answers, *(self._masks if masks else ()), *merged]
        kept = () if last else wiring.states_out
        with _mapped_errors("running a chunk", RUNNING_ADVICE):
            binding = session.io_binding()
            _bind_inputs(binding, wiring, inputs, states)
            for name in names:
                binding.bind_output(name, "cpu")
            for name in kept:
                binding.bind_output(name, self._device)
            session.run_with_iobinding(binding)
            values = dict(zip([*names, *kept], binding.get_outputs(), strict=True))
            answers = {name: values.pop(name).numpy() for name in self._answers}
            live = tuple(values.pop(name).numpy() for name in self._masks if masks)
            gone = tuple(values.pop(name).numpy() for name in merged)
        return ChunkOutputs(
            **answers, live_masks=live, merged=gone, states=None if last else values
        )

    def close(self) -> None:
        """Free the sessions."""
        self._closed = True
        self._first = self._next = None

    def _pick(self, states: States | None) -> tuple[Any, Wiring]:
        first, following = self._wirings
        session, wiring = (self._first, first) if states is None else (self._next, following)
        refuse_closed(self._closed)  # now, not before: it may have been closed meanwhile
        if session is None or wiring is None:
            raise BackendError(f"{NEXT_GRAPH} does not exist: the first chunk runs all timesteps")
        return session, wiring

    def _load(
        self, bundle: Bundle, name: str, model: bytes, options: SessionOptions, weights: _Weights
    ) -> Any:
        chosen = _session_options(self._ort, options)
        if self._ops.path is not None:
            chosen.register_custom_ops_library(str(self._ops.path))
        source = weights.attach(name, model, chosen)
        with _mapped_errors(f"loading {bundle.root / name}", LOADING_ADVICE):
            session = self._ort.InferenceSession(
                source,
                chosen,
                providers=[(PROVIDERS[self._device], PROVIDER_OPTIONS[self._device])],
                enable_fallback=0,  # it would print, and then fail the same way again
            )
        if PROVIDERS[self._device] not in session.get_providers():
            raise DeviceError(onnxruntime_cuda.NOT_STARTED)
        return session


def _import() -> Any:
    return require_extra("onnxruntime", "onnxruntime", "this backend", BackendMissingError)


def check_device(device: str) -> None:
    """Refuse a device that the installed ONNX Runtime does not have.

    Raises:
        BackendMissingError: it is not installed.
        DeviceError: it was built without this device, or there is none of that name.
    """
    ort = _import()
    if device not in PROVIDERS:
        raise DeviceError(f"device {device!r} is unknown to ONNX Runtime: use 'cpu' or 'cuda'")
    if PROVIDERS[device] not in ort.get_available_providers():
        raise DeviceError(
            f"this build of ONNX Runtime has no {device!r} device "
            f"(it has {', '.join(ort.get_available_providers())}): pip uninstall onnxruntime, then "
            + install_command("gpu")
        )


def _graphs(bundle: Bundle) -> list[str]:
    return [name for name in (FIRST_GRAPH, NEXT_GRAPH) if name in bundle.manifest.files]


class _Weights:
    """Weights that graphs keep in other files of the bundle: each read and checked once."""

    def __init__(self, bundle: Bundle) -> None:
        self._bundle = bundle
        self._read: dict[str, bytes] = {}

    def attach(self, name: str, model: bytes, options: Any) -> bytes:
        """What to load graph `name` from; its weights are given to the session's `options`.

        They are handed over as checked bytes, so nothing on disk is trusted afterwards. The
        options of ONNX Runtime 1.22 and 1.23 cannot take them: they get a model with them inside.
        """
        where = f"{self._bundle.root.name}/{name}"
        files = own_files(self._bundle, name, model)
        for each in files:
            if each not in self._read:
                self._read[each] = self._bundle.read(each)
        if not files:
            return model
        give = getattr(options, "add_external_initializers_from_files_in_memory", None)
        used = {each: self._read[each] for each in files}
        if give is None:
            return with_weights(model, used, where)
        model, used = with_names_in_memory(model, used, where)
        give(list(used), list(used.values()), [len(content) for content in used.values()])
        return model


def _session_options(ort: Any, options: SessionOptions) -> Any:
    chosen = ort.SessionOptions()
    chosen.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
    chosen.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    chosen.inter_op_num_threads = 1
    chosen.log_severity_level = 3  # errors: they come back as exceptions too
    # Bytes of the other format, which begins like no protobuf we read, are never looked for.
    chosen.add_session_config_entry("session.load_model_format", "ONNX")
    if options.threads is not None:
        chosen.intra_op_num_threads = options.threads
    if options.spin:
        # The pool of the graph that is not running would take the cores from the one that is.
        chosen.add_session_config_entry("session.force_spinning_stop", "1")
    else:
        chosen.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return chosen


def _ports(session: Any, model: bytes) -> Ports:
    inputs, outputs = session.get_inputs(), session.get_outputs()
    facts = Facts(
        shapes={each.name: _shape(each.shape) for each in (*inputs, *outputs)},
        types={each.name: _type(each.type) for each in (*inputs, *outputs)},
        ops=op_types(model),
        properties=session.get_modelmeta().custom_metadata_map,
    )
    return Ports([each.name for each in inputs], {each.name for each in outputs}, facts)


def _shape(sizes: Sequence[Any]) -> Shape:
    """Dimensions that are free have names."""
    return tuple(size if isinstance(size, int) else None for size in sizes)


def _type(text: str) -> str:
    """numpy's name of "tensor(float)" and the like."""
    name = text.removeprefix("tensor(").removesuffix(")")
    return {"float": "float32", "double": "float64"}.get(name, name)


def op_types(model: bytes) -> set[str]:
    """Types of the nodes of a serialised ModelProto's own graph."""
    graphs = [
        each.part for each in fields(memoryview(model), MESSAGES["Model"]) if each.child == "Graph"
    ]
    nodes = [
        each.part
        for graph in graphs
        for each in fields(graph, MESSAGES["Graph"])
        if each.child == "Node"
    ]
    return {
        bytes(each.part).decode(errors="replace")
        for node in nodes
        for each in fields(node, MESSAGES["Node"])
        if each.number == _OP_TYPE
    }


def _bind_inputs(binding: Any, wiring: Wiring, inputs: Inputs, states: States | None) -> None:
    for name in wiring.inputs:
        binding.bind_cpu_input(name, inputs[name])
    for name in wiring.states_in:
        binding.bind_ortvalue_input(name, (states or {})["next." + name])


@contextlib.contextmanager
def _mapped_errors(doing: str, when_memory_is_short: str) -> Iterator[None]:
    """Turn whatever ONNX Runtime raises into one of ours."""
    short = f"out of memory while {doing}: {when_memory_is_short}"
    try:
        yield
    except SpikehaltError:
        raise
    except MemoryError as error:
        raise OutOfMemoryError(short) from error
    except Exception as error:  # its exceptions share no base class
        text = str(error)
        if any(word in text.lower() for word in _MEMORY_WORDS):
            raise OutOfMemoryError(short) from error
        advice = UPDATE if "find an implementation" in text else ""
        raise BackendError(f"ONNX Runtime failed while {doing}: {text[:500]}{advice}") from error
