# Calls AWS services as its connection says, one JSON line for a call, one for its answer.
#
# Bytes are {"$bytes": base64} both ways; times come as {"$time": seconds since 1970}.


class Boto3Client:
    # What a call reads of the services' models; read once for all clients that are forked from here.
    loader = None

    @classmethod
    def load(cls):
        import boto3
        import botocore.session

        first = botocore.session.Session()
        cls.loader = first.get_component("data_loader")
        nobody = cls.session(
            {"access_key": "a", "secret_key": "s", "session_token": None, "region": "eu-west-1"}
        )
        for service in ["kms", "secretsmanager", "sqs", "sts"]:
            nobody.client(service, endpoint_url="http://127.0.0.1:9")

    @classmethod
    def session(cls, asked):
        import boto3
        import botocore.session

        core = botocore.session.Session()
        core.register_component("data_loader", cls.loader)
        return boto3.Session(
            aws_access_key_id=asked["access_key"],
            aws_secret_access_key=asked["secret_key"],
            aws_session_token=asked["session_token"],
            region_name=asked["region"],
            botocore_session=core,
        )

    def __init__(self, asked):
        import boto3
        from botocore.config import Config

        self.endpoint = asked["endpoint"]
        self.connection = self.session(asked)
        self.clients = {}
        self.ready = {"boto3": boto3.__version__}
        self.config = Config(
            # What a call does is what the test sees: one attempt, no proxy, bounded.
            retries={"total_max_attempts": 1},
            proxies={},
            connect_timeout=60,
            read_timeout=60,
        )

    def serve(self, lines, answers):
        for line in lines:
            request = json.loads(line, object_hook=self.revived)
            answers.write(json.dumps(self.answer(request), default=self.shown) + "\n")
            answers.flush()

    def answer(self, request):
        from botocore.exceptions import ClientError

        service = request["service"]
        if service not in self.clients:
            self.clients[service] = self.connection.client(
                service, endpoint_url=self.endpoint, config=self.config
            )
        client = self.clients[service]
        methods = {api: method for method, api in client.meta.method_to_api_mapping.items()}
        if request["operation"] not in methods:
            return {"error": {"code": "UnknownOperation", "message": request["operation"]}}
        try:
            output = getattr(client, methods[request["operation"]])(**request["parameters"])
        except ClientError as error:
            told = error.response.get("Error", {})
            about = error.response.get("ResponseMetadata", {})
            return {
                "error": {
                    "code": told.get("Code", ""),
                    "message": told.get("Message", ""),
                    "status": about.get("HTTPStatusCode"),
                    "request_id": about.get("RequestId"),
                }
            }
        except Exception as error:  # of the client itself: parameters it refuses, no connection
            return {"error": {"code": type(error).__name__, "message": str(error)}}
        output.pop("ResponseMetadata", None)
        return {"output": output}

    @staticmethod
    def revived(value):
        return base64.b64decode(value["$bytes"]) if value.keys() == {"$bytes"} else value

    @staticmethod
    def shown(value):
        if isinstance(value, (bytes, bytearray)):
            return {"$bytes": base64.b64encode(value).decode()}
        if isinstance(value, datetime.datetime):
            return {"$time": value.timestamp()}
        raise TypeError(f"{type(value).__name__} has no form in JSON")
