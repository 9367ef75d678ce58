"""The vocabulary of the invented requests: things, states, places, people, names.

Everything here was written for this project. The file knows nothing about sentences (see phrases.py) or about the
configuration; it only draws words. Half of all names are made up from syllables, so that a model which copies from
the text beats one that remembers names.
"""

# ruff: noqa: E501 - a theme is one line, however long

import random
import re
from typing import Final


def _split(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in re.split(r"[|\n]", text) if part.strip())


# One theme per line: scenario words | ... then the things of the theme behind a colon.
_THEMES: Final = """
orchard monitoring: apple|pear|plum|apricot|quince|cherry|fig|olive|ladder|crate|picker|branch|blossom|fruit fly|wasp nest
vineyard inspection: grape bunch|vine leaf|trunk|trellis wire|mildew spot|starling|shoot|tendril|leafhopper
kitchen inventory: saucepan|whisk|ladle|colander|grater|frying pan|measuring cup|rolling pin|chopping board|kettle|toaster|oven mitt
bakery line: croissant|pretzel|bagel|brioche|rye loaf|sourdough|muffin|scone|cinnamon roll|doughnut|burnt crust|flour bag
harbour watch: tugboat|ferry|container ship|sailboat|kayak|buoy|fishing vessel|jet ski|pier|crane|dinghy|oil slick
railway upkeep: sleeper|rail joint|ballast|loose bolt|fastener|switch blade|signal lamp|catenary wire|locomotive|freight wagon
road survey: pothole|alligator crack|patch|manhole cover|lane marking|kerb|guard rail|traffic cone|speed sign|zebra crossing
traffic counting: car|truck|bus|motorcycle|bicycle|pedestrian|van|scooter|taxi|tram|ambulance|trailer|pickup
parking garage: number plate|free bay|occupied bay|barrier|ticket machine|pillar|wheel stop|charging cable
warehouse logistics: pallet|forklift|parcel|cardboard box|drum|hand truck|shelf|barcode label|shrink wrap|conveyor|tote
electronics assembly: capacitor|resistor|solder bridge|missing pin|integrated circuit|diode|inductor|connector|cold joint|scratch
steel mill: crazing|inclusion|pitted surface|rolled-in scale|slag|weld seam|blister|roll mark|dent|edge burr
textile mill: broken thread|hole|oil stain|knot|dropped stitch|slub|missing weft|crease|fold|lint
wood workshop: dead knot|resin pocket|blue stain|wane|split|sapwood|heartwood|bark|sawdust|worm hole
recycling plant: glass bottle|aluminium can|plastic bag|milk carton|newspaper|battery|styrofoam|tin|cork|egg box|food scrap
hospital radiology: nodule|effusion|fracture|pneumonia|cardiomegaly|catheter|rib|clavicle|lung|mass|atelectasis
pathology slides: tumour cell|lymphocyte|stroma|gland|necrosis|mitotic figure|epithelium|blood vessel|adipose tissue|macrophage
blood analysis: neutrophil|eosinophil|basophil|monocyte|red cell|blast|reticulocyte|parasite|erythrocyte|thrombocyte
eye clinic: optic disc|macula|fovea|exudate|haemorrhage|drusen|microaneurysm|vessel|lesion|cataract
dental practice: caries|crown|implant|filling|molar|incisor|root canal|wisdom tooth|plaque|gum line|bracket
skin screening: mole|melanoma|wart|freckle|keratosis|rash|scar|birthmark|eczema|ulcer|wound bed
microscopy lab: mitochondrion|nucleolus|cytoplasm|membrane|vacuole|spindle|bacterium|yeast cell|spore|diatom|filament|colony
plankton survey: copepod|krill|medusa|larva|ciliate|dinoflagellate|rotifer|salp|amphipod|fish egg
coral reef: staghorn|brain coral|sponge|sea urchin|clownfish|grouper|turtle|sand|rubble|anemone|moray|lionfish|starfish
fish farm: salmon|tilapia|carp|sea bass|pellet|net tear|sea louse|catfish|eel|shrimp|feeder
bird census: heron|kestrel|puffin|sparrow|robin|magpie|goose|pelican|swift|woodpecker|owl|crow|cormorant|finch
insect traps: aphid|thrips|whitefly|moth|beetle|honeybee|hornet|ladybird|mosquito|weevil|earwig|lacewing|cockroach
wildlife cameras: fox|badger|lynx|wild boar|roe deer|hare|hedgehog|wolf|marten|otter|brown bear|raccoon|squirrel|moose
savanna survey: zebra|giraffe|lion|hyena|rhino|buffalo|antelope|warthog|cheetah|gazelle|baboon|ostrich|leopard
livestock barn: cow|calf|pig|piglet|sheep|goat|hen|rooster|goose|horse|donkey|llama|trough|hay bale
pet shelter: dog|cat|rabbit|parrot|hamster|ferret|guinea pig|tortoise|puppy|kitten|canary|gerbil|cage|leash
greenhouse: tomato|cucumber|bell pepper|lettuce|seedling|strawberry|basil|aubergine|chilli|courgette|radish|stake
crop fields: wheat|barley|maize|sugar beet|rapeseed|soybean|thistle|dandelion|nettle|bare soil|weed|tractor|potato plant|furrow
forest survey: spruce|beech|birch|oak|larch|dead tree|clearing|stump|log pile|undergrowth|ivy|fallen trunk|fern
garden planner: rose|tulip|daisy|peony|iris|sunflower|lavender|orchid|hydrangea|lily|dahlia|poppy|hedge|gravel path|lawn
satellite mapping: building|road|water|field|runway|solar farm|bridge|roundabout|storage tank|stadium|swimming pool|residential block|wetland
flood response: flooded street|debris|stranded person|rooftop|sandbag|boat|collapsed wall|mud|levee|damaged bridge
wildfire watch: smoke|flame|ember|ash|fog|cloud|burnt ground|firefighter|hose|fire truck|fire break
power lines: insulator|damper|bird nest|corona ring|tower|kite|broken strand|spacer|rust|vegetation|transformer
solar plant: hot spot|cracked cell|soiling|snail trail|bird dropping|junction box|shading|delamination|panel frame
wind farm: leading edge erosion|lightning mark|blade tip|nacelle|oil leak|vortex generator|crack|paint chip
construction site: helmet|safety vest|excavator|scaffold|rebar|concrete mixer|bricklayer|bulldozer|harness|gloves|worker|goggles
bridge inspection: spalling|efflorescence|exposed rebar|corrosion|bearing|expansion joint|rivet|honeycombing|drain|railing
airport apron: airliner|baggage cart|fuel truck|jet bridge|tow tractor|chock|stairs|helicopter|cargo loader|runway light
supermarket shelf: cereal box|shampoo bottle|soda can|price tag|empty slot|yoghurt cup|coffee jar|chocolate bar|juice carton|jam jar
fashion catalogue: dress|skirt|trousers|blouse|hoodie|sneaker|sandal|handbag|scarf|belt|jacket|sock|necktie|sunhat
furniture shop: armchair|sofa|bookcase|wardrobe|coffee table|stool|lamp|rug|nightstand|mirror|bench|desk|bunk bed
toy store: teddy bear|puzzle|doll|kite|yo-yo|building block|marble|toy train|spinning top|puppet|skateboard
office desk: stapler|keyboard|monitor|mug|notebook|paper clip|scissors|headset|calculator|mouse pad|webcam|printer
tool crib: wrench|screwdriver|hammer|pliers|drill bit|tape measure|clamp|chisel|saw|spirit level|file|hex key
fastener sorting: bolt|nut|washer|screw|rivet|cotter pin|spring|bearing|gasket|dowel|stud|circlip|o-ring
car body shop: bumper|headlight|windscreen|door|fender|side mirror|hood|dent|hubcap|exhaust|grille|tail light
document scans: stamp|signature|table|heading|paragraph|figure|footnote|page number|handwriting|barcode|logo|invoice|receipt|letter
currency desk: coin|banknote|euro|dollar|dime|penny|quarter|token|hologram|serial number|watermark
table games: knight|bishop|rook|pawn|queen|king|dice|ace of spades|joker|domino|poker chip|checker
sports broadcast: ball|goalkeeper|referee|net|racket|hoop|puck|goal post|coach|hurdle|bat|shuttlecock|jersey|oar
gym coaching: barbell|dumbbell|kettlebell|mat|squat|lunge|push-up|plank|treadmill|exercise bike|jump rope
ski resort: skier|snowboarder|chair lift|slalom gate|avalanche fence|snow groomer|pole|sledge
beach safety: swimmer|surfer|lifeguard|shark|rip current|umbrella|jellyfish|towel|drowning person|paddle board
crowd safety: person|backpack|face|bottle|knife|abandoned bag|wheelchair|mask|stretcher|pushchair|fallen person
archive photos: portrait|landscape|still life|street scene|group picture|negative|postcard|map|blueprint|poster
ceramics studio: vase|bowl|teapot|tile|shard|glaze crack|mug|plate|figurine|jug|pinhole|kiln mark
astronomy: spiral galaxy|elliptical galaxy|star cluster|nebula|comet|satellite trail|crater|sunspot|asteroid|planet
geology cores: granite|basalt|limestone|sandstone|shale|quartz vein|fossil|gneiss|slate|marble|clay|pyrite
weather station: cumulus|cirrus|stratus|lightning|rainbow|hail|snow|dust storm|tornado|haze|frost
drone delivery: landing pad|rooftop|power line|tree|package|drone|chimney|antenna|balcony|clothes line
food delivery: pizza|burger|sushi|salad|noodles|soup|taco|dumpling|curry|sandwich|pancake|fried rice|omelette
pharmacy: tablet|capsule|blister pack|syringe|vial|ampoule|inhaler|ointment tube|cotton swab|prescription label
robotic picking: gear|shaft|bracket|flange|valve|hose|casing|pulley|cylinder|nozzle|piston|cable|tray|gripper
indoor robot: wall|floor|ceiling|door|window|stairs|chair|table|plant|cable|carpet|person|curtain|socket
river monitoring: water|driftwood|foam|ice floe|reed bed|gravel bank|beaver dam|plastic bottle|weir|duck|algae
"""
THEMES: Final[tuple[tuple[str, tuple[str, ...]], ...]] = tuple(
    (line.split(":")[0].strip(), _split(line.split(":")[1])) for line in _THEMES.strip().splitlines()
)

STATES: Final = tuple(
    tuple(line.split("|"))
    for line in """
ripe|unripe|overripe|rotten
good|defective
pass|fail
ok|not ok
open|closed
empty|full|half full
on|off
clean|dirty
healthy|sick
healthy|rust|blight|mosaic virus
normal|abnormal
benign|malignant
positive|negative
day|night|dusk|dawn
dry|wet|icy|snowy
happy|sad|angry|surprised|neutral
zero|one|two|three|four|five|six|seven|eight|nine
red|green|yellow|blue
small|medium|large
new|used|broken
left|right|straight
indoor|outdoor
rock|paper|scissors
male|female
fresh|stale|mouldy
awake|drowsy|asleep
male pupa|female pupa
grade A|grade B|grade C
class 1|class 2|class 3|class 4
type I|type II|type III
low|moderate|high|severe
no damage|minor damage|major damage|destroyed
present|absent
standing|sitting|lying|walking|running
with mask|without mask
early|late
circle|square|triangle|star|hexagon
spring|summer|autumn|winter
raw|rare|medium|well done
letter a|letter b|letter c
stage 0|stage 1|stage 2|stage 3
loaded|unloaded
genuine|counterfeit
blurred|sharp
portrait|landscape
alive|dead
dull|glossy|matte
thumbs up|thumbs down|fist|open palm
""".strip().splitlines()
)

SUBJECTS: Final = _split("""
person|people|mouse|mice|rat|rats|horse|horses|dog|dogs|cat|cats|cow|cows|fly|flies|fruit fly|hand|hands|face|faces|runner|runners
swimmer|swimmers|athlete|athletes|worker|workers|child|children|infant|infants|baby|babies|pianist|violinist|driver|drivers|cyclist|cyclists
golfer|golfers|gymnast|gymnasts|skater|skaters|boxer|boxers|climber|climbers|sheep|pig|pigs|goat|monkey|monkeys|macaque|macaques|lizard
lizards|bird|birds|pigeon|pigeons|crab|crabs|ant|ants|bee|bees|locust|locusts|spider|spiders|robot arm|robot arms|excavator|excavators
wrist|foot|feet|pedestrian|pedestrians|nurse|nurses|surgeon|surgeons|basketball player|basketball players|weight lifter|weight lifters
yoga student|yoga students|rower|rowers|giraffe|giraffes|tiger|tigers|wolf|wolves|frog|frogs|camel|camels|human body|hind leg|foal|foals
squat athletes|old people|beetle|beetles|worm|worms|cricket bowler|pitcher|pitchers|archers|judo fighters|soldiers|farm hands|parrot|parrots
""")
PARTS: Final = _split("""
nose|left ear|right ear|tail base|tail tip|shoulders|elbows|wrists|hips|knees|ankles|eyes|beak|wing tips|hooves|withers|fingertips|thumb
knuckles|jaw line|eyebrows|mouth corners|spine|neck|chin|paws|antennae|claws|head|thorax|abdomen|heel|toes|palm|snout|left eye|right eye
""")

ADJECTIVES: Final = _split("""
red|green|blue|yellow|white|black|grey|brown|orange|purple|small|large|tiny|broken|damaged|old|new|wooden|metal|plastic|rusty|wet|dry|wild
young|adult|juvenile|mature|ripe|dead|live|striped|spotted|round|square|long|short|thick|thin|loose|missing|cracked|bent|dirty|clean|empty
full|open|closed|electric|manual|left|right|front|rear|upper|lower|inner|outer|common|giant|dwarf|northern|southern|great|lesser|golden
silver|copper|frozen|burnt|raw|cooked|heavy|light|folded|torn|painted|parked|moving|standing|folding|portable|industrial|medical|glass
""")

PLACES: Final = _split(
    """
on the conveyor|in the barn|in drone footage|in aerial photos|in microscope images|on X-ray plates|in our fields|in the parking lot|at the
crossing|on the shop floor|in CCTV images|in blurry phone pictures|in the tank|on the shelf|in satellite tiles|at night|in thermal images
in grayscale scans|in the greenhouse|under water|on the assembly line|in street scenes|in infrared frames|in the forest|on the beach
on the factory floor|in ultrasound frames|from above|from a moving train|in low light|in the operating room|at the harbour|in the kitchen
on printed circuit boards|in dashcam video|in the river|near the gate|in webcam shots|in photos taken by visitors|in the yard|on white paper
in blood smear images|in microscope pictures|in endoscopy video|in colour photographs|in RGB images|in photos|in pictures|in images
in the stable|in the open arena|in fundus photographs|in CT slices|in MRI slices|in depth maps|on the runway|across the valley|in a cage
""".replace("\n", "|")
    .replace("|crossing|", "|")
    .replace("at the|", "at the crossing|")
)

MODIFIERS: Final = _split(
    """
hanging from the ceiling|lying on the ground|visible on the left|that are parked in the second row|which were left behind by visitors|seen from
the side|growing between the rows|placed in the tray|moving along the belt|stuck in the net|held in the hand|floating on the surface
waiting at the door|stacked against the wall|that block the exit|covered with snow|behind the fence|under the lamp|coming towards the camera
wearing a number|crossing the street|next to the machine|that we photographed last year|attached to the roof|resting in the shade
delivered by the supplier|collected in the field|passing the camera|sitting in the nest|leaving the building|swimming near the glass
""".replace("from\nthe side", "from the side")
)

PEOPLE: Final = _split("""
we|our team|my company|our lab|the customer|our farm|a small museum|the city|our clinic|the maintenance crew|my students|our startup
the research group|the port authority|a charity|our factory|the school|my neighbour|the vets|our quality department|the ranger station|I
""")

MODELS: Final = _split("""
ResNet-18|ResNet-34|ResNet50|ResNet-101|ResNeXt-50|MobileNetV3|MobileNetV3-Small|MobileNet v2|ShuffleNetV2|EfficientNet-B3|EfficientNetV2-S
ConvNeXt-Tiny|ConvNeXt|Swin-T|Swin Transformer|ViT-B/16|ViT|DeiT-S|DeiT-tiny|RegNetY|VGG16|VGG-19|DenseNet-121|Inception v3|GhostNet|HRNet-W32
YOLOX-s|YOLOX|YOLOv3|YOLOv5|YOLOv8n|YOLOv8|YOLOv7|YOLO|PP-YOLOE|RTMDet|RTMDet-tiny|RTMDet-s|RTMDet-Ins|Faster R-CNN|Mask R-CNN
Cascade R-CNN|RetinaNet|FCOS|SSD|SSD300|SSDLite|DETR|Deformable DETR|DINO|CenterNet|ATSS|Sparse R-CNN|SOLOv2|SOLO|CondInst|YOLACT|QueryInst
U-Net|UNet|UNet++|DeepLabV3|DeepLabV3+|PSPNet|FCN|SegFormer|SegFormer-B0|SegFormer B2|BiSeNetV2|PIDNet-S|PIDNet|Fast-SCNN|STDC|OCRNet
Mask2Former|UPerNet|SegNeXt|DDRNet|RTMPose|RTMPose-t|RTMPose-m|HRNet|SimpleBaseline|ViTPose|ViTPose-B|LiteHRNet|Hourglass|RTMO|CPM|DEKR
MLP-Mixer|PoolFormer|EdgeNeXt|MobileOne|MobileViT|RepVGG|CSPNet|Res2Net|SqueezeNet|AlexNet|LeNet|LeNet-5|Wide ResNet|Xception|NASNet
""")

DATASETS: Final = _split("""
COCO|ImageNet|Pascal VOC|VOC 2012|Cityscapes|ADE20K|LVIS|Objects365|Open Images|CIFAR-10|CIFAR-100|MNIST|Fashion-MNIST|KITTI|BDD100K
MPII|AP-10K|Animal Pose|CrowdPose|WFLW|300W|DOTA|VisDrone|xView|LoveDA|iSAID|CUB-200|Stanford Cars|Oxford Flowers|Food-101|DTD|SUN397
Places365|iNaturalist|PlantVillage|GTSRB|SVHN|CelebA|WIDER FACE|CrowdHuman|Mapillary Vistas|DRIVE|STARE|ISIC 2018|HAM10000|BCCD|LIVECell
""")

_ONSET = [
    "b",
    "c",
    "d",
    "f",
    "g",
    "h",
    "j",
    "k",
    "l",
    "m",
    "n",
    "p",
    "r",
    "s",
    "t",
    "v",
    "w",
    "z",
    "br",
    "cl",
    "cr",
    "dr",
    "fl",
    "gr",
    "kl",
    "pl",
    "pr",
    "sk",
    "sl",
    "sp",
    "st",
    "tr",
    "th",
    "sh",
    "ch",
    "qu",
]
_NUCLEUS = ["a", "e", "i", "o", "u", "ai", "ea", "ee", "oo", "ou", "ie", "a", "e", "i", "o", "u"]
_CODA = ["", "", "", "n", "r", "l", "s", "t", "m", "nd", "st", "ck", "x", "rn", "th", "ng", "p", "d"]
_ENDING = [
    "",
    "",
    "",
    "er",
    "ing",
    "ed",
    "le",
    "y",
    "on",
    "us",
    "ia",
    "ite",
    "ium",
    "fish",
    "berry",
    "wort",
    "et",
    "al",
    "ic",
]
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def pseudo(rng: random.Random) -> str:
    """A pronounceable word that exists nowhere."""
    syllables = "".join(
        rng.choice(_ONSET) + rng.choice(_NUCLEUS) + rng.choice(_CODA) for _ in range(rng.choice((1, 1, 2, 2, 3)))
    )
    return syllables + rng.choice(_ENDING)


def plural(noun: str) -> str:
    """The English plural of the last word, by the ordinary rules."""
    if noun.endswith(("s", "x", "ch", "sh")):
        return noun if noun.endswith("s") else noun + "es"
    if noun.endswith("y") and noun[-2:-1] not in "aeiou":
        return noun[:-1] + "ies"
    return noun + "s"


def code(rng: random.Random) -> str:
    """An abbreviation or an identifier: RBC, K7, tail_base, M-12."""
    pick = rng.random()
    if pick < 0.4:
        return "".join(rng.choice(_LETTERS) for _ in range(rng.choice((2, 3, 3, 4))))
    if pick < 0.6:
        return rng.choice(_LETTERS) + rng.choice(("", "-")) + str(rng.randint(1, 40))
    if pick < 0.8:
        return pseudo(rng) + "_" + pseudo(rng)
    return pseudo(rng) + "-" + pseudo(rng)


def thing(rng: random.Random, theme: tuple[str, ...]) -> str:
    """The name of one class, one to four words."""
    pick = rng.random()
    if pick < 0.42:
        name = rng.choice(theme)
    elif pick < 0.56:
        name = rng.choice(rng.choice(THEMES)[1])
    elif pick < 0.70:
        name = rng.choice(ADJECTIVES) + " " + rng.choice(rng.choice(THEMES)[1])
    elif pick < 0.80:
        name = pseudo(rng)
    elif pick < 0.88:
        name = pseudo(rng) + " " + rng.choice(theme)
    elif pick < 0.91:
        name = rng.choice(theme) + " with " + rng.choice(rng.choice(THEMES)[1])
    elif pick < 0.95:
        name = code(rng)
    elif pick < 0.97:
        name = code(rng) + " " + rng.choice(theme)
    else:
        name = rng.choice(ADJECTIVES) + " " + pseudo(rng) + " " + rng.choice(theme)
    return name


def model_name(rng: random.Random) -> str:
    """A known network, or one that looks like a network and is none."""
    pick = rng.random()
    if pick < 0.55:
        return rng.choice(MODELS)
    stem = pseudo(rng).capitalize() if rng.random() < 0.6 else "".join(rng.choice(_LETTERS) for _ in range(3))
    tail = rng.choice(("Net", "Former", "Det", "Seg", "Pose", "Nets", "YOLO", "CNN", "", "Mixer", "ViT"))
    size = rng.choice(
        ("", "", "-S", "-tiny", "-B0", "v2", " v3", "-50", "-" + str(rng.randint(1, 152)), " Small", "X", "+", "-L")
    )
    if pick < 0.62:
        return f"{rng.choice(('Faster', 'Mask', 'Cascade', 'Sparse', stem))} {rng.choice(('R-CNN', 'RCNN', 'Transformer', 'DETR'))}"
    return stem + (tail or "Net") + size


def dataset_name(rng: random.Random) -> str:
    """A known data set, or a made-up one."""
    if rng.random() < 0.45:
        return rng.choice(DATASETS)
    stem = pseudo(rng).capitalize()
    return rng.choice(
        (
            f"{stem}-{rng.randint(2, 999)}",
            f"{stem}{rng.choice(('Net', 'Sat', 'Bench', 'Set', 'DB'))}",
            f"{stem} {pseudo(rng).capitalize()}",
            f"{code(rng).upper()} {rng.randint(2008, 2025)}",
            "".join(rng.choice(_LETTERS) for _ in range(4)),
            f"{stem}{rng.randint(10, 400)}K",
        )
    )


# Common words of any text. Written around and into requests, so that an unknown word is no sign of a class.
VERBS: Final = _split("""
arrives|begins|brings|builds|buys|calls|carries|causes|changes|checks|cleans|closes|comes|compares|costs|covers|delays|depends|drives|eats
enters|explains|fails|falls|fills|fits|flies|follows|gathers|gives|goes|grows|guides|handles|happens|helps|holds|hopes|hurts|improves|keeps
knows|leaves|lets|lies|likes|lives|loads|loses|makes|means|meets|misses|moves|notes|opens|orders|pays|plans|prints|proves|pulls|pushes|puts
reads|rents|repairs|replaces|returns|saves|sells|sends|serves|shares|shows|shuts|slips|slows|stands|stays|stops|suffers|teaches|tests|turns
uses|visits|waits|walks|warns|washes|watches|wins|works|worries|wonders|breaks|burns|drops|rises|runs|settles|spreads|stores|travels|wears
""")
ABSTRACT: Final = _split("""
afternoon|agreement|answer|archive|autumn|batch|budget|business|catalogue|chain|colleague|committee|company|contract|customer|danger|deadline
delivery|department|director|district|evening|event|expert|failure|family|festival|grandmother|guest|guide|hobby|holiday|hour|idea|inspector
insurance|island|journey|judge|law|leader|lesson|list|loss|manager|meeting|member|minute|mistake|money|morning|neighbour|office|operator|owner
partner|passenger|patience|pension|plan|problem|profit|project|quality|question|record|region|report|rule|safety|season|service|shift|show
staff|station|story|student|summer|supplier|team|teacher|tour|tourist|trade|training|trip|village|visitor|volunteer|waste|week|winter|year
""")
ADVERBS: Final = _split("""
again|almost|already|always|badly|barely|briefly|carefully|clearly|closely|daily|early|easily|even|exactly|fairly|finally|gladly|hardly|indoors
late|mostly|nearby|never|nightly|often|only|outside|quickly|quietly|rarely|really|seldom|simply|sometimes|soon|still|surely|today|together
""")


def common(rng: random.Random) -> str:
    """A word of any text: never a class of the request it stands in."""
    pick = rng.random()
    if pick < 0.3:
        return pseudo(rng)
    if pick < 0.5:
        return rng.choice(rng.choice(THEMES)[1]).split()[-1]
    table = VERBS if pick < 0.7 else ABSTRACT if pick < 0.85 else ADVERBS if pick < 0.93 else ADJECTIVES
    return rng.choice(table)
