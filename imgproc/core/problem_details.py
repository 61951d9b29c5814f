"""The details of two problems that both the API and the server in front of it respond with."""

FILE_TOO_LARGE = "The upload is larger than this server accepts; split the file, and keep the other parts short."
SERVER_FAILED = "The server failed to answer this call; try again later."
