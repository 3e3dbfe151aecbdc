# Reads expositions with the parsers of prometheus_client, one JSON line for a text, one for what is in it.
class PrometheusClient:
    @classmethod
    def load(cls):
        import prometheus_client.openmetrics.parser
        import prometheus_client.parser

    def __init__(self, asked):
        self.ready = {}

    def serve(self, lines, answers):
        for line in lines:
            answers.write(json.dumps(self.answer(json.loads(line))) + "\n")
            answers.flush()

    def answer(self, request):
        from prometheus_client import parser
        from prometheus_client.openmetrics import parser as strict
        from prometheus_client.process_collector import ProcessCollector

        if "process" in request:
            collector = ProcessCollector(pid=lambda: request["process"], registry=None)
            return {"families": [self.family(family) for family in collector.collect()]}
        read = strict if request["format"] == "openmetrics" else parser
        try:
            families = list(read.text_string_to_metric_families(request["text"]))
        except Exception as error:  # it raises what its code happens upon
            return {"error": f"{type(error).__name__}: {error}"}
        return {"families": [self.family(family) for family in families]}

    @classmethod
    def family(cls, family):
        return {
            "name": family.name,
            "type": family.type,
            "unit": family.unit,
            "help": family.documentation,
            "samples": [cls.sample(sample) for sample in family.samples],
        }

    @staticmethod
    def sample(sample):
        told = {"name": sample.name, "labels": sample.labels, "value": float(sample.value)}
        if sample.exemplar is not None:
            told["exemplar"] = {
                "labels": sample.exemplar.labels,
                "value": float(sample.exemplar.value),
                "time": float(sample.exemplar.timestamp),
            }
        return told
