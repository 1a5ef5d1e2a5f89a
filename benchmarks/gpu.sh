#!/usr/bin/env bash
# Everything that is measured on a GPU, within half an hour: a sanity run, the tests marked `gpu`, each benchmark.
#
#   benchmarks/gpu.sh --out DIR [--photos DIR] [--wheels DIR] [--small]
#
#   --out     gets a file per step with its output, and steps.txt with exit codes and seconds, written as they end
#   --photos  photographs to align; by default those of the test data ($DWMTL_TESTDATA, shared or ../shared)
#   --wheels  a folder of wheels of the packages that this Python lacks; nothing is downloaded
#   --small   every step at its smallest size, on a CPU if there is no GPU: to try the script
#
# Needs torch, torchvision, timm, lightning-fabric, scikit-learn, pandas, OpenCV; not DVC, not MLflow. Each step has its
# own time limit; a step that fails or runs out of time does not stop the next. The exit code is the number of such steps.
set -uo pipefail

out="" photos="" wheels="" small=""
while (($#)); do
    case "$1" in
        --out) out=$2; shift 2 ;;
        --photos) photos=$2; shift 2 ;;
        --wheels) wheels=$2; shift 2 ;;
        --small) small=yes; shift ;;
        *) echo "gpu.sh: unknown option $1; the options stand at the top of the file" >&2; exit 2 ;;
    esac
done
[[ -n $out ]] || { echo "gpu.sh: --out must name a folder for the results" >&2; exit 2; }
mkdir -p "$out"
out=$(cd "$out" && pwd)
[[ -z $wheels ]] || wheels=$(cd "$wheels" && pwd)
[[ -z $photos ]] || photos=$(cd "$photos" && pwd)
cd "$(dirname "$0")/.." || exit 2
export PYTHONPATH=$PWD
PYTHON=${PYTHON:-python3}

if [[ -n $wheels ]]; then
    "$PYTHON" -m pip install --quiet --no-index --no-deps --find-links "$wheels" "$wheels"/*.whl || exit 2
fi
if [[ -z $small ]] && ! "$PYTHON" -c 'import sys, torch; sys.exit(not torch.cuda.is_available())'; then
    echo "gpu.sh: torch sees no GPU; --small tries the script on a CPU" >&2
    exit 2
fi
for folder in "${DWMTL_TESTDATA:-}" shared ../shared; do
    [[ -z $photos && -n $folder && -d $folder/real/lfw ]] && photos=$folder/real/lfw
done
if [[ -z $photos ]]; then
    echo "gpu.sh: no photographs; name a folder by --photos" >&2
    exit 2
fi

failed=0
# step NAME SECONDS COMMAND...: run a command under a time limit, keep what it prints
step() {
    local name=$1 limit=$2 start=$SECONDS code
    shift 2
    timeout --kill-after=10 "$limit" "$PYTHON" "$@" >"$out/$name.txt" 2>&1
    code=$?
    echo "$name: exit code $code, $((SECONDS - start)) s" | tee -a "$out/steps.txt"
    ((code == 0)) || failed=$((failed + 1))
}

if [[ -n $small ]]; then
    step sanity 300 benchmarks/step_time.py --rounds 1 --only dynamic --batch-size 4 --crop-px 80
    step gpu_tests 300 -m pytest -q -m gpu tests/unit/crops/test_suppression.py
    step same_bytes 300 benchmarks/same_bytes.py --steps 2 --batch-size 4 --crop-px 80
    step alignment 300 benchmarks/alignment.py --photos "$photos" --limit 8
    step training 300 benchmarks/training.py --batch-size 4 --steps 2 --rounds 1 --crop-px 96
    step step_time 300 benchmarks/step_time.py --rounds 1 --only dynamic --batch-size 4 --crop-px 80 --precision bf16-mixed
    step many_identities 300 benchmarks/many_identities.py --num-identities 2000 --batch-size 4 --steps 1
else
    step hardware 30 -c "import torch; print(torch.__version__, torch.cuda.get_device_properties(0))"
    step sanity 120 benchmarks/step_time.py --rounds 3 --only dynamic --batch-size 32
    step gpu_tests 300 -m pytest -q -m gpu tests/unit/crops tests/unit/inference tests/unit/training
    step same_bytes 120 benchmarks/same_bytes.py --steps 20 --batch-size 64 --accelerator cuda
    step alignment 300 benchmarks/alignment.py --photos "$photos" --device cuda
    step alignment_half 200 benchmarks/alignment.py --photos "$photos" --device cuda --half
    step training 420 benchmarks/training.py --batch-size 256 --steps 250 --rounds 3 --num-workers 12
    step step_time 200 benchmarks/step_time.py --batch-size 256 --crop-px 160 --precision bf16-mixed --only dynamic,keep
    step many_identities 120 benchmarks/many_identities.py --batch-size 256
fi
exit "$failed"
