"""Somebody in the middle of a line: passes every request and answer on, keeps a copy, and changes them if told to."""

import contextlib
import dataclasses
import http.client
import http.server
import threading
import urllib.parse

# What HTTP says of one connection only, and what is computed anew.
OF_THE_CONNECTION = {"connection", "keep-alive", "transfer-encoding", "content-length"}


@dataclasses.dataclass
class Exchange:
    """One request and its answer, as they were passed on."""

    method: str
    url: str
    headers: dict[str, str]
    body: bytes
    status: int = 0
    answer_headers: dict[str, str] = dataclasses.field(default_factory=dict)
    answer: bytes = b""

    @property
    def path(self) -> str:
        """Without the query."""
        return urllib.parse.urlsplit(self.url).path


class Middleman:
    """Listens on a port of the system's choosing; `upstream` may be named later, `change_*` replace a body."""

    def __init__(self) -> None:
        self.upstream: str | None = None
        self.exchanges: list[Exchange] = []
        self.change_request = lambda exchange: exchange.body
        self.change_answer = lambda exchange: exchange.answer
        middleman = self

        class Handler(http.server.BaseHTTPRequestHandler):
            """One connection; to the other side it opens a new one each time, so that none can be stale."""

            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def pass_on(self) -> None:
                """One request there, one answer back."""
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                headers = {name.lower(): value for name, value in self.headers.items()}
                exchange = Exchange(self.command, middleman.url + self.path, headers, body)
                exchange.body = middleman.change_request(exchange)
                self.ask(exchange)
                exchange.answer = middleman.change_answer(exchange)
                middleman.exchanges.append(exchange)
                self.send_response_only(exchange.status)
                for name, value in exchange.answer_headers.items():
                    self.send_header(name, value)
                if exchange.status not in (204, 304):
                    self.send_header("Content-Length", str(len(exchange.answer)))
                self.end_headers()
                self.wfile.write(exchange.answer)

            def __getattr__(self, name: str):
                """Every method there is, and every one there is not."""
                if name.startswith("do_"):
                    return self.pass_on
                raise AttributeError(name)

            def ask(self, exchange: Exchange) -> None:
                """Fills in the answer of the other side."""
                headers = {name: value for name, value in exchange.headers.items() if name not in OF_THE_CONNECTION}
                line = http.client.HTTPConnection(urllib.parse.urlsplit(middleman.upstream).netloc, timeout=30)
                with contextlib.closing(line):
                    line.request(exchange.method, self.path, exchange.body or None, {**headers, "connection": "close"})
                    answer = line.getresponse()
                    exchange.status, exchange.answer = answer.status, answer.read()
                exchange.answer_headers = {
                    name.lower(): value for name, value in answer.getheaders() if name.lower() not in OF_THE_CONNECTION
                }

            def log_message(self, *_) -> None:
                """The copies are the log."""

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    @contextlib.contextmanager
    def working(self):
        """Answers until the `with` ends."""
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        try:
            yield self
        finally:
            self._server.shutdown()
            self._server.server_close()
