"""The client of the HTTP API, for your programs and for the command line: `Client`, what it returns and raises.

It needs neither the web framework nor the database, and keeps its names from one minor version to the next.
"""

from imgproc.client.answers import (
    Accepted,
    Attempt,
    Delivery,
    Image,
    Ping,
    Product,
    Request,
    Started,
    Validation,
)
from imgproc.client.api_errors import ApiError, Fault, NoAnswer
from imgproc.client.sdk import Client

__all__ = [
    "Accepted",
    "ApiError",
    "Attempt",
    "Client",
    "Delivery",
    "Fault",
    "Image",
    "NoAnswer",
    "Ping",
    "Product",
    "Request",
    "Started",
    "Validation",
]
