"""What a profile says of itself, and that older records may still be read."""

import json

from profiler.record import Profile, Window


def window(memory_ns: int | None, counted: bool = True, scope: str = "pipeline") -> Window:
    return Window(scope, 1, 0.01, 1.0, 0.0, 0, None, counted, memory_ns=memory_ns)


def profile(*windows: Window) -> Profile:
    times = tuple(10.0 + number for number, window in enumerate(windows) if window.counted)
    return Profile("net", "pipeline", 1, None, {"pipeline": times}, True, windows=windows)


def test_the_way_to_memory_is_that_of_the_windows_that_count() -> None:
    found = profile(window(400), window(500), window(9000, counted=False), window(900), window(1, scope="device"))
    assert found.memory_ns == 500
    assert profile(window(None)).memory_ns is None


def test_a_median_of_few_windows_says_nothing_of_its_uncertainty() -> None:
    assert profile(*[window(400)] * 3).uncertainty() is None
    assert profile(*[window(400)] * 4).uncertainty() is not None


def test_a_record_from_before_memory_was_read_is_read() -> None:
    document = json.loads(json.dumps(profile(window(400)).to_json()))
    assert Profile.from_json(document) == profile(window(400))
    del document["windows"][0]["memory_ns"]
    assert Profile.from_json(document).memory_ns is None
