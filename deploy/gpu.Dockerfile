# Serves bundles on NVIDIA GPUs by ONNX Runtime; CUDA and cuDNN come as wheels, the driver from the
# NVIDIA Container Toolkit of the host. From the folder above this one:
#   docker build -f deploy/gpu.Dockerfile -t spikehalt:gpu .
#   docker run --rm --gpus all -p 127.0.0.1:8000:8000 -v "$PWD/bundles:/bundles:ro" spikehalt:gpu /bundles/toy.bundle
# For TensorRT engines, see jetson-7.Dockerfile, which also builds for servers' GPUs.
ARG PYTHON=python:3.11.14-slim-bookworm

FROM ${PYTHON} AS build
WORKDIR /src
COPY . .
RUN python -m venv /opt/spikehalt \
    && /opt/spikehalt/bin/pip install --no-cache-dir -c constraints.txt -c deploy/gpu-constraints.txt '.[gpu,serve]'

FROM ${PYTHON}
RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin spikehalt
COPY --from=build /opt/spikehalt /opt/spikehalt
ENV XDG_CACHE_HOME=/tmp NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=compute,utility
USER 10001
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=120s \
    CMD ["/opt/spikehalt/bin/python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8000/v2/health/ready', timeout=4)"]
ENTRYPOINT ["/opt/spikehalt/bin/spikehalt", "serve", "--host", "0.0.0.0", "--device", "cuda"]
CMD ["/bundles/model.bundle"]
