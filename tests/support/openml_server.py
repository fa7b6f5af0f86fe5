"""Fake OpenML server on loopback with the part of the API that the client uses."""

from __future__ import annotations

import hashlib
import io
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

NS = 'xmlns:oml="http://openml.org/openml"'
UNKNOWN = f"<oml:error {NS}><oml:code>111</oml:code><oml:message>Unknown dataset</oml:message></oml:error>"
NONE = f"<oml:error {NS}><oml:code>372</oml:code><oml:message>No results</oml:message></oml:error>"
NO_QUALITIES = (
    f"<oml:error {NS}><oml:code>362</oml:code><oml:message>No qualities found</oml:message></oml:error>"
)
LISTED = (
    f"<oml:data {NS}>"
    + "".join(
        f"<oml:dataset><oml:did>{number}</oml:did><oml:name>toy</oml:name><oml:version>{version}</oml:version>"
        "<oml:status>active</oml:status><oml:format>ARFF</oml:format></oml:dataset>"
        for number, version in ((8, 3), (7, 2))
    )
    + "</oml:data>"
).encode()
LABELS = ["yes", "no", "yes", "no", "yes", "no"]
NUMBERS = [1.0, 2.0, 1.5, 2.5, 0.5, 3.0]


def parquet(rows: int = 6) -> bytes:
    """A table of six rows: an identifier, a number, and the label."""
    label = pa.DictionaryArray.from_arrays(
        pa.array([0, 1, 0, 1, 0, 1], pa.int8()), pa.array(["yes", "no", "never"])
    )
    sink = io.BytesIO()
    table = pa.table({"id": list(range(6)), "x%20y": NUMBERS, "class": label})
    pq.write_table(table.slice(0, rows), sink)
    return sink.getvalue()


def arff(count: int = 6) -> bytes:
    numbered = list(enumerate(zip(NUMBERS, LABELS, strict=True)))[:count]
    rows = "\n".join(f"{i},{x},{y}" for i, (x, y) in numbered)
    head = "@RELATION t\n@ATTRIBUTE id NUMERIC\n@ATTRIBUTE 'x%20y' NUMERIC\n@ATTRIBUTE class {yes,no,never}\n"
    return f"{head}@DATA\n{rows}\n".encode()


def features() -> str:
    kinds = (("id", "numeric", "true"), ("x%20y", "numeric", "false"), ("class", "nominal", "false"))
    rows = "".join(
        f"<oml:feature><oml:index>{i}</oml:index><oml:name>{name}</oml:name><oml:data_type>{kind}</oml:data_type>"
        + ("<oml:nominal_value>yes</oml:nominal_value>" * (kind == "nominal"))
        + f"<oml:is_target>false</oml:is_target><oml:is_ignore>false</oml:is_ignore>"
        f"<oml:is_row_identifier>{identifier}</oml:is_row_identifier>"
        "<oml:number_of_missing_values>0</oml:number_of_missing_values></oml:feature>"
        for i, (name, kind, identifier) in enumerate(kinds)
    )
    return f"<oml:data_features {NS}>{rows}</oml:data_features>"


QUALITIES = (
    f"<oml:data_qualities {NS}><oml:quality><oml:name>NumberOfInstances</oml:name>"
    "<oml:value>6.0</oml:value></oml:quality></oml:data_qualities>"
)


@dataclass
class FakeOpenML:
    """Content and faults of the server.

    Attributes:
        sets: number -> "parquet" or "arff".
        broken: fault of the server: "" (none), "truncated", "html", "checksum", "slow" or "500" for data;
            "silent" delays every response; "fewer rows" serves complete files of four rows, "no checksum"
            too but without checksum; "maintenance" responds to every request with a 503 page; "features"
            truncates the list of features; "no qualities" lacks qualities; "missing" lacks the data.
        arff: content of the ARFF files, to which the checksum belongs.
        requests: requested paths.
    """

    sets: dict[int, str]
    broken: str = ""
    arff: bytes = arff()
    port: int = 0
    requests: list[str] = field(default_factory=list)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}/api/v1/xml"

    def description(self, number: int) -> str:
        base = f"http://127.0.0.1:{self.port}"
        checksum = "0" * 32 if self.broken == "checksum" else hashlib.md5(self.arff).hexdigest()
        stated = "" if self.broken == "no checksum" else f"<oml:md5_checksum>{checksum}</oml:md5_checksum>"
        where = (
            f"<oml:parquet_url>{base}/datasets/{number}/dataset_{number}.pq</oml:parquet_url>"
            if self.sets[number] == "parquet"
            else ""
        )
        return (
            f"<oml:data_set_description {NS}><oml:id>{number}</oml:id><oml:name>toy</oml:name>"
            "<oml:version>2</oml:version><oml:description>a toy</oml:description>"
            "<oml:format>ARFF</oml:format>"
            f"<oml:licence>Public</oml:licence><oml:url>{base}/files/{number}.arff</oml:url>{where}"
            "<oml:default_target_attribute>class</oml:default_target_attribute>"
            f"{stated}</oml:data_set_description>"
        )

    def respond(self, path: str) -> tuple[int, str, bytes]:
        """Return status, content type and body."""
        self.requests.append(path)
        if self.broken == "silent":
            time.sleep(1.5)
        if self.broken == "maintenance":
            return 503, "text/html", b"<html>back soon</html>"
        path = path.split("?")[0]
        last = path.rsplit("/", 1)[-1]
        if path.startswith("/api/v1/xml/data/list/"):
            return (200, "application/xml", LISTED) if "/data_name/toy" in path else (412, "x", NONE.encode())
        if path.startswith("/api/v1/xml/data/"):
            if self.broken == "500":
                return 500, "text/html", b"<html>internal error</html>"
            number = int(last)
            if number not in self.sets:
                return 412, "application/xml", UNKNOWN.encode()
            kind = path.split("/")[-2]
            if (kind, self.broken) == ("qualities", "no qualities"):
                return 412, "application/xml", NO_QUALITIES.encode()
            text = {"features": features(), "qualities": QUALITIES}.get(kind)
            if text and (kind, self.broken) == ("features", "features"):
                text = text[: len(text) // 2]
            return 200, "application/xml", (text or self.description(number)).encode()
        if path.endswith(".pq") or path.endswith(".arff"):
            if self.broken in ("fewer rows", "no checksum"):
                return self._data(parquet(4) if path.endswith(".pq") else arff(4))
            return self._data(parquet() if path.endswith(".pq") else self.arff)
        return 404, "text/plain", b"no such page"

    def _data(self, body: bytes) -> tuple[int, str, bytes]:
        if self.broken == "slow":
            time.sleep(1.5)
        if self.broken == "missing":
            return 404, "text/plain", b"no such file"
        if self.broken == "html":
            return 200, "text/html", b"<html><body>please log in</body></html>"
        return 200, "application/octet-stream", body


@contextmanager
def serve(fake: FakeOpenML) -> Iterator[FakeOpenML]:
    """Serve on a free loopback port until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # the name that http.server calls
            self._send(with_body=True)

        def do_HEAD(self) -> None:
            self._send(with_body=False)

        def _send(self, *, with_body: bool) -> None:
            status, kind, body = fake.respond(self.path)
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("ETag", f'"{hashlib.md5(body).hexdigest()}"')
            self.send_header("Last-Modified", "Mon, 01 Jan 2024 00:00:00 GMT")
            self.end_headers()
            if with_body:
                data = self.path.split("?")[0].endswith((".pq", ".arff"))
                cut = fake.broken == "truncated" and data
                self.wfile.write(body[: len(body) // 2] if cut else body)

        def log_message(self, format: str, *arguments: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    fake.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield fake
    finally:
        server.shutdown()
        server.server_close()
