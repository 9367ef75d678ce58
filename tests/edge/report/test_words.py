"""Numbers read as they should, and never better than they are."""

from __future__ import annotations

import pytest

from edge.report import words


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (words.rate(29.97), "29.9 fps"),
        (words.rate(1000 / (1000 / 30)), "30.0 fps"),
        (words.rate(1234.9), "1,234 fps"),
        (words.rate(None), "not measured"),
        (words.rate(float("nan")), "not measured"),
        (words.asked_rate(1000 / 33), "30.3 fps"),
        (words.asked_rate(50.0), "50 fps"),
        (words.share(0.8999), "89.9 %"),
        (words.share(0.29), "29.0 %"),
        (words.share(None), "not measured"),
        (words.asked_share(0.95), "95 %"),
        (words.amount(11_181_642), "11.2 M"),
        (words.amount(999_700), "1.00 M"),
        (words.amount(None), "unavailable"),
        (words.asked_amount(15e6), "15 M"),
        (words.size(44_736_512), "44.7 MB"),
        (words.size(512), "512 bytes"),
        (words.milliseconds(6.9), "6.90 ms"),
        (words.milliseconds(0.9931), "0.993 ms"),
        (words.fine_share(0.93358), "93.35 %"),
        (words.fine_share(None), "not measured"),
        (words.late_share(2, 600), "0.3 %"),
        (words.late_share(1, 3000), "less than 0.1 %"),
        (words.late_share(0, 3000), "0.0 %"),
        (words.change(0.004), "+0.40 %"),
        (words.factor(1.849), "1.84×"),  # noqa: RUF001
        (words.factor(None), "not measured"),
        (words.energy(0.0312), "31.2 mJ"),
        (words.energy(1.5), "1.50 J"),
        (words.energy(None), "unavailable"),
        (words.form("openvino", "bf16"), "OpenVINO bf16"),
        (words.form("other", "fp32"), "other fp32"),
        (words.named_engines("slower: onnxruntime 6.90 ms"), "slower: ONNX Runtime 6.90 ms"),
        (words.named_engines("pip:onnxruntime-gpu"), "pip:onnxruntime-gpu"),
        (words.sentence("ncnn fp32 is fastest"), "ncnn fp32 is fastest."),
        (words.duration(0.04), "0.0 s"),
        (words.duration(59.7), "1 min"),
        (words.duration(74), "1 min 14 s"),
        (words.duration(7512), "2 h 05 min"),
        (words.listing(("a", "b", "c")), "a, b and c"),
        (words.listing(tuple("abcdefgh"), 3), "a, b, c and 5 more"),
        (words.listing(()), "none"),
        (words.sentence("the end"), "The end."),
        (words.printable("a\nb\x1b[31m\udcff ü"), "a b\\x1b[31m\\udcff ü"),
    ],
)
def test_numbers_and_lists_in_words(told: str, expected: str) -> None:
    assert told == expected
