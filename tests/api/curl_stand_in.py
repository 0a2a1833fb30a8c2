"""What the guide uses of curl, for machines that have none: -s -G -H -d -D -o -w."""

import getopt
import sys
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import quote, urlsplit

given, (url, *_) = getopt.gnu_getopt(sys.argv[1:], "sGH:d:D:o:w:", ["data-urlencode="])
options = dict(given)
headers = dict(value.split(": ", 1) for name, value in given if name == "-H")
pairs = [value.split("=", 1) for name, value in given if name == "--data-urlencode"]
query = "&".join(f"{name}={quote(value, safe='')}" for name, value in pairs)
place = urlsplit(url)
connection = HTTPConnection(place.hostname or "", place.port)
method = "GET" if "-G" in options else "POST"
connection.request(method, f"{place.path}?{query}", options.get("-d"), headers)
answer = connection.getresponse()
body = answer.read().decode()
if "-D" in options:
    lines = [f"{name}: {value}\r\n" for name, value in answer.getheaders()]
    Path(options["-D"]).write_text("".join(lines), newline="")
if "-o" in options:
    Path(options["-o"]).write_text(body)
else:
    sys.stdout.write(body)
written = options.get("-w", "").replace("%{http_code}", str(answer.status)).replace("\\n", "\n")
sys.stdout.write(written)
