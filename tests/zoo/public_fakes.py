"""Public data sets in miniature: the file names and the layout of each as it unpacks, with a few images of noise."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from makers import picture
from PIL import Image
from scipy.io import savemat

from zoo.datasets.card import cards

Fake = Callable[[Path], None]
BOX = [1, 2, 5, 6]


def put(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def mask(path: Path, values: list[int], palette: bool = False) -> None:
    """Columns of 20 x 16 that take the values in turn."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(np.resize(np.array(values, np.uint8), (16, 20)))
    if palette:
        image = image.convert("P")
        image.putpalette([number for value in range(256) for number in (value, 255 - value, 7)])
    image.save(path)


def document(
    images: list[str], categories: list[str], keypoints: list[str] | None = None, first: int = 1, **more: Any
) -> str:
    """COCO JSON with one box in each image, of the categories in turn."""
    points = {"keypoints": [3, 4, 2] * len(keypoints)} if keypoints else {}
    return json.dumps(
        {
            "images": [
                {"id": n, "file_name": name, "width": 20, "height": 16} for n, name in enumerate(images, start=first)
            ],
            "annotations": [
                {"id": n, "image_id": n, "category_id": 1 + n % len(categories), "bbox": BOX, "iscrowd": 0, **points}
                for n in range(first, first + len(images))
            ],
            "categories": [
                {"id": n, "name": name, "skeleton": [], **({"keypoints": keypoints} if keypoints else {})}
                for n, name in enumerate(categories, start=1)
            ],
            **more,
        }
    )


def folders(root: Path, names: list[str], suffix: str = ".png") -> None:
    for seed, name in enumerate(names):
        picture(root / f"{name}{suffix}", seed)


def cifar(name: str) -> Fake:
    classes = cards()[name]["classes"]

    def write(root: Path) -> None:
        folders(root, [f"{part}/{label}/0001" for part in ("train", "test") for label in classes])

    return write


def imagenet(root: Path) -> None:
    ids = ("n01440764", "n02012849", "n03126707", "n15075141")  # the tench, both cranes, toilet paper
    folders(root, [f"{part}/{one}/{one}_{part}_1" for part in ("train", "val") for one in ids], ".JPEG")


def stanford_dogs(root: Path) -> None:
    names = ("n02085620-Chihuahua/n02085620_7", "n02116738-African_hunting_dog/n02116738_10")
    folders(root / "Images", list(names), ".jpg")
    put(root / "lists" / "train_list.mat", "MATLAB")


def caltech101(root: Path) -> None:
    top = root / "caltech-101" / "101_ObjectCategories"
    folders(top, [f"{name}/image_0001" for name in ("BACKGROUND_Google", "accordion", "yin_yang")], ".jpg")


def eurosat(root: Path) -> None:
    names = [f"{name}/{name}_1" for name in cards()["eurosat"]["classes"]]
    folders(root / "EuroSAT_RGB", names, ".jpg")


def food101(root: Path) -> None:
    top = root / "food-101"
    for part, names in (("train", ("apple_pie/1", "waffles/2")), ("test", ("apple_pie/3", "waffles/4"))):
        folders(top / "images", list(names), ".jpg")
        put(top / "meta" / f"{part}.txt", "\n".join(names) + "\n")
    put(top / "meta" / "classes.txt", "apple_pie\nwaffles\n")


def pets(root: Path) -> None:
    for part, names in (("trainval", ("Abyssinian_1", "american_bulldog_100")), ("test", ("Abyssinian_2",))):
        folders(root / "images", list(names), ".jpg")
        put(root / "annotations" / f"{part}.txt", "".join(f"{name} 1 1 1\n" for name in names))
        for name in names:
            mask(root / "annotations" / "trimaps" / f"{name}.png", [1, 2, 3])
    put(root / "annotations" / "list.txt", "#Image CLASS-ID SPECIES BREED ID\n")


def flowers102(root: Path) -> None:
    folders(root / "jpg", [f"image_{n:05}" for n in range(1, 7)], ".jpg")
    savemat(root / "imagelabels.mat", {"labels": np.array([[77, 77, 51, 51, 102, 102]])})
    savemat(root / "setid.mat", {"trnid": np.array([[1, 3, 5]]), "valid": np.array([[2]]), "tstid": np.array([[4, 6]])})


def coco(root: Path) -> None:
    for part, first in (("train", 1), ("val", 3)):
        names = [f"{n:012}.jpg" for n in (first, first + 1)]
        folders(root / f"{part}2017", [name.removesuffix(".jpg") for name in names], ".jpg")
        boxes = json.loads(document(names, cards()["coco"]["classes"], first=first))
        boxes["annotations"].append({"id": 900 + first, "image_id": first, "category_id": 1, "bbox": [9, 9, 0, 0]})
        put(root / "annotations" / f"instances_{part}2017.json", json.dumps(boxes))
        put(
            root / "annotations" / f"person_keypoints_{part}2017.json",
            document(names, ["person"], ["nose", "left_eye"], first),
        )
        put(root / "annotations" / f"captions_{part}2017.json", json.dumps({"images": [], "annotations": []}))


def objects365(root: Path) -> None:
    for part, first in (("train", 1), ("val", 2)):
        name = f"images/v1/patch{first}/objects365_v1_{first:08}.jpg"
        picture(root / part / f"patch{first}" / Path(name).name, first)
        spelled = ["Cigar/Cigarette " if c == "Cigar/Cigarette" else c for c in cards()["objects365"]["classes"]]
        put(root / part / f"zhiyuan_objv2_{part}.json", document([name], spelled, first=first))


def ap10k(root: Path) -> None:
    folders(root / "data", [f"{n:012}" for n in range(1, 7)], ".jpg")
    names = [f"{n:012}.jpg" for n in range(1, 7)]
    for division, order in (("1", names), ("2", names[::-1])):
        for part, some in (("train", order[:3]), ("val", order[3:4]), ("test", order[4:])):
            text = document(some, cards()["ap10k"]["classes"], ["left_eye", "nose"])
            put(root / "annotations" / f"ap10k-{part}-split{division}.json", text)


def crowdpose(root: Path) -> None:
    names = [f"10000{n}.jpg" for n in range(4)]
    folders(root / "images", [f"10000{n}" for n in range(4)], ".jpg")
    for part, some in (("train", names[:2]), ("val", names[2:3]), ("trainval", names[:3]), ("test", names[3:])):
        put(
            root / "annotations" / f"mmpose_crowdpose_{part}.json",
            document(some, ["person"], ["left_shoulder", "top_head"]),
        )


def animalpose(root: Path) -> None:
    names = [f"VOC2012/JPEGImages/2008_00000{n}.jpg" for n in range(3)]
    folders(root, [name.removesuffix(".jpg") for name in names], ".jpg")
    for part, some in (("train", names[:2]), ("val", names[2:]), ("trainval", names)):
        put(root / "annotations" / f"animalpose_{part}.json", document(some, ["animal"], ["L_Eye", "Nose"]))


def mpii(root: Path) -> None:
    for part, name in (("train", "015601864"), ("val", "005808361")):
        picture(root / "images" / f"{name}.jpg", len(part))
        person = {"joints_vis": [1] * 15 + [0], "joints": [[5.0, 6.0]] * 15 + [[-1, -1]], "image": f"{name}.jpg"}
        entry = {**person, "scale": 0.05, "center": [11.0, 8.0]}
        put(root / "annotations" / f"mpii_{part}.json", json.dumps([entry, entry]))


def openimages(root: Path) -> None:
    header = "ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax,IsOccluded,IsTruncated,IsGroupOf,IsDepiction"
    put(root / "class-descriptions-boxable.csv", "/m/0cmf2,Airplane\n/m/0gxl3,Handgun\n/m/01dws,Bear\n")
    for part, table in (("train", "oidv6-train-annotations-bbox"), ("validation", "validation-annotations-bbox")):
        picture(root / part / f"{part}0001eeaf.jpg", len(part))
        rows = [
            f"{part}0001eeaf,xclick,/m/0cmf2,1,0.1,0.6,0.25,0.75,0,0,0,0",
            f"{part}0001eeaf,xclick,/m/01dws,1,0,1,0,1,0,0,1,0",
            "000000000000dead,xclick,/m/0gxl3,1,0,1,0,1,0,0,0,0",
        ]
        put(root / f"{table}.csv", "\n".join([header, *rows]) + "\n")


def kitti(root: Path) -> None:
    for number, label in enumerate(("Car", "Pedestrian", "DontCare")):
        picture(root / "training" / "image_2" / f"{number:06}.png", number)
        line = f"{label} 0.00 0 -1.5 1.00 2.00 6.00 8.50 1 1 1 1 1 1 0.1\n"
        put(
            root / "training" / "label_2" / f"{number:06}.txt",
            "" if number == 2 else line + line.replace(label, "DontCare"),
        )
    picture(root / "testing" / "image_2" / "000000.png", 9)


def visdrone(root: Path) -> None:
    for number, part in enumerate(("train", "val", "test-dev")):
        top = root / f"VisDrone2019-DET-{part}"
        picture(top / "images" / f"000000{number}.jpg", number)
        put(top / "annotations" / f"000000{number}.txt", "1,2,5,6,1,4,0,0\n1,2,50,6,1,10,0,0,\n0,0,9,9,0,0,0,0\n")


def sku110k(root: Path) -> None:
    top = root / "SKU110K_fixed"
    for part in ("train", "val", "test"):
        picture(top / "images" / f"{part}_0.jpg", len(part))
        put(top / "annotations" / f"annotations_{part}.csv", f"{part}_0.jpg,1,2,6,8,object,20,16\n" * 2)


def widerface(root: Path) -> None:
    for part, name in (("train", "0--Parade/0_Parade_1"), ("val", "1--Handshaking/1_Handshaking_2")):
        for number in (1, 2):
            picture(root / f"WIDER_{part}" / "images" / f"{name}{number}.jpg", number)
        lines = f"{name}1.jpg\n3\n1 2 5 6 0 0 0 0 0 0\n1 2 3 3 2 0 0 1 2 0\n4 4 0 0 2 0 0 0 2 0\n"
        put(
            root / "wider_face_split" / f"wider_face_{part}_bbx_gt.txt",
            lines + f"{name}2.jpg\n0\n0 0 0 0 0 0 0 0 0 0\n",
        )


def voc(root: Path) -> None:
    top = root / "VOCdevkit" / "VOC2012"
    for part, names in (("train", ("2007_000032", "2007_000033")), ("val", ("2007_000042",))):
        for seed, name in enumerate(names):
            picture(top / "JPEGImages" / f"{name}.jpg", seed)
            mask(top / "SegmentationClass" / f"{name}.png", [0, 1, 20, 255], palette=True)
            bounds = "<bndbox><xmin>2</xmin><ymin>3</ymin><xmax>6</xmax><ymax>8</ymax></bndbox>"
            found = f"<object><name>dog</name>{bounds}</object><object><name>tvmonitor</name>{bounds}</object>"
            put(top / "Annotations" / f"{name}.xml", f"<annotation><filename>{name}.jpg</filename>{found}</annotation>")
        put(top / "ImageSets" / "Main" / f"{part}.txt", "".join(f"{name}\n" for name in names))
        put(top / "ImageSets" / "Main" / f"dog_{part}.txt", "".join(f"{name}  1\n" for name in names))
        put(top / "ImageSets" / "Segmentation" / f"{part}.txt", "".join(f"{name}\n" for name in names))
    picture(top / "JPEGImages" / "2012_004331.jpg", 9)
    put(top / "ImageSets" / "Segmentation" / "trainval.txt", "2007_000032\n2007_000033\n2007_000042\n")


def pascal_context(root: Path) -> None:
    top = root / "VOCdevkit" / "VOC2010"
    for part, name in (("train", "2008_000002"), ("val", "2008_000003")):
        picture(top / "JPEGImages" / f"{name}.jpg", len(part))
        mask(top / "SegmentationClassContext" / f"{name}.png", [0, 1, 59])
        put(top / "ImageSets" / "SegmentationContext" / f"{part}.txt", f"{name}\n")
    picture(top / "JPEGImages" / "2010_000004.jpg", 9)


def cityscapes(root: Path) -> None:
    for part, city in (("train", "aachen"), ("val", "munster"), ("test", "berlin")):
        name = f"{part}/{city}/{city}_000000_000019"
        picture(root / "leftImg8bit" / f"{name}_leftImg8bit.png", len(part))
        mask(root / "gtFine" / f"{name}_gtFine_labelIds.png", [0, 7, 26, 33])
        mask(root / "gtFine" / f"{name}_gtFine_labelTrainIds.png", [255, 0, 13, 18])
        mask(root / "gtFine" / f"{name}_gtFine_color.png", [1, 2])
        put(root / "gtFine" / f"{name}_gtFine_polygons.json", "{}")


def ade20k(root: Path) -> None:
    top = root / "ADEChallengeData2016"
    for folder, part in (("training", "train"), ("validation", "val")):
        picture(top / "images" / folder / f"ADE_{part}_00000001.jpg", len(part))
        mask(top / "annotations" / folder / f"ADE_{part}_00000001.png", [0, 1, 150])
    put(top / "objectInfo150.txt", "Idx Ratio Train Val Name\n1 0.1 1 1 wall\n")


def bdd100k(root: Path) -> None:
    for part in ("train", "val"):
        picture(root / "bdd100k" / "images" / "10k" / part / "0004a4c0-d4dff0ad.jpg", len(part))
        mask(root / "bdd100k" / "labels" / "sem_seg" / "masks" / part / "0004a4c0-d4dff0ad.png", [0, 13, 18, 255])


def mapillary(root: Path) -> None:
    put(root / "config_v1.2.json", "{}")
    for part in ("training", "validation"):
        picture(root / part / "images" / "_1Gn_xkw7sa_i9GU4mkxxQ.jpg", len(part))
        mask(root / part / "v1.2" / "labels" / "_1Gn_xkw7sa_i9GU4mkxxQ.png", [0, 55, 64, 65], palette=True)
    picture(root / "testing" / "images" / "a.jpg", 9)


FAKES: dict[str, Fake] = {
    "ade20k": ade20k,
    "animalpose": animalpose,
    "ap10k": ap10k,
    "bdd100k": bdd100k,
    "caltech101": caltech101,
    "cifar10": cifar("cifar10"),
    "cifar100": cifar("cifar100"),
    "cityscapes": cityscapes,
    "coco": coco,
    "crowdpose": crowdpose,
    "eurosat": eurosat,
    "flowers102": flowers102,
    "food101": food101,
    "imagenet": imagenet,
    "kitti": kitti,
    "mapillary-vistas": mapillary,
    "mpii": mpii,
    "objects365": objects365,
    "openimages": openimages,
    "oxford-iiit-pet": pets,
    "pascal-context": pascal_context,
    "sku110k": sku110k,
    "stanford-dogs": stanford_dogs,
    "visdrone": visdrone,
    "voc": voc,
    "widerface": widerface,
}
"""By the name of the card."""
