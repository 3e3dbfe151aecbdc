# Starts peers for one test process, each as a fork of this one: what they import is imported once.
#
# Whoever connects to the port says in one line of JSON which peer it wants; the rest of the connection is that peer's, which
# says in its first line that it is ready. This process ends with its standard input, a peer with its connection.

PEERS = {"boto3": Boto3Client, "moto": MotoServer, "prometheus_client": PrometheusClient}


def become(peer, asked, connection, lines):
    # The child: its log is the caller's file, and nothing of the parent's is used any more.
    log = os.open(asked["log"], os.O_WRONLY | os.O_APPEND)
    os.dup2(log, 2)
    nowhere = os.open(os.devnull, os.O_RDWR)
    os.dup2(nowhere, 0)
    os.dup2(nowhere, 1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    running = peer(asked)
    answers = connection.makefile("w", encoding="utf-8")
    answers.write(json.dumps({"pid": os.getpid(), **running.ready}) + "\n")
    answers.flush()
    calls = queue.SimpleQueue()

    def read():
        # The connection closes when the test drops the peer, and also when the test is killed.
        for line in lines:
            calls.put(line)
        os._exit(0)

    threading.Thread(target=read, daemon=True).start()
    running.serve(iter(calls.get, None), answers)


def start(listener, connection, loaded):
    lines = connection.makefile("r", encoding="utf-8")
    try:
        asked = json.loads(lines.readline())
        peer = PEERS[asked["peer"]]
    except (OSError, ValueError, KeyError):  # who asked went away, or is somebody else
        return
    if peer not in loaded:
        peer.load()
        loaded.add(peer)
    if os.fork() > 0:
        return
    try:
        listener.close()
        become(peer, asked, connection, lines)
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
    finally:
        os._exit(1)


def main():
    # Nobody waits for the peers' ends.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    listener = socket.create_server(("127.0.0.1", 0), backlog=256)
    print(json.dumps({"port": listener.getsockname()[1]}), flush=True)
    waiting = selectors.DefaultSelector()
    waiting.register(listener, selectors.EVENT_READ)
    waiting.register(sys.stdin, selectors.EVENT_READ)
    loaded = set()
    while True:
        ready = [key.fileobj for key, _ in waiting.select()]
        if sys.stdin in ready:
            return
        connection, _ = listener.accept()
        with connection:
            start(listener, connection, loaded)


main()
