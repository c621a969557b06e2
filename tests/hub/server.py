# SPDX-License-Identifier: LGPL-2.1-or-later
"""HTTPS on loopback with faults to order, and a proxy."""

import contextlib
import http.server
import select
import socket
import ssl
import struct
import threading
import time


class Handler(http.server.BaseHTTPRequestHandler):
    timeout = 30

    def do_GET(self):
        self.server.requests.append(self.path)
        answer = self.server.answers.get(self.path)
        with contextlib.suppress(OSError):
            answer(self) if answer else self.send_error(404)

    def log_message(self, *_):
        pass

    def start(self, length, status=200, **headers):
        self.send_response(status)
        if length is not None:
            self.send_header("Content-Length", str(length))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()


class Server(http.server.ThreadingHTTPServer):
    """`answers` maps a path to a function of the handler; `requests` are the paths asked for."""

    request_queue_size = 256

    def __init__(self, certificate):
        super().__init__(("localhost", 0), Handler)
        self.answers = {}
        self.requests = []
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate)
        self._thread = threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def get_request(self):
        connection, address = self.socket.accept()
        connection.settimeout(Handler.timeout)
        # The handshake is left to the handler's thread.
        return (
            self._context.wrap_socket(
                connection, server_side=True, do_handshake_on_connect=False
            ),
            address,
        )

    def handle_error(self, *_):
        """Clients that refuse us are what many tests want."""

    def url(self, path):
        return f"https://localhost:{self.server_port}{path}"

    def stop(self):
        self.shutdown()
        self.server_close()


# Answers.


def content(body):
    def answer(handler):
        handler.start(len(body))
        handler.wfile.write(body)

    return answer


def slow_content(body, seconds, chunks=20):
    """The right thing, taking its time."""

    def answer(handler):
        handler.start(len(body))
        size = -(-len(body) // chunks)
        for at in range(0, len(body), size):
            handler.wfile.write(body[at : at + size])
            time.sleep(seconds / chunks)

    return answer


def status(code):
    return lambda handler: handler.send_error(code)


def announced(body, length):
    """A body of another length than its header says; None: it says none."""

    def answer(handler):
        handler.start(length)
        handler.wfile.write(body)
        handler.close_connection = True

    return answer


def without_length(body):
    return announced(body, None)


def reset(body):
    """The connection breaks after half the body."""

    def answer(handler):
        handler.start(len(body))
        handler.wfile.write(body[: len(body) // 2])
        handler.wfile.flush()
        linger = struct.pack("ii", 1, 0)
        handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        socket.socket(fileno=handler.connection.detach()).close()
        handler.close_connection = True

    return answer


def trickle(handler):
    """A byte now and then, for ever."""
    handler.start(1 << 20)
    while True:
        handler.wfile.write(b"x")
        time.sleep(0.1)


def silence(handler):
    """No answer at all."""
    time.sleep(Handler.timeout)


def endless(handler):
    handler.start(None)
    while True:
        handler.wfile.write(bytes(1 << 16))


def redirect(url):
    return lambda handler: handler.start(0, status=302, Location=url)


class Proxy:
    """Connects on CONNECT; `targets` are what it was asked for."""

    def __init__(self):
        self.targets = []
        self._socket = socket.create_server(("localhost", 0))
        self.url = f"http://localhost:{self._socket.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def stop(self):
        self._socket.close()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._socket.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        head = b""
        while b"\r\n\r\n" not in head:
            head += client.recv(4096)
        method, target, _ = head.decode().split(" ", 2)
        assert method == "CONNECT"
        self.targets.append(target)
        host, port = target.split(":")
        with client, socket.create_connection((host, int(port))) as server:
            client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            peer = {client: server, server: client}
            while True:
                for side in select.select([client, server], [], [])[0]:
                    data = side.recv(1 << 16)
                    if not data:
                        return
                    peer[side].sendall(data)
