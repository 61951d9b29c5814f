"""The web process, with a trap between the commit of an upload and the enqueueing of its plan."""

from imgproc.app import create_app
from imgproc.queue import enqueue
from tests.chaos import traps

traps.arm(enqueue, "plans")
app = create_app()
