"""The worker pool: `python rq_worker.py`."""

from imgproc.app import create_app
from imgproc.core.config import settings_or_exit
from imgproc.journey import jobs
from imgproc.worker.pool import Pool

if __name__ == "__main__":
    settings = settings_or_exit()
    Pool(create_app(settings), jobs=jobs, settings=settings).start(logging_level="WARNING")
