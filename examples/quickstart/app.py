"""The quick start's application: the same file runs in the cluster and on your machine.

``shop`` greets and asks ``prices`` for a price, by its cluster name; ``prices`` knows it.
"""

import json
import os
import socket
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

ROLE = os.environ.get("ROLE", "shop")


class Answer(BaseHTTPRequestHandler):
    """Answers every GET with one JSON object."""

    def do_GET(self) -> None:
        """Answer."""
        if ROLE == "prices":
            found = {"price": 42}
        else:
            with urllib.request.urlopen(os.environ["PRICES_URL"], timeout=5) as answer:
                price = json.load(answer)["price"]
            found = {
                "greeting": os.environ.get("GREETING"),
                "key": os.environ.get("API_KEY"),
                "price": price,
                "answered_by": os.environ.get("ANSWERED_BY", "the cluster"),
                "host": socket.gethostname(),
            }
        body = json.dumps(found).encode() + b"\n"
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say one line a request."""
        print(format % args, flush=True)


if __name__ == "__main__":
    port = int(os.environ.get("PORT", "8080"))
    print(f"{ROLE} listens on {port}", flush=True)
    ThreadingHTTPServer(("", port), Answer).serve_forever()
