"""Names that are spelt alike."""

import pytest

from zoo.labels.spelling import misspelt, names, normalize, spelled

# fmt: off
CLASSES = (
    "sandal", "ankle_boot", "digit_3", "digit_13", "nucleus", "mouse", "berry", "knife", "fireman", "bus", "handbag",
    "tshirt", "WBC", "Größen",
)
# fmt: on


def fits(name: str, *classes: str) -> list[str]:
    return spelled(name, {label: names(label) for label in classes})


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Sandal", "sandal"),
        ("the sandals", "sandal"),
        ("ankle boots", "ankle_boot"),
        ("Ankle-Boot", "ankle_boot"),
        ("digit 3", "digit_3"),
        ("three", "digit_3"),
        ("3", "digit_3"),
        ("digit three", "digit_3"),
        ("number 3", "digit_3"),
        ("sign three", "digit_3"),
        ("nuclei", "nucleus"),
        ("mice", "mouse"),
        ("berries", "berry"),
        ("knives", "knife"),
        ("firemen", "fireman"),
        ("buses", "bus"),
        ("hand bag", "handbag"),
        ("T shirts", "tshirt"),
        ("white blood cells", "WBC"),
        ("wbc", "WBC"),
        ("Größen", "Größen"),
    ],
)
def test_an_object_finds_its_class(name: str, expected: str) -> None:
    assert fits(name, *CLASSES) == [expected]


@pytest.mark.parametrize("name", ["car", "boot", "shirt", "13 digits more", "", "...", "w b"])
def test_nothing_is_spelt_alike_in_part(name: str) -> None:
    assert fits(name, "automobile", "ankle_boot", "tshirt", "digit_13", "WBC") == []


def test_a_road_sign_is_no_road() -> None:
    assert fits("road signs", "road", "traffic sign") == []


def test_an_exact_name_wins_over_a_looser_one() -> None:
    assert fits("shirts", "shirt", "shirts") == ["shirts"]


def test_any_of_several_names_will_do() -> None:
    assert fits("tabby cats", "tabby, tabby cat", "tiger cat") == ["tabby, tabby cat"]
    assert names("cat") == ["cat"]
    assert names(",") == [","]


def test_a_class_called_by_an_article_keeps_its_name() -> None:
    assert normalize("A") == ("a",)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("bycicles", ["bicycle"]),
        ("refridgerators", ["refrigerator"]),
        ("dinning tables", ["diningtable"]),
        ("brids", ["bird"]),
        ("bords", ["bird", "board"]),
        ("cra", []),
        ("bicentennial", []),
    ],
)
def test_slips_of_the_pen_are_near_one_class_or_several(name: str, expected: list[str]) -> None:
    classes = ("bicycle", "refrigerator", "diningtable", "bird", "board", "car")
    assert misspelt(name, {label: [label] for label in classes}) == expected
