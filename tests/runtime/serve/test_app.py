"""The application without a network: what clients may ask, and what they are told."""

from __future__ import annotations

import json
import time
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from starlette.testclient import TestClient

from runtime import Engine
from runtime.errors import BackendError
from runtime.serve.app import create_app
from runtime.serve.model import ServedModel
from runtime.serve.options import ServeOptions
from tests.runtime.serve.conftest import LIMITS, encoded, write_toy

Images = NDArray[np.uint8]
INFER = "/v2/models/toy/infer"


def asking(images: Any, **more: Any) -> dict[str, Any]:
    """The JSON of a request for images."""
    array = np.asarray(images)
    tensor = {
        "name": "image",
        "shape": list(array.shape),
        "datatype": "UINT8",
        "data": array.ravel().tolist(),
    }
    return {"inputs": [tensor], **more}


def values(response: Any) -> dict[str, Any]:
    """The data of an answer's tensors, by name."""
    assert response.status_code == 200, response.text
    return {each["name"]: each["data"] for each in response.json()["outputs"]}


def refused(response: Any, status: int) -> str:
    """The sentence of an error, which tells nothing of the inside."""
    assert response.status_code == status, response.text
    (message,) = response.json().values()
    assert list(response.json()) == ["error"]
    assert "Traceback" not in message and ".py" not in message
    return str(message)


def test_answers_are_the_engine_s(client: TestClient, folder: Path, images: Images) -> None:
    knobs = {"policy": "halting", "threshold": 1.5, "epsilon": 0.2, "max_timesteps": 3}
    with Engine(folder / "toy.bundle") as engine:
        expected = engine(images[:5], **knobs)
    answer = client.post(INFER, json=asking(images[:5], parameters=knobs, id="seven"))
    given = values(answer)
    assert given["label"] == expected.labels.tolist()
    assert given["name"] == list(expected.names)
    assert given["timesteps"] == expected.timesteps.tolist()
    np.testing.assert_allclose(given["tokens"], expected.average_tokens)
    np.testing.assert_allclose(np.reshape(given["logits"], (5, 3)), expected.logits, rtol=1e-6)
    np.testing.assert_allclose(given["probability"], expected.probabilities.max(1), rtol=1e-6)
    assert answer.json()["id"] == "seven" and answer.json()["model_name"] == "toy"


def test_binary_tensors_stand_behind_the_json(client: TestClient, images: Images) -> None:
    head = asking(images[:2], outputs=[{"name": "label", "parameters": {"binary_data": True}}])
    del head["inputs"][0]["data"]
    head["inputs"][0]["parameters"] = {"binary_data_size": images[:2].nbytes}
    text = json.dumps(head).encode()
    length = {"Inference-Header-Content-Length": str(len(text))}
    answer = client.post(INFER, content=text + images[:2].tobytes(), headers=length)
    size = int(answer.headers["Inference-Header-Content-Length"])
    assert json.loads(answer.content[:size])["outputs"][0]["parameters"]["binary_data_size"] == 16
    labels = np.frombuffer(answer.content[size:], "<i8")
    assert labels.tolist() == values(client.post(INFER, json=asking(images[:2])))["label"]


def test_event_frames_are_answered(client: TestClient, frames: NDArray[np.float32]) -> None:
    tensor = {
        "name": "frames",
        "shape": list(frames.shape),
        "datatype": "FP32",
        "data": frames.tolist(),
    }
    assert len(values(client.post("/v2/models/events/infer", json={"inputs": [tensor]}))["label"])
    picture = encoded(np.zeros((4, 4, 3), np.uint8), "PNG")
    message = refused(client.post("/classify?model=events", content=picture), 400)
    assert "event frames" in message


def test_models_say_what_they_are(client: TestClient) -> None:
    about = client.get("/v2/models/other").json()
    (version,) = about["versions"]
    assert about["inputs"] == [{"name": "image", "datatype": "UINT8", "shape": [-1, 4, 4, 3]}]
    assert {"name": "timesteps", "datatype": "INT64", "shape": [-1]} in about["outputs"]
    assert "energy_mj" not in [each["name"] for each in about["outputs"]]  # no constants
    assert client.get(f"/v2/models/other/versions/{version}/ready").status_code == 200
    message = refused(client.get("/v2/models/other/versions/1/ready"), 404)
    assert version in message
    assert "did you mean 'other'" in refused(client.get("/v2/models/othr"), 404)
    for path in ("/v2/health/live", "/v2/health/ready", "/v2", "/v2/models/toy/ready"):
        assert client.get(path).status_code == 200


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_image_files_are_classified(client: TestClient, images: Images, kind: str) -> None:
    large = np.kron(images[7], np.ones((16, 16, 1), np.uint8))
    answer = client.post("/classify?model=toy&policy=never", content=encoded(large, kind)).json()
    expected = values(client.post(INFER, json=asking(images[7:8])))
    assert answer["label"] == expected["label"][0] and answer["name"] == expected["name"][0]
    assert answer["timesteps"] == 4 and answer["energy_mj"] is None
    assert abs(answer["probability"] - expected["probability"][0]) < 0.05


def picture(*size: int) -> bytes:
    return encoded(np.zeros((*size, 3), np.uint8), "PNG")


@pytest.mark.parametrize(
    ("query", "body", "status", "sentence"),
    [
        ("model=toy", b"%!PS-Adobe-3.0 EPSF-3.0\n", 415, "JPEG, PNG, WebP"),
        ("model=toy", b"", 415, "no image file"),
        ("model=toy", picture(8, 8)[:45], 400, "not a readable image"),
        ("model=toy", picture(101, 100), 400, "too many"),
        ("model=toy", bytes(20_001), 413, "more than 20000 bytes"),
        ("", picture(8, 8), 400, "toy, other, events"),
        ("model=toy&treshold=1", picture(8, 8), 400, "did you mean 'threshold'"),
        ("model=toy&threshold=high", picture(8, 8), 400, "threshold: Input should be"),
        ("model=toy&latency_ms=-1", picture(8, 8), 400, "latency_ms"),
        ("model=toy&latency_ms=nan", picture(8, 8), 400, "latency_ms"),
        ("model=toy&policy=magic", picture(8, 8), 400, "unknown exit policy"),
    ],
)
def test_what_cannot_be_classified_is_refused(
    client: TestClient, query: str, body: bytes, status: int, sentence: str
) -> None:
    assert sentence in refused(client.post(f"/classify?{query}", content=body), status)


@pytest.mark.parametrize(
    ("request_", "sentence"),
    [
        ({}, "inputs: Field required"),
        ({"inputs": []}, "0 inputs"),
        ({"inputs": [], "input": 1}, "did you mean 'inputs'"),
        (asking([[1]], parameters={"treshold": 1}), "did you mean 'threshold'"),
        (asking([[1]], parameters={"threshold": "1"}), "parameters.threshold"),
        (asking([[1]]), "this bundle takes [B, 4, 4, 3]"),
        (asking(np.zeros((0, 4, 4, 3), int)), "empty"),
        (asking(np.full((1, 4, 4, 3), 256)), "0..255"),
        (asking(np.full((1, 4, 4, 3), 0.5)), "without fractions"),
        (asking(np.zeros((1, 4, 4, 3), int), outputs=[{"name": "labels"}]), "did you mean 'label'"),
        (asking(np.zeros((9, 4, 4, 3), int)), "split it"),
        ({"inputs": [{"name": "x", "shape": [1], "datatype": "UINT8"}]}, "unknown input 'x'"),
        ({"inputs": [{"name": "image", "shape": [1], "datatype": "FP32"}]}, "must be UINT8"),
        ({"inputs": [{"name": "image", "shape": [1], "datatype": "UINT8"}]}, "neither data"),
        ({"inputs": [{"name": "image", "shape": [-1], "datatype": "UINT8"}]}, "inputs.0.shape.0"),
    ],
)
def test_a_wrong_request_is_one_sentence(
    client: TestClient, request_: dict[str, Any], sentence: str
) -> None:
    status = 413 if sentence == "split it" else 400
    assert sentence in refused(client.post(INFER, json=request_), status)


def test_compressed_bodies_and_unknown_paths_are_refused(client: TestClient) -> None:
    gzip = {"Content-Encoding": "gzip"}
    assert "compression" in refused(client.post(INFER, content=b"x", headers=gzip), 415)
    refused(client.get("/v2/nothing"), 404)
    refused(client.get(INFER), 405)


def test_a_deadline_caps_the_timesteps_or_refuses_early(
    client: TestClient, images: Images, monkeypatch: pytest.MonkeyPatch
) -> None:
    ample = {"policy": "never", "latency_ms": 60_000.0}
    assert values(client.post(INFER, json=asking(images[:1], parameters=ample)))["timesteps"] == [4]
    monkeypatch.setattr("runtime.serve.pace.Pace.batch_s", lambda self, images, chunks: 15 * chunks)
    assert values(client.post(INFER, json=asking(images[:1], parameters=ample)))["timesteps"] == [3]
    short = asking(images[:1], parameters={"latency_ms": 10.0})
    answer = client.post(INFER, json=short)
    assert "too late" in refused(answer, 503) and int(answer.headers["Retry-After"]) >= 15


def test_a_late_answer_is_a_refusal_at_the_deadline(
    client: TestClient, images: Images, monkeypatch: pytest.MonkeyPatch
) -> None:
    classify = Engine.__call__

    def slow(self: Engine, data: Any, **knobs: Any) -> Any:
        time.sleep(0.5)
        return classify(self, data, **knobs)

    monkeypatch.setattr(Engine, "__call__", slow)
    answer = client.post(INFER, json=asking(images[:1], parameters={"latency_ms": 100.0}))
    assert "did not come in time" in refused(answer, 503) and answer.headers["Retry-After"]


def test_a_full_queue_is_refused_at_once(
    client: TestClient, images: Images, monkeypatch: pytest.MonkeyPatch
) -> None:
    app: Any = client.app
    (model,) = [each for each in models_of(app) if each.name == "toy"]
    monkeypatch.setattr(model, "_unanswered", 8)
    answer = client.post(INFER, json=asking(images[:1]))
    assert "8 images are waiting" in refused(answer, 503) and answer.headers["Retry-After"] == "1"


def models_of(app: Any) -> list[ServedModel]:
    """The models of an application, through the object behind its routes."""
    server = next(each.endpoint.__self__ for each in app.routes if each.path == "/metrics")
    return list(server._models.all)


def test_a_failure_is_told_without_its_inside_and_the_next_request_works(
    client: TestClient, images: Images, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any, **__: Any) -> Any:
        raise BackendError("/secret/place.py: the device fell off the bus")

    with monkeypatch.context() as patch:
        patch.setattr(Engine, "__call__", broken)
        assert "log" in refused(client.post(INFER, json=asking(images[:1])), 500)
        patch.setattr(Engine, "__call__", lambda *_, **__: 1 / 0)
        assert "log" in refused(client.post(INFER, json=asking(images[:1])), 500)
    assert values(client.post(INFER, json=asking(images[:1])))


def test_metrics_count_what_happened(client: TestClient, images: Images) -> None:
    def figure(line: str) -> float:
        lines = client.get("/metrics").text.splitlines()
        return sum(float(each.split()[-1]) for each in lines if each.startswith(line))

    names = (
        'spikehalt_requests_total{model="toy",status="200"}',
        'spikehalt_request_seconds_count{model="toy"}',
        'spikehalt_batch_images_sum{model="toy"}',
        'spikehalt_timesteps_sum{model="toy"}',
        'spikehalt_tokens_count{model="toy"}',
        'spikehalt_requests_total{model="unknown",status="404"}',
    )
    before = [figure(each) for each in names]
    values(client.post(INFER, json=asking(images[:3], parameters={"policy": "never"})))
    client.post("/v2/models/nobody/infer", json=asking(images[:1]))
    after = [figure(each) for each in names]
    assert np.subtract(after, before).tolist() == [1, 1, 3, 12, 3, 1]
    assert figure('spikehalt_waiting_images{model="toy"}') == 0


def test_a_replaced_bundle_is_opened_and_a_damaged_one_is_not(
    tmp_path: Path, images: Images
) -> None:
    path = tmp_path / "toy.bundle"
    old = write_toy(path, timesteps=4)
    options = ServeOptions(bundles={"toy": path}, max_batch=2, poll_s=0.02, limits=LIMITS)

    def versions() -> list[str]:
        return list(client.get("/v2/models/toy").json()["versions"])

    with TestClient(create_app(options)) as client:
        (path / "manifest.json").write_text("{")
        time.sleep(0.2)
        assert versions() == [old.fingerprint[:12]]
        assert 'outcome="failed"} 1.0' in client.get("/metrics").text
        new = write_toy(path, timesteps=2)
        begin = time.monotonic()
        while versions() == [old.fingerprint[:12]] and time.monotonic() - begin < 20:
            time.sleep(0.02)
        assert versions() == [new.fingerprint[:12]]
        never = {"policy": "never"}
        given = values(client.post(INFER, json=asking(images[:1], parameters=never)))
        assert given["timesteps"] == [2]


def test_a_token_is_asked_for_everywhere_but_by_probes(folder: Path, images: Images) -> None:
    options = ServeOptions(bundles={"toy": folder / "toy.bundle"}, max_batch=2, token="s3cret")
    with TestClient(create_app(options)) as client:
        assert client.get("/v2/health/ready").status_code == 200
        for path in ("/v2", "/metrics", "/openapi.json"):
            answer = client.get(path)
            assert "Bearer" in refused(answer, 401) and answer.headers["WWW-Authenticate"]
        for token in ("s3cre", "s3cret!", ""):
            wrong = {"Authorization": f"Bearer {token}"}
            refused(client.post(INFER, json=asking(images[:1]), headers=wrong), 401)
        right = {"Authorization": "Bearer s3cret"}
        assert values(client.post(INFER, json=asking(images[:1]), headers=right))


def test_a_picture_that_says_it_is_huge_is_refused_by_what_it_says(client: TestClient) -> None:
    data = bytearray(picture(1, 1))
    data[16:24] = (10_000).to_bytes(4, "big") * 2
    data[29:33] = zlib.crc32(data[12:29]).to_bytes(4, "big")
    assert "too many" in refused(client.post("/classify?model=toy", content=bytes(data)), 400)


def test_names_of_classes_act_on_no_terminal(tmp_path: Path, images: Images) -> None:
    classes = ("a\x9b31m", "b\u202e", "c\x1b[2J")
    write_toy(tmp_path / "toy.bundle", classes=classes)
    options = ServeOptions(bundles={"toy": tmp_path / "toy.bundle"}, max_batch=2, limits=LIMITS)
    with TestClient(create_app(options)) as client:
        answer = client.post("/classify", content=encoded(images[0], "png"))
        assert answer.json()["name"] in classes
        assert not set("\x9b\u202e\x1b") & set(answer.text + client.get("/v2/models/toy").text)
