"""The HTTP server: gunicorn keeps the processes, waitress's loop speaks to clients, threads get whole requests alone.

A client that sends or reads slowly costs a file descriptor and a buffer, never a thread. What goes in here knows
sockets and HTTP; nothing of it knows Flask or our tables.
"""
