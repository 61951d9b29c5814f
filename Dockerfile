# One image for every role: web (the default command), worker, sweeper and migrate differ only in their command.
ARG PYTHON_IMAGE=python:3.13-slim-bookworm

FROM ${PYTHON_IMAGE} AS builder
# Without the embedded Redis and S3 servers, which only `imgproc up` and `imgproc demo` start.
COPY requirements-image.txt requirements-heic.txt requirements-otel.txt requirements-sentry.txt /
# Wheels only: nothing is compiled, so the image needs no compiler and runs no build script of a package.
RUN python -m venv /venv \
    && /venv/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes --only-binary :all: \
       -r /requirements-image.txt -r /requirements-heic.txt -r /requirements-otel.txt -r /requirements-sentry.txt

FROM ${PYTHON_IMAGE}
ENV PATH=/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    HOST=0.0.0.0
# Texts of SVG drawings are shown in these fonts. An image is built with the fonts of its day.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends fonts-dejavu-core \
    && rm -rf /var/lib/apt/lists/*
RUN useradd --system --uid 10001 --user-group --no-create-home --shell /usr/sbin/nologin imgproc
COPY --from=builder /venv /venv
WORKDIR /app
COPY migrations migrations
COPY imgproc imgproc
COPY docs docs
COPY wsgi.py rq_worker.py gunicorn.conf.py ./
# The file system is read-only at run time, so the byte code is compiled now.
RUN python -m compileall -q .
USER 10001:10001
EXPOSE 8000
# The heartbeat file is in memory: on a slow disk, a healthy process would look dead.
CMD ["gunicorn", "--workers", "2", "--worker-tmp-dir", "/dev/shm", "--graceful-timeout", "25", "wsgi:app"]
