"""The page is whole, safe and complete."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
import story as made

from edge.records import DataSource, Origin, Story
from edge.report.html import render, request_pieces

EVIL = "<script>alert('x')</script>"
VOID = {"meta", "img", "br", "link", "hr", "input"}


class Page(HTMLParser):
    """Collects text, attributes and headings; fails where tags do not nest."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len(attrs) == len({name for name, _ in attrs}), f"doubled attribute in {tag}"
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag
        self.text += " " if tag in ("td", "th", "dt", "dd") else ""

    def handle_data(self, data: str) -> None:
        self.text += data if not {"style", "script"} & set(self.open) else ""

    def all(self, name: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.tags if tag == name]


def flat(text: str) -> str:
    return " ".join(text.split())


def test_tags_nest_and_ids_are_unique() -> None:
    page = Page(render(made.story(pictures=(made.picture(),))))
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))


def test_every_check_and_every_candidate_is_told() -> None:
    story = made.story()
    text = flat(Page(render(story)).text)
    for check in story.verified.checks:
        assert f"{check.name} {check.wanted} {check.seen}" in text
    for title in ("resnet18 224x224", "resnet18 64x64", "mobilenet-v2 64x64", "shufflenet-v2-1x 96x96"):
        assert title in text
    assert "37 of 400 queries within 20.00 ms." in text
    assert "Meets every limit; ranked behind the chosen one." in text
    assert "resnet50 224x224: 25.6 M parameters, the request allows 15 M" in text


def test_what_was_noted_while_measuring_is_told_once_with_its_candidates() -> None:
    noisy = (
        made.measured(warnings=("others used the CPU",)),
        made.measured(side=96, warnings=("others used the CPU",)),
    )
    text = flat(Page(render(made.story(measurements=made.measurements(*noisy)))).text)
    assert text.count("resnet18 64x64 and resnet18 96x96: others used the CPU") == 1


def test_classes_of_another_name_are_told() -> None:
    base = made.story()
    matches = {"circle": ("ring",), "square": ("square", "diamond")}
    gathered = replace(base.gathered, matches=matches, meanings=("'diamond' is a kind of 'square'",))
    assert "other names in the data" not in flat(Page(render(base)).text)
    text = flat(Page(render(replace(base, gathered=gathered))).text)
    assert "other names in the data circle ring square square, diamond 'diamond' is a kind of 'square'" in text


def test_what_training_started_from_is_told() -> None:
    page = render(made.started(Origin("r18.pth", "fetched from example.org", matching=120, tensors=122)))
    assert "from the weights <code>r18.pth (120 of 122 tensors)</code> (fetched from example.org) and" in page
    page = render(made.started(Origin(source="`edge fetch r18` would bring weights to start from")))
    assert "from scratch (random weights) (`edge fetch r18` would bring weights to start from) and" in page


def test_headline_says_what_was_missed_and_left_open() -> None:
    text = flat(Page(render(made.story())).text)
    assert "WORKS The package works: 2 checks met; accuracy missed; memory of the device could not be checked." in text


def test_a_perfect_result_says_so() -> None:
    checks = made.verified().checks[:2]
    text = flat(Page(render(made.story(verified=made.verified(overall="perfect", checks=checks)))).text)
    assert "PERFECT All 2 checks are met." in text


def test_disagreements_are_shown() -> None:
    request = made.request(disagreements=(made.disagreement(),))
    text = flat(Page(render(made.story(request=request))).text)
    assert "Two readers understood this differently" in text
    assert "speed 50 fps 50 ms" in text


def test_nothing_comes_from_the_network() -> None:
    page = render(made.story(pictures=(made.picture(),)))
    assert not re.search(r"""(src|href|url|@import)\s*[=(]?\s*["']?\s*(https?:)?//""", page)
    assert set(re.findall(r"https?://[^\"'\s]+", page)) <= {"http://www.w3.org/2000/svg"}
    assert not Page(page).all("script") and not Page(page).all("link")


def test_words_from_outside_are_escaped() -> None:
    base = made.story()
    story = replace(
        base,
        request=made.request(text=f"find {EVIL}", objects=(EVIL,), spans={EVIL: EVIL}, unchecked=(EVIL,)),
        gathered=replace(
            base.gathered,
            classes=(EVIL,),
            skipped=(f"{EVIL}.png",),
            matches={EVIL: (EVIL,)},
            sources=(DataSource(EVIL, EVIL, EVIL, EVIL, (EVIL,), 1, EVIL),),
            counts={EVIL: 1},
        ),
        measurements=made.measurements(
            made.measured(name=EVIL, explanation=EVIL, warnings=(EVIL,), engine=EVIL, precision=EVIL),
            made.measured(parity={EVIL: 1.0}),
            made.measured(name=EVIL, side=96, explanation=EVIL, p90_ms=None, verdict=EVIL, engine=""),
            not_measured=(EVIL,),
            refused=(EVIL, f"{EVIL}: {EVIL}"),
        ),
        choice=made.choice(reasons=(EVIL,)),
        exported=replace(
            base.exported,
            engine=EVIL,
            artefact_sha256=EVIL,
            trials=(replace(made.TRIALS[0], engine=EVIL, reason=EVIL),),
        ),
        verified=made.verified(
            metric_name=EVIL,
            baseline_title=EVIL,
            details={EVIL: EVIL},
            parity={EVIL: 1.0},
            endured=made.endured(trend=EVIL),
        ),
        versions={EVIL: EVIL},
        pictures=(made.picture(EVIL + '" onload="x'),),
    )
    page = render(story)
    assert EVIL not in page
    assert "&lt;script&gt;" in page
    assert not Page(page).all("script")
    assert all("onload" not in image for image in Page(page).all("img"))


def test_forms_stand_in_rows_below_their_network() -> None:
    page = Page(render(made.compared()))
    assert len(page.all("tbody")) >= 2
    text = flat(page.text)
    assert "resnet18 64x64 64 × 64 pixels, 11.2 M parameters, 149 M MACs" in text  # noqa: RUF001
    assert "packed as ONNX Runtime int8" in text
    assert "OpenVINO fp32 44.7 MB 5.77 ms 6.20 ms 161 fps ✓ fast enough chosen" in text
    assert "mobilenet-v2 96x96 96 × 96 pixels, 2.23 M parameters, 26.1 M MACs Only 12 training updates fit" in text  # noqa: RUF001
    assert text.count("Only 12 training updates fit into the time.") == 1


def test_what_could_not_run_and_what_was_skipped_is_told() -> None:
    text = flat(Page(render(made.compared())).text)
    assert "2 of 5 networks measured, in 12 forms." in text
    assert "TensorRT: there is no NVIDIA card" in text
    assert (
        "ONNX Runtime fp16: its CPU provider casts float16 convolutions to float32, so nothing is gained; bf16:" in text
    )
    assert "vgg11 64x64, resnet34 96x96: not needed: another holds that is expected to be better" in text


def test_lower_precisions_tell_both_figures_with_the_reason() -> None:
    text = flat(Page(render(made.compared())).text)
    assert "OpenVINO bf16 93.11 % 95.56 % 1.91× not kept Loses 0.0245 of the metric" in text  # noqa: RUF001
    assert "ONNX Runtime int8 95.33 % 95.56 % 1.34× kept 1.34 times as fast" in text  # noqa: RUF001
    assert "None was tried" in flat(Page(render(made.story())).text)


def test_endurance_is_told_with_its_trend() -> None:
    text = flat(Page(render(made.compared())).text)
    assert "Run for 20 s at 30 fps: 2 of 600 images late (0.3 %), worst 41.0 ms, steady." in text
    assert "(95 % interval −0.20 % to +1.01 %)" in text  # noqa: RUF001
    assert "holds out over a longer time: not measured" in flat(Page(render(made.story())).text)


def test_timed_files_that_are_not_the_packed_ones_are_a_warning() -> None:
    same, other = made.compared(), made.compared(verified=made.verified(artefact_sha256="34" * 32))
    assert f"The files that were timed are the files in the package: sha256 {'12' * 32}." in render(same)
    assert '<p class="warning">The files that were timed (sha256 3434' in render(other)


def test_energy_is_that_of_the_packed_form_or_unavailable() -> None:
    assert "Energy per image unavailable" in flat(Page(render(made.compared())).text)
    known = made.measurements(*made.forms(energy_j=0.0312))
    text = flat(Page(render(made.compared(measurements=known))).text)
    assert "Energy per image 31.2 mJ (ONNX Runtime int8, before training)" in text


def test_a_page_of_very_many_forms_stays_small() -> None:
    many = [item for number in range(8) for item in made.forms(f"net{number}")]
    assert len(render(made.compared(measurements=made.measurements(*made.forms(), *many)))) < 160_000


def test_pictures_and_plots_have_words() -> None:
    page = Page(render(made.story(pictures=(made.picture("circle, labelled square", False),))))
    assert [image["alt"] for image in page.all("img")] == ["Test image with the answer: circle, labelled square"]
    assert all(image["aria-label"] for image in page.all("svg"))
    assert "✗ wrong circle, labelled square" in flat(page.text)


def test_every_table_has_a_caption_and_every_heading_its_section() -> None:
    page = Page(render(made.story()))
    assert len(page.all("table")) == len(page.all("caption"))
    assert [section["aria-labelledby"] for section in page.all("section")] == [h["id"] for h in page.all("h2")]


def test_what_is_not_there_is_called_so() -> None:
    base = made.story()
    text = flat(Page(render(replace(
        base,
        gathered=replace(base.gathered, skipped=(), leaks_removed=(), counts={}),
        measurements=made.measurements(hardware={}),
        trained=replace(base.trained, curve=()),
        tuned=replace(base.tuned, trials=()),
        verified=made.verified(metric=None, baseline=None, parity={}, timings=(), details={}, checks=()),
        versions={}, seconds={},
    ))).text)  # fmt: skip
    assert "Speed of the packed file not measured" in text
    assert "The packed file was not timed again after training." in text
    assert "Processor unavailable" in text
    assert "None: every image could be read." in text
    assert "No settings were searched." in text
    assert "No learning curve was recorded." in text


def test_no_better_than_a_guess_is_said_plainly() -> None:
    text = flat(Page(render(made.story(verified=made.verified(metric=0.3, baseline=0.3467)))).text)
    assert "No better than the trivial guess." in text


@pytest.mark.parametrize("name", ["bad\udcff.png", "größe 汉字.png", "line\nbreak\x1b[31m.png"])
def test_odd_file_names_leave_a_page_that_can_be_written(name: str) -> None:
    base = made.story()
    page = render(replace(base, gathered=replace(base.gathered, skipped=(name,))))
    page.encode("utf-8")
    assert "\x1b" not in page


def test_the_same_story_gives_the_same_page() -> None:
    assert render(made.story()) == render(made.story())


def test_pieces_of_the_request_join_to_its_text() -> None:
    request = made.request(spans={"a": "at least 50 images", "b": "50 images per", "c": "not there", "d": ""})
    pieces = request_pieces(request)
    assert "".join(text for text, _ in pieces) == request.text
    assert [(text, field) for text, field in pieces if field] == [("at least 50 images", "a")]


def test_long_lists_of_files_are_counted() -> None:
    base: Story = made.story()
    skipped = tuple(f"{number:04}.png" for number in range(2000))
    text = flat(Page(render(replace(base, gathered=replace(base.gathered, skipped=skipped)))).text)
    assert "0011.png and 1,988 more" in text
