from stages.serve.metrics import Metrics


def test_paths_and_methods_that_nobody_serves_are_counted_together(snapshot):
    metrics = Metrics()
    for number in range(100):
        metrics.answered("GET", f"/similar/{number}", 404, 0.001)
        metrics.answered("BREW", f"/{number}", 404, 0.001)
    metrics.serves(snapshot)
    text = metrics.text().decode()
    assert 'cocorec_http_requests_total{method="GET",route="/similar/{item_id}",status="404"} 100.0' in text
    assert 'cocorec_http_requests_total{method="other",route="other",status="404"} 100.0' in text
    assert len(text.splitlines()) < 120


def test_an_older_model_is_told(snapshot):
    metrics = Metrics()
    metrics.reloaded(None)
    assert "cocorec_model_stale 1.0" in metrics.text().decode()
    metrics.reloaded(snapshot)
    text = metrics.text().decode()
    assert "cocorec_model_stale 0.0" in text
    assert 'cocorec_model_reloads_total{outcome="failed"} 1.0' in text
    assert snapshot.version in text
