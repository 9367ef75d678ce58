"""The gate for other languages: notes and lists pass, sentences of other languages do not."""

import pytest

from llm_gguf.english import is_english


@pytest.mark.parametrize(
    "text",
    [
        "Detect cars and buses at 30 fps",
        "detection: pothole, manhole cover; 30 fps; ncnn",
        "cats or dogs?",
        "Segment die, mould and matrix in pictures of the press",
        "Find the El Greco paintings and las tapas plates in our bar",
        "12345 !!!",
        "",
    ],
)
def test_english_and_bare_notes_pass(text: str) -> None:
    assert is_english(text)


@pytest.mark.parametrize(
    "text",
    [
        "Erkenne Autos und Busse auf Bildern mit 30 fps",
        "Détecter les voitures et les camions dans les images",
        "Detecta coches y autobuses en las imágenes",
        "Zoek de fietsen op de foto en tel ze",
        "Обнаружить автомобили на снимках",
        "画像から車を検出してください",
    ],
)
def test_other_languages_do_not(text: str) -> None:
    assert not is_english(text)
