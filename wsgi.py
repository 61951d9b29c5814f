"""The web process: `gunicorn wsgi:app`."""

from imgproc import create_app

app = create_app()
