"""A small HTTP server that misbehaves as it is told."""

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Server:
    """What a small HTTP server holds, how it misbehaves, and what it was asked."""

    files: dict[str, bytes] = field(default_factory=dict)
    ranges: bool = True
    tag: str = '"one"'
    drop_after: list[int] = field(default_factory=list)
    """Bytes after which the next connections are dropped, one by one."""
    damaged: int = 0
    """So many answers have a wrong byte."""
    cut: int = 0
    """Bytes that are missing at the end, which the length that the server tells conceals."""
    states: list[int] = field(default_factory=list)
    """What the next answers are instead of the file."""
    asked: list[tuple[str, str]] = field(default_factory=list)
    """Path and range of each request."""
    port: int = 0

    def url(self, file: str) -> str:
        return f"http://127.0.0.1:{self.port}/{file}"


class Handler(BaseHTTPRequestHandler):
    def __init__(self, server: Server, *arguments) -> None:
        self.it = server
        super().__init__(*arguments)

    def log_message(self, *_) -> None:
        pass

    def do_GET(self) -> None:
        it, wanted = self.it, self.headers.get("Range", "")
        it.asked.append((self.path, wanted))
        state = it.states.pop(0) if it.states else 0
        if state or self.path[1:] not in it.files:
            return self.send_error(state or 404)
        body = it.files[self.path[1:]]
        body = body[: len(body) - it.cut]
        if it.damaged:
            it.damaged -= 1
            body = body[:100] + bytes([body[100] ^ 1]) + body[101:]
        same = self.headers.get("If-Range", it.tag) == it.tag
        start = int(wanted[6:-1]) if wanted and it.ranges and same else 0
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        if it.tag:
            self.send_header("ETag", it.tag)
        self.send_header("Content-Length", str(len(body) - start))
        self.end_headers()
        self.wfile.write(body[start:][: it.drop_after.pop(0) if it.drop_after else None])
        return None


@contextlib.contextmanager
def serving() -> Iterator[Server]:
    it = Server()
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, it)) as http:
        it.port = http.server_port
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield it
        finally:
            http.shutdown()
            thread.join()
