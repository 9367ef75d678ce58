"""The models whose speed can be measured: their list, the look-up by name and family, and published speeds."""

import re
from collections import Counter

import pytest

from zoo.errors import FormatError, UnknownTask, ZooError
from zoo.models import DEFAULT_SIZE, ModelCard, config_path, find, metafile_entries, profiled, shortlisted
from zoo.models.published import KEY, published
from zoo.tasks import TASKS

V100 = {"value": 50.76, "hardware": "V100", "backend": "PyTorch", "batch size": 1, "mode": "FP32"}
AT_800 = {**V100, "resolution": "(800, 1333)"}


def every() -> list[ModelCard]:
    return [card for task in TASKS for card in profiled(task)]


def test_at_least_seventy_models_of_many_families_are_listed() -> None:
    counts = Counter(card.task for card in every())
    assert len(every()) >= 70
    assert counts["classification"] >= 30
    assert min(counts[task] for task in ("detection", "segmentation", "keypoint")) >= 14
    assert len({card.family for card in every()}) >= 50


def test_every_listed_model_has_a_config_and_a_quality_in_percent() -> None:
    for card in every():
        assert config_path(card).is_file(), card.name
        assert 10 < card.quoted_quality < 100, card.name
        assert card.family, card.name


def test_names_and_titles_are_unique() -> None:
    assert [name for name, count in Counter(card.name for card in every()).items() if count > 1] == []
    assert [stem for stem, count in Counter(card.stem.casefold() for card in every()).items() if count > 1] == []


def test_listed_models_are_sorted_best_quoted_first() -> None:
    for task in TASKS:
        quoted = [card.quoted_quality for card in profiled(task)]
        assert quoted == sorted(quoted, reverse=True)


def test_one_size_serves_each_task_unless_the_architecture_wants_its_own() -> None:
    others = {card.stem for card in every() if (card.width, card.height) != DEFAULT_SIZE[card.task]}
    assert {card.stem for card in every() if card.task == "detection"} & others == {"ssd300"}
    assert {stem for stem in others if "lraspp" in stem} == {
        card.stem for card in every() if card.task in ("segmentation", "keypoint")
    } & others


def test_every_shortlisted_model_is_profiled_too() -> None:
    for task in TASKS:
        assert {card.name for card in shortlisted(task)} <= {card.name for card in profiled(task)}


def test_twelve_listed_detectors_and_more_have_a_published_speed() -> None:
    speeds = [card for card in profiled("detection") if card.published_ms is not None]
    assert len(speeds) >= 12
    assert {card.published_on for card in speeds} == {"V100, PyTorch, FP32, batch 1"}
    assert all(re.fullmatch(r"\d+x\d+", card.published_at) for card in speeds)


def test_titles_leave_out_the_words_about_training() -> None:
    titles = {card.name: card.title for card in every()}
    assert titles["rtmdet_tiny_8xb32-300e_coco"] == "rtmdet_tiny 320x320"
    assert titles["yolox_tiny_8x8_300e_coco"] == "yolox_tiny 320x320"
    assert titles["retinanet_r18_fpn_1x_coco"] == "retinanet_r18_fpn 320x320"
    assert titles["efficientnet-b0_3rdparty_8xb32_in1k"] == "efficientnet-b0 224x224"
    assert titles["resnext50-32x4d_8xb32_in1k"] == "resnext50-32x4d 224x224"


def test_without_names_all_listed_models_are_found() -> None:
    assert find() == every()
    assert find(task="keypoint") == profiled("keypoint")


def test_a_model_is_found_by_name_stem_title_or_beginning_whatever_the_capitals() -> None:
    for word in ("rtmdet_tiny_8xb32-300e_coco", "RTMDet_tiny", "rtmdet_tiny 320x320", "rtmdet_ti"):
        assert [card.title for card in find([word])] == ["rtmdet_tiny 320x320"]


def test_a_stem_is_exact_before_it_is_a_beginning() -> None:
    assert [card.stem for card in find(["resnet50"])] == ["resnet50"]
    assert [card.stem for card in find(["retinanet_r50_fpn"])] == ["retinanet_r50_fpn"]


def test_a_title_of_the_short_list_finds_that_size() -> None:
    assert [card.title for card in find(["rtmdet_tiny 640x640"])] == ["rtmdet_tiny 640x640"]


def test_any_entry_of_the_metafiles_is_found_by_its_whole_name_at_the_default_size() -> None:
    faster, wholebody = find(["faster-rcnn_r50_fpn_1x_coco", "td-hm_res50_8xb64-210e_coco-wholebody-256x192"])
    assert (faster.task, faster.width, faster.height) == ("detection", *DEFAULT_SIZE["detection"])
    assert (faster.family, faster.published_ms) == ("Faster R-CNN", 46.73)
    assert wholebody.quality_source == "COCO-WholeBody Whole AP"
    assert wholebody.quoted_quality == pytest.approx(52.1)


def test_an_entry_that_publishes_no_quality_of_the_task_is_refused() -> None:
    with pytest.raises(ZooError, match=r"^solov2_r50_fpn_1x_coco publishes no box AP: nothing says that it is"):
        find(["solov2_r50_fpn_1x_coco"])


def test_an_entry_without_a_config_is_refused() -> None:
    with pytest.raises(ZooError, match=r"^The installed mmdet lists mask-rcnn_r50_fpn_albu-1x_coco, but ships no"):
        find(["mask-rcnn_r50_fpn_albu-1x_coco"])


def test_an_unknown_name_is_refused_with_the_nearest_names() -> None:
    with pytest.raises(ZooError, match=r"^There is no model 'rtmdet_tinny' for detection\.") as caught:
        find(["rtmdet_tinny"], task="detection")
    assert "rtmdet_tiny" in caught.value.__notes__[0]


def test_a_name_of_another_task_is_unknown_there() -> None:
    with pytest.raises(ZooError, match="no model 'resnet18' for detection"):
        find(["resnet18"], task="detection")
    with pytest.raises(UnknownTask):
        find(["resnet18"], task="depth")


def test_the_beginning_of_several_models_is_refused() -> None:
    with pytest.raises(ZooError, match=r"^'rtmpose' is the beginning of 3 models: rtmpose-m, rtmpose-s, rtmpose-t\."):
        find(["rtmpose"])
    with pytest.raises(ZooError, match="There is no model ''"):
        find([""])


def test_a_family_is_a_pattern_for_collection_or_name() -> None:
    assert {card.family for card in find(family="rtmpose")} == {"RTMPose"}
    assert {card.task for card in find(family="*MobileNet*v2*")} == set(TASKS)
    assert all(card.task == "segmentation" for card in find(family="*", task="segmentation"))


def test_a_family_that_is_not_listed_is_refused_with_those_that_are() -> None:
    with pytest.raises(ZooError, match=r"listed models fits 'yolov9\*'\.") as caught:
        find(family="yolov9*", task="detection")
    assert "YOLOX" in caught.value.__notes__[0]


def test_names_and_family_together_give_each_card_once() -> None:
    cards = find(["rtmpose-t", "resnet18", "RTMPOSE-T"], family="rtmpose")
    assert [card.stem for card in cards] == ["rtmpose-t", "resnet18", "rtmpose-m", "rtmpose-s"]


def test_a_published_speed_is_read_with_its_circumstances() -> None:
    found = published({"Name": "a", "Metadata": {KEY: [AT_800]}})
    assert found is not None
    assert (found.ms, found.on, found.resolution) == (50.76, "V100, PyTorch, FP32, batch 1", "800x1333")


def test_a_published_speed_beside_the_metadata_is_read_too() -> None:
    found = published({"Name": "a", "Metadata": {}, KEY: [V100]})
    assert found is not None
    assert (found.on, found.resolution) == ("V100, PyTorch, FP32, batch 1", "")


def test_of_several_published_speeds_the_usual_circumstances_win() -> None:
    half = {**AT_800, "mode": "FP16", "value": 31.0}
    found = published({"Name": "a", "Metadata": {KEY: [half, {"value": 9.0, "hardware": "T4"}, AT_800]}})
    assert found is not None
    assert found.ms == 50.76


def test_no_published_speed_is_none() -> None:
    assert published({"Name": "a", "Metadata": {"Epochs": 12}}) is None
    assert published({"Name": "a"}) is None


def test_a_published_speed_in_an_unknown_form_is_refused() -> None:
    with pytest.raises(FormatError, match=r"^a publishes 'inference time \(ms/im\)' in an unknown form: 'fast'\."):
        published({"Name": "a", "Metadata": {KEY: "fast"}})


def test_all_published_speeds_of_the_metafiles_are_read() -> None:
    found = {
        task.toolbox: sum(published(entry) is not None for entry in metafile_entries(task.toolbox).values())
        for task in TASKS.values()
    }
    assert found == {"mmpretrain": 0, "mmdet": 207, "mmseg": 0, "mmpose": 0}
