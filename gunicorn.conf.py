"""gunicorn reads this file where it is started in this folder: `gunicorn wsgi:app`."""

from imgproc.server.gunicorn_settings import *  # noqa: F403 - gunicorn takes the names it knows
