# Serves TensorRT engines on Orin boards with JetPack 6.2 (TensorRT 10.3, CUDA 12.6, Python 3.10). On the board:
#   docker build -f deploy/jetson-6.Dockerfile -t spikehalt:jetson-6 .
#   docker run --rm --runtime nvidia -p 8000:8000 -v "$PWD/bundles:/bundles:ro" spikehalt:jetson-6 /bundles/toy.bundle
# Engines are built in the same image: --entrypoint /opt/spikehalt/bin/spikehalt, with /bundles writable.
ARG JETPACK=nvcr.io/nvidia/l4t-jetpack:r36.4.0

FROM ${JETPACK} AS build
RUN apt-get update \
    && apt-get install -y --no-install-recommends cmake=3.22.* python3-venv=3.10.* \
    && rm -rf /var/lib/apt/lists/*
ENV PATH=/usr/local/cuda/bin:${PATH}
WORKDIR /src
COPY . .
RUN python3 -m venv --system-site-packages /opt/spikehalt \
    && /opt/spikehalt/bin/pip install --no-cache-dir -c constraints.txt '.[onnxruntime,serve]' \
    && /opt/spikehalt/bin/spikehalt plugins build --arch 87 --out /opt/spikehalt/lib/spikehalt

FROM ${JETPACK}
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
