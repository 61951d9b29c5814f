"""The HTTP server: gunicorn manages processes, waitress's loop talks to clients, and threads get only whole requests.

A client that sends or reads slowly costs a file descriptor and a buffer, never a thread. This folder knows sockets and
HTTP, but neither Flask nor our tables.
"""
