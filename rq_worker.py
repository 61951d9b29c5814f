"""The worker pool: `python rq_worker.py`."""

from imgproc import create_app, jobs
from imgproc.config import load_settings
from imgproc.dispatch import Pool

if __name__ == "__main__":
    settings = load_settings()
    Pool(create_app(settings), jobs=jobs, settings=settings).start()
