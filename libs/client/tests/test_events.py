"""Server-sent events are read as the standard says, whatever the server sends between them."""

from quire.events import Event, parse_events


def test_a_stored_event_is_the_data_of_its_cloud_event():
    lines = [
        "id: 7",
        "event: loop.advanced",
        'data: {"specversion":"1.0","type":"io.quire.loop.advanced.v1",',
        'data: "data":{"rounds":3}}',
        "",
    ]
    assert list(parse_events(lines)) == [Event("loop.advanced", {"rounds": 3}, "7", "io.quire.loop.advanced.v1")]


def test_a_remark_has_no_id_and_is_its_own_data():
    assert list(parse_events(["event: progress", 'data: {"stage":"sweep"}', ""])) == [
        Event("progress", {"stage": "sweep"})
    ]


def test_comments_hints_and_broken_data_are_passed_over():
    lines = ["retry: 1000", "", ": still here", "", "event: x", "data: not json", "", "event: y", "data: [1]", ""]
    assert list(parse_events(lines)) == []


def test_an_event_that_is_cut_off_is_not_given():
    assert list(parse_events(["id: 1", "event: a", "data: {}", "", "id: 2", "event: b", "data: {}"])) == [
        Event("a", {}, "1")
    ]


def test_the_end_is_known_by_its_type():
    assert Event("job.completed", {}, "9", "io.quire.job.completed.v1").is_last
    assert not Event("task.failed", {}, "9", "io.quire.task.failed.v1").is_last
