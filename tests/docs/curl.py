"""As much of curl as README.md uses, to try its tour without it too: ``curl [-i] [-X METHOD] [-H HEADER | -H @FILE]... [-d BODY] URL``."""

import argparse
import http.client
from pathlib import Path
from urllib.parse import urlsplit


def main() -> None:
    """Send the request and print the answer as curl does."""
    parser = argparse.ArgumentParser()
    parser.add_argument("-i", action="store_true", dest="head")
    parser.add_argument("-X", dest="method")
    parser.add_argument("-H", action="append", default=[], dest="headers")
    parser.add_argument("-d", dest="body")
    parser.add_argument("url")
    given = parser.parse_args()
    lines = [line for header in given.headers for line in (Path(header[1:]).read_text().splitlines() if header.startswith("@") else [header])]
    url = urlsplit(given.url)
    connection = http.client.HTTPConnection(url.netloc, timeout=30)
    target = f"{url.path}?{url.query}" if url.query else url.path
    headers = dict(line.split(": ", 1) for line in lines)
    connection.request(given.method or ("POST" if given.body else "GET"), target, given.body.encode() if given.body else None, headers)
    answer = connection.getresponse()
    if given.head:
        print(f"HTTP/1.1 {answer.status} {answer.reason}")
        print("".join(f"{name}: {value}\n" for name, value in answer.getheaders()))
    print(answer.read().decode())
    connection.close()


if __name__ == "__main__":
    main()
