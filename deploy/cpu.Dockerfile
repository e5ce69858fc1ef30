# Serves bundles on processors, with native ops. From the folder above this one:
#   docker build -f deploy/cpu.Dockerfile -t spikehalt:cpu .
#   docker run --rm -p 127.0.0.1:8000:8000 -v "$PWD/bundles:/bundles:ro" spikehalt:cpu /bundles/toy.bundle
ARG PYTHON=python:3.11.14-slim-bookworm

FROM ${PYTHON} AS build
RUN apt-get update \
    && apt-get install -y --no-install-recommends g++=4:12.2.0-3 \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
RUN python -m venv /opt/spikehalt \
    && /opt/spikehalt/bin/pip install --no-cache-dir -c constraints.txt '.[onnxruntime,serve]' \
    && /opt/spikehalt/bin/spikehalt plugins build --cpu --out /opt/spikehalt/lib/spikehalt

FROM ${PYTHON}
RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin spikehalt
COPY --from=build /opt/spikehalt /opt/spikehalt
ENV SPIKEHALT_PLUGIN_DIR=/opt/spikehalt/lib/spikehalt XDG_CACHE_HOME=/tmp
USER 10001
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s \
    CMD ["/opt/spikehalt/bin/python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8000/v2/health/ready', timeout=4)"]
ENTRYPOINT ["/opt/spikehalt/bin/spikehalt", "serve", "--host", "0.0.0.0"]
CMD ["/bundles/model.bundle"]
