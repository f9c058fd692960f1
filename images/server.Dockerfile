# The model server: TensorFlow and the TF Serving API.
# Build it with images/build.py, or: docker build -f images/server.Dockerfile -t modelfleet/server .
# For accelerators: --build-arg EXTRA=server.
ARG BASE=python:3.11-slim

# The tools that build; nothing of this stage is in the image but what is copied from it.
FROM ${BASE} AS tools
COPY constraints.txt /tools/
# A builder may hand in its own pip configuration and certificate authorities; see build.py.
ENV PIP_CONFIG_FILE=/run/secrets/pip.conf PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 \
    PIP_ROOT_USER_ACTION=ignore
RUN --mount=type=secret,id=pip.conf --mount=type=secret,id=certificates \
    python3 -m venv /tools/venv && /tools/venv/bin/pip install -q -c /tools/constraints.txt hatchling

FROM tools AS requirements
ARG EXTRA=server-cpu
COPY pyproject.toml images/requirements.py /tools/
# With a fixed time, so that the next stage is rebuilt only when the content changes.
RUN python3 /tools/requirements.py /tools/pyproject.toml ${EXTRA} > /tools/requirements.txt && \
    python3 /tools/requirements.py /tools/pyproject.toml tracing >> /tools/requirements.txt && \
    touch -d 2000-01-01 /tools/requirements.txt

FROM ${BASE} AS dependencies
COPY constraints.txt /usr/share/doc/modelfleet/
COPY --from=requirements /tools/requirements.txt /usr/share/doc/modelfleet/
# In one layer, so that what is removed at the end takes no room. pip itself stays outside.
RUN --mount=type=secret,id=pip.conf --mount=type=secret,id=certificates \
    export PIP_CONFIG_FILE=/run/secrets/pip.conf PIP_DISABLE_PIP_VERSION_CHECK=1 \
        PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore && \
    python3 -m venv --without-pip /opt/modelfleet && \
    python3 -m venv /tmp/pip && \
    install="/tmp/pip/bin/pip --python /opt/modelfleet/bin/python install -q" && \
    $install -c /usr/share/doc/modelfleet/constraints.txt \
        -r /usr/share/doc/modelfleet/requirements.txt && \
    # Its metadata asks for the GPU build of TensorFlow although it needs only the protos.
    $install -c /usr/share/doc/modelfleet/constraints.txt --no-deps tensorflow-serving-api && \
    # C++ headers, LiteRT's compilers and its driver for GPUs, and a C parser that only building
    # TensorFlow Lite bindings needs.
    cd /opt/modelfleet/lib/python3*/site-packages && \
    rm -rf tensorflow/include ai_edge_litert/libLiteRtWebGpuAccelerator.so && \
    rm -rf ai_edge_litert/aot ai_edge_litert/tools ai_edge_litert/vendors && cd / && \
    /tmp/pip/bin/pip --python /opt/modelfleet/bin/python uninstall -q -y libclang && \
    rm -rf /tmp/pip

# The program itself, and its licence; a change here rebuilds seconds only.
FROM tools AS program
WORKDIR /src
COPY pyproject.toml LICENSE ./
COPY server/model_server server/model_server
# The native transport, if build.py could build it; without it the server speaks by grpcio.
COPY images/wheels images/wheels
# The other programs' commands would be there without their code.
RUN touch README.md && python3 -m venv --without-pip /opt/modelfleet && \
    /tools/venv/bin/pip wheel -q --no-deps --no-build-isolation -w /tools/wheel . && \
    /tools/venv/bin/pip --python /opt/modelfleet/bin/python install -q --no-deps \
        --no-index --root /program /tools/wheel/*.whl \
        $(find images/wheels -name "*.whl") && \
    find /program/opt/modelfleet/bin -type f ! -name model-server -delete

FROM dependencies
COPY --from=program /program/opt/modelfleet /opt/modelfleet
LABEL org.opencontainers.image.title="modelfleet server" \
    org.opencontainers.image.description="A drop-in for tensorflow_model_server" \
    org.opencontainers.image.licenses="Apache-2.0"
# Bytecode was compiled above, and the root file system may be read-only; only TMPDIR is written to.
ENV PATH=/opt/modelfleet/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 TMPDIR=/tmp HOME=/tmp
WORKDIR /
USER 65532:65532
ENTRYPOINT ["model-server"]
