"""The web process, with a trap between the commit of an upload and the ring of its plan."""

from imgproc import create_app
from imgproc.queue import enqueue
from tests.chaos import traps

traps.arm(enqueue, "ring_plans")
app = create_app()
