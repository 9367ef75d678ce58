"""Sentence patterns of the invented requests.

`[a|b]` is a choice, `{X}` a slot that compose.py fills: O objects, S scenario, P place, W who, K body parts, N a number
of classes, M model, D data set, V a value, T thing not asked for. The file knows nothing about what fills the slots.
"""

# ruff: noqa: E501 - a pattern is one line, however long

from typing import Final


def _lines(text: str) -> tuple[str, ...]:
    return tuple(line for line in text.strip().splitlines() if line)


_WANT = "[we need|I need|we want|I want|please build|build|make|train|give me|create|set up|develop|prepare|provide|we would like|I'd like|we are looking for|could you make|can you train|help me build|produce|design|deliver]"
_NET = "[a model|a network|a neural network|something|a small model|a system|software|an AI model|a vision model|a tool|a program|a solution|a lightweight net]"
_THAT = "[that|which|able to|to|that can|that should|that must|which will|capable of]"
_IMG = "[image|picture|photo|frame|photograph|shot|snapshot|scan|view]"
_IMGS = "[images|pictures|photos|frames|photographs|shots|scans|video frames|camera images]"
_EVERY = "[every|each|all|any|every single|]"

ASKS: Final[dict[str, tuple[str, ...]]] = {
    "classification": _lines(f"""
[classify|categorise|categorize|sort|grade|label] {_IMGS} [of {{S}} |]{{P}} [as|into|by class:] {{O}}
[classify|Classify] {{S}}[:| into| as] {{O}}
{_WANT} [an image classifier|a classifier|image classification|a classification model|an image classification network] [for|of] {{S}}[:| with the classes| with {{N}} classes:| (classes| that knows|, classes are] {{O}}
{_WANT} [a classifier|{_NET} that classifies|an image classifier] {{P}} for {{O}}
{_WANT} {_NET} [that tells|to tell|that decides|to decide|which says|that recognises] [whether|if] [it is|the {_IMG} shows|we see|there is|a {_IMG} shows|the thing is] {{O}}
{_WANT} {_NET} [to distinguish|that distinguishes|to discriminate|that tells apart|to tell apart|to differentiate between|to separate by category] {{O}} {{P}}
[decide|determine|predict|recognise|recognize|tell me|say] [for {_EVERY} {_IMG} |][whether it shows|which one it is:|which of these is shown:|if it belongs to|the class, one of] {{O}}
[tell|can you tell|the model should tell] {{O}} apart {{P}}
[{_EVERY} {_IMG}|each item|every sample|each specimen] [gets|must get|should receive|is assigned|has to be given] [exactly one|one|a single] [label|class|category|tag][:| out of| from| among|, namely] {{O}}
{{W}} [take|takes] {_IMGS} {{P}} and [want|wants|need|needs|would like] to know [which|what] [it is|class it is|kind is shown|sort we see][:| -|,] {{O}}
[which|what] [kind|type|sort|class|category] [of {{S}} |]is [it|this|shown|in the {_IMG}]? {{O}}
[{{S}}|image classification|whole-image classification|classification|classifier]: {{O}}
[possible answers|the categories|the labels|classes|the {{N}} classes|output classes|categories] [are|shall be|will be] {{O}}[, one per {_IMG}|, image classification|; it is a classification problem|; one label each]
[one|a single] [object|item|specimen|part] [lies|appears|is shown|passes] {{P}} [at a time |]and [must be|has to be|should be|is to be] [called|named|identified as|recognised as|sorted into|declared|judged|rated|graded] {{O}}
{_WANT} {_NET} [for recognising|for identifying|for the recognition of|to identify|that identifies] [the category of {_IMGS}:|which class a {_IMG} belongs to:|the type of {{S}},] {{O}}
[rate|judge|grade|assess] [the state|the condition|the quality|the kind|the level] [of {{S}} |from a {_IMG} |from {_IMGS} |]as {{O}}
[is it|is this] {{O}}? {{W}} [want|wants] the answer [from|for] [a|each|one] {_IMG}
handwritten [digits|letters|characters|symbols][:| -|, the classes being] {{O}}; classify them
[recognise|recognize|identify] [{{S}}|the digit|the letter|the gesture|the material] [in|from|on] [a|each|every] {_IMG}: {{O}}
"""),
    "multilabel-classification": _lines(f"""
[tag|label|annotate|mark] {_EVERY} {_IMG} with [all that apply|every tag that fits|any of|whatever applies|all applicable labels|one or more of][:| from| among| out of] {{O}}
{_WANT} [a multi-label classifier|multi-label classification|a multilabel model|multi label image classification|a multi-label tagger|multilabel tagging] [for|of] {{S}}[:| with| for the labels|, tags:] {{O}}
{_WANT} {_NET} [that lists|to list|that reports|saying] [which of|all of|every one of] {{O}} [are present|appear|occur|can be seen|apply][, several may be true at once|; more than one is possible|, any combination|]
[several|more than one|any number|two or more|none, one or many] [labels|tags|classes|of them|things] [can|may|might] [apply|be true|be present|appear|hold] [at once|at the same time|per {_IMG}|in one {_IMG}|together][:| -|, from the list] {{O}}
{_WANT} {_NET} that [ticks|checks] [every|all] [attributes|boxes|properties|tags|labels] [that hold|that apply|present] [for|in] a {_IMG}: {{O}}
[for|in] {_EVERY} {_IMG} [say|report|tell me|decide|predict] independently [whether|if] {{O}} [is|are] [present|visible|there|shown][, without locations|; no boxes needed|, yes or no for each|]
[multi-label|multilabel|multi-label classification|multi-label tagging]: {{O}}
a {_IMG} {{P}} [can|may] [show|contain|have] [several|any mix|any combination|one or more] of {{O}} [and we want all of them named|; list them all|, output all the tags]
[the attributes|the tags|labels] {{O}} are not exclusive[: predict all that apply|, a {_IMG} can have several|; assign as many as fit]
{_WANT} [automatic tags|tags|keywords] for {_IMGS} {{P}}: [each|every one] may [carry|get|have] several of {{O}}
"""),
    "detection": _lines(f"""
[detect|find|locate|spot|localise|localize|pick out] [all |every |the |each |any |][|][|]{{O}} {{P}}
[detect|find|locate|spot|count] {{O}}
{_WANT} [an object detector|a detector|object detection|a detection model|detection|{_NET} for object detection] [for|of] {{O}} {{P}}
{_WANT} {_NET} [that detects|to detect|that finds|to find|that locates|to locate|to spot|which spots|that can find|for detecting|for finding|for spotting|for locating] [all |every |the |each |][|]{{O}} {{P}}
[draw|put|place|output|give me|return] [a box|boxes|bounding boxes|rectangles|a rectangle|a bounding box] [around|for|on|round] [all |every |each |the |][|]{{O}} {{P}}
[where|in which place] [are|is] [the |][|]{{O}}? [I need|We need|Return] [boxes|bounding boxes|coordinates|the rectangle of each] {{P}}
{{W}} [want|wants|need|needs|have|has] to [know where|see where|find where] [the |][|]{{O}} [are|is|sit|sits|appear|stand] {{P}}
{{W}} [want|wants|need|needs|would like] to [detect|find|locate|spot|count|catch|track down|discover] {{O}} {{P}}
[object detection|detection|detector|bounding boxes|bbox detection] [for {{S}}|{{P}}|][:| -|,] {{O}}
{{P}} [there are|we have|one sees|you see] {{O}}[: detect them| and each needs a bounding box|; find them all| which should be boxed|. Locate them|, please detect them]
[the positions|the location|bounding boxes|the box coordinates|the position and size] of {{O}} {{P}} [are needed|are wanted|should be reported|must be returned|please]
[the detector|the camera|the system|our robot|a drone|the app] [must|should|has to|shall|needs to] [find|detect|notice|spot|locate|recognise and locate|box] [every |any |all |][|]{{O}} {{P}}
[the {{N}} classes|classes to detect|objects to find|targets|object classes] [are|will be][ |: ]{{O}}[; object detection|, with boxes|. Detection task|, detect them all {{P}}]
[look for|watch for|search for|keep an eye on|alert me to] {{O}} {{P}}[ and mark them with boxes| and draw boxes|, object detection|, give their bounding boxes]
[count|counting] [the |][|]{{O}} {{P}}[ with boxes| by detecting each of them|, a detector would do|]
"""),
    "segmentation": _lines(f"""
[segment|Segment] {{O}} {{P}}
{_WANT} [semantic segmentation|a segmentation model|a semantic segmentation network|segmentation|pixel-wise segmentation|a segmenter] [of|for] {{O}} {{P}}
{_WANT} {_NET} [that segments|to segment|for segmenting|that labels every pixel as|that assigns each pixel to|to separate pixel by pixel] {{O}} {{P}}
[label|colour|color|classify|assign|mark] [every|each|all] [pixel|pixels|single pixel] [of the {_IMG} |{{P}} |][as|as belonging to|to one of|with] {{O}}
[every|each] pixel [should|must|has to|is to] [be labelled|be marked|become|be assigned to|be classed as] {{O}}
[a|the|one] [mask|pixel map|pixel mask|segmentation map|label map] [of|for|showing|with] {{O}} {{P}} [is what we need|is needed|please|is wanted|would help]
{_WANT} [a pixel-accurate map|pixel masks|a mask|masks|a label map|a pixel-level map] [of|for|separating|covering] {{O}} {{P}}
[separate|divide|split|partition] {_IMGS} [of {{S}} |]into {{O}}[, pixel by pixel| at pixel level| per pixel|, semantic segmentation|: a full segmentation]
[which pixels|what part of the {_IMG}|which regions|which areas] [belong to|are|show|are covered by] {{O}}? [Semantic segmentation please|We need the mask|Segment them|]
{{W}} [want|wants|need|needs] to [measure the area of|know the area covered by|outline the regions of|map out|segment|delineate] {{O}} {{P}}
[semantic segmentation|segmentation|pixelwise labelling|per-pixel classes] [for {{S}}|{{P}}|][:| -|,] {{O}}
[the {{N}} classes|pixel classes|segmentation classes|the regions] [are|will be][ |: ]{{O}}[; segment them|, per pixel|. Semantic segmentation {{P}}]
[paint|shade|highlight|extract] [the area of|the region of|the regions|exactly where we have] {{O}} {{P}}[ pixel by pixel|, as a mask| as a segmentation mask|]
[how much of the {_IMG} is|what share of the surface is] {{O}}? [Segment it|A pixel mask is needed|Per-pixel labels please]
"""),
    "instance-segmentation": _lines(f"""
{_WANT} [instance segmentation|an instance segmentation model|an instance segmentation network|instance masks] [of|for] {{O}} {{P}}
[separate|draw|give|output|return|produce] [a mask|an own mask|a separate mask|an individual mask|the exact outline|a contour|one mask] [for|of|per] [every|each|every individual|each single] {{O}} {{P}}
[outline|delineate|cut out|trace|segment] [each|every|each single|every individual] [|]{{O}} [individually|separately|one by one|on its own|as its own instance|, even if they touch|, also when they overlap] {{P}}
{_WANT} {_NET} [that separates|to separate|that masks|that outlines|for masking] [individual|the single|each of the touching|overlapping] {{O}} {{P}}[, one mask per object|, each with its own mask|: an instance mask each|]
[instance segmentation|instance masks|instance-level masks|per-object masks] [for {{S}}|{{P}}|][:| -|,] {{O}}
{{W}} [want|wants|need|needs] [the shape|the silhouette|the contour|the exact outline|a mask] of [each|every|each individual|every single] {{O}} {{P}}[, counted separately|, not just boxes|, touching ones kept apart|]
[touching|overlapping|neighbouring|adjacent] {{O}} {{P}} [must|should|have to|need to] [stay|be|remain] [separate|apart|distinct objects][: one mask each| with their own masks|, so instance segmentation|]
[detect and mask|box and mask|find and cut out|count and outline] {{O}} {{P}}[, one mask per instance|, each object separately|, instance by instance|]
[masks|polygons|outlines] [of|for] [the individual|all single|each of the] {{O}} {{P}}, [not one mask per class|one for each object|object by object]
"""),
    "keypoint": _lines(f"""
[find|detect|locate|predict|estimate|mark|track] [the |][|][keypoints|key points|landmarks|joints|body joints|anatomical landmarks|body keypoints|pose|body pose|posture|skeleton|body points] [of|on|for] [the |a |our |each |every |][|]{{O}} {{P}}[: {{K}}| ({{K}})|, namely {{K}}||]
{_WANT} [pose estimation|a pose estimator|a pose model|keypoint detection|a keypoint detector|landmark detection|a keypoint model|a landmark model|body pose estimation|skeleton tracking] [of|for|on] [the |][|]{{O}} {{P}}[: {{K}}| with {{K}}|, points: {{K}}||]
{_WANT} {_NET} [that finds|to find|that predicts|that marks|that locates|to track] [the |][|]{{K}} of [the |each |a |every |][|]{{O}} {{P}}
{_WANT} {_NET} [that estimates|to estimate|for|that follows] [the pose|the joints|the posture|the skeleton|the keypoints|the landmarks|the body pose] of [the |each |a |][|]{{O}} {{P}}
[where|at which pixel] are the {{K}} of [the |each |a |][|]{{O}}? [Keypoints please|We need the landmarks|Pose estimation]
{{W}} [film|films|record|records|photograph|photographs] {{O}} {{P}} and [want|wants|need|needs] [their|the] [joints|keypoints|landmarks|poses|posture|skeletons|body points][: {{K}}|, that is {{K}}||]
[pose estimation|keypoints|keypoint detection|landmarks|pose] [for|of|:] {{O}}[ {{P}}|: {{K}}| ({{K}})|]
[the model|it|the app|the system] [should|must|has to] [return|give|output|deliver] [the coordinates|x and y|the position|the pixel positions] of [the |][|]{{K}} [of|on|for] [each |every |a |][|]{{O}} {{P}}
[to study|for studying|in order to analyse|to assess] [gait|movement|behaviour|technique|posture], {{W}} [need|needs] [the joint positions|keypoints|landmark positions|the pose] of {{O}} {{P}}
[analyse|track|follow|capture] the [movement|gait|motion|pose|stride] of {{O}} {{P}} [by|through|with] [their joints|keypoints|landmarks|body keypoints|{{K}}]
"""),
}

OPENINGS: Final = _lines("""
{W} [run|runs|operate|operates|manage|manages] [a|the] {S} [project|service|business|site|lab|programme].
[For|In] [our|the|a|my] {S}[ project| work| system|] [|]
Context: {S}.
[Hello|Hi|Hi there|Dear team|Good morning|Hey|Greetings][,|!|.]
[I am working on|We are working on|This is about|The topic is|Our job is|It is for] {S}.
{W} [has|have] [{n} cameras|{n} sites|a few cameras|about {n} labelled pictures|{n} employees|a drone] [{P}|].
[The camera|Our camera] [records|delivers|has] [{n} megapixels|{n}x{n} pixels|colour pictures] {P}.
[Every|Each] [day|hour|week|{n} minutes|{n} seconds] [|about ][{n} pictures arrive|we get {n} photos|a picture is taken|one photo is uploaded].
[Since|As] {W} [lost|lose|wasted|waste] [much time|money|{n} hours a week] on this by hand, [|]
[We sell|My hobby is|I study|We offer|I do research on] {S}.
Project: {S}.
{S}.
[Last year|In 2023|Since 2019|For {n} years] {W} [collected|photographed|gathered] [{n} examples|lots of pictures|material] {P}.
""")

CLOSINGS: Final = _lines("""
[Thanks|Thank you|Many thanks|Thanks in advance|Cheers|Kind regards]!
[The budget is|We can spend] {n} [euros|dollars].
[It is|This is] [needed|due] [by|before] [May|June|October] {n}.
[We|I] have [|about |roughly |some ][{n} labelled images|{n} examples per class|{n} pictures].
[Ignore|Do not report|Leave out|Disregard|Skip] [any |all |][{T}|{T} and {T}].
[No need for|We do not need|There is no need to handle] {T}.
[It does not matter|We don't care] [how large it is|what hardware|how long training takes|about {T}].
[Nothing else matters|That is all|No other constraints|The rest is up to you].
[The pictures are|Resolution is|All images have] {n} [x|by] {n} [pixels|].
[The|A] [battery|device|camera|box] [weighs|costs|lasts] {n} [kg|euros|hours].
[It will|The model will|This will] [be used|run] [{n} days a week|in {n} shops|outdoors|in all weathers|day and night].
[Speed is not important|We have no speed requirement|There is no limit on parameters|Accuracy matters more than speed|Any engine will do].
[Later|Next year] we may add {T}[, not now|].
[Please|] [be quick|keep it simple|explain the result|tell me if it is impossible].
[Version|Revision|Ticket] {n}.
""")

# Speed, FLOPs, parameters, metric, device, engine, model, data set: inline forms first, whole sentences behind.
SPEED_INLINE: Final = _lines("""
[at least|at|min.|minimum|no less than|not below|running at|at minimum|with|>=|>|from|about|reaching|at a minimum of|with at least|faster than|at more than] {V}[ fps| FPS| frames per second|fps| frames/s| frames a second| f/s| Hz| images per second| images/s| img/s| pictures per second| pictures a second| photos per second| images a second| frames every second| fps or more| FPS minimum| fps or faster][ or more| or better| or faster||||]
[within|in under|in|under|below|less than|in less than|at most|max|no more than|taking at most|<|<=|in at most|not exceeding|up to] {V}[ ms| milliseconds|ms| msec| millisecond][ per image| per frame| a picture| per picture|/image|/frame| each| latency| per photo| of latency| for one image|||]
[within|in under|in|under|less than|in less than|at most|max|no more than|taking at most|in at most|no longer than] {V}[ seconds| s| sec| second|s][ per image| per frame| a picture| per photo|/image| each| for one picture| for each image||]
[at least|at|with|no less than] {V} [images|pictures|photos|frames|items] [per|a|each|every] [minute|min]
""")
SPEED_SENTENCE: Final = _lines("""
[It|The model|The network|It all|This|The result|The detector|The program] [must|should|has to|needs to|shall|ought to|will have to] [run at|reach|achieve|process|manage|handle|make|sustain|keep up] [at least |no less than |a minimum of |more than ||]{V} [fps|FPS|frames per second|images per second|pictures per second|frames a second|photos a second|images every second|frames/s|Hz]
[Speed|Frame rate|Throughput|Target speed|Minimum speed|Required speed|FPS|fps][: | = | - | of | should be | must be at least | >= | at least | not under ]{V}[ fps| frames per second| FPS|fps| images per second|/s]
[Latency|Inference time|Time per image|Runtime|Response time|Processing time|Inference][: | = | - | below | under | should be under | must stay below | of at most | may not exceed | <= | < | max ]{V}[ ms| milliseconds|ms| msec]
[Latency|Inference time|Time per image|Response time|The answer time][: | below | under | should be under | must stay below | of at most | may not exceed | <= ]{V}[ s| seconds| sec]
[One|Each|A single|Every|An] [image|picture|photo|frame|prediction|inference|decision] [may|must|should|can|shall] [take|need|last|cost] [no more than |at most |under |less than |up to |only ]{V} [ms|milliseconds]
[One|Each|A single|Every|An] [image|picture|photo|frame|prediction|inference|decision] [may|must|should|can|shall] [take|need|last|cost] [no more than |at most |under |less than |up to |only ]{V} [s|seconds|sec]
[I|We] [need|want|expect|require] [the answer|a result|an answer|the output|results] [within|in|in under|in less than|after at most] {V} [ms|milliseconds]
[I|We] [need|want|expect|require] [the answer|a result|an answer|the output|results] [within|in|in under|in less than|after at most] {V} [s|seconds]
[Roughly|At least|No less than|Up to|] {V} [pictures|images|photos|frames|items|samples] [must|have to|should] be [processed|handled|checked|analysed] [every second|per second|each second]
[Roughly|At least|No less than|Up to|] {V} [pictures|images|photos|frames|items|samples] [must|have to|should] be [processed|handled|checked|analysed] [every minute|per minute|each minute|a minute]
""")
FLOPS_INLINE: Final = _lines("""
[under|below|at most|less than|max|no more than|fewer than|within|up to|with under|<|<=|using at most|and] {V}[ GFLOPs| GFLOPS| GFlops| gflops| giga FLOPs| billion FLOPs| billion floating point operations|G FLOPs|GFLOPs| gigaflops| GFLOP]
[under|below|at most|less than|max|no more than|fewer than|within|up to|with under|<|<=|using at most|and] {V}[ MFLOPs| MFLOPS| mflops| million FLOPs| megaflops|MFLOPs|M FLOPs| million floating point operations]
""")
FLOPS_SENTENCE: Final = _lines("""
[Compute|Computation|Complexity|FLOPs|The compute budget|Cost|Workload][: | is | at most | limited to | must stay under | should not exceed | <= | under ]{V}[ GFLOPs| GFLOPS| giga FLOPs| gflops| billion operations| billion FLOPs|G]
[Compute|Computation|Complexity|FLOPs|The compute budget|Cost|Workload][: | is | at most | limited to | must stay under | should not exceed | <= | under ]{V}[ MFLOPs| MFLOPS| mflops| million FLOPs| million operations]
[It|The model|The network] [may|must|should|can] [not |]need [more than |at most |no more than |less than |only ]{V} [GFLOPs|billion FLOPs|GFLOPS] [per image|per forward pass|]
[We|I] [cannot afford|can't spend|allow no] more than {V} [GFLOPs|gigaflops|billion FLOPs]
""")
PARAMS_INLINE: Final = _lines("""
[under|below|at most|less than|max|no more than|fewer than|with under|with fewer than|with less than|<|<=|up to|and|having at most|with at most|smaller than] {V}[ million parameters| M parameters|M parameters| million params|M params| million weights| mio parameters| mln parameters| M params|M weights|M]
[under|below|at most|less than|max|no more than|fewer than|with under|with fewer than|with less than|<|<=|up to|and|having at most|with at most] {V}[K parameters|k parameters| thousand parameters| K params|k params|k weights| thousand weights]
[under|below|at most|less than|max|no more than|fewer than|with under|with fewer than|<=|up to] {V}[ parameters| params| weights| trainable parameters]
""")
PARAMS_SENTENCE: Final = _lines("""
[Parameters|Params|Model size|Size|Number of parameters|Parameter count|Parameter budget][: | - | = | at most | under | below | must stay below | should not exceed | < | <= | limited to ]{V}[ million| M|M| million parameters|M parameters| mio]
[Parameters|Params|Number of parameters|Parameter count|Parameter budget][: | - | at most | under | below | must stay below | should not exceed | < ]{V}[ thousand|K|k| thousand parameters|k parameters]
[It|The model|The network] [must|should|may|shall|is to|has to] [have|use|contain|count|get by with|fit in|hold] [at most |fewer than |less than |no more than |under |only |up to ]{V}[ million parameters| million weights|M parameters|M params| million params]
[Parameters|Number of parameters|Parameter count][: | under | <= ]{V}
[We|I] [cannot store|have room for|allow|accept] [more than |at most |no more than |only |]{V}[ million parameters|M parameters| million weights|M weights]
""")
METRIC_INLINE: Final = _lines("""
[with|at|reaching|and|having|achieving|giving|for] [a |an |][|]{A} [of|of at least|above|over|>=|>|not below|no less than|better than|of|around|higher than|of] {V}
[with|at|reaching|and|achieving|] [at least |no less than |more than |over |above ||]{V} {A}
""")
METRIC_SENTENCE: Final = _lines("""
[The |Required |Target |Minimum |Desired ||]{A}[: | = | - | of | should be | must be at least | at least | >= | should reach | must reach | must not fall below | has to exceed | above | over ]{V}
[It|The model|We|The network] [should|must|needs to|has to|want to|expect to|hope to] [reach|achieve|get|have|obtain|score|hit] [a |an |at least |]{A} of [at least |over |]{V}
[It|The model|We|The network] [should|must|needs to|has to|want to|hope to] [reach|achieve|get|have|obtain] [at least |over |about |]{V} {A}
[Anything|A result] [below|under|worse than] {V} {A} is [useless|not acceptable|no good]
[We|I] [insist on|ask for|aim for|need|require|would be happy with|demand|expect] [a |an |at least |][|]{A} of {V}
[We|I] [insist on|ask for|aim for|need|require|would be happy with|demand|expect] [at least |]{V} {A}
{A} {V}
""")
GPU_INLINE: Final[dict[str, tuple[str, ...]]] = {
    "gpu": _lines("""
on [a|an|our|the|my|one] [GPU|NVIDIA GPU|graphics card|RTX 4090|RTX 2080 Ti|RTX A2000|GeForce GTX 1660|Tesla T4|A100|H100|V100|L4|NVIDIA card|CUDA device|Jetson Nano|Jetson Orin|Jetson Xavier|Quadro card|gaming PC with a GPU|server with a GPU]
[on GPU|using the GPU|with GPU|GPU inference|with a graphics card|with CUDA|on CUDA]
"""),
    "cpu": _lines("""
on [a|an|our|the|my|this|one|any] [CPU|plain CPU|CPU only|ordinary CPU|Intel CPU|AMD processor|processor|Xeon|laptop CPU|CPU-only server|desktop CPU|Core i5|Core i7|Ryzen 5|single CPU core|PC without a GPU|laptop without graphics card|office computer without GPU|machine with no GPU]
[on CPU|using only the CPU|CPU only|with CPU inference|without a GPU|without any GPU|no GPU available|with no graphics card]
"""),
}
GPU_SENTENCE: Final[dict[str, tuple[str, ...]]] = {
    "gpu": _lines("""
[It|The model|Inference|Everything|The software] [runs|will run|must run|should run|works] on [a|an|our|the] [GPU|NVIDIA GPU|graphics card|RTX 4070|RTX 3090|GTX 1080|Tesla T4|A10|A100|Jetson Orin|Jetson TX2|CUDA GPU]
[The server|The machine|Our workstation|The PC] [has|is equipped with|contains|comes with|offers] [a|an] [GPU|NVIDIA GPU|graphics card|RTX 5000|GeForce card|Tesla card]
[Hardware|Device|Target|Platform|Deployment]: [GPU|NVIDIA GPU|RTX 4080|Jetson Nano|CUDA]
"""),
    "cpu": _lines("""
[It|The model|Inference|Everything|The software] [runs|will run|must run|should run|works] on [a|an|our|the|this] [CPU|plain CPU|Intel CPU|normal processor|CPU only|Xeon processor|laptop CPU]
[There is|We have|The PC has|The machine has] no [GPU|graphics card|GPU at all][, only a CPU|, just the processor|]
[Hardware|Device|Target|Platform|Deployment]: [CPU|CPU only|Intel CPU|processor]
[A|The] [GPU|graphics card] is not available[, so CPU|; use the CPU|]
"""),
}
ENGINE_NAMES: Final[dict[str, tuple[str, ...]]] = {
    "onnxruntime": ("ONNX Runtime", "onnxruntime", "ONNXRuntime", "ORT", "onnx runtime", "ONNX", "ONNX-Runtime"),
    "openvino": ("OpenVINO", "openvino", "Intel OpenVINO", "Open VINO", "OPENVINO"),
    "ncnn": ("ncnn", "NCNN", "Tencent ncnn"),
    "tensorrt": ("TensorRT", "tensorrt", "NVIDIA TensorRT", "TRT", "Tensor RT"),
    "torchscript": ("TorchScript", "torchscript", "Torch Script", "libtorch (TorchScript)", "TorchScript file"),
}
ENGINE_INLINE: Final = _lines("""
[with|using|through|via|for|on|in|under|as] {E}
[deployed|running|executed|exported|served|delivered|accelerated] [with|in|on|via|by|to|through|as] {E}
""")
ENGINE_SENTENCE: Final = _lines("""
[Deploy|Run|Ship|Export|Serve|Deliver|Execute|Deploy it|Run it|Convert it|Export it|We deploy|I will run it|We run everything] [with|in|on|via|through|using|to|as] {E}
[Engine|Backend|Inference engine|Runtime|Deployment|Format|Inference|Export|Inference backend][: | = | - | is | will be | shall be | should be ]{E}
[The|Our|Its] [backend|inference engine|runtime|engine|target runtime|target] [is|will be|must be|shall be] {E}
{E} [is our runtime|is the engine we use|will execute it|is required|is used for inference|please|only|backend]
[It|The model|The result|The export] [must|should|has to|needs to] [work with|run in|be usable in|load in|be delivered as|be exported to|be compatible with] {E}
""")
MODEL_INLINE: Final = _lines("""
[with|using|based on|by means of|via|as] [a |an |the |][|]{M}[ model| backbone| network| architecture||||]
""")
MODEL_SENTENCE: Final = _lines("""
[Use|Take|Please use|Start from|Train|I prefer|We prefer|Go for|Base it on|Fine-tune|Let's use|Stick to|Try|We insist on] [a |an |the |][|]{M}[ for this| as the network| please| as the architecture||||]
[Model|Network|Architecture|Backbone|Base model|Preferred model][: | = | - | is | should be | will be ]{M}
[The|Our] [model|network|architecture|backbone|detector] [should be|must be|is|shall be|has to be] [a |an |][|]{M}
{M} [is what we want|would be nice|is the model we know|is preferred|please|should be used|is our choice]
""")
DATA_INLINE: Final = _lines("""
[trained on|from|on|with data from|using] [the |][|]{D}[ dataset| data| data set| images||]
""")
DATA_SENTENCE: Final = _lines("""
[Train|Train it|Fine-tune|Learn|Train the model] [on|with|using|from] [the |][|]{D}[ dataset| data| data set||]
[Dataset|Data|Data set|Training data|Training set|Images][: | = | - | is | from | come from | should be ]{D}
[Use|Take|Please use|We use|Start with|I have] the {D} [dataset|data|data set|collection|images|benchmark]
[The|Our] [data|images|training pictures|labels] [come from|are taken from|are those of|are in] {D}
""")

METRICS: Final[dict[str, dict[str, tuple[str, ...]]]] = {
    "classification": {
        "accuracy": (
            "accuracy",
            "top-1 accuracy",
            "top 1 accuracy",
            "accuracy (top-1)",
            "classification accuracy",
            "acc",
            "hit rate",
        ),
        "top-5 accuracy": ("top-5 accuracy", "top 5 accuracy", "top5 accuracy"),
        "precision": ("precision",),
        "recall": ("recall", "sensitivity"),
        "f1-score": ("F1-score", "F1", "f1 score", "F1 score"),
    },
    "multilabel-classification": {
        "mAP": ("mAP", "mean average precision", "map"),
        "f1-score": ("F1", "F1-score", "f1 score", "F1 score"),
        "precision": ("precision",),
        "recall": ("recall",),
        "accuracy": ("accuracy",),
    },
    "detection": {
        "mAP": ("mAP", "map", "mean average precision", "mAP score", "box mAP"),
        "AP50": ("AP50", "mAP50", "mAP@0.5", "mAP@50", "AP@0.5"),
        "AP75": ("AP75", "mAP75"),
        "precision": ("precision",),
        "recall": ("recall",),
    },
    "segmentation": {
        "mIoU": ("mIoU", "mean IoU", "IoU", "miou", "mean intersection over union", "intersection over union"),
        "dice": ("dice", "Dice score", "dice coefficient", "Dice"),
        "pixel accuracy": ("pixel accuracy", "per-pixel accuracy", "pixel acc"),
    },
    "instance-segmentation": {
        "mAP": ("mAP", "mask mAP", "map", "mean average precision", "mask map"),
        "AP50": ("AP50", "mask AP50", "mAP50", "AP@0.5"),
        "recall": ("recall",),
    },
    "keypoint": {
        "AP": ("AP", "average precision", "OKS AP", "keypoint AP"),
        "PCK": ("PCK", "PCK@0.2", "percentage of correct keypoints"),
        "AR": ("AR", "average recall"),
        "AP50": ("AP50",),
        "mAP": ("mAP",),
    },
}


# Requests that are not about seeing anything: the answer is "no task".
NOT_VISION: Final = _lines("""
[write|compose|give me|I need|please write] [me |][a poem|a song|a story|an essay|a haiku|a letter|an e-mail|a speech|a joke|a limerick] about {T} [and {T}|]
[translate|summarise|proofread|rewrite|shorten] [this|the following|my] [text|letter|article|sentence|report|contract] [into French|into German|for a child|]: {T} {T}
[what|how] [is|was] the [weather|price|capital|population|score|meaning|recipe] of {T} [in {n}|today|]
[how do I|how can I|tell me how to|explain how to] [cook|repair|sell|grow|buy|clean|train] {T} [with {T}|]
[who|when|why] [was|is|did|does] [the |]{T} [invented|discovered|so expensive|popular|here]
[book|order|buy|cancel|reserve] [a table|a flight|a ticket|{n} tickets|a room|{T}] [for {n} people|for tomorrow|in {T}|]
[calculate|compute|solve|what is] {n} [plus|times|minus|divided by] {n} [and {n}|]
[hello|hi|thanks|good morning|how are you|test|asdf|lorem ipsum|ok|yes|no][ there| dolor sit amet| everybody|, how are you today||]
[write|fix|debug|explain] [a Python script|this SQL query|a bash command|my web page|a regular expression|a function] [that sorts {T}|for {T}|]
[predict|forecast] [the stock price|tomorrow's sales|the temperature|demand] [for {T}|of {T}|] [with {n} features|]
[recommend|suggest] [a book|a film|a restaurant|a present|a name] [for {T}|about {T}|near {T}|]
[convert|turn] [speech to text|this audio|my recording|a voice message] [in {n} languages|into notes|]
{T}[, {T}| {T}|. {T}| and {T}]
[play|sing|stop|pause|remind me of|schedule] [music|the alarm|a meeting|{T}] [at {n}|in {n} minutes|]
[I feel|My dog is|The neighbours are|We were|She is] [tired|hungry|late|happy|in {T}|angry about {T}] [today|again|and {T}|]
""")

# Requests that name a data set instead of classes.
ASK_BY_DATASET: Final[dict[str, str]] = {
    "classification": "[train|build|I need|give me|we want] [an image classifier|a classifier|an image classification model|image classification]",
    "multilabel-classification": "[train|build|I need|give me|we want] [a multi-label classifier|multi-label classification|a multilabel tagger]",
    "detection": "[train|build|I need|give me|we want] [an object detector|object detection|a detector|a detection model]",
    "segmentation": "[train|build|I need|give me|we want] [semantic segmentation|a segmentation model|a semantic segmentation network]",
    "instance-segmentation": "[train|build|I need|give me|we want] [instance segmentation|an instance segmentation model]",
    "keypoint": "[train|build|I need|give me|we want] [pose estimation|a keypoint detector|a pose model|landmark detection]",
}

# Sentences about anything: C a common word, T a thing. They say nothing to the configuration.
CHATTER: Final = _lines("""
[The|A|Our|My|Every] {C} [often |rarely |always |]{v} [the|a|our] {C} [and|but|so|while|because] [the|our|a] {C} {v} {P}.
[When|If|While|Since|Because|After|Before] [the|a|our] {C} {v} [the|our|a] {C}, [the|a|our|every] {T} {v} [to|with|for|at|near] [the|a|our] {C}.
[At|In|For|During|Behind|Near] [the|a|our|this] {C} [of the {C} |][each|every|the|some] {C} {v} [{a}|the {C}|{P}].
{W} [once |also |]{v} [a|the|our] {T} [for|from|with|without|as] [a|the] {C}[, which {v} the {C}| and {v} it {a}||].
[There is|We have|It is about|This concerns|Think of] [a|the|our|some] {C} [that {v} the {C}|for {C}|with {T}|of {T}|{P}].
[Mistakes|Errors|Delays|Losses] [are {C}|cost {C}|make the {C} {C}|upset the {C}], [so|and|therefore] the {C} {v}.
[I|We] [collect|study|sell|film|love|repair|teach|own|watch] {T} [and|or|with] {C}[ {P}| for the {C}| every {C}|].
[A|One|The] {C} [per|for each|at a] {C} [goes|comes|is sent|is taken] to [the|our] {C}, [then|where|and] [the|a] {C} {v}.
[This|That|It] {v} [{a}|the {C}|our {C}], [though|even if|and|as] [the|most|some] {C} {v} [{a}|].
[For|To] [a|the|our] {C} {C}, [with {T} |at the {C} |][|]
""")
