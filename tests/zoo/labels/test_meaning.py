"""What objects mean among classes."""

from pathlib import Path

import pytest

from zoo.datasets import read_dataset
from zoo.datasets.public import public_sets
from zoo.errors import LabelError
from zoo.labels import Vocabulary, find, idle, joined, match, wordnet

FARM = Vocabulary(("cow", "sheep", "barn owl", "tractor", "person"))


def labels(name: str, vocabulary: Vocabulary) -> list[str]:
    return [hit.label for hit in find([name], vocabulary)[name].taken]


def asked(name: str, vocabulary: Vocabulary) -> list[str]:
    found = find([name], vocabulary)[name]
    assert not found.taken
    return [hit.label for hit in found.asked]


def of(name: str) -> Vocabulary:
    return public_sets()[name].vocabulary


def test_other_words_for_a_class_and_kinds_of_it_are_found_with_the_reason() -> None:
    hits = find(["motorbikes", "vehicles"], of("voc"))
    assert [(hit.label, hit.relation) for hit in hits["motorbikes"].taken] == [("motorbike", "spelling")]
    assert {hit.label for hit in hits["vehicles"].taken} == {
        "aeroplane", "bicycle", "boat", "bus", "car", "motorbike", "train",
    }  # fmt: skip
    car = next(hit for hit in hits["vehicles"].taken if hit.label == "car")
    assert car.relation == "kind"
    assert car.why == "'car' is a kind of 'vehicles': a conveyance that transports people or objects"


@pytest.mark.parametrize(
    ("name", "vocabulary", "never"),
    [
        ("cat", "imagenet", "Maltese dog"),
        ("vehicles", "imagenet", "sidewinder"),
        ("lab mice", "coco", "mouse"),
        ("pears", "coco", "bear"),
        ("road signs", "cityscapes", "road"),
    ],
)
def test_another_sense_or_a_like_spelling_is_no_match(name: str, vocabulary: str, never: str) -> None:
    assert not any(label.startswith(never) for label in labels(name, of(vocabulary)))


def test_names_that_a_fuzzy_rule_misses_are_found() -> None:
    assert labels("people", of("coco")) == ["person"]
    assert {label.split(",")[0] for label in labels("helmet", of("imagenet"))} >= {"crash helmet", "football helmet"}
    assert labels("helmet", of("coco")) == []


def test_a_broader_class_is_asked_about() -> None:
    assert asked("women", of("coco")) == ["person"]
    assert asked("red cars", of("coco")) == ["car"]
    assert asked("kittens", of("voc")) == ["cat"]


def test_of_an_unknown_kind_of_something_all_kinds_are_asked_about() -> None:
    assert set(asked("cargo vehicles", of("cityscapes"))) == {"car", "truck", "bus", "train", "motorcycle", "bicycle"}


def test_a_word_for_two_classes_is_asked_about() -> None:
    assert set(asked("bike", of("coco"))) == {"bicycle", "motorcycle"}


def test_a_plain_slip_of_the_pen_is_taken_and_said() -> None:
    shapes = Vocabulary(("squirrel", "bear", "broccoli", "ceiling"))
    for name, label in (("squirels", "squirrel"), ("cieling", "ceiling")):
        (hit,) = find([name], shapes)[name].taken
        assert (hit.label, hit.relation) == (label, "misspelling")
        assert hit.why == f"{name!r} is no word but nearly {label!r}"


@pytest.mark.parametrize(
    ("name", "classes", "meant"),
    [
        ("brocolli", ("broccoli",), ["broccoli"]),  # two slips
        ("beers", ("bear",), []),  # a word of its own
        ("masked faces", ("unmasked face",), ["unmasked face"]),
        ("facke", ("face",), ["face"]),  # short
        ("lettere", ("letter", "lettera"), ["letter", "lettera"]),  # near two
        ("karrots", ("carrot",), ["carrot"]),  # another first letter
    ],
)
def test_other_slips_are_asked_about(name: str, classes: tuple[str, ...], meant: list[str]) -> None:
    assert asked(name, Vocabulary(classes)) == meant


def test_digits_are_no_slip_of_the_pen() -> None:
    assert asked("SKUX1234", Vocabulary(("SKUX1235", "SKUZ1234"))) == ["SKUZ1234"]


@pytest.mark.parametrize("label", ["no helmet", "Without Helmet", "with_helmet", "not-a-helmet", "toy helmet"])
def test_a_class_that_denies_its_last_word_is_no_kind_of_it(label: str) -> None:
    assert labels("helmets", Vocabulary(("helmet", label, "head"))) == ["helmet"]


def test_classes_may_be_called_like_a_group_of_things() -> None:
    for name in wordnet._lexicon()["groups"]:
        assert name in labels(name, Vocabulary((name, "car")))


def test_a_class_that_means_two_things_is_not_taken_for_one_of_them() -> None:
    assert asked("motorcycles", Vocabulary(("bike", "car"))) == ["bike"]


def test_everything_is_nothing_in_particular() -> None:
    assert labels("objects", of("coco")) == []


def test_the_company_of_a_class_tells_its_sense() -> None:
    animals, skin = Vocabulary(("mole", "otter", "seal")), Vocabulary(("freckle", "scar", "wart"))
    assert set(labels("mammals", animals)) == {"mole", "otter", "seal"}
    assert labels("mammals", skin) == []


def test_a_class_that_wordnet_does_not_know_is_a_kind_of_its_last_word() -> None:
    assert labels("chairs", Vocabulary(("garden gnome chair", "lamp"))) == ["garden gnome chair"]


def test_classes_that_leave_each_other_out_are_taken_at_their_word() -> None:
    clothes = ("Shirt", "T-shirt", "Dress")
    assert labels("shirts", Vocabulary(clothes, exclusive=True)) == ["Shirt"]
    assert labels("shirts", Vocabulary(clothes)) == ["Shirt", "T-shirt"]


def test_all_that_is_unknown_or_unsure_is_named_with_what_may_be_meant() -> None:
    with pytest.raises(LabelError) as caught:
        match(["spaceships", "women", "cows"], {"farm": FARM})
    assert str(caught.value) == (
        "In the data set there is no class for 'spaceships'; no class that is surely meant by 'women'."
    )
    assert caught.value.__notes__ == [
        "Write what you mean by 'women': person?",
        "The classes are: cow, sheep, barn owl, tractor, person.",
    ]


def test_classes_of_one_object_become_one_and_a_class_goes_where_it_fits_best() -> None:
    matches = match(["cars", "vehicles", "people", "persons"], {"streets": of("cityscapes")})
    classes = joined(matches)["streets"]
    assert classes["car"] == ["car"]
    assert set(classes["vehicles"]) == {"truck", "bus", "train", "motorcycle", "bicycle"}
    assert set(classes) == {"car", "vehicles", "people"}
    assert idle(matches) == ["persons"]


def test_one_object_has_one_name_in_all_data_sets() -> None:
    sites = {
        "yard": Vocabulary(("Person", "Truck", "Forklift")),
        "street": Vocabulary(("person", "car", "truck", "helmet")),
    }
    matches = match(["people", "helmets", "vehicles"], sites)
    assert joined(matches) == {
        "yard": {"Person": ["Person"], "vehicles": ["Forklift", "Truck"]},  # best fitting first
        "street": {"Person": ["person"], "vehicles": ["car", "truck"], "helmet": ["helmet"]},
    }


def test_a_data_set_of_several_that_has_nothing_of_it_is_refused() -> None:
    sites = {"yard": Vocabulary(("person",)), "kitchen": Vocabulary(("fork", "spoon"))}
    with pytest.raises(LabelError, match=r"^kitchen has none of people\.") as caught:
        match(["people"], sites)
    assert caught.value.__notes__[1:] == ["The classes of kitchen are: fork, spoon."]
    with pytest.raises(LabelError, match="In the data sets there is no class for 'unicorns'"):
        match(["people", "unicorns"], sites)


def test_real_classes_are_found_by_the_words_of_a_request(real_datasets: Path) -> None:
    cells = Vocabulary(read_dataset(real_datasets / "bccd").classes)
    found = match(["red blood cells", "platelets"], {"bccd": cells})
    assert joined(found) == {"bccd": {"RBC": ["RBC"], "Platelets": ["Platelets"]}}


def test_every_sense_of_the_lexicon_and_of_the_cards_is_one_of_wordnet() -> None:
    lexicon = wordnet._lexicon()
    parts = [lexicon[part] for part in ("words", "groups", "kinds", "except")]
    senses = [sense for part in parts for some in part.values() for sense in some]
    senses += [*lexicon["kinds"], *lexicon["except"]]
    senses += [sense for card in public_sets().values() for some in card.vocabulary.pinned.values() for sense in some]
    assert len(senses) > 1400
    assert all(wordnet.definition(sense) for sense in senses)


def test_the_ids_of_imagenet_are_in_the_order_of_its_classes() -> None:
    pinned = of("imagenet").pinned
    offsets = [wordnet._wordnet().synset(senses[0]).offset() for senses in pinned.values()]
    assert len(offsets) == 1000
    assert offsets == sorted(offsets)
    assert (offsets[0], offsets[-1]) == (1440764, 15075141)  # n01440764 tench, n15075141 toilet paper


def test_pinned_classes_are_classes() -> None:
    for card in public_sets().values():
        assert set(card.vocabulary.pinned) <= set(card.vocabulary.classes), card.name
