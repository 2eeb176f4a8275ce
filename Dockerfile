# One image for every process of the mesh; compose.yaml says which command makes it which.
#
#   docker build -t mien .                          CPU
#   docker build -t mien:gpu --build-arg EXTRA=gpu . NVIDIA GPU

# A name of its own, so that a build without a registry can put another Debian with Python there.
ARG BASE=python:3.12-slim-bookworm

FROM ${BASE} AS build
ARG EXTRA=cpu
WORKDIR /src
RUN python3 -m venv /opt/mien
# First what changes seldom: this layer stays while only our code changes.
COPY requirements/${EXTRA}.txt requirements/
RUN /opt/mien/bin/python -m pip install --no-cache-dir --no-deps --require-hashes -r requirements/${EXTRA}.txt
COPY pyproject.toml hatch_build.py README.md LICENSE ./
COPY proto proto
COPY envoy envoy
COPY mien mien
COPY serving serving
COPY store store
COPY embedder embedder
COPY classifier classifier
COPY admin admin
RUN /opt/mien/bin/python -m pip install --no-cache-dir --no-deps .

FROM ${BASE}
# The cache holds the model packs, the other folder Envoy's certificate: volumes there keep them over restarts.
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin mien \
    && install --directory --owner=mien /var/cache/mien /var/lib/mien
COPY --from=build /opt/mien /opt/mien
ENV PATH=/opt/mien/bin:$PATH MIEN_CACHE=/var/cache/mien PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 ORT_DISABLE_TELEMETRY=1
USER 10001
VOLUME /var/cache/mien
EXPOSE 8000 8443
CMD ["mien", "--help"]
