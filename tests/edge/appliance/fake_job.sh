#!/bin/bash
# In place of `edge produce`: fake_job.sh OUT EVENTS RAN TEXT. Three steps, each recorded when it is done and kept by a
# later call; RAN/ID gets a line for every step that is worked on. The words of TEXT say what goes wrong.
out=$1 events=$2 entry=${1%/job} text=$4
ran=$3/${entry##*/}
if [[ $text == quick* ]]; then
    echo packed >> "$ran"
    mkdir -p "$out/package"
    echo '{"files": {}}' > "$out/package/manifest.json"
    exit 0
fi
tell() { echo "{\"step\": \"$1\", \"state\": \"$2\", \"message\": \"$3\"}" >&"$events"; }
mkdir -p "$out/steps" "$out/work"
for step in 01-understand 02-gather 07-train; do
    name=${step#*-}
    if [ -e "$out/steps/$step.json" ]; then tell "$name" kept ""; continue; fi
    tell "$name" start ""
    case "$name:$text" in
        gather:*crash*) kill -SEGV $$ ;;
        gather:*bug*) exit 1 ;;
        gather:*code*) echo "Error: no model is fast enough" >&2; echo "  Ask for less." >&2; exit "${text##*code }" ;;
        train:*hang*) sleep 1000 ;;
        train:*deaf*) trap '' INT; tell train "" "not listening"; sleep 1000 ;;
        train:*long*) tell train "" "iteration 3 of 9"; sleep 1000 ;;
        *:*slow*) sleep 0.05 ;;
        *:*steady*) sleep 1.5 ;;
    esac
    echo '{"seconds": 1.5, "result": {"sources": []}}' > "$out/.step" && mv "$out/.step" "$out/steps/$step.json"
    echo "$name" >> "$ran"
    tell "$name" "done" ""
done
if [[ $text == *nothing* ]]; then exit 0; fi
mkdir -p "$out/work/package"
echo "a model" > "$out/work/package/model.onnx"
echo '{"files": {"model.onnx": "1706adee00751036563a808eb4375501f6e5bcefb3c7b32bbdfd416a48d43f94"}}' > "$out/work/package/manifest.json"
if [ ! -e "$out/package" ]; then mv "$out/work/package" "$out/package"; echo packed >> "$ran"; fi
