"""moto's server on a free port of loopback, until standard input ends."""

import json
import os
import sys
import threading

from moto.server import ThreadedMotoServer


def end_with_the_test():
    # The pipe closes when the test drops the server, and also when the test is killed.
    sys.stdin.buffer.read()
    os._exit(0)


threading.Thread(target=end_with_the_test, daemon=True).start()
server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
server.start()
_, port = server.get_host_and_port()
print(json.dumps({"url": f"http://127.0.0.1:{port}"}), flush=True)
threading.Event().wait()
