"""What a server tells of itself, for Prometheus."""

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)

from stages import __version__
from stages.serve.snapshot import Snapshot

CONTENT_TYPE = CONTENT_TYPE_LATEST

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)

ROUTES = frozenset({"/recommend", "/healthz", "/metrics", "/docs", "/openapi.json"})
SIMILAR = "/similar/"
_METHODS = frozenset({"GET", "POST", "HEAD"})


class Metrics:
    """Counts of one server, in a registry of its own."""

    def __init__(self) -> None:
        self._registry = own = CollectorRegistry()
        ProcessCollector(registry=own)
        labels = ("route", "method", "status")
        self._requests = Counter("cocorec_http_requests_total", "Requests answered.", labels, registry=own)
        told = "From the head of a request to its answer."
        self._seconds = Histogram("cocorec_http_request_seconds", told, ("route",), buckets=_SECONDS, registry=own)
        self._batches = Histogram("cocorec_batch_requests", "Requests ranked at once.", buckets=_SIZES, registry=own)
        self.active = Gauge("cocorec_http_requests_active", "Requests at work or waiting.", registry=own)
        self._items = Gauge("cocorec_model_items", "Items of the model that answers.", registry=own)
        self._users = Gauge("cocorec_model_users", "Users whose histories are known.", registry=own)
        labels = ("model", "version", "cocorec")
        self._model = Gauge("cocorec_model_info", "1 for the model that answers.", labels, registry=own)
        self._loaded = Gauge("cocorec_model_loaded_timestamp_seconds", "When the model was taken.", registry=own)
        told = "1 while the files in the work directory cannot be served and an older model answers."
        self._stale = Gauge("cocorec_model_stale", told, registry=own)
        told = "Attempts to read another model."
        self._reloads = Counter("cocorec_model_reloads_total", told, ("outcome",), registry=own)

    def answered(self, method: str, path: str, status: int, seconds: float) -> None:
        """Count a request; paths and methods that no route has are counted together."""
        route = SIMILAR + "{item_id}" if path.startswith(SIMILAR) else path if path in ROUTES else "other"
        self._requests.labels(route, method if method in _METHODS else "other", str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def batch(self, size: int) -> None:
        """Count a batch."""
        self._batches.observe(size)

    def serves(self, snapshot: Snapshot) -> None:
        """Tell which model answers."""
        self._model.clear()
        self._model.labels(snapshot.recommender.model.config.model, snapshot.version, __version__).set(1)
        self._items.set(len(snapshot.items))
        self._users.set(len(snapshot.users))
        self._loaded.set_to_current_time()

    def reloaded(self, snapshot: Snapshot | None) -> None:
        """Count an attempt to read another model; ``None`` for one that failed."""
        self._reloads.labels("failed" if snapshot is None else "done").inc()
        self._stale.set(snapshot is None)
        if snapshot is not None:
            self.serves(snapshot)

    def text(self) -> bytes:
        """All of it in Prometheus' text format."""
        return generate_latest(self._registry)
