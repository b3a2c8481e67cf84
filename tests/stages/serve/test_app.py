import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote

import pytest


@pytest.fixture(scope="module")
def recommended(trained_once):
    """What ``cocorec recommend`` writes, a line a user."""
    code = "import sys; from cocorec_cli.main import main; sys.exit(main(sys.argv[1:]))"
    args = ["recommend", "-w", str(trained_once), "--with=title", "--output=-", "--device=cpu", "--threads=1", "-q"]
    done = subprocess.run([sys.executable, "-c", code, *args], capture_output=True, check=True)
    return done.stdout.splitlines(keepends=True)


def test_answers_are_the_lines_that_recommend_writes_byte_for_byte(server, recommended):
    assert len(recommended) == 300
    some = recommended[::5]
    assert [server.recommend(user_id=json.loads(line)["user_id"]).body for line in some] == some


def test_requests_at_the_same_time_get_the_same_answers(server, recommended):
    with ThreadPoolExecutor(16) as pool:
        found = list(pool.map(lambda line: server.recommend(user_id=json.loads(line)["user_id"]).body, recommended))
    assert found == recommended
    small = server.metric('cocorec_batch_requests_bucket{le="1.0"}')
    assert small < server.metric("cocorec_batch_requests_count")  # some were ranked together


def test_a_history_gets_what_its_user_gets(server, snapshot):
    history = [snapshot.items._ids[int(number) - 1].as_py() for number in snapshot.history(3)]
    named = server.recommend(user_id="user-003", k=20).json
    assert server.recommend(history=history, k=20).json == {k: v for k, v in named.items() if k != "user_id"}


def test_similar(server):
    found = server.get("/similar/item-003?k=4")
    assert found.status == 200
    assert list(found.json) == ["item_id", "item_ids", "scores", "title"]
    assert len(found.json["item_ids"]) == 4
    assert len(server.get("/similar/item-003").json["item_ids"]) == 10


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/similar/nothing", 404),
        ("/similar/", 404),
        ("/similar/%00%ff%0a", 404),
        ("/similar/a/b", 404),
        ("/similar/item-003?k=0", 422),
        ("/similar/item-003?k=61", 422),
        ("/similar/item-003?k=x", 422),
        ("/similar/item-003?k=" + "9" * 300, 422),
        ("/nothing", 404),
        ("/recommend", 405),
    ],
)
def test_errors_are_json_with_the_reason(server, path, status):
    found = server.get(path)
    assert found.status == status
    assert found.json["error"]
    assert found.headers["content-type"] == "application/json"
    assert len(found.body) < 1000


def test_bodies_have_to_be_json(server):
    for kind in ("text/plain", "application/x-www-form-urlencoded", "application/json-seq"):
        assert server.request("POST", "/recommend", b'{"history": []}', Content_Type=kind).status == 415
    assert server.request("POST", "/recommend", b'{"history": []}', Content_Type="Application/JSON; a=b").status == 200
    assert server.request("POST", "/recommend", b"{").status == 400
    assert server.recommend(history=[1]).status == 422
    assert server.recommend(user_id="nobody").status == 404


def test_texts_are_data(server):
    hostile = "<script>alert(1)</script>\r\nwarning: owned\x1b[31m\u2028"
    before = len(server.said)
    for found in (
        server.recommend(user_id=hostile),
        server.recommend(history=[hostile], exclude=[hostile]),
        server.get("/similar/" + quote(hostile)),
        server.get("/" + quote(hostile)),
        server.request("POST", "/recommend", hostile.encode()),
    ):
        assert found.headers["content-type"] == "application/json"
        assert found.headers["x-content-type-options"] == "nosniff"
        assert b"\x1b" not in found.body
        assert "owned" not in "".join(found.headers.values())
        json.loads(found.body)
    assert server.said[before:] == []  # nothing of it is a line of the log


def test_health_and_metrics(server, snapshot):
    health = server.get("/healthz").json
    assert (health["status"], health["items"], health["users"]) == ("ok", 60, 300)
    assert health["model"] == server.recommend(history=[]).headers["x-cocorec-model"]
    answered = 'cocorec_http_requests_total{method="GET",route="/healthz",status="200"}'
    before = server.metric(answered)
    server.get("/healthz")
    assert server.metric(answered) == before + 1
    assert server.metric("cocorec_model_items") == 60
    assert server.metric("cocorec_model_stale") == 0


def test_the_description_names_bounds_and_errors(server):
    found = server.get("/openapi.json").json
    body = found["paths"]["/recommend"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert body["properties"]["k"] == {
        "default": 10,
        "description": "Length of the list.",
        "maximum": 1000,
        "minimum": 1,
        "title": "K",
        "type": "integer",
    }
    assert {"/recommend", "/similar/{item_id}", "/healthz", "/metrics"} == set(found["paths"])
    assert {"200", "400", "404", "413", "415", "422", "429", "503"} <= set(
        found["paths"]["/recommend"]["post"]["responses"]
    )
    assert server.get("/docs").status == 200
