"""Which models are meant by names as people write them; the entries are those of the installed toolboxes."""

import pytest

from zoo.errors import ZooError
from zoo.models import metafile_entries
from zoo.models.naming import named, stem

# toolbox, name, what the architectures that are meant begin with, what none of them may begin with
CASES = [
    ("mmpretrain", "MobileNet-based", "mobilenet-v2 mobilenet-v3 mobilenetv1 mobilenetv4", ""),
    ("mmpretrain", "a MobileNet", "mobilenet-v mobilenetv", "mobileone mobilevit"),
    ("mmpretrain", "MobileNetV2", "mobilenet-v2", ""),
    ("mmpretrain", "MobileNet V3 small", "mobilenet-v3-small", ""),
    ("mmpretrain", "mobilenet_v3_large", "mobilenet-v3-large", ""),
    ("mmpretrain", "ResNet50", "resnet50", "seresnet resnext wide"),
    ("mmpretrain", "ResNet-50", "resnet50", "seresnet resnext wide"),
    ("mmpretrain", "SE-ResNet50", "seresnet50", ""),
    ("mmpretrain", "ResNeXt50", "resnext50", ""),
    ("mmpretrain", "ResNet", "resnet", "resnext seresnet"),
    ("mmpretrain", "ViT-B/16", "", "vit-base-p32 vit-large deit"),
    ("mmpretrain", "EfficientNet-B0", "efficientnet-b0", "efficientnetv2"),
    ("mmpretrain", "EfficientNetV2", "efficientnetv2", ""),
    ("mmpretrain", "ConvNeXt-Tiny", "convnext-tiny", "convnext-v2"),
    ("mmpretrain", "Swin-T", "swin-t", "swinv2"),
    ("mmpretrain", "VGG16", "vgg16", "vgg16bn"),
    ("mmpretrain", "ShuffleNet v2", "shufflenet-v2", ""),
    ("mmpretrain", "RepVGG-A0", "repvgg-A0", ""),
    ("mmpretrain", "HRNet-W32", "hrnet-w32", ""),
    ("mmpretrain", "an EfficientNet-Lite", "efficientnet_lite", "efficientnet-b"),
    ("mmpretrain", "EfficientNet-Lite0", "efficientnet_lite0", "efficientnet-b"),
    ("mmpretrain", "MobileNetV4", "mobilenetv4", "mobilenet-v mobilenetv1"),
    ("mmpretrain", "MobileNet V4 conv small", "mobilenetv4_conv_small", ""),
    ("mmpretrain", "MobileNetV1", "mobilenetv1", "mobilenet-v mobilenetv4"),
    ("mmpretrain", "GhostNet", "ghostnet", "repghost"),
    ("mmpretrain", "GhostNetV2", "ghostnetv2", ""),
    ("mmpretrain", "RepGhost", "repghostnet", ""),
    ("mmpretrain", "a HardCoRe-NAS network", "hardcorenas", ""),
    ("mmpretrain", "PP-LCNet", "lcnet", ""),
    ("mmpretrain", "FBNet", "fbnet", ""),
    ("mmpretrain", "MixNet-S", "mixnet_s", "mixnet_m"),
    ("mmpretrain", "FastViT-T8", "fastvit_t8", ""),
    ("mmpretrain", "EfficientViT-M2", "efficientvit_m2", ""),
    ("mmpretrain", "HGNetV2-B0", "hgnetv2_b0", ""),
    ("mmdet", "an RTM model", "rtmdet", "rtmpose"),
    ("mmdet", "RTMDet-tiny", "rtmdet_tiny", "rtmdet_s"),
    ("mmdet", "YOLOX-s", "yolox_s", ""),
    ("mmdet", "some YOLO", "yolo", "yolact"),
    ("mmdet", "Faster R-CNN", "faster-rcnn", "cascade mask"),
    ("mmdet", "Mask RCNN", "mask-rcnn", "faster"),
    ("mmdet", "DETR", "detr", "dab conditional deformable"),
    ("mmdet", "a ResNet-101 backbone", "", "rtmdet yolox"),
    ("mmdet", "SSD", "ssd", ""),
    ("mmdet", "SOLOv2", "solov2", "solo_ decoupled"),
    ("mmdet", "HRNet", "", "rtmdet yolox"),
    ("mmseg", "U-Net", "unet", ""),
    ("mmseg", "DeepLabV3+", "", "deeplabv3_ fcn pspnet"),
    ("mmseg", "DeepLabV3", "", "deeplabv3plus ddeeplabv3plus"),
    ("mmseg", "SegFormer-B0", "segformer_mit-b0", ""),
    ("mmseg", "PIDNet-S", "pidnet-s", ""),
    ("mmseg", "HRNet", "fcn_hr ocrnet_hr", ""),
    ("mmseg", "MobileNetV3", "mobilenet-v3", ""),
    ("mmpose", "an RTM model", "rtmpose rtmo rtmw", ""),
    ("mmpose", "RTMPose-m", "rtmpose-m", ""),
    ("mmpose", "Lite-HRNet", "td-hm_litehrnet", ""),
    ("mmpose", "HRNet-W32", "td-hm_hrnet-w32", ""),
    ("mmpose", "ResNet-50", "", "rtmpose"),
    ("mmpose", "ResNet", "", "rtmpose"),
    ("mmpose", "RTMPose small", "rtmpose-s", ""),
    ("mmdet", "rtmdet small", "rtmdet_s", ""),
    ("mmseg", "PIDNet small", "pidnet-s", ""),
    ("mmseg", "BiSeNet", "bisenetv1 bisenetv2", ""),
]


@pytest.mark.parametrize(("toolbox", "name", "begin", "never"), CASES)
def test_a_name_means_its_family_and_no_other(toolbox: str, name: str, begin: str, never: str) -> None:
    found = [stem(entry) + "_" for entry in named(name, metafile_entries(toolbox))]
    assert found
    for start in begin.split():
        assert any(one.startswith(start) for one in found), start
    if begin:
        assert all(one.startswith(tuple(begin.split())) for one in found), found
    assert not any(one.startswith(start) for start in never.split() for one in found)


@pytest.mark.parametrize(
    ("toolbox", "name", "near"),
    [
        ("mmdet", "YOLOv5", "YOLOv3, YOLOX"),
        ("mmdet", "YOLOv8n", "YOLOv3"),
        ("mmdet", "RT-DETR", "RTMDet, DETR"),
        ("mmdet", "NanoDet", "RetinaNet"),
        ("mmpretrain", "an RTM model", ""),
        ("mmpretrain", "ResNet5", "ResNet"),
        ("mmpretrain", "GhostNetV5", "GhostNet"),
        ("mmpretrain", "MobileNetV5", "MobileNet V2"),
        ("mmpretrain", "EfficientNet-Lite9", "EfficientNet-Lite"),
        ("mmpretrain", "a LiteGhost", ""),
        ("mmseg", "the network", ""),
    ],
)
def test_a_near_miss_is_an_error_with_the_nearest_names(toolbox: str, name: str, near: str) -> None:
    with pytest.raises(ZooError) as caught:
        named(name, metafile_entries(toolbox))
    assert str(caught.value) == f"There is no model {name!r} in the zoo."
    assert near in caught.value.__notes__[0]
