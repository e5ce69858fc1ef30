# Serves TensorRT engines on boards with JetPack 7, whose containers are those of ARM servers (TensorRT 10.13.3,
# CUDA 13.0, Python 3.12). On the board:
#   docker build -f deploy/jetson-7.Dockerfile -t spikehalt:jetson-7 .
#   docker run --rm --runtime nvidia -p 8000:8000 -v "$PWD/bundles:/bundles:ro" spikehalt:jetson-7 /bundles/toy.bundle
# On a server: --build-arg ARCH=90 (H100, H200), 89 (L4, L40), 80 (A100), …, and run with --gpus all.
# Engines are built in the same image: --entrypoint /opt/spikehalt/bin/spikehalt, with /bundles writable.
ARG TENSORRT=nvcr.io/nvidia/tensorrt:25.09-py3

FROM ${TENSORRT} AS build
ARG ARCH=110
RUN apt-get update \
    && apt-get install -y --no-install-recommends cmake=3.28.* python3-venv=3.12.* \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
RUN python3 -m venv --system-site-packages /opt/spikehalt \
    && /opt/spikehalt/bin/pip install --no-cache-dir -c constraints.txt '.[onnxruntime,serve]' \
    && /opt/spikehalt/bin/spikehalt plugins build --arch ${ARCH} --out /opt/spikehalt/lib/spikehalt

FROM ${TENSORRT}
RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin --groups video spikehalt
COPY --from=build /opt/spikehalt /opt/spikehalt
ENV SPIKEHALT_PLUGIN_DIR=/opt/spikehalt/lib/spikehalt XDG_CACHE_HOME=/tmp \
    NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=all
USER 10001
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=120s \
    CMD ["/opt/spikehalt/bin/python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8000/v2/health/ready', timeout=4)"]
ENTRYPOINT ["/opt/spikehalt/bin/spikehalt", "serve", "--host", "0.0.0.0"]
CMD ["/bundles/model.bundle"]
