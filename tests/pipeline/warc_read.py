"""Reads WARC files with warcio, an independent reader, and prints one JSON line a record. Any wrong digest ends it."""
import base64
import json
import sys

from warcio.archiveiterator import ArchiveIterator

for name in sys.argv[1:]:
    with open(name, "rb") as file:
        for record in ArchiveIterator(file, check_digests="raise"):
            body = record.raw_stream.read()
            head = record.http_headers
            print(json.dumps({
                "file": name,
                "version": record.rec_headers.protocol,
                "type": record.rec_type,
                "id": record.rec_headers.get_header("WARC-Record-ID"),
                "beside": [value for name, value in record.rec_headers.headers if name == "WARC-Concurrent-To"],
                "uri": record.rec_headers.get_header("WARC-Target-URI"),
                "date": record.rec_headers.get_header("WARC-Date"),
                "truncated": record.rec_headers.get_header("WARC-Truncated"),
                "profile": record.rec_headers.get_header("WARC-Profile"),
                "refers_to": record.rec_headers.get_header("WARC-Refers-To-Date"),
                "passed": record.digest_checker.passed,
                "status": head.get_statuscode() if head and record.rec_type in ("response", "revisit") else None,
                "coding": head.get_header("content-encoding") if head else None,
                "body": base64.b64encode(body).decode(),
            }))
