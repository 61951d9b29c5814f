"""The web process: `gunicorn wsgi:app`."""

from imgproc.app import create_app

app = create_app()
