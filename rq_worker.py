"""The worker pool: `python rq_worker.py`."""

from imgproc.app import create_app
from imgproc.core.config import load_settings
from imgproc.journey import jobs
from imgproc.worker.pool import Pool

if __name__ == "__main__":
    settings = load_settings()
    Pool(create_app(settings), jobs=jobs, settings=settings).start()
