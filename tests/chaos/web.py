"""The web process, with a trap between the commit of an upload and the ring of its plan."""

from imgproc import create_app, dispatch
from tests.chaos import traps

traps.arm(dispatch, "ring_plans")
app = create_app()
