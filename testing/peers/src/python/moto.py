# moto's server on a free port of loopback.


class MotoServer:
    @classmethod
    def load(cls):
        import moto.server

        # What it would import at the first request to a service.
        for service in ["kms", "secretsmanager", "sqs", "sts"]:
            importlib.import_module(f"moto.{service}.urls")

    def __init__(self, asked):
        from moto.moto_api._internal import mock_random
        from moto.server import ThreadedMotoServer

        # Forks of one process would make up the same ids.
        mock_random.seed(os.urandom(32))
        self.server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
        self.server.start()
        _, port = self.server.get_host_and_port()
        self.ready = {"url": f"http://127.0.0.1:{port}"}

    def serve(self, lines, answers):
        threading.Event().wait()
